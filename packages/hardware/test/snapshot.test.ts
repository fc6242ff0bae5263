import { S1, S2, T0, T1, T2, T3 } from '@exokernel/isa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HardwareError, Machine, Recorder, Replay, Wire, type MachineOptions, type Profile } from '../src/index.ts';
import { ENVELOPE_HEADER, seal } from '../src/state/envelope.ts';
import { SNAPSHOT } from '../src/state/snapshot.ts';
import { descriptor, initialize, lanceBytes, RX, RX_BUFFER, TX, TX_BUFFER, word } from './lance-support.ts';
import { tame, wild } from './random-code.ts';
import { boot, idle, load, random, record, state } from './support.ts';

const PROFILES = ['ideal', 'dec2100', 'dec5000'] as const satisfies readonly Profile[];
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

function refusal(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof HardwareError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'nothing thrown', message: '' };
}

/** `wild` without its native functions. */
function alone(seed: number, options: MachineOptions): Machine {
  const machine = seed % 2 === 0 ? wild(seed, options) : tame(seed, options);
  machine.native.install('kernel', []);
  machine.native.install(0, []);
  return machine;
}

describe('a snapshot that is none', () => {
  const machine = alone(3, {});
  machine.run(5000);
  const good = machine.snapshot();
  const other = alone(4, {});
  const changed = (at: number, value: number, more = 0): Uint8Array => {
    const bytes = new Uint8Array(good.length + more);
    bytes.set(good);
    bytes[at] = value;
    return bytes;
  };
  test.each([
    ['empty', new Uint8Array(0), 'does not begin'],
    ['of something else', new TextEncoder().encode('<!doctype html><html></html>'), 'does not begin'],
    ['without its header', good.slice(0, 15), 'ends after 15'],
    ['cut in the middle', good.slice(0, good.length >>> 1), `not ${good.length - 32}`],
    ['with more behind it', changed(good.length, 0, 1), 'bytes behind'],
    ['of another version', changed(8, 99), 'version is 99'],
    ['with a changed bit', changed(good.length - 5, (good.at(-5) ?? 0) ^ 4), 'checksum'],
  ])('%s is refused, and changes nothing', (_, bytes, why) => {
    const before = state(other);
    const { code, message } = refusal(() => other.restore(bytes));
    expect([code, message]).toEqual(['snapshot', expect.stringContaining(why)]);
    expect(state(other)).toEqual(before);
  });

  test.each([
    ['memory', { ramBytes: 0x40000 }],
    ['profile', { ramBytes: 0x280000, profile: 'dec3100' }],
    ['PROM', { ramBytes: 0x280000, prom: new Uint8Array(8) }],
    ['controller', { ramBytes: 0x280000, lance: { mac: MAC, wire: new Wire() } }],
  ] as const)('of a machine with another %s is refused, and says of what', (_, options) => {
    const { code, message } = refusal(() => new Machine(options).restore(good));
    expect(code).toBe('snapshot');
    expect(message).toContain('2.5 MiB, ideal');
  });

  test('of a wire that cannot be is refused, although it is whole', () => {
    const machine = new Machine({ ramBytes: 4096, lance: { mac: MAC, wire: new Wire() } });
    const bytes = machine.snapshot();
    const view = new DataView(bytes.buffer, ENVELOPE_HEADER);
    // The last of the small state: the origin of the machine's time on the wire, and a list of nothing.
    const origin = 8 + view.getUint32(4, true) - 12;
    for (const value of [NaN, Infinity, -1e300]) {
      view.setFloat64(origin, value, true);
      const { code, message } = refusal(() => machine.restore(seal(SNAPSHOT, bytes)));
      expect([code, message]).toEqual(['snapshot', expect.stringContaining('is no time of a wire')]);
    }
    view.setFloat64(origin, 0, true);
    machine.restore(seal(SNAPSHOT, bytes));
  });

  test('is not made of a machine with native functions, nor during a run, nor of one of several on a wire', () => {
    const native = alone(5, {});
    native.native.install(7, [() => undefined]);
    expect(refusal(() => native.snapshot()).code).toBe('snapshot');
    const running = boot((a) => a.syscall(0));
    const seen: string[] = [];
    running.listen(() => seen.push(refusal(() => running.snapshot()).code));
    running.run(1);
    expect(seen).toEqual(['snapshot']);
    const wire = new Wire();
    const machines = [1, 2].map(() => new Machine({ ramBytes: 4096, lance: { mac: MAC, wire } }));
    expect(refusal(() => machines[0]?.snapshot()).code).toBe('snapshot');
  });
});

