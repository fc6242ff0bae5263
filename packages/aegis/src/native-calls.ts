/**
 * The system calls that TypeScript executes: bindings. Each reads its arguments from the caller's registers, checks the
 * capabilities, and answers with a code in v0 and results in v1, a0 to a3. None follows a pointer of the caller.
 */
import {
  CALLS,
  DEATHS,
  ENV,
  ERRORS,
  PAGE_BYTES,
  RIGHTS,
  type CallName,
  type CapabilityWords,
  type NativeCpu,
  type NativeFunction,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import { isNull, rightsOf } from './capabilities.ts';
import { COSTS } from './costs.ts';
import type { Disk } from './disk.ts';
import type { Environments } from './environments.ts';
import type { Filters } from './filters.ts';
import type { Frames } from './frames.ts';
import type { KernelMemory } from './memory.ts';
import type { Rings } from './rings.ts';
import { isLine, type Serial } from './serial.ts';
import type { Slices } from './slices.ts';

/** The kernel's parts, as the calls use them. */
export interface Parts {
  readonly memory: KernelMemory;
  readonly capabilities: Capabilities;
  readonly frames: Frames;
  readonly slices: Slices;
  readonly environments: Environments;
  readonly rings: Rings;
  readonly filters: Filters;
  readonly serial: Serial;
  readonly disk: Disk;
}

const V0 = 2;
const V1 = 3;
const A0 = 4;
/** Registers of the arguments in order: a0 to a3, t0 to t7. */
const ARGUMENTS = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** One call: the arguments, the caller; answers with an error code, or with the value for v1. */
type Call = (call: Arguments, self: number) => number | Answer;

interface Answer {
  readonly value: number;
  readonly capability: CapabilityWords;
}

/** The arguments of the call that is being executed. */
class Arguments {
  readonly cpu: NativeCpu;

  constructor(cpu: NativeCpu) {
    this.cpu = cpu;
  }

  /** Argument `i`, signed. */
  word(i: number): number {
    return this.cpu.registers[ARGUMENTS[i] ?? 0] ?? 0;
  }

  /** The capability in arguments i to i + 3. */
  capability(i: number): CapabilityWords {
    this.cpu.charge(COSTS.mac);
    return [this.word(i) >>> 0, this.word(i + 1) >>> 0, this.word(i + 2) >>> 0, this.word(i + 3) >>> 0];
  }
}

/** The kernel's native functions by index: each call at its number. */
export function nativeCalls(parts: Parts): Map<number, NativeFunction> {
  const calls = callTable(parts);
  const functions = new Map<number, NativeFunction>();
  for (const [name, call] of Object.entries(calls)) {
    functions.set(CALLS[name as CallName].number, (cpu) => {
      cpu.charge(COSTS.call);
      const answer = call(new Arguments(cpu), parts.memory.current);
      const value = typeof answer === 'number' ? answer : answer.value;
      cpu.registers[V0] = Math.min(value, 0);
      if (value < 0) return;
      cpu.registers[V1] = value;
      if (typeof answer !== 'number') answer.capability.forEach((word, i) => (cpu.registers[A0 + i] = word));
    });
  }
  return functions;
}

function callTable(parts: Parts): Record<string, Call> {
  return { ...memoryCalls(parts), ...processorCalls(parts), ...networkCalls(parts), ...deviceCalls(parts) };
}

function memoryCalls({ frames, environments, capabilities, memory, disk }: Parts): Record<string, Call> {
  return {
    frame_alloc: (call, self) => {
      // Three MACs: the capability's, and the two that tlbwr compares.
      call.cpu.charge(COSTS.clearFrame + 3 * COSTS.mac);
      const ppn = frames.allocate(self, call.word(0));
      return ppn < 0 ? ppn : { value: ppn, capability: frames.capability(ppn) };
    },
    frame_free: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read);
      call.cpu.charge(COSTS.flush);
      return ppn < 0 ? ppn : frames.drop(self, ppn);
    },
    frame_hold: (call, self) => {
      const env = environments.check(call.capability(0), self);
      const ppn = frames.check(call.capability(4), RIGHTS.read);
      if (env < 0 || ppn < 0) return ERRORS.E_CAP;
      frames.hold(env, ppn);
      return ERRORS.E_OK;
    },
    cap_derive: (call, self) => {
      call.cpu.charge(COSTS.mac);
      const parent = call.capability(0);
      const rights = call.word(4) & 0xff;
      const name = parent[1];
      if (isNull(parent) || (rightsOf(parent) & rights) !== rights) return ERRORS.E_CAP;
      if (frames.check(parent, 0) >= 0) return { value: 0, capability: frames.capability(name, rights) };
      if (environments.check(parent, self) >= 0) {
        return { value: 0, capability: capabilities.make('env', rights, name, memory.env(name, ENV.generation)) };
      }
      if (disk.check(parent, 0) !== undefined) return { value: 0, capability: disk.derive(name, rights) };
      if (capabilities.check(parent, 'serial', 0, lineGeneration)) {
        return { value: 0, capability: capabilities.make('serial', rights, name, 0) };
      }
      return ERRORS.E_CAP;
    },
  };
}

