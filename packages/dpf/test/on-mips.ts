/** Runs a set's MIPS code over packets: the third back end for comparisons, and the instruction counts. */
import { compileMips, type RegionOptions } from '@exokernel/vcode';
import type { FilterSet } from '../src/index.ts';
import { executeMips, MEMORY_BASE, ORIGIN } from '../../vcode/test/mips-executor.ts';

/** The ids that a set's copies program finds for a packet, on MIPS. */
export function copiesOnMips(set: FilterSet): (packet: Uint8Array) => number[] {
  const { words, costs, activationBytes } = compileMips(set.copiesProgram({ align: 4 }), ORIGIN);
  const memory = new Uint8Array(1 << 17);
  const view = new DataView(memory.buffer);
  const found = (activationBytes + 63) & ~15;
  const base = found + 4 * set.size;
  return (packet) => {
    memory.set(packet, base);
    [costs[0] ?? 0, 0, MEMORY_BASE + base, packet.length, MEMORY_BASE + found, 4 * set.size].forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    const { v0, v1 } = executeMips(words, memory, MEMORY_BASE, [
      [MEMORY_BASE, MEMORY_BASE + activationBytes],
      [MEMORY_BASE + found, MEMORY_BASE + base + packet.length],
    ]);
    if (v1 !== 0) throw new Error(`status ${v1}`);
    return Array.from({ length: v0 }, (_, i) => view.getUint32(found + 4 * i, true));
  };
}

export interface MipsMatch {
  readonly id: number;
  readonly executed: number;
}

/** A function that classifies one packet after another; the message lies where `region` promises. */
export function onMips(set: FilterSet, region: RegionOptions = { align: 4 }): (packet: Uint8Array) => MipsMatch {
  const { words, costs, activationBytes } = compileMips(set.program(region), ORIGIN);
  const memory = new Uint8Array(1 << 17);
  const view = new DataView(memory.buffer);
  const base = ((activationBytes + 63) & ~15) + ((region.align ?? 1) === 1 ? 1 : (region.skew ?? 0));
  return (packet) => {
    memory.set(packet, base);
    const fuel = costs[0] ?? 0;
    [fuel, 0, MEMORY_BASE + base, packet.length].forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    const { v0, v1, executed } = executeMips(words, memory, MEMORY_BASE, [
      [MEMORY_BASE, MEMORY_BASE + activationBytes],
      [MEMORY_BASE + base, MEMORY_BASE + base + packet.length],
    ]);
    if (v1 !== 0) throw new Error(`status ${v1}`);
    if (executed > fuel) throw new Error(`${executed} instructions for ${fuel} fuel`);
    return { id: v0 - 1, executed };
  };
}
