import {
  CP0_EPC,
  CP0_STATUS,
  K0,
  S0,
  S1,
  S2,
  S3,
  S4,
  S5,
  T0,
  T1,
  T2,
  T3,
  T4,
  ZERO,
  type Assembler,
} from '@exokernel/isa';
import type { WireOptions } from '@exokernel/wire';
import { describe, expect, test } from 'vitest';
import { HardwareError, Network, Wire, type Machine, type MachineOptions, type Profile } from '../src/index.ts';
import { initialize, MEMORY, prepare, RX, setWord, TX, TX_BUFFER, lanceBytes } from './lance-support.ts';
import { boot, idle, load, random, record, state, type Recorded } from './support.ts';

const mac = (i: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, i);
const RING = 3;

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HardwareError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

/**
 * A guest that sends back every frame it hears, from the buffer where it lies, after a while that its own generator gives
 * (s5). With two of them a frame goes back and forth; with three or more they fight for the wire and lose frames.
 */
function echo(a: Assembler): void {
  emitSetup(a);
  a.label('next');
  emitEcho(a, 'next');
}

/** The same, done in interrupts; between them it stands in a branch to itself. */
function echoOnInterrupt(a: Assembler): void {
  emitSetup(a);
  a.li(T0, 0x0801);
  a.mtc0(T0, CP0_STATUS);
  a.label('idle');
  a.b('idle');
  a.nop();
}

/** Its exception handler. */
function handler(a: Assembler): void {
  a.li(T0, 0x7f40);
  a.sh(T0, 0, S1);
  a.label('next');
  emitEcho(a, 'done');
  a.label('done');
  a.mfc0(K0, CP0_EPC);
  a.nop();
  a.jr(K0);
  a.rfe();
}

function emitSetup(a: Assembler): void {
  a.lui(S0, 0xa000 | (MEMORY >>> 16));
  a.lui(S1, 0xb800);
  for (const [register, value] of [
    [1, 0],
    [2, 0],
    [3, 0],
    [0, 0x43], // INEA, STRT, INIT
  ] as const) {
    a.li(T0, register);
    a.sh(T0, 4, S1);
    a.li(T0, value);
    a.sh(T0, 0, S1);
  }
  a.move(S2, S0); // its places in the receive and the transmit ring; the first message is there already
  a.addiu(S3, S0, 8);
  a.li(S4, 0);
}

function emitEcho(a: Assembler, empty: string): void {
  a.lw(T0, RX, S2);
  a.addiu(S4, S4, 1);
  a.bltz(T0, empty);
  a.li(T4, 1103515245);
  a.multu(S5, T4);
  a.mflo(S5);
  a.addiu(S5, S5, 12345);
  a.srl(T1, S5, 20);
  a.label('wait');
  a.bnez(T1, 'wait');
  a.addiu(T1, T1, -1);
  a.lhu(T1, RX + 6, S2); // message length
  a.lw(T2, TX, S3);
  a.andi(T1, T1, 0xfff);
  a.bltz(T2, 'again'); // the controller has not sent the one before: this one is lost
  a.addiu(T1, T1, -4);
  a.subu(T1, ZERO, T1);
  a.andi(T1, T1, 0xfff);
  a.ori(T1, T1, 0xf000);
  a.sw(T1, TX + 4, S3);
  a.andi(T0, T0, 0xffff);
  a.lui(T3, 0x8300);
  a.or(T3, T3, T0);
  a.sw(T3, TX, S3);
  a.li(T3, 0x48);
  a.sh(T3, 0, S1);
  a.addiu(S3, S3, 8);
  a.label('again');
  a.andi(T0, T0, 0xffff);
  a.lui(T3, 0x8000);
  a.or(T3, T3, T0);
  a.sw(T3, RX, S2);
  a.addiu(S2, S2, 8);
  a.andi(S2, S2, (8 << RING) - 1);
  a.or(S2, S2, S0);
  a.andi(S3, S3, (8 << RING) - 1);
  a.b('next');
  a.or(S3, S3, S0);
}

interface World {
  readonly machines: Machine[];
  readonly network: Network;
  readonly wire: Wire;
  readonly events: Recorded[][];
  /** Every frame on the wire: time of its last bit, length, a byte of it. */
  readonly heard: [time: number, length: number, byte: number][];
}