describe('a machine that is restored', () => {
  test.each(PROFILES)(
    '%s: goes on as if nothing had been, on either engine, in this machine and in a new one',
    (profile) => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
          const engine = seed % 4 < 2 ? 'interpreter' : 'translator';
          const machine = alone(seed, { profile, engine });
          machine.serialInput(3, Uint8Array.of(1, 2, 3));
          machine.run(10_007);
          const snapshot = machine.snapshot();
          const go = (on: Machine): unknown => {
            const events = record(on);
            for (let i = 0; i < 5; i += 1) on.run(3001);
            return { state: state(on), events: [...events] };
          };
          const expected = go(machine);
          machine.restore(snapshot);
          expect(go(machine)).toEqual(expected);
          const other = alone(seed ^ 6, { profile, engine: engine === 'interpreter' ? 'translator' : 'interpreter' });
          other.run(seed % 7001);
          other.restore(snapshot);
          expect(go(other)).toEqual(expected);
        }),
        { numRuns: Number(process.env.EXOKERNEL_RUNS ?? 6) },
      );
    },
  );

  test('is small: pages of zeros take no room', () => {
    expect(new Machine({ ramBytes: 64 * 2 ** 20 }).snapshot().length).toBeLessThan(100_000);
  });

  test('has its characters on the way, its alarm, and its frames on the wire', () => {
    const make = (): { machine: Machine; heard: number[]; said: number[] } => {
      const wire = new Wire({ delayMicroseconds: 500, faults: { seed: 5, delay: 0.5 } });
      const heard: number[] = [];
      const said: number[] = [];
      const machine = idle({ lance: { mac: MAC, wire }, serial: (_, byte) => said.push(byte) });
      const peer = wire.attach({ receive: (frame, time) => heard.push(frame[20] ?? 0, time) });
      initialize(machine, { mac: MAC });
      machine.run(1000);
      for (let i = 0; i < 3; i += 1) {
        const frame = new Uint8Array(60 + i).fill(i, 14);
        frame.set(MAC);
        peer.send(frame);
        descriptor(machine, TX + 8 * i, TX_BUFFER + 100 * i, 0x8300, 64);
        machine.lanceMemory?.write(
          TX_BUFFER + 100 * i,
          new Uint8Array(TX_BUFFER + 100 * i + 64 - (TX_BUFFER + 100 * i)).fill(0x40 + i),
        );
      }
      machine.native.install('kernel', []);
      return { machine, heard, said };
    };
    const one = make();
    one.machine.run(40_000 + 3000); // the transmitter has polled; a frame is on the wire, others wait
    const snapshot = one.machine.snapshot();
    const two = make();
    two.machine.restore(snapshot);
    one.heard.splice(0);
    two.heard.splice(0);
    one.machine.run(200_000);
    two.machine.run(200_000);
    expect(two.heard).toEqual(one.heard);
    expect(one.heard.length).toBeGreaterThan(3);
    expect(state(two.machine)).toEqual(state(one.machine));
    expect(word(two.machine, RX + 2)).toBe(word(one.machine, RX + 2));
    expect(lanceBytes(two.machine, RX_BUFFER, 8000)).toEqual(lanceBytes(one.machine, RX_BUFFER, 8000));
  });
});

