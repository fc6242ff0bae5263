/**
 * What a system call that TypeScript executes is made of: the kernel's parts, its arguments, its answer.
 *
 * No argument is a pointer: memory is named by capabilities for physical frames.
 */
import type { CapabilityWords, NativeCpu } from '@exokernel/abi';
import type { Asids } from './asids.ts';
import type { Capabilities } from './capabilities.ts';
import type { Disk } from './disk.ts';
import type { Environments } from './environments.ts';
import type { Extents } from './extents.ts';
import type { Families } from './families.ts';
import type { Filters } from './filters.ts';
import type { Frames } from './frames.ts';
import type { KernelMemory } from './memory.ts';
import type { Messages } from './messages.ts';
import type { Natives } from './natives.ts';
import type { Predicates } from './predicates.ts';
import type { Registry } from './registry.ts';
import type { Revocation } from './revocation.ts';
import type { Rings } from './rings.ts';
import type { Serial } from './serial.ts';
import type { Slices } from './slices.ts';

/** The kernel's parts, as the calls use them. */
export interface Parts {
  readonly memory: KernelMemory;
  readonly families: Families;
  readonly capabilities: Capabilities;
  readonly frames: Frames;
  readonly slices: Slices;
  readonly asids: Asids;
  readonly natives: Natives;
  readonly predicates: Predicates;
  readonly messages: Messages;
  readonly environments: Environments;
  readonly rings: Rings;
  readonly filters: Filters;
  readonly serial: Serial;
  readonly extents: Extents;
  readonly disk: Disk;
  /** Size of the disk in blocks of 4 KiB; 0 without a disk. */
  readonly diskBlocks: number;
  readonly registry: Registry;
  readonly revocation: Revocation;
}

/** Registers of the arguments in order: a0 to a3, t0 to t7. */
const ARGUMENTS = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/**
 * What a call answers that takes longer than the caller has paid for (`KernelMemory.affords`): it is executed again, so that
 * interrupts come in between. Until then it has changed nothing.
 */
export const AGAIN: number = 2 ** 40;

/** One call: the arguments, the caller; answers with an error code, or with the value for v1; or with AGAIN. */
export type Call = (call: Arguments, self: number) => number | Answer;

interface Answer {
  readonly value: number;
  readonly capability: CapabilityWords;
}

/** The arguments of the call that is being executed. */
export class Arguments {
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
    return [this.word(i) >>> 0, this.word(i + 1) >>> 0, this.word(i + 2) >>> 0, this.word(i + 3) >>> 0];
  }
}
