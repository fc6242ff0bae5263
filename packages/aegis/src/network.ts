/**
 * The network controller at boot: initialisation block, descriptor rings and buffers in the LANCE's own memory. [LANCE]
 *
 * From then on it is machine code alone that touches it (text/receive.ts, text/transmit.ts). The buffer memory is linear:
 * the CPU sees it as RAM.
 */
import type { NativeCpu } from '@exokernel/abi';
import { KP, NET } from './layout.ts';
import type { KernelMemory } from './memory.ts';

const OWN = 0x80000000;

/** Station address ROM of the KN01: byte i in bits 8 to 15 of word i of the clock's window [KN01]. */
const ADDRESS_ROM = 0xbd000001;

/** Sets the controller up, if there is one whose buffer memory is linear. */
export function bootNetwork(cpu: NativeCpu, memory: KernelMemory): void {
  const base = NET.memory;
  if (!cpu.probe(NET.registers, true) || !cpu.probe(base, true)) return;
  cpu.store32(base, OWN);
  if (cpu.load32(base) !== (OWN | 0)) return;
  const byte = (i: number): number => cpu.load8(ADDRESS_ROM + 4 * i);
  cpu.store16(base + NET.init, 0);
  for (let i = 0; i < 6; i += 2) cpu.store16(base + NET.init + 2 + i, byte(i) | (byte(i + 1) << 8));
  for (let i = 8; i < 16; i += 2) cpu.store16(base + NET.init + i, 0);
  for (const [at, ring] of [
    [0x10, NET.receiveRing],
    [0x14, NET.transmitRing],
  ] as const) {
    cpu.store16(base + NET.init + at, ring);
    cpu.store16(base + NET.init + at + 2, NET.ringLog2 << 13);
  }
  const entries = 1 << NET.ringLog2;
  for (let i = 0; i < entries; i += 1) {
    const receive = NET.buffers + i * NET.bufferBytes;
    const transmit = NET.transmitBuffers + i * NET.bufferBytes;
    cpu.store32(base + NET.receiveRing + 8 * i, OWN | receive);
    cpu.store32(base + NET.receiveRing + 8 * i + 4, -NET.bufferBytes & 0xffff);
    cpu.store32(base + NET.transmitRing + 8 * i, transmit);
    cpu.store32(base + NET.transmitRing + 8 * i + 4, 0xf000);
  }
  memory.setKernelPage(KP.station, byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24));
  memory.setKernelPage(KP.station + 4, byte(4) | (byte(5) << 8));
  memory.setKernelPage(KP.receiveIndex, 0);
  memory.setKernelPage(KP.transmitIndex, 0);
  memory.setKernelPage(KP.lance, 1);
}
