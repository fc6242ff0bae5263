/**
 * What the fuzzer knows of its environments: who may know which secret, which frames are private, which capabilities are dead. The
 * machine does not see it. Environments tell each other capabilities through it, as they would by messages.
 */
import { CAPABILITY_KINDS, ENV, PAGE_BYTES, type CallName, type CapabilityWords } from '@exokernel/abi';
import type { Aegis } from '@exokernel/aegis';
import type { Random, World } from '../soaker.ts';

/** Bits 20 to 31 of every secret word. */
export const SECRET = 0x5ec;

/** A frame that only one environment may reach, or that others may only read, and what it must hold. */
export interface Private {
  readonly ppn: number;
  /** Name and number of the environment: a name is of one life. */
  readonly owner: number;
  readonly env: number;
  /** Others may read it by a branch. */
  readonly readOnly: boolean;
  /** The MAC of its capability in this life. */
  readonly mac: string;
  /** Undefined until it is filled. */
  contents: Uint8Array | undefined;
}

/** The calls after which the capability in their first four words is dead. */
const ENDS: readonly CallName[] = ['env_free', 'slice_free', 'ring_free', 'filter_free', 'extent_free', 'slice_give'];
const BOARD = 80;
const DEAD = 150;

export class Ledger implements World {
  calls = 0;
  readonly wanted: number;
  readonly capabilities: CapabilityWords[] = [];
  readonly answers: Map<string, number> = new Map();
  /** Capabilities that must never be granted anything again. */
  readonly dead: CapabilityWords[] = [];
  /** Secrets: the name of the environment that may have them. */
  readonly secrets: Map<number, number> = new Map();
  readonly privates: Map<number, Private> = new Map();
  /** Frames and blocks that were freed a short while ago. */
  readonly freed: number[] = [];
  /** What is wrong; the first is what counts. */
  readonly findings: string[] = [];
  /** Looks at everything now; the oracles set it. */
  look: () => void = () => undefined;
  readonly #random: Random;
  #made = 0;
  #aegis: Aegis | undefined;

  constructor(wanted: number, random: Random) {
    this.wanted = wanted;
    this.#random = random;
  }

  attach(aegis: Aegis): void {
    this.#aegis = aegis;
  }

  get aegis(): Aegis {
    if (this.#aegis === undefined) throw new RangeError('no kernel yet');
    return this.#aegis;
  }

  report(what: string): void {
    this.findings.push(what);
  }

  succeeded = (name: CallName, args: readonly number[]): void => {
    const words = [args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, args[3] ?? 0] as const;
    if (ENDS.includes(name) && words.some((word) => word !== 0)) this.bury(words);
  };

  /** A capability for others. */
  post(words: CapabilityWords): void {
    this.capabilities.push(words);
    if (this.capabilities.length > BOARD) this.capabilities.splice(0, BOARD / 2);
  }

  bury(words: CapabilityWords): void {
    this.dead.push(words);
    if (this.dead.length > DEAD) this.dead.splice(this.#random(DEAD / 2), DEAD / 3);
  }

  /** The name of the environment in a record, which says also which life of it. */
  name(env: number): number {
    return this.aegis.parts.memory.env(env, ENV.name);
  }

  /** A new word that only `env` may know. */
  secret(env: number): number {
    this.#made += 1;
    const word = ((SECRET << 20) | this.#made) >>> 0;
    this.secrets.set(word, this.name(env));
    return word;
  }

  /** The owner shows others a capability of a frame with a secret: from now on it is none. */
  tell(ppn: number): void {
    this.secrets.delete(this.aegis.machine.memory.load32(PAGE_BYTES * ppn) >>> 0);
  }

  /** From now on only `env` may reach a frame, or (`readOnly`) write it. It is looked at once. */
  begin(env: number, ppn: number, readOnly = false): void {
    const mac = this.#macOf(ppn);
    this.privates.set(ppn, { ppn, env, owner: this.name(env), readOnly, mac, contents: undefined });
    this.look();
  }

  /** A private frame holds from now on what it holds now. */
  filled(ppn: number): void {
    const one = this.privates.get(ppn);
    if (one !== undefined && this.stands(one)) one.contents = this.#read(ppn);
  }

  end(ppn: number): void {
    this.privates.delete(ppn);
  }

  /** Whether the environment still lives and holds the frame in the same life. */
  stands(one: Private): boolean {
    const { frames } = this.aegis.parts;
    return this.name(one.env) === one.owner && frames.holders(one.ppn).has(one.env) && this.#macOf(one.ppn) === one.mac;
  }

  /**
   * Whether a private frame holds what it should. A secret of its owner's is no damage: only the owner can have written it. One that has mapped
   * something else over its register save area loses count when it fills a page, and fills its other pages, too.
   */
  isIntact({ ppn, owner, contents }: Private): boolean {
    if (contents === undefined) return true;
    const wanted = new DataView(contents.buffer);
    const found = new DataView(this.#read(ppn).buffer);
    for (let at = 0; at < PAGE_BYTES; at += 4) {
      const word = found.getUint32(at, true);
      if (word !== wanted.getUint32(at, true) && this.secrets.get(word) !== owner) return false;
    }
    return true;
  }

  /** Whether a capability authenticates. */
  isAlive(words: CapabilityWords): boolean {
    const { capabilities } = this.aegis.parts;
    const kind = Object.entries(CAPABILITY_KINDS).find(([, number]) => number === words[0] >>> 24);
    return kind !== undefined && capabilities.check(words, kind[0] as keyof typeof CAPABILITY_KINDS, 0) >= 0;
  }

  #macOf(ppn: number): string {
    return this.aegis.parts.frames.capability(ppn).join();
  }

  #read(ppn: number): Uint8Array {
    return this.aegis.machine.memory.read(PAGE_BYTES * ppn, new Uint8Array(PAGE_BYTES));
  }
}
