/** Devices of others: a small frame buffer that knows nothing of this package but what it exports. The page docs/devices.md tells of it. */
import { readFileSync } from 'node:fs';
import { createAssembler, CP0_EPC, K0, S0, S1, T0, T1, T2, T3, T4 } from '@exokernel/isa';
import {
  HardwareError,
  Machine,
  memoryStore,
  Recorder,
  Replay,
  Wire,
  type AttachedDevice,
  type DeviceHost,
  type DeviceOptions,
  type MachineOptions,
} from '@exokernel/hardware';
import { describe, expect, test } from 'vitest';

// ---- begin of the page's device
const WIDTH = 256;
const HEIGHT = 256;

/** A frame buffer of 256 by 256 bytes at 0x10000000, with two registers behind it. */
class FrameBuffer implements AttachedDevice {
  readonly #host: DeviceHost;
  readonly #retrace;
  /** How many frames have been shown, and the key that was pressed last; 0: none since it was read. */
  #frames = 0;
  #key = 0;

  constructor(host: DeviceHost) {
    this.#host = host;
    this.#retrace = host.clock.timer((at) => {
      this.#frames += 1;
      this.#retrace.arm(at + host.clock.hz / 60);
      host.setLine(true);
    });
    this.#retrace.arm(host.clock.hz / 60);
  }

  /** +0: frames shown; reading it ends the interrupt. +4: the key that was pressed, which is taken by reading it. */
  read(offset: number): number {
    if (offset === 0) this.#host.setLine(false);
    const value = offset === 0 ? this.#frames : this.#key;
    if (offset === 4) this.#key = 0;
    return value;
  }

  /** The host has pressed a key. */
  input(bytes: Uint8Array): void {
    this.#key = bytes[0] ?? 0;
  }

  /** A picture for the host: a sum of all pixels will do here. */
  get sum(): number {
    return this.#host.memory?.read(0, new Uint8Array(WIDTH * HEIGHT)).reduce((sum, pixel) => sum + pixel, 0) ?? 0;
  }

  state(s: Parameters<AttachedDevice['state']>[0]): void {
    this.#frames = s.integer(this.#frames, 0, 2 ** 31);
    this.#key = s.integer(this.#key, 0, 255);
    s.timer(this.#retrace);
  }
}

let screen: FrameBuffer | undefined;
const FRAME_BUFFER: DeviceOptions = {
  name: 'frame buffer',
  memory: { base: 0x10000000, bytes: WIDTH * HEIGHT },
  registers: { base: 0x10800000, bytes: 8 },
  line: 2,
  make: (host) => (screen = new FrameBuffer(host)),
};
// ---- end of the page's device

/** Paints without end; at each retrace the handler counts and mixes the key into the colour. */
function painter(options: MachineOptions = {}): Machine {
  const machine = new Machine({ ramBytes: 0x10000, devices: [FRAME_BUFFER], translation: { after: 4 }, ...options });
  const handler = createAssembler(0x80000080);
  handler.lui(T3, 0xb080);
  handler.lw(S0, 0, T3);
  handler.lw(T4, 4, T3);
  handler.nop();
  handler.addu(S1, S1, T4);
  handler.mfc0(K0, CP0_EPC);
  handler.nop();
  handler.jr(K0);
  handler.rfe();
  machine.memory.storeWords(0x80, handler.assemble().words);
  const a = createAssembler(0x80001000);
  a.label('frame');
  a.lui(T0, 0xb000);
  a.lui(T1, 0xb001);
  a.label('pixel');
  a.sb(T2, 0, T0);
  a.lbu(T4, 0, T0);
  a.addiu(T0, T0, 1);
  a.bne(T0, T1, 'pixel');
  a.addu(T2, T2, S1);
  a.addiu(T2, T2, 1);
  a.b('frame');
  a.nop();
  machine.memory.storeWords(0x1000, a.assemble().words);
  machine.cpu.cp0.status = 0x0401;
  machine.cpu.pc = 0x80001000;
  return machine;
}