interface Options {
  /** Machine i; each is the same whenever it is made. */
  readonly profiles?: readonly Profile[];
  readonly wire?: WireOptions;
  readonly machine?: MachineOptions;
  readonly interrupts?: boolean;
  /** The order in which the machines are made, and that in which the network gets them. */
  readonly made?: readonly number[];
  readonly ordered?: readonly number[];
}

/** Echoing machines on one wire. Each has one frame to send. */
function world(options: Options = {}): World {
  const { profiles = ['ideal', 'ideal', 'ideal'], interrupts = false } = options;
  const numbers = profiles.map((_, i) => i);
  const { made = numbers, ordered = numbers } = options;
  const wire = new Wire(options.wire);
  const heard: [number, number, number][] = [];
  wire.attach({ receive: (frame, time) => heard.push([time, frame.length, frame[14] ?? 0]) });
  const machines: Machine[] = [];
  for (const i of made) {
    machines[i] = boot(interrupts ? echoOnInterrupt : echo, {
      ramBytes: 0x4000,
      profile: profiles[i] ?? 'ideal',
      ...options.machine,
      lance: { mac: mac(i), wire },
    });
  }
  machines.forEach((machine, i) => {
    load(machine, 0x80000080, handler);
    prepare(machine, { mac: mac(i), mode: 0x8000, rings: RING, rxBytes: 1536 });
    const length = 60 + 300 * i;
    machine.lanceMemory?.write(
      TX_BUFFER + 0x6000,
      new Uint8Array(TX_BUFFER + 0x6000 + length - (TX_BUFFER + 0x6000)).fill(i + 1),
    );
    setWord(machine, TX, TX_BUFFER + 0x6000);
    setWord(machine, TX + 4, 0xf000 | (-length & 0xfff));
    setWord(machine, TX + 2, 0x8300);
    machine.cpu.registers[S5] = i;
  });
  const network = new Network(ordered.flatMap((i) => machines[i] ?? []));
  return { machines, network, wire, events: machines.map((m) => record(m)), heard };
}

function seen({ machines, events, heard, wire }: World): unknown {
  return {
    machines: machines.map((machine) => [state(machine), [...lanceBytes(machine, 0, 0x300)]]),
    events,
    heard,
    counters: wire.counters,
  };
}

describe('a network that is restored', () => {
  const faults = { seed: 3, drop: 0.1, duplicate: 0.2, reorder: 0.2, corrupt: 0.1, delay: 0.3 };

  test.each([[['ideal', 'dec3100', 'ideal']], [['ideal', 'ideal', 'dec5000']]] as const)(
    'of %j: goes on with its frames in flight, on the other engine, in this network and in a new one',
    (profiles) => {
      const make = (engine: 'interpreter' | 'translator'): World =>
        world({ profiles, interrupts: true, wire: { faults, delayMicroseconds: 300 }, machine: { engine } });
      const go = (on: World): unknown => {
        on.heard.splice(0);
        for (const events of on.events) events.splice(0);
        for (let i = 0; i < 7; i += 1) on.network.run(333_333);
        return seen(on);
      };
      const one = make('translator');
      for (let i = 0; i < 6; i += 1) {
        one.network.run(123_457 + 10_007 * i);
        const snapshot = one.network.snapshot();
        const expected = go(one);
        one.network.restore(snapshot);
        expect(go(one)).toEqual(expected);
        const two = make('interpreter');
        two.network.run(50_001 * i);
        two.network.restore(snapshot);
        expect(go(two)).toEqual(expected);
        one.network.restore(snapshot);
      }
      expect(one.heard.length).toBeGreaterThan(3);
    },
  );

  test.each([
    ['faults', {}],
    ['delay', { faults, delayMicroseconds: 1 }],
    ['bandwidth', { faults, bandwidth: 1_000_000 }],
    ['capacity', { faults, capacity: 3 }],
  ])('of a wire of other %s is refused, and changes nothing', (_, wire) => {
    const profiles = ['ideal', 'ideal'] as const;
    const one = world({ profiles, wire: { faults } });
    one.network.run(500_000);
    const two = world({ profiles, wire });
    const before = seen(two);
    expect(codeOf(() => two.network.restore(one.network.snapshot()))).toBe('snapshot');
    expect(seen(two)).toEqual(before);
    expect(two.network.now).toBe(0);
  });

  test('of machines that came onto the wire in another order is refused', () => {
    const profiles = ['ideal', 'ideal', 'ideal'] as const;
    const one = world({ profiles });
    one.network.run(500_000);
    const two = world({ profiles, made: [1, 0, 2] });
    expect(codeOf(() => two.network.restore(one.network.snapshot()))).toBe('snapshot');
  });

  test('has the time of a machine without a wire, which had run before', () => {
    const late = idle({ profile: 'dec3100' });
    late.run(12_345);
    const one = new Network([late]);
    one.run(1000);
    const machine = idle({ profile: 'dec3100' });
    const two = new Network([machine]);
    two.restore(one.snapshot());
    one.run(100_000);
    two.run(100_000);
    expect([two.now, machine.cycles]).toEqual([one.now, late.cycles]);
  });
});

