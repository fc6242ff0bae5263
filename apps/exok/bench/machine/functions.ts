/**
 * A program of many hot functions: a driver calls them at random, so often; each adds twelve times, and does so `loops` times. It
 * runs on the machine, and as a Linux program on a peer.
 */
import { A0, A1, RA, S0, S1, S2, T0, T1, V0, V1, ZERO, createAssembler } from '@exokernel/isa';

export const DRIVER = 0x00010000;
const FUNCTIONS = 0x00200000;
/** Bytes from one function to the next. */
const STRIDE = 128;
const SYS_EXIT = 4001;

/** What is at which address. */
export interface Part {
  readonly address: number;
  readonly words: Uint32Array;
}

/** Instructions of a call, those of the driver included. */
export function instructionsPerCall(loops: number): number {
  return 15 * loops + 17;
}

/** The program, which begins with its first part, for addresses from `base` on. After `calls` it makes Linux's `exit(0)`. */
export function functionsProgram(functions: number, loops: number, calls: number, base = 0): readonly Part[] {
  const driver = createAssembler((base + DRIVER) >>> 0);
  driver.li(S0, 1664525);
  driver.lui(S1, (base + FUNCTIONS) >>> 16);
  driver.li(S2, calls);
  driver.label('next');
  driver.mult(T0, S0);
  driver.mflo(T0);
  driver.nop();
  driver.nop();
  driver.addiu(T0, T0, 12345);
  driver.srl(T1, T0, 10);
  driver.andi(T1, T1, functions - 1);
  driver.sll(T1, T1, Math.log2(STRIDE));
  driver.addu(T1, T1, S1);
  driver.jalr(RA, T1);
  driver.addiu(S2, S2, -1);
  driver.bne(S2, ZERO, 'next');
  driver.nop();
  driver.li(V0, SYS_EXIT);
  driver.syscall(0);
  const parts: Part[] = [{ address: DRIVER, words: driver.assemble().words }];
  for (let f = 0; f < functions; f += 1) {
    const address = FUNCTIONS + STRIDE * f;
    const a = createAssembler((base + address) >>> 0);
    a.li(A0, loops);
    a.label('loop');
    for (let k = 0; k < 12; k += 1) a.addiu(k % 2 === 0 ? V0 : A1, V0, k + (f % 100));
    a.addiu(A0, A0, -1);
    a.bne(A0, ZERO, 'loop');
    a.xor(V1, V1, A1);
    a.jr(RA);
    a.addiu(V1, V1, 1);
    parts.push({ address, words: a.assemble().words });
  }
  return parts;
}

/** The parts as a Linux program: an ELF file of one segment that may be read and executed. */
export function elfOf(parts: readonly Part[]): Uint8Array {
  const from = parts[0]?.address ?? 0;
  const end = Math.max(...parts.map(({ address, words }) => address + 4 * words.length));
  const place = 0x1000;
  const bytes = new Uint8Array(place + end - from);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  // e_type EXEC, e_machine MIPS, e_version, e_entry, e_phoff; e_flags MIPS I, o32; sizes of the headers; one segment
  for (const [at, value] of [
    [16, 0x00080002],
    [20, 1],
    [24, from],
    [28, 52],
    [36, 0x1001],
    [40, 0x00200034],
    [44, 1],
    [52, 1],
    [56, place],
    [60, from],
    [64, from],
    [68, end - from],
    [72, end - from],
    [76, 5],
    [80, place],
  ] as const) {
    view.setUint32(at, value, true);
  }
  for (const { address, words } of parts) {
    words.forEach((word, i) => {
      view.setUint32(place + address - from + 4 * i, word, true);
    });
  }
  return bytes;
}