describe('stations of the host', () => {
  const make = (): { machine: Machine; wire: Wire } => {
    const wire = new Wire({ delayMicroseconds: 500 });
    return { machine: idle({ lance: { mac: MAC, wire } }), wire };
  };

  test('may be others when a machine is restored: their frames still arrive', () => {
    const one = make();
    initialize(one.machine, { mac: MAC });
    one.machine.native.install('kernel', []);
    one.machine.run(1000);
    const nobody = one.wire.attach({ receive: () => undefined });
    const peer = one.wire.attach({ receive: () => undefined });
    for (let i = 0; i < 3; i += 1) peer.send(new Uint8Array(100).fill(0xff, 0, 6));
    peer.detach();
    nobody.detach();
    one.machine.run(5000);
    const snapshot = one.machine.snapshot();
    one.machine.run(200_000);
    expect([0, 8, 16, 24].map((i) => word(one.machine, RX + i + 2) >>> 15)).toEqual([0, 0, 0, 1]);
    for (const stations of [0, 1, 4]) {
      const wire = new Wire({ delayMicroseconds: 500 });
      const before = stations === 4 ? wire.attach({ receive: () => undefined }) : undefined;
      const two = { machine: idle({ lance: { mac: MAC, wire } }), wire };
      for (let i = 0; i < stations; i += 1) two.wire.attach({ receive: () => undefined });
      before?.send(new Uint8Array(60));
      two.machine.restore(snapshot);
      two.machine.run(200_000);
      expect(state(two.machine)).toEqual(state(one.machine));
      expect(lanceBytes(two.machine)).toEqual(lanceBytes(one.machine));
    }
  });

  test('may use the bytes that they gave again: recordings and snapshots have copies', () => {
    const { machine, wire } = make();
    const peer = wire.attach({ receive: () => undefined });
    const recorder = new Recorder(machine);
    const frame = Buffer.alloc(60, 0xff);
    const typed = Buffer.from('abc');
    peer.send(frame);
    machine.serialInput(2, typed);
    frame.fill(1);
    typed.fill(2);
    const recording = Buffer.from(recorder.finish());
    expect(recording.includes(Buffer.alloc(60, 0xff))).toBe(true);
    expect(recording.includes('abc')).toBe(true);
    const snapshot = Buffer.from(machine.snapshot());
    const other = make().machine;
    other.restore(snapshot);
    snapshot.fill(0);
    const heard: number[] = [];
    other.wire?.tap(({ bytes }) => heard.push(bytes[0] ?? 0));
    other.run(1_000_000);
    expect(heard).toEqual([0xff]);
  });
});

