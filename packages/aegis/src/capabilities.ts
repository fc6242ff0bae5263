/**
 * Self-authenticating capabilities: made and checked with a key that only the kernel knows. [SOSP95 §3.1]
 *
 * The MAC is keyed BLAKE2s-64 over kind, rights, name and the resource's full 32-bit generation, of which the word that
 * travels holds the low half: a capability for an earlier life of a resource never authenticates. Comparison is constant-time.
 */
import { CAPABILITY_KINDS, type CapabilityKind, type CapabilityWords } from '@exokernel/abi';
import { blake2s } from '@noble/hashes/blake2.js';

const KEY_BYTES = 32;
const MAC_BYTES = 8;

export class Capabilities {
  readonly #key: Uint8Array;

  /** `secret` seeds the key; any length. */
  constructor(secret: Uint8Array) {
    this.#key = blake2s(secret, { dkLen: KEY_BYTES });
  }

  make(kind: CapabilityKind, rights: number, name: number, generation: number): CapabilityWords {
    const head = ((CAPABILITY_KINDS[kind] << 24) | ((rights & 0xff) << 16) | (generation & 0xffff)) >>> 0;
    const [low, high] = this.mac(head, name, generation);
    return [head, name >>> 0, low, high];
  }

  /** MAC words that no capability has and nobody is told: what stands where nothing is to be granted. */
  get nobody(): readonly [number, number] {
    return this.mac(0, 0, 0);
  }

  /** The two MAC words of a capability with these first two words for that generation of its resource. */
  mac(head: number, name: number, generation: number): readonly [number, number] {
    const message = new DataView(new ArrayBuffer(12));
    message.setUint32(0, head, true);
    message.setUint32(4, name, true);
    message.setUint32(8, generation, true);
    const mac = new DataView(blake2s(new Uint8Array(message.buffer), { key: this.#key, dkLen: MAC_BYTES }).buffer);
    return [mac.getUint32(0, true), mac.getUint32(4, true)];
  }

  /**
   * Whether `words` is a capability of this kind with at least these rights, for the present generation of the resource
   * it names, which `generationOf` tells (`undefined`: no such resource).
   */
  check(
    words: CapabilityWords,
    kind: CapabilityKind,
    rights: number,
    generationOf: (name: number) => number | undefined,
  ): boolean {
    const [head, name, low, high] = words;
    if (head >>> 24 !== CAPABILITY_KINDS[kind] || ((head >>> 16) & rights) !== rights) return false;
    const generation = generationOf(name >>> 0);
    if (generation === undefined) return false;
    const mac = this.mac(head, name, generation);
    return ((mac[0] ^ low) | (mac[1] ^ high)) === 0;
  }
}

/** The rights that a capability claims. */
export function rightsOf(words: CapabilityWords): number {
  return (words[0] >>> 16) & 0xff;
}

export function isNull(words: CapabilityWords): boolean {
  return words.every((word) => word === 0);
}