function seen(machine: Machine): unknown {
  return [machine.fingerprint, machine.cycles, screen?.sum, [...machine.cpu.words()], machine.snapshot()];
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HardwareError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('a frame buffer', () => {
  test.each(['ideal', 'dec5000'] as const)('%s: is the same on both engines, in any steps', (profile) => {
    const ends = (['interpreter', 'translator'] as const).flatMap((engine) =>
      [3_000_000, 70_001].map((step) => {
        const machine = painter({ engine, profile });
        const frame = screen;
        for (let left = 3_000_000; left > 0; left -= step) machine.run(Math.min(step, left));
        return [machine.fingerprint, machine.cycles, frame?.sum, [...machine.cpu.words()]];
      }),
    );
    for (const end of ends) expect(end).toEqual(ends[0]);
    expect(ends[0]?.[2]).toBeGreaterThan(0);
    expect(screen?.read(0)).toBe(7);
  });

  test('is saved with the machine, and goes on in another one on the other engine', () => {
    const one = painter({ engine: 'translator' });
    one.deviceInput('frame buffer', Uint8Array.of(3));
    one.run(1_234_567);
    const saved = one.snapshot();
    one.run(1_000_000);
    const wanted = seen(one);
    const other = painter({ engine: 'interpreter' });
    other.restore(saved);
    other.run(1_000_000);
    expect(seen(other)).toEqual(wanted);
  });

  test('is recorded with what it was told', () => {
    const one = painter();
    const recorder = new Recorder(one);
    one.run(500_000);
    one.deviceInput('frame buffer', Uint8Array.of(5));
    one.run(1_500_000);
    const replay = new Replay(painter(), recorder.finish());
    replay.run(3_000_000);
    expect(replay.agrees).toBe(true);
    expect(
      refusal(() => new Replay(painter({ devices: [{ ...FRAME_BUFFER, name: 'another' }] }), recorder.finish())),
    ).toBe('recording');
  });

  test('does DMA through the port, which the translator hears of', () => {
    const copies = (engine: 'interpreter' | 'translator'): unknown => {
      const machine = painter({
        engine,
        devices: [
          FRAME_BUFFER,
          {
            name: 'patcher',
            registers: { base: 0x11000000, bytes: 4 },
            line: 2,
            make: ({ clock, ram }) => {
              // Changes the colour's step in the running code, every 1,000 cycles.
              const timer = clock.timer((at) => {
                ram.store8(0x1000 + 7 * 4, (ram.load8(0x1000 + 7 * 4) + 1) & 0x3f);
                timer.arm(at + 1000);
              });
              timer.arm(1000);
              return { state: (s) => s.timer(timer) };
            },
          },
        ],
      });
      machine.run(1_000_000);
      return [machine.fingerprint, screen?.sum];
    };
    expect(copies('translator')).toEqual(copies('interpreter'));
  });
});

test.each<readonly [string, DeviceOptions[], MachineOptions, string]>([
  ['where the real-time clock is', [at(0x1d000000)], {}, 'bus-slot'],
  ['where the serial lines are', [at(0x1c000010)], {}, 'bus-slot'],
  ['where the disk is', [at(0x1a000000)], { disk: { store: memoryStore(512) } }, 'bus-slot'],
  [
    "where the LANCE's memory is",
    [at(0x19000000)],
    { lance: { mac: new Uint8Array(6), wire: new Wire() } },
    'bus-slot',
  ],
  ['where the PROM is', [at(0x1fc00000)], { prom: new Uint8Array(4) }, 'bus-slot'],
  ['where another one is', [at(0x12000000), { ...at(0x12000100), name: 'other' }], {}, 'bus-slot'],
  ['whose memory is where another one is', [at(0x10000000), { ...FRAME_BUFFER }], {}, 'bus-slot'],
  ['of the same name', [at(0x12000000), at(0x13000000)], {}, 'device'],
  ['in RAM', [at(0x1000)], {}, 'device'],
  ['beyond the bus', [at(0x20000000)], {}, 'device'],
  ['at an odd address', [at(0x12000002)], {}, 'device'],
  ['over two slots', [{ ...at(0x12fffffc), registers: { base: 0x12fffffc, bytes: 8 } }], {}, 'device'],
  ['without anything', [{ name: 'none', make: () => ({ state: () => undefined }) }], {}, 'device'],
  ['with memory at an odd address', [{ ...FRAME_BUFFER, memory: { base: 0x10001000, bytes: 4096 } }], {}, 'device'],
  ['with half a page', [{ ...FRAME_BUFFER, memory: { base: 0x10000000, bytes: 2048 } }], {}, 'device'],
  ['with registers in its memory', [{ ...FRAME_BUFFER, registers: { base: 0x10000100, bytes: 4 } }], {}, 'device'],
  ["on the floating-point unit's line", [{ ...at(0x12000000), line: 7 }], {}, 'device'],
])('a device %s is refused', (_, devices, options, code) => {
  expect(refusal(() => new Machine({ ramBytes: 4096, ...options, devices }))).toBe(code);
});

test('a machine of its own memory only is the same without devices that are not there', () => {
  expect(refusal(() => new Machine({ ramBytes: 4096 }).deviceInput('frame buffer', Uint8Array.of(1)))).toBe('device');
});

/** A device with one register. */
function at(base: number): DeviceOptions {
  return { name: 'one', registers: { base, bytes: 4 }, make: () => ({ state: () => undefined }) };
}

test('the page shows the device that is tested here', () => {
  const own = readFileSync(new URL(import.meta.url), 'utf8');
  const device = own.slice(own.indexOf('const WIDTH'), own.indexOf('// ---- end of')).trim();
  expect(readFileSync(new URL('../../../docs/devices.md', import.meta.url), 'utf8')).toContain(device);
});
