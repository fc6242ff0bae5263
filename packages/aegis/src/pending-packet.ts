/**
 * The packet that the machine code has begun with, when something that it goes on to is freed. [SOSP95 §5.5]
 *
 * Between two steps of its work on a packet the machine code pauses, and notes in the kernel page what comes next
 * (text/receive.ts): a tap, the filter that claims the packet, a list of the filters that get copies, who pays. No environment runs
 * meanwhile, but one may be ended by the clock. What goes with it is taken out of the note here, so that the machine code
 * meets nothing that is freed, and nothing that has become another's.
 */
import { ENV, FILTER_BYTES, FILTER_LIMIT, NO_ENV, SLICE } from '@exokernel/abi';
import { KP, KSEG0, PHYSICAL } from './layout.ts';
import { envAddress, type KernelMemory } from './memory.ts';

const LIST = KSEG0 + PHYSICAL.copies;

export class PendingPacket {
  readonly #memory: KernelMemory;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
  }

  /** A tap is none any more: the next one has its turn. Both are addresses of rings' records, or 0. */
  untapped(ring: number, next: number): void {
    for (const field of [KP.ownTap, KP.packetS0]) {
      if (this.#memory.kernelPage(field) === ring) this.#memory.setKernelPage(field, next);
    }
  }

  /** A filter is freed: it has no handler to run and no ring to fill, and gets no copy. */
  filterFreed(id: number): void {
    const memory = this.#memory;
    const [place, end] = [memory.kernelPage(KP.packetS5), memory.kernelPage(KP.packetS0)];
    if (place === KSEG0 + PHYSICAL.filters + FILTER_BYTES * id) memory.setKernelPage(KP.packetS5, 0);
    if (place < LIST || end < place || end > LIST + 4 * FILTER_LIMIT) return;
    const left = [...memory.words(place - KSEG0, (end - place) >>> 2)].filter((other) => other !== id);
    left.forEach((other, i) => {
      memory.set(place - KSEG0 + 4 * i, other);
    });
    memory.setKernelPage(KP.packetS0, place + 4 * left.length);
  }

  /** An environment ends; `heir` pays for what is still done for it, or (NO_ENV) none. */
  released(env: number, heir: number): void {
    const memory = this.#memory;
    const credit = (of: number): number =>
      of === NO_ENV ? memory.kernelPage(KP.noSlice) + SLICE.credit : envAddress(of) + ENV.credit;
    if (memory.kernelPage(KP.packetClaimant) === credit(env)) memory.setKernelPage(KP.packetClaimant, credit(heir));
    for (const field of [KP.ownSender, KP.sender]) {
      if (memory.kernelPage(field) === envAddress(env)) memory.setKernelPage(field, credit(heir) - ENV.credit);
    }
  }
}