function processorCalls({ frames, environments, slices, memory }: Parts): Record<string, Call> {
  return {
    env_alloc: (call, self) => {
      call.cpu.charge(COSTS.environment + COSTS.mac);
      const env = allocateChild(self);
      return env < 0 ? env : { value: env, capability: environments.capability(env) };
    },
    env_free: (call, self) => {
      const env = environments.check(call.capability(0), self);
      if (env < 0) return env;
      memory.setEnv(env, ENV.exit, call.word(4));
      const held = environments.end(env, env === self ? DEATHS.exit : DEATHS.destroyed);
      call.cpu.charge(COSTS.environment + COSTS.flush + COSTS.release * held);
      return ERRORS.E_OK;
    },
    env_set: (call, self) => {
      const env = environments.check(call.capability(0), self);
      return env < 0 ? env : environments.set(env, call.word(4), call.word(5) >>> 0);
    },
    env_map: (call, self) => {
      const va = call.word(8) >>> 0;
      const writable = (va & 1) !== 0;
      const env = environments.check(call.capability(0), self);
      const ppn = frames.check(call.capability(4), writable ? RIGHTS.read | RIGHTS.write : RIGHTS.read);
      if (env < 0 || ppn < 0) return ERRORS.E_CAP;
      call.cpu.charge(COSTS.flush);
      return environments.map(env, ppn, va, { writable, uPage: (va & 2) !== 0 });
    },
    slice_alloc: (call, self) => {
      const env = environments.check(call.capability(0), self);
      return env < 0 ? env : slices.allocate(env, call.word(4));
    },
    slice_free: (call, self) => {
      const env = environments.check(call.capability(0), self);
      return env < 0 ? env : slices.free(env, call.word(4));
    },
  };

  /** A new environment with the native functions of `self`. Making them is the library's code, which may fail. */
  function allocateChild(self: number): number {
    try {
      return environments.allocate(self, environments.factory(self));
    } catch {
      return ERRORS.E_CODE;
    }
  }
}

function networkCalls({ frames, rings, filters, memory }: Parts): Record<string, Call> {
  /** Runs what compiles, and charges for the code that it made. */
  const compiling = (call: Arguments, run: () => number): number => {
    const before = filters.made;
    const answer = run();
    call.cpu.charge(COSTS.compile + COSTS.compileWord * (filters.made - before));
    return answer;
  };
  return {
    ring_bind: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read | RIGHTS.write);
      const direction = call.word(4);
      if (ppn < 0) return ppn;
      return direction === 0 || direction === 1 ? rings.bind(self, ppn, direction === 1) : ERRORS.E_RANGE;
    },
    ring_extend: (call, self) => {
      const ppn = frames.check(call.capability(0), RIGHTS.read | RIGHTS.write);
      return ppn < 0 ? ppn : rings.extend(self, ppn, call.word(4));
    },
    ring_free: (call, self) => rings.free(self, call.word(0)),
    filter_bind: (call, self) => {
      const bytes = codeBytes(call, 0, call.word(4));
      const ring = call.word(5);
      if (typeof bytes === 'number') return bytes;
      if (!rings.owns(self, ring) || !rings.isReceive(ring)) return ERRORS.E_CAP;
      return compiling(call, () => filters.bind(self, bytes, ring));
    },
    filter_free: (call, self) => compiling(call, () => filters.free(self, call.word(0))),
    ash_attach: (call, self) => {
      const bytes = codeBytes(call, 0, call.word(8));
      const window = frames.check(call.capability(4), RIGHTS.read | RIGHTS.write);
      if (typeof bytes === 'number') return bytes;
      if (window < 0) return window;
      return compiling(call, () => filters.attach(self, call.word(9), bytes, window));
    },
  };

  /** A copy of the first `length` bytes of the frame that the capability at argument `i` may read, or an error. */
  function codeBytes(call: Arguments, i: number, length: number): Uint8Array | number {
    const ppn = frames.check(call.capability(i), RIGHTS.read);
    if (ppn < 0) return ppn;
    if (length < 0 || length > PAGE_BYTES) return ERRORS.E_RANGE;
    return memory.ram.bytes.slice(ppn * PAGE_BYTES, ppn * PAGE_BYTES + length);
  }
}

function deviceCalls({ capabilities, serial, disk, frames }: Parts): Record<string, Call> {
  const lineOf = (words: CapabilityWords, rights: number): number =>
    capabilities.check(words, 'serial', rights, lineGeneration) ? words[1] : ERRORS.E_CAP;
  const transfer =
    (write: boolean): Call =>
    (call, self) => {
      const extent = disk.check(call.capability(0), write ? RIGHTS.write : RIGHTS.read);
      const ppn = frames.check(call.capability(4), write ? RIGHTS.read : RIGHTS.read | RIGHTS.write);
      if (extent === undefined || ppn < 0) return ERRORS.E_CAP;
      call.cpu.charge(COSTS.device);
      const request = { extent, ppn, block: call.word(8) >>> 0, slot: call.word(9) >>> 0, write };
      return disk.start(call.cpu, self, request);
    };
  return {
    serial_write: (call, self) => {
      const line = lineOf(call.capability(0), RIGHTS.write);
      const length = call.word(4);
      if (line < 0) return line;
      if (length < 0 || length > SERIAL_WRITE_MAX) return ERRORS.E_RANGE;
      const bytes = Array.from({ length }, (_, i) => (call.word(5 + (i >> 2)) >>> (8 * (i & 3))) & 0xff);
      return serial.write(call.cpu, self, line, bytes);
    },
    serial_read: (call, self) => {
      const line = lineOf(call.capability(0), RIGHTS.read);
      return line < 0 ? line : serial.read(self, line);
    },
    disk_read: transfer(false),
    disk_write: transfer(true),
  };
}

/** Lines are never replaced. */
function lineGeneration(line: number): number | undefined {
  return isLine(line) ? 0 : undefined;
}

/** Bytes in the seven word arguments of serial_write. */
const SERIAL_WRITE_MAX = 28;
