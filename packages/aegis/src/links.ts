/**
 * Lists of records of a table: each record is in one of them or in none.
 *
 * A list is circular and doubly linked, and its head is one link more, behind those of the records; so taking a record out needs
 * no search and no case of its own. A link is a word: the next in its low half, the one before in its high half; 0 stands for
 * a link to itself, so that a cleared table holds empty lists. No walk is longer than the table, whatever stands there.
 */
import type { KernelMemory } from './memory.ts';
import type { SecretTable } from './tables.ts';

export class Links {
  readonly #memory: KernelMemory;
  readonly #at: number;
  readonly #records: number;

  /** `table` has a word for each of `records` records, and one for each list. */
  constructor(memory: KernelMemory, table: SecretTable, records: number) {
    this.#memory = memory;
    this.#at = memory.table(table);
    this.#records = records;
  }

  /** Puts a record, which is in no list, at the end of a list. */
  add(list: number, record: number): void {
    const head = this.#records + list;
    const last = this.#before(head);
    this.#set(record, head, last);
    this.#set(last, record, this.#before(last));
    this.#set(head, this.#next(head), record);
  }

  /** Takes a record out of its list, if it is in one. */
  remove(record: number): void {
    const [next, before] = [this.#next(record), this.#before(record)];
    this.#set(before, next, this.#before(before));
    this.#set(next, this.#next(next), before);
    this.#memory.set(this.#at + 4 * record, 0);
  }

  /** The records of a list, in the order in which they were added. */
  members(list: number): number[] {
    const head = this.#records + list;
    const members: number[] = [];
    for (let at = this.#next(head); at !== head && members.length < this.#records; at = this.#next(at))
      members.push(at);
    return members;
  }

  #next(link: number): number {
    const word = this.#memory.get(this.#at + 4 * link);
    return word === 0 ? link : word & 0xffff;
  }

  #before(link: number): number {
    const word = this.#memory.get(this.#at + 4 * link);
    return word === 0 ? link : word >>> 16;
  }

  #set(link: number, next: number, before: number): void {
    const alone = next === link && before === link;
    this.#memory.set(this.#at + 4 * link, alone ? 0 : (before << 16) | next);
  }
}
