/**
 * The kernel's view of physical memory: words by physical address, and the fields of records and of the kernel page.
 *
 * For the kernel's own tables and for frames whose capability has been checked; addresses are physical and trusted.
 */
import { ENV, ENV_BYTES, ENV_LIMIT, FRAME, FRAME_BYTES, NO_ENV, SLICE, SLICE_BYTES } from '@exokernel/abi';
import type { MemoryPort } from '@exokernel/hardware';
import { KP, KSEG0, PHYSICAL, kernelPageAddress } from './layout.ts';

export class KernelMemory {
  readonly port: MemoryPort;

  constructor(port: MemoryPort) {
    this.port = port;
  }

  /** The word at a physical address, unsigned. */
  get(physical: number): number {
    return this.port.load32(physical);
  }

  set(physical: number, value: number): void {
    this.port.store32(physical, value);
  }

  add(physical: number, delta: number): number {
    const value = (this.get(physical) + delta) >>> 0;
    this.set(physical, value);
    return value;
  }

  /** A field of the kernel page, one of KP. */
  kernelPage(field: number): number {
    return this.get(kernelPageAddress(field) - KSEG0);
  }

  setKernelPage(field: number, value: number): void {
    this.set(kernelPageAddress(field) - KSEG0, value);
  }

  /** A word of an environment's record. */
  env(id: number, field: number): number {
    return this.get(envPhysical(id) + field);
  }

  setEnv(id: number, field: number, value: number): void {
    this.set(envPhysical(id) + field, value);
  }

  /** The environment that runs now; NO_ENV before the kernel has booted. */
  get current(): number {
    const record = this.kernelPage(KP.env);
    return record === 0 ? NO_ENV : this.get(record - KSEG0 + ENV.id);
  }

  /** A word of a frame's record, one of FRAME. */
  frame(ppn: number, field: number): number {
    return this.get(PHYSICAL.frames + ppn * FRAME_BYTES + field);
  }

  setFrame(ppn: number, field: number, value: number): void {
    this.set(PHYSICAL.frames + ppn * FRAME_BYTES + field, value);
  }

  pin(ppn: number): void {
    this.add(PHYSICAL.frames + ppn * FRAME_BYTES + FRAME.pins, 1);
  }

  /** A word of a slice, one of SLICE. */
  slice(position: number, field: number): number {
    return this.get(PHYSICAL.slices + position * SLICE_BYTES + field);
  }

  setSlice(position: number, owner: number, running: number): void {
    this.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.owner, owner);
    this.set(PHYSICAL.slices + position * SLICE_BYTES + SLICE.running, running);
  }
}

/** Physical address of an environment's record. */
export function envPhysical(id: number): number {
  if (id < 0 || id >= ENV_LIMIT) throw new RangeError(`no environment record ${id}`);
  return PHYSICAL.environments + id * ENV_BYTES;
}

/** The environment of a record by its kseg0 address. */
export function envOf(address: number): number {
  return ((address >>> 0) - KSEG0 - PHYSICAL.environments) / ENV_BYTES;
}

/** kseg0 address of an environment's record, as the kernel's machine code and the slice vector hold it. */
export function envAddress(id: number): number {
  return KSEG0 + envPhysical(id);
}
