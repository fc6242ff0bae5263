/** Where runs end that trap: a block for each reason that many places share, and one for what all of them end with. */
import { ABORT_FUEL } from '../ir/abort.ts';
import { MachineBlock } from './code.ts';
import type { Convention } from './convention.ts';

/** The ends of one function; they stand behind its blocks. */
export class Exits {
  readonly #to: Convention;
  /** What the blocks are numbered: behind all others. */
  readonly #id: number;
  readonly #section: number;
  readonly #exits = new Map<number, MachineBlock>();
  #common: MachineBlock | undefined;

  constructor(to: Convention, id: number, section: number) {
    this.#to = to;
    this.#id = id;
    this.#section = section;
  }

  /** All that were asked for. */
  blocks(): MachineBlock[] {
    return [...this.#exits.values(), ...(this.#common === undefined ? [] : [this.#common])];
  }

  /** Where a run ends that has no fuel or no stack. */
  of(code: number): MachineBlock {
    let block = this.#exits.get(code);
    if (block === undefined) {
      block = new MachineBlock(this.#id, this.#section, 0);
      if (code === ABORT_FUEL) block.lines.push(...this.#to.noFuel);
      block.lines.push(...this.#to.trap(code, -1));
      block.next = this.aborted();
      this.#exits.set(code, block);
    }
    return block;
  }

  /** Where all traps go on, if they end together. */
  aborted(): MachineBlock | undefined {
    const { aborted } = this.#to;
    if (aborted.length === 0) return undefined;
    if (this.#common === undefined) {
      this.#common = new MachineBlock(this.#id, this.#section, 0);
      this.#common.lines.push(...aborted);
    }
    return this.#common;
  }
}
