/**
 * Packet rings: slots in a frame of an environment, and frames that its buffers lie in, all pinned. [SOSP95 §5.5], [XOK]
 *
 * Binding checks the capabilities once; the machine code of arrival and transmission (text/ring.ts) then reads the slots and
 * finds the frames by their number in the ring. A record of a ring lies in simulated memory, readable by all.
 */
import {
  ERRORS,
  NO_ENV,
  PAGE_BYTES,
  RIGHTS,
  RING,
  RING_BYTES,
  RING_FRAME_LIMIT,
  RING_LIMIT,
  type CapabilityWords,
} from '@exokernel/abi';
import type { Capabilities } from './capabilities.ts';
import type { Families } from './families.ts';
import type { Frames } from './frames.ts';
import { KP, KSEG0, PHYSICAL, RING_SHIFT } from './layout.ts';
import { Records, envAddress, type KernelMemory } from './memory.ts';
import { PendingPacket } from './pending-packet.ts';
import { RING_STATE, TABLES } from './tables.ts';

export class Rings {
  readonly #memory: KernelMemory;
  readonly #rings: Records;
  readonly #frames: Frames;
  readonly #capabilities: Capabilities;
  readonly #families: Families;
  readonly #freed: (ring: number) => void;
  readonly #pending: PendingPacket;
  /** Of taps: through which nodes they are. */
  readonly #state: Records;

