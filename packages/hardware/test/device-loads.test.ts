/** Loads of a device that does whatever a device may do when it is read: the same on both engines, in the same cycle. */
import { createAssembler, CP0_EPC, K0, K1, S0, S1, S2, S3, T0, T1, T2, T3, T4, T5, T6, T7, ZERO } from '@exokernel/isa';
import { Machine, type AttachedDevice, type DeviceHost, type MachineOptions } from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';

const CYCLES = 200_000;
const LOOP = 0x1000;
/** The instruction behind the load, and two that it can be. */
const PATCHED = LOOP + 8;
const ADD_ONE = 0x26520001; // addiu s2, s2, 1
const ADD_TWO = 0x26520002;

/** +0: what the time is; +4: how often it was read, which makes it do things; +8: ends the interrupt. */
class Busy implements AttachedDevice {
  readonly #host: DeviceHost;
  readonly #timer;
  #reads = 0;

  constructor(host: DeviceHost) {
    this.#host = host;
    this.#timer = host.clock.timer(() => {
      host.setLine(true);
    });
  }

  read(offset: number): number {
    const { clock, ram, setLine } = this.#host;
    if (offset === 0) return clock.now | 0;
    if (offset === 8) setLine(false);
    if (offset !== 4) return 0x80f1e2d3 | 0;
    this.#reads += 1;
    if (this.#reads % 97 === 0) this.#timer.arm(clock.now + (this.#reads % 5));
    if (this.#reads % 31 === 0) setLine(true);
    if (this.#reads % 1009 === 0) ram.store32(PATCHED, this.#reads % 2 === 0 ? ADD_ONE : ADD_TWO);
    return this.#reads;
  }

  state(s: Parameters<AttachedDevice['state']>[0]): void {
    this.#reads = s.integer(this.#reads, 0, 2 ** 31);
    s.timer(this.#timer);
  }
}

/** Polls the device without end; `status` says whether it may interrupt. */
function poller(status: number, options: MachineOptions): Machine {
  const registers = { base: 0x10800000, bytes: 16 };
  const device = { name: 'busy', registers, line: 3, make: (host: DeviceHost) => new Busy(host) };
  const machine = new Machine({ ramBytes: 0x10000, devices: [device], translation: { after: 4 }, ...options });
  const handler = createAssembler(0x80000080);
  handler.lui(K1, 0xb080);
  handler.lw(ZERO, 8, K1);
  handler.lw(K1, 0, K1);
  handler.mfc0(K0, CP0_EPC);
  handler.xor(S1, S1, K1);
  handler.addiu(S3, S3, 1);
  handler.jr(K0);
  handler.rfe();
  machine.memory.storeWords(0x80, handler.assemble().words);
  const a = createAssembler(0x80000000 + LOOP);
  a.lui(T0, 0xb080);
  a.label('poll');
  a.lw(T1, 4, T0);
  a.addiu(S2, S2, 1);
  a.addu(S0, S0, T1);
  a.lw(T2, 0, T0);
  a.lb(T3, 15, T0);
  a.lbu(T4, 14, T0);
  a.lh(T5, 14, T0);
  a.lhu(T6, 12, T0);
  for (const value of [T2, T3, T4, T5, T6]) {
    // Times five: what is added is never forgotten.
    a.sll(T7, S1, 2);
    a.addu(S1, S1, T7);
    a.addu(S1, S1, value);
  }
  // The next one is executed with the old value of the load.
  a.lw(T1, 0, T0);
  a.word(0x02098021); // addu s0, s0, t1
  a.b('poll');
  a.addu(S1, S1, T1);
  machine.memory.storeWords(LOOP, a.assemble().words);
  machine.cpu.cp0.status = status;
  machine.cpu.pc = 0x80000000 + LOOP;
  return machine;
}

describe('loads of a device that moves events, interrupts and writes code', () => {
  test.each([
    ['ideal', 0x0801],
    ['ideal', 0x0800],
    ['ideal', 0x0001],
    ['dec5000', 0x0801],
  ] as const)('%s, Status %i: each in the same cycle on both engines, in any steps', (profile, status) => {
    const ends = (['interpreter', 'translator'] as const).flatMap((engine) =>
      [CYCLES, 70_001, 999].map((step) => {
        const machine = poller(status, { engine, profile });
        for (let left = CYCLES; left > 0; left -= step) machine.run(Math.min(step, left));
        return [machine.cycles, machine.fingerprint, machine.memory.load32(PATCHED), [...machine.cpu.words()]];
      }),
    );
    for (const end of ends) expect(end).toEqual(ends[0]);
    const interrupts = poller(status, { profile });
    interrupts.run(CYCLES);
    expect(interrupts.cpu.registers[S2]).toBeGreaterThan(2500);
    expect((interrupts.cpu.registers[S3] ?? 0) > 50).toBe(status === 0x0801);
  });
});
