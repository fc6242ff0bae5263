/**
 * Wakeup predicates: what a sleep waits for beside events and its tick. [XOK] The kernel compiles them; other environments pay nothing for them.
 *
 *     const wake = new Wake(page)             a page of this environment's, which it reads them from
 *     wake.product(1).word(address, PREDICATE_OPERATOR.ne, 0)
 *     wake.set()                              from now on; `clearWake()` ends it
 */
import { E, PAGE_BYTES, PTE } from './abi';
import { wakeSet } from './calls';
import { capabilityAt, NONE } from './capability';
import { KIT_TABLE } from './page-table';

/** Words of a side of a comparison. */
const SIDE = 20;
const CONSTANT: u32 = 0;
const VARIABLE: u32 = 1;

export class Wake {
  private at: usize = 0;
  private terms: usize = 0;

  /** `page` is a page of the kit's table that has a frame, and is for the predicate alone. */
  constructor(readonly page: usize) {
    this.clear();
  }

  /** Takes all products out. */
  clear(): void {
    store<u32>(this.page, 0);
    this.at = this.page + 4;
  }

  /** Begins a further product: when all of its terms hold, the environment wakes and finds `tag`, not 0, in ENV.wakeTag. */
  product(tag: u32): Wake {
    store<u32>(this.page, load<u32>(this.page) + 1);
    store<u32>(this.at, tag);
    this.terms = this.at + 4;
    store<u32>(this.terms, 0);
    this.at += 8;
    return this;
  }

  /** A term: the word at an address of this environment's compared with a constant, both unsigned. */
  word(address: usize, operator: i32, value: u32): Wake {
    const entry = KIT_TABLE.entryOf(address);
    const physical = entry == 0 ? 0 : (load<u32>(entry) & 0xfffff000) | ((<u32>address) & 0xfff);
    const head = entry == 0 ? 0 : load<u32>(entry, PTE.head);
    const mac0 = entry == 0 ? 0 : load<u32>(entry, PTE.mac0);
    return this.physical(physical, head, mac0, entry == 0 ? 0 : load<u32>(entry, PTE.mac1), operator, value);
  }

  /** A term over a word at a physical address, with words 0, 2 and 3 of a capability to read its frame. */
  physical(at: u32, head: u32, mac0: u32, mac1: u32, operator: i32, value: u32): Wake {
    if (this.at + 4 + 2 * SIDE > this.page + PAGE_BYTES) return this;
    store<u32>(this.terms, load<u32>(this.terms) + 1);
    store<i32>(this.at, operator);
    store<u32>(this.at, VARIABLE, 4);
    store<u32>(this.at, at, 8);
    store<u32>(this.at, head, 12);
    store<u32>(this.at, mac0, 16);
    store<u32>(this.at, mac1, 20);
    store<u32>(this.at, CONSTANT, 24);
    store<u32>(this.at, value, 28);
    this.at += 4 + 2 * SIDE;
    return this;
  }

  /** Hands the predicate to the kernel. An error code: E.CAP for a word that this environment may not read, E.CODE for too many products or terms. */
  set(): i32 {
    const frame = capabilityAt(memory.data(16));
    if (!KIT_TABLE.capability(this.page, frame)) return E.RANGE;
    return wakeSet(frame, <i32>(this.at - this.page));
  }
}

/** From now on sleeps wait for events and ticks alone. */
export function clearWake(): void {
  wakeSet(NONE, 0);
}