  /** `freed` is told of every ring that is gone. */
  constructor(
    memory: KernelMemory,
    parts: { readonly frames: Frames; readonly capabilities: Capabilities; readonly families: Families },
    freed: (ring: number) => void,
  ) {
    const { frames, capabilities, families } = parts;
    this.#memory = memory;
    this.#rings = new Records(memory, PHYSICAL.rings, RING_BYTES, RING_LIMIT);
    this.#frames = frames;
    this.#capabilities = capabilities;
    this.#families = families;
    this.#freed = freed;
    this.#pending = new PendingPacket(memory);
    this.#state = new Records(memory, TABLES.ringState);
    capabilities.breaking('ring', (ring, nodes) => {
      if (nodes.has(this.#state.get(ring, RING_STATE.tapNode))) this.#untap(ring);
    });
    capabilities.breaking('net', (_, nodes) => {
      for (let ring = 0; ring < RING_LIMIT; ring += 1) {
        if (nodes.has(this.#state.get(ring, RING_STATE.netNode))) this.#untap(ring);
      }
    });
    capabilities.guard('ring', (ring) => (this.#exists(ring) ? this.#rings.wide(ring, RING.generation) : undefined));
    for (let ring = 0; ring < RING_LIMIT; ring += 1) this.#set(ring, RING.owner, NO_ENV);
  }

  /** A new ring whose slots lie in a frame that `env` may read and write. Returns its number or E_NONE. */
  bind(env: number, ppn: number, how: { readonly transmit: boolean; readonly slots: number }): number {
    const [ring] = this.#rings.filter((one) => !this.#exists(one));
    if (ring === undefined || !this.#families.take('rings', this.#families.of(env))) return ERRORS.E_NONE;
    const generation = this.#rings.wide(ring, RING.generation) + 1;
    this.#rings.zero(ring);
    this.#rings.fill(ring, [
      [RING.owner, env],
      [RING.env, envAddress(env)],
      [RING.direction, how.transmit ? 1 : 0],
      [RING.slots, how.slots],
    ]);
    this.#rings.setWide(ring, RING.generation, generation);
    this.extend(ring, ppn);
    return ring;
  }

  /** One more frame for buffers. Returns its place in the ring, or E_NONE. */
  extend(ring: number, ppn: number): number {
    const n = this.#frameCount(ring);
    if (n === RING_FRAME_LIMIT) return ERRORS.E_NONE;
    this.#frames.pin(ppn);
    this.#set(ring, RING.frame + 4 * n, KSEG0 + ppn * PAGE_BYTES);
    this.#set(ring, RING.frames, n + 1);
    return n * PAGE_BYTES;
  }

  /** The capability of a ring: to deliver to it (write), to extend, tap and free it (control). */
  capability(ring: number): CapabilityWords {
    return this.#capabilities.make('ring', RIGHTS.write | RIGHTS.control, ring);
  }

  /** The ring that a capability names, if it grants these rights; else E_CAP. */
  check(words: CapabilityWords, rights: number): number {
    return this.#capabilities.check(words, 'ring', rights);
  }

  /** Who bound a ring that exists. */
  owner(ring: number): number {
    return this.#get(ring, RING.owner);
  }

  isReceive(ring: number): boolean {
    return this.#get(ring, RING.direction) === 0;
  }

  /** Makes a receive ring a tap, by capabilities of these nodes of ring and network. Returns an error code. */
  tap(ring: number, nodes: { readonly ring: number; readonly net: number }): number {
    const address = KSEG0 + ringPhysical(ring);
    const isTap = this.#memory.kernelPage(KP.tap) === address || this.#rings.find(RING.nextTap, address) >= 0;
    if (isTap) return ERRORS.E_BUSY;
    this.#state.set(ring, RING_STATE.tapNode, nodes.ring);
    this.#state.set(ring, RING_STATE.netNode, nodes.net);
    this.#set(ring, RING.nextTap, this.#memory.kernelPage(KP.tap));
    this.#memory.setKernelPage(KP.tap, address);
    return ERRORS.E_OK;
  }

  free(ring: number): void {
    this.#freed(ring);
    this.#untap(ring);
    this.#capabilities.forget('ring', ring);
    this.#families.give('rings', this.#families.of(this.owner(ring)));
    this.#set(ring, RING.owner, NO_ENV);
    this.#set(ring, RING.env, 0);
    const frames = this.#frameCount(ring);
    for (let i = 0; i < frames; i += 1) this.#dropFrame(ring, i);
    this.#set(ring, RING.frames, 0);
  }

  /** Frees every ring of an environment. */
  release(env: number): void {
    this.#ofEnv(env).forEach((ring) => {
      this.free(ring);
    });
  }

  /**
   * Takes a frame away from the rings of an environment, or (undefined) from all: without its slots a ring is gone, without
   * others it goes on.
   */
  releaseFrame(env: number | undefined, ppn: number): void {
    for (const ring of this.#ofEnv(env)) {
      const places = Array.from({ length: this.#frameCount(ring) }, (_, i) => i).filter(
        (i) => this.#get(ring, RING.frame + 4 * i) === KSEG0 + ppn * PAGE_BYTES,
      );
      if (places[0] === 0) this.free(ring);
      else for (const i of places) this.#dropFrame(ring, i);
    }
  }

  #frameCount(ring: number): number {
    return Math.min(this.#get(ring, RING.frames), RING_FRAME_LIMIT);
  }

  #dropFrame(ring: number, i: number): void {
    const address = this.#get(ring, RING.frame + 4 * i);
    if (address === 0) return;
    this.#set(ring, RING.frame + 4 * i, 0);
    this.#frames.unpin((address - KSEG0) / PAGE_BYTES);
  }

  #untap(ring: number): void {
    const next = this.#get(ring, RING.nextTap);
    const address = KSEG0 + ringPhysical(ring);
    if (this.#memory.kernelPage(KP.tap) === address) this.#memory.setKernelPage(KP.tap, next);
    for (let other = 0; other < RING_LIMIT; other += 1) {
      if (this.#get(other, RING.nextTap) === address) this.#set(other, RING.nextTap, next);
    }
    this.#pending.untapped(address, next);
    this.#set(ring, RING.nextTap, 0);
    this.#state.zero(ring);
  }

  #ofEnv(env: number | undefined): number[] {
    return this.#rings.filter((ring) => this.#exists(ring) && (env === undefined || this.owner(ring) === env));
  }

  #exists(ring: number): boolean {
    return ring < RING_LIMIT && this.#get(ring, RING.env) !== 0;
  }

  #get(ring: number, field: number): number {
    return this.#rings.get(ring, field);
  }

  #set(ring: number, field: number, value: number): void {
    this.#rings.set(ring, field, value);
  }
}

/** Physical address of a ring's record. */
export function ringPhysical(ring: number): number {
  return PHYSICAL.rings + (ring << RING_SHIFT);
}
