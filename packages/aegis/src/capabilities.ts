/**
 * Self-authenticating capabilities: made and checked with a key that only the kernel knows. [SOSP95 §3.1]
 *
 * The MAC is keyed BLAKE2s-64 over kind, rights, name and the resource's full 32-bit generation, of which the word that
 * travels holds the low half: a capability for an earlier life of a resource never authenticates. Comparison is constant-time.
 *
 * Every resource is guarded here, in one way: its part of the kernel tells with `guard` what generation a name of its kind
 * is in, and asks with `check`.
 */
import { CAPABILITY_KINDS, ERRORS, type CapabilityKind, type CapabilityWords } from '@exokernel/abi';
import { blake2s } from '@noble/hashes/blake2.js';

const KEY_BYTES = 32;
const MAC_BYTES = 8;

/** The present generation of the resource with this name; undefined if there is none. */
export type GenerationOf = (name: number) => number | undefined;

export class Capabilities {
  readonly #key: Uint8Array;
  readonly #generations = new Map<number, GenerationOf>();

  /** `secret` seeds the key; any length. */
  constructor(secret: Uint8Array) {
    this.#key = blake2s(secret, { dkLen: KEY_BYTES });
  }

  /** The resources of a kind from now on. */
  guard(kind: CapabilityKind, generationOf: GenerationOf): void {
    this.#generations.set(CAPABILITY_KINDS[kind], generationOf);
  }

  /** The capability with these rights for the present generation of a resource, which must exist. */
  make(kind: CapabilityKind, rights: number, name: number): CapabilityWords {
    return this.#make(CAPABILITY_KINDS[kind], rights, name, this.#generations.get(CAPABILITY_KINDS[kind])?.(name) ?? 0);
  }

  /** MAC words that no capability has and nobody is told: what stands where nothing is to be granted. */
  get nobody(): readonly [number, number] {
    return this.#mac(0, 0, 0);
  }

  /**
   * The name of the resource, if `words` is a capability of this kind with at least these rights for its present
   * generation; else E_CAP.
   */
  check(words: CapabilityWords, kind: CapabilityKind, rights: number): number {
    const valid = words[0] >>> 24 === CAPABILITY_KINDS[kind] && this.#grants(words, rights);
    return valid ? words[1] >>> 0 : ERRORS.E_CAP;
  }

  /** The capability of the same resource with these rights, or E_CAP: if `parent` is none, or has not all of them. */
  derive(parent: CapabilityWords, rights: number): CapabilityWords | number {
    if (!this.#grants(parent, rights)) return ERRORS.E_CAP;
    const name = parent[1] >>> 0;
    return this.#make(parent[0] >>> 24, rights, name, this.#generations.get(parent[0] >>> 24)?.(name) ?? 0);
  }

  #grants(words: CapabilityWords, rights: number): boolean {
    const [head, name, low, high] = words;
    const generation = this.#generations.get(head >>> 24)?.(name >>> 0);
    if (generation === undefined || ((head >>> 16) & rights) !== rights) return false;
    const mac = this.#mac(head, name, generation);
    return ((mac[0] ^ low) | (mac[1] ^ high)) === 0;
  }

  #make(kind: number, rights: number, name: number, generation: number): CapabilityWords {
    const head = ((kind << 24) | ((rights & 0xff) << 16) | (generation & 0xffff)) >>> 0;
    const [low, high] = this.#mac(head, name, generation);
    return [head, name >>> 0, low, high];
  }

  /** The two MAC words of a capability with these first two words for that generation of its resource. */
  #mac(head: number, name: number, generation: number): readonly [number, number] {
    const message = new DataView(new ArrayBuffer(12));
    message.setUint32(0, head, true);
    message.setUint32(4, name, true);
    message.setUint32(8, generation, true);
    const mac = new DataView(blake2s(new Uint8Array(message.buffer), { key: this.#key, dkLen: MAC_BYTES }).buffer);
    return [mac.getUint32(0, true), mac.getUint32(4, true)];
  }
}

export function isNull(words: CapabilityWords): boolean {
  return words.every((word) => word === 0);
}