describe('a network', () => {
  test('refuses to be made of nothing, or of less than all machines of a wire', () => {
    expect(codeOf(() => new Network([]))).toBe('network');
    const wire = new Wire();
    const one = idle({ lance: { mac: mac(1), wire } });
    const two = idle({ lance: { mac: mac(2), wire } });
    expect(codeOf(() => new Network([one]))).toBe('network');
    const network = new Network([one, two]);
    for (const n of [-1, 0.5, NaN, Infinity, 2 ** 53])
      expect(
        codeOf(() => {
          network.run(n);
        }),
      ).toBe('budget');
    idle({ lance: { mac: mac(3), wire } });
    expect(
      codeOf(() => {
        network.run(1);
      }),
    ).toBe('network');
    expect(one.cycles).toBe(0);
  });

  test('a machine whose native function throws stops the network, which then goes on', () => {
    const wire = new Wire();
    const one = idle({ lance: { mac: mac(1), wire } });
    const two = boot(
      (a) => {
        a.cop2(0);
        a.label('end');
        a.b('end');
        a.nop();
      },
      { lance: { mac: mac(2), wire } },
    );
    two.cpu.cp0.status = 0x40000001;
    let broken = true;
    two.native.install('kernel', [
      () => {
        if (broken) throw new Error('broken');
      },
    ]);
    const network = new Network([one, two]);
    expect(
      codeOf(() => {
        network.run(1_000_000);
      }),
    ).toBe('kernel-native');
    broken = false;
    network.run(1_000_000);
    expect([one.cycles, two.cycles]).toEqual([25_000, 25_000]);
  });

  test("frames follow each other on the wire, and arrive in the cycle of each one's own clock", () => {
    const { network, heard, machines, events } = world({
      profiles: ['ideal', 'ideal'],
      wire: { delayMicroseconds: 7 },
    });
    network.run(3_000_000);
    expect(heard.length).toBeGreaterThan(10);
    heard.forEach(([time, length], i) => {
      const [before = -Infinity] = heard[i - 1] ?? [];
      expect(time - before).toBeGreaterThanOrEqual((length + 12) * 800 + 9600);
    });
    expect(machines.map((m) => m.cycles)).toEqual([75_000, 75_000]);
    // An `ideal` instruction takes one cycle, so that nothing comes late.
    const arrivals = events.flatMap((list) => list.filter(([kind]) => kind === 'frame-in').map(([, cycle]) => cycle));
    const expected = heard.map(([time]) => Math.ceil(time / 40));
    expect(arrivals.toSorted((x, y) => x - y)).toEqual(expected);
  });

  test.each<[string, Options]>([
    ['machines that never rest', {}],
    ['machines that wait for interrupts', { interrupts: true }],
    [
      'machines of different speed',
      { profiles: ['dec2100', 'ideal', 'dec3100', 'dec5000'], wire: { delayMicroseconds: 2.5 } },
    ],
    [
      'machines of different speed that wait, on a wire with faults',
      {
        profiles: ['dec2100', 'dec3100', 'dec5000'],
        interrupts: true,
        wire: { faults: { drop: 0.05, duplicate: 0.1, reorder: 0.1, corrupt: 0.1, delay: 0.2 } },
      },
    ],
  ])('one run, many small ones, any order of machines: the same machines (%s)', (_, options) => {
    const NS = 3_000_000;
    const whole = world(options);
    whole.network.run(NS);
    const expected = seen(whole);
    expect(whole.heard.length).toBeGreaterThan(5);

    const reversed = whole.machines.map((__, i) => i).toReversed();
    const even = world({ ...options, made: reversed, ordered: [...reversed.slice(1), reversed[0] ?? 0] });
    for (let left = NS; left > 0; left -= 10_000) even.network.run(10_000);
    expect(seen(even)).toEqual(expected);

    const slow = world({ ...options, machine: { fastIdle: false, engine: 'interpreter' } });
    slow.network.run(NS);
    expect(seen(slow)).toEqual(expected);

    const next = random(5);
    const odd = world(options);
    for (let left = NS; left > 0;) {
      const slice = Math.min(left, next() % 2 === 0 ? next() % 200 : next() % 200_000);
      odd.network.run(slice);
      left -= slice;
    }
    expect(seen(odd)).toEqual(expected);
  });

  test('equal machines that send at the same moment: the lower frame goes first', () => {
    for (const made of [
      [0, 1],
      [1, 0],
    ]) {
      const { network, heard } = world({ profiles: ['ideal', 'ideal'], made });
      network.run(1_000_000);
      expect(heard[0]?.[2]).toBe(1);
    }
  });

  test('a station of the host answers in time, whenever it is asked', () => {
    const answers = (slice: number): unknown => {
      const wire = new Wire({ delayMicroseconds: 1 });
      const machines = [0, 1].map((i) => idle({ lance: { mac: mac(i), wire } }));
      for (const [i, machine] of machines.entries()) initialize(machine, { mac: mac(i) });
      const events = machines.map((machine) => record(machine));
      const times: number[] = [];
      const reply = new Uint8Array(60);
      reply.set(mac(1));
      const station = wire.attach({
        receive: (_frame, time) => {
          times.push(time);
          if (times.length < 20) station.send(reply);
        },
      });
      const other = wire.attach({
        receive: (frame, time) => {
          times.push(time);
          other.send(frame);
        },
      });
      const network = new Network(machines);
      const start = network.now;
      expect(start).toBe(320);
      network.run(680);
      other.send(reply);
      for (let left = 2_999_320; left > 0; left -= slice) network.run(Math.min(slice, left));
      return [events, times];
    };
    const [events, times] = answers(3_000_000) as [Recorded[][], number[]];
    expect(times.slice(0, 2)).toEqual([1000 + 57_600 + 1000, 1000 + 57_600 + 1000 + 57_600 + 9600]);
    expect(events[1]?.find(([kind]) => kind === 'frame-in')?.[1]).toBe((1000 + 57_600 + 1000) / 40);
    expect(answers(333)).toEqual([events, times]);
  });

  test('a station of the host that sends when its frame has left does so in time, also when nobody hears', () => {
    const wire = new Wire({ faults: { drop: 0.5, seed: 1 } });
    const machines = [1, 2].map(() => idle({ lance: { mac: mac(1), wire } }));
    const left: number[] = [];
    const station = wire.attach({
      receive: () => undefined,
      sent: ({ time }) => {
        left.push(time);
        if (left.length < 5) station.send(new Uint8Array(60));
      },
    });
    station.send(new Uint8Array(60));
    const network = new Network(machines);
    const arrivals: number[][] = machines.map(() => []);
    machines.forEach(({ clock }, i) => wire.attach({ receive: () => arrivals[i]?.push(clock.now) }, clock));
    network.run(10_000_000);
    expect(left).toEqual([0, 1, 2, 3, 4].map((i) => 57_600 + i * 67_200));
    expect(wire.counters.dropped).toBe(2);
    expect(arrivals[0]).toHaveLength(3);
    for (const cycle of arrivals[0] ?? []) expect(left).toContain(cycle * 40);
    expect(arrivals[1]).toEqual(arrivals[0]);
  });

  test('a machine that is switched on later lives on the same wire', () => {
    const wire = new Wire();
    const first = idle({ lance: { mac: mac(0), wire } });
    first.run(1_000_000); // 40 ms
    const second = idle({ lance: { mac: mac(1), wire } });
    const network = new Network([second, first]);
    expect(network.now).toBe(40_000_000);
    network.run(1_000_000);
    expect([first.cycles, second.cycles]).toEqual([1_025_000, 25_000]);
  });
});
