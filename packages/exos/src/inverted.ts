/**
 * The inverted page table: the alternative structure, whose size is that of what is mapped and not of the address space. [SOSP95
 * §7.2]
 *
 * A hash table with a slot for each page that has an entry: a *tag*, the page's address, and the entry at the same index. The
 * slot of a page is the low bits of its number, or the next free one behind (linear probing), so that neighbours lie side
 * by side and a walk over a range hashes once. Slots are never given back, and there are more of them than pages that can
 * be asked for, so that a search ends.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { A0, A2, T0, T1, T2, V1, ZERO, type Assembler } from '@exokernel/isa';
import { PAGED_BASE, PAGE_TABLE, PTE, PTE_BYTES, type FindEntry } from '@exokernel/libos-kit';
import type { PageTable } from './page-table.ts';

const SLOTS = 512;
/** The tags, behind the entries. The word behind the last tag is no page's either: a walk that comes to it hashes again. */
const TAGS: number = PAGE_TABLE + SLOTS * PTE_BYTES;
/** Pages that a program may have, text and heap; the windows and the library have slots too. */
const PAGES = 416;

/** Emits t0 = byte offset of the tag where the page of the address in `va` should be. */
function emitHash(a: Assembler, va: typeof T1): void {
  a.srl(T0, va, 12);
  a.andi(T0, T0, SLOTS - 1);
  a.sll(T0, T0, 2);
}

const find: FindEntry = (a, outside) => {
  const [next, found] = [a.fresh('find.next'), a.fresh('find.found')];
  emitHash(a, T1);
  a.label(next);
  a.lw(T2, TAGS, T0);
  a.nop();
  a.xor(T2, T2, T1);
  a.srl(T2, T2, 12);
  a.beq(T2, ZERO, found);
  a.nop();
  a.lw(T2, TAGS, T0);
  a.addiu(T0, T0, 4);
  a.beq(T2, ZERO, outside);
  a.andi(T0, T0, 4 * SLOTS - 1);
  a.b(next);
  a.nop();
  a.label(found);
  a.sll(T0, T0, 2);
};

/** The structure. */
export const invertedTable: PageTable = {
  name: 'inverted',
  heapEnd: PAGED_BASE + PAGES * PAGE_BYTES,
  find,
  claim: (a) => {
    const [next, free] = [a.fresh('claim.next'), a.fresh('claim.free')];
    emitHash(a, T1);
    a.label(next);
    a.lw(T2, TAGS, T0);
    a.nop();
    a.beq(T2, ZERO, free);
    a.nop();
    a.addiu(T0, T0, 4);
    a.b(next);
    a.andi(T0, T0, 4 * SLOTS - 1);
    a.label(free);
    a.sw(T1, TAGS, T0);
    a.sll(T0, T0, 2);
  },
  each: (a, prepare, change) => {
    const [next, seek, none] = [a.fresh('each.next'), a.fresh('each.seek'), a.fresh('each.none')];
    const [found, done] = [a.fresh('each.found'), a.fresh('each.done')];
    prepare();
    // Where the page at a0 is, if it is not behind the one before it: t0 = its entry, t1 = its tag.
    a.label(seek);
    a.move(T1, A0);
    find(a, none);
    a.b(found);
    a.srl(T1, T0, 2);
    a.label(none);
    a.addiu(A0, A0, PAGE_BYTES);
    a.bne(A0, A2, seek);
    a.nop();
    a.b(done);
    a.nop();
    a.label(next);
    a.lw(V1, TAGS, T1);
    a.nop();
    a.bne(V1, A0, seek);
    a.label(found);
    a.lw(T2, PAGE_TABLE + PTE.entryLo, T0);
    a.addiu(T1, T1, 4);
    change();
    a.sw(T2, PAGE_TABLE + PTE.entryLo, T0);
    a.addiu(A0, A0, PAGE_BYTES);
    a.bne(A0, A2, next);
    a.addiu(T0, T0, PTE_BYTES);
    a.label(done);
  },
  slots: SLOTS,
  page: (fibers, slot) => fibers.load(TAGS + 4 * slot),
  compose: () => {
    const slots = new Map<number, number>();
    const slotOf = (va: number): number => {
      let slot = (va / PAGE_BYTES) % SLOTS;
      while ((slots.get(slot) ?? va) !== va) slot = (slot + 1) % SLOTS;
      slots.set(slot, va);
      return slot;
    };
    return {
      entry: (va) => PAGE_TABLE + PTE_BYTES * slotOf(va),
      words: () => new Map([...slots].map(([slot, va]) => [TAGS + 4 * slot, va])),
    };
  },
};