describe('a recording', () => {
  /** Echoes serial line 2 with a count, and counts what the LANCE gets. */
  function listening(engine: 'interpreter' | 'translator'): { machine: Machine; wire: Wire; said: string } {
    const wire = new Wire();
    const out = { machine: idle(), wire, said: '' };
    const machine = boot(
      (a) => {
        const DZ = 0xbc00;
        a.lui(T0, DZ);
        a.li(T1, 0x1e1a);
        a.sh(T1, 8, T0);
        a.li(T1, 0x20);
        a.sh(T1, 0, T0);
        a.li(T1, 4);
        a.sh(T1, 0x10, T0);
        a.label('next');
        a.addiu(S1, S1, 1);
        a.lhu(T2, 0, T0);
        a.nop();
        a.andi(T3, T2, 0x80);
        a.beqz(T3, 'next');
        a.nop();
        a.lhu(T2, 8, T0);
        a.addu(S2, S2, S1);
        a.addu(T2, T2, S1);
        a.sb(T2, 0x18, T0);
        a.b('next');
        a.nop();
      },
      { engine, lance: { mac: MAC, wire }, serial: (_, byte) => (out.said += String.fromCharCode(byte)) },
    );
    out.machine = machine;
    return out;
  }

  test('replayed in other steps, on the other engine, gives the same machine and the same words', () => {
    const one = listening('translator');
    const recorder = new Recorder(one.machine);
    const next = random(8);
    const peer = one.wire.attach({ receive: () => undefined });
    for (let i = 0; i < 30; i += 1) {
      one.machine.run(1 + (next() % 40_000));
      one.machine.serialInput(2, Uint8Array.of(next(), next()));
      if (next() % 3 === 0) peer.send(new Uint8Array(60 + (next() % 900)).fill(0xff, 0, 6));
    }
    one.machine.run(77_777);
    const recording = recorder.finish();

    const two = listening('interpreter');
    const replay = new Replay(two.machine, recording);
    expect(replay.end).toBe(one.machine.cycles);
    while (two.machine.cycles < replay.end) {
      expect(replay.agrees).toBeUndefined();
      replay.run(1 + (next() % 9001));
    }
    expect(replay.agrees).toBe(true);
    expect(two.said).toBe(one.said);
    expect(one.said.length).toBeGreaterThan(20);
    expect(state(two.machine)).toEqual(state(one.machine));
    expect(replay.run(100)).toEqual({ cycles: 0, instructions: 0, idleCycles: 0 });
  });

  test('of several stations has all that they had waiting, frames with an FCS of their own, and breaks', () => {
    const one = listening('translator');
    const recorder = new Recorder(one.machine);
    const peers = [0, 1].map(() => one.wire.attach({ receive: () => undefined }));
    for (let i = 0; i < 400; i += 1) {
      peers[i % 2]?.send(new Uint8Array(60 + i).fill(0xff, 0, 6), i % 5 === 0 ? i : undefined);
      if (i % 50 === 0) one.machine.serialBreak(2);
    }
    one.machine.run(3_000_000);
    const two = listening('interpreter');
    const replay = new Replay(two.machine, recorder.finish());
    while (replay.agrees === undefined) replay.run(500_009);
    expect(replay.agrees).toBe(true);
    expect(two.wire.counters).toEqual(one.wire.counters);
    expect(one.wire.counters.sent).toBeGreaterThan(100);
    expect(two.said).toBe(one.said);
  });

  test('that is damaged, of another version or of another machine is refused', () => {
    const { machine } = listening('interpreter');
    const recorder = new Recorder(machine);
    machine.run(100);
    const recording = recorder.finish();
    expect(refusal(() => new Replay(listening('interpreter').machine, recording.slice(0, 30))).code).toBe('recording');
    expect(
      refusal(
        () => new Replay(listening('interpreter').machine, machine.cycles > 0 ? recording.fill(9, 8, 9) : recording),
      ).message,
    ).toContain('version');
    const again = new Recorder(listening('interpreter').machine).finish();
    const late = listening('interpreter').machine;
    late.run(1);
    expect(refusal(() => new Replay(late, again)).message).toContain('cycle 0');
    const other = listening('interpreter').machine;
    other.memory.store32(0x3000, 1);
    expect(refusal(() => new Replay(other, again)).code).toBe('recording');
    load(other, 0x80003000, (a) => a.nop());
  });

  test('is not made of one of several machines on a wire, whose frames it would not hear', () => {
    const wire = new Wire();
    const [machine] = [1, 2].map(() => new Machine({ ramBytes: 4096, lance: { mac: MAC, wire } }));
    expect(refusal(() => machine && new Recorder(machine)).code).toBe('recording');
  });

  test('of a machine whose end is not that of its replay says so', () => {
    const one = listening('interpreter').machine;
    const recorder = new Recorder(one);
    one.run(100);
    one.memory.store32(0x4000, 5); // what a recording does not hold
    const replay = new Replay(listening('interpreter').machine, recorder.finish());
    replay.run(1000);
    expect(replay.agrees).toBe(false);
  });
});
