/**
 * Binding a page to a frame: the system calls tlbwr and tlbvad.
 *
 * The right to the frame is checked here, once; translation afterwards costs nothing. The capability's MAC is compared,
 * in constant time, with the two that the kernel keeps for the frame's present generation: one for reading and writing, one for
 * reading, both of the root. [SOSP95 §3.1, §5.4]
 */
import {
  A0,
  A1,
  A2,
  A3,
  CP0_ENTRYHI,
  CP0_ENTRYLO,
  CP0_EPC,
  CP0_INDEX,
  K0,
  K1,
  RA,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  V0,
  V1,
  ZERO,
  type Register,
  type SlotAssembler,
  type StraightAssembler,
} from '@exokernel/isa';
import { ENTRYLO, ERRORS, PAGE_BYTES } from '@exokernel/abi';
import { KP, KSEG0, NATIVE, PHYSICAL } from '../layout.ts';
import { callLabel } from './calls.ts';
import { routine, type Roles } from './routine.ts';
import { routineLabel } from './stack.ts';
import { STLB_BASE, emitStlbSlot } from './vectors.ts';

/** EntryLo bits that an application chooses: frame, N, D, V; never G. */
const ENTRYLO_MASK = -0x1000 | ENTRYLO.noncached | ENTRYLO.dirty | ENTRYLO.valid;

/** The most pages of one call, so that the clock is not kept out for longer than about a millisecond. */
const TLBVAD_PAGES_MAX = 1024;

/** Emits `entryHi` = EntryHi of the page `page` in the caller's address space, by way of `scratch`. */
function emitEntryHi(a: StraightAssembler, entryHi: Register, page: Register, scratch: Register): void {
  a.note("EntryHi has the caller's ASID: no page of another address space can be named");
  a.mfc0(scratch, CP0_ENTRYHI);
  a.srl(entryHi, page, 12);
  a.andi(scratch, scratch, 0xfc0);
  a.sll(entryHi, entryHi, 12);
  a.or(entryHi, entryHi, scratch);
}

/** What `emitDifference` works with. */
type Macs = Roles<'mac0' | 'mac1' | 'first' | 'second' | 'difference'>;

/** Emits `difference` = 0 if the words in `first` and `second` are the MAC in `mac0` and `mac1`. */
function emitDifference(a: StraightAssembler, { mac0, mac1, first, second, difference }: Macs): void {
  a.xor(first, first, mac0);
  a.xor(second, second, mac1);
  a.note('both words, before anything is decided: the time must not tell how many bits were right');
  a.or(difference, first, second);
}

export function emitTlbCalls(a: SlotAssembler): void {
  routine(
    a,
    callLabel('tlbwr'),
    {
      does: 'tlbwr(page, entryLo, mac0, mac1): binds a page of the caller to a frame. [SOSP95 §5.4]',
      in: { page: A0, wanted: A1, mac0: A2, mac1: A3, next: K0 },
      out: { error: V0 },
      uses: {
        frames: K1,
        ppn: K0,
        exists: K1,
        auth: K0,
        table: K1,
        first: K1,
        second: V0,
        difference: K1,
        writes: V0,
        entryHi: V1,
        mask: K1,
        entryLo: V0,
        place: K1,
        index: K1,
        resume: K0,
      },
      fast: { instructions: 44, when: 'if the page is not in the TLB', by: ['tlbwr.granted', 'tlbwr.random'] },
    },
    (r) => {
      const { page, wanted, frames, ppn, exists, auth, table, first, second, difference, writes, resume } = r;
      a.note('a refusal changes v0 alone: until there can be none, k0 is a scratch register, and EPC has what it was');
      a.lw(frames, KP.frames, ZERO);
      a.note('kuseg only');
      a.bltz(page, 'call.range', (slot) => slot.srl(ppn, wanted, 12));
      a.sltu(exists, ppn, frames);
      a.beq(exists, ZERO, 'call.range', (slot) => slot.sll(ppn, ppn, 4));
      a.note('the MACs of the frame: of its read-write capability, then of its read capability');
      a.lui(table, (KSEG0 + PHYSICAL.frameAuth) >>> 16);
      a.addu(auth, ppn, table);
      a.lw(first, 0, auth);
      a.lw(second, 4, auth);
      emitDifference(a, r);
      a.beq(difference, ZERO, 'tlbwr.granted', (slot) => slot.andi(writes, wanted, ENTRYLO.dirty));
      a.bne(writes, ZERO, 'tlbwr.slow', (slot) => slot.lw(first, 8, auth));
      a.lw(second, 12, auth);
      emitDifference(a, r);
      a.bne(difference, ZERO, 'tlbwr.slow');

      a.label('tlbwr.granted');
      const { entryHi, mask, entryLo, place, index } = r;
      emitEntryHi(a, entryHi, page, mask);
      a.mtc0(entryHi, CP0_ENTRYHI);
      a.note('never G: no address space has pages in another');
      a.addiu(mask, ZERO, ENTRYLO_MASK);
      a.tlbp();
      a.and(entryLo, wanted, mask);
      a.mtc0(entryLo, CP0_ENTRYLO);
      a.note('into the STLB too, so that the next miss of this page is 19 instructions');
      emitStlbSlot(a, place, entryHi, resume);
      a.sw(entryHi, 0, place);
      a.sw(entryLo, 4, place);
      a.mfc0(index, CP0_INDEX);
      a.nop();
      a.note('two entries of one page would shut the TLB down: one that is there is replaced');
      a.bltz(index, 'tlbwr.random', (slot) => slot.mfc0(resume, CP0_EPC));
      a.tlbwi();
      a.b('call.ok', (slot) => slot.addiu(resume, resume, 4));
      a.label('tlbwr.random');
      a.tlbwr();
      a.b('call.ok', (slot) => slot.addiu(resume, resume, 4));
    },
  );

  routine(
    a,
    'tlbwr.slow',
    {
      does: 'A capability of another node, or with words of its own in the guard: TypeScript checks it whole.',
      in: { page: A0, wanted: A1, mac0: A2, mac1: A3 },
    },
    () => {
      a.note('v0 becomes 0 or an error');
      a.cop2(NATIVE.tlbwr);
      a.beq(V0, ZERO, 'tlbwr.granted');
      a.b('call.capability');
    },
  );

  routine(
    a,
    callLabel('tlbvad'),
    {
      does: 'tlbvad(page): the caller gives up the binding of a page. There is nothing to check: it is its own.',
      in: { page: A0, next: K0 },
      out: { error: V0 },
      uses: { entryHi: V1, scratch: K1, place: K1, stlbBase: K0, index: K1, resume: K0, unmapped: V0 },
      fast: { instructions: 25, when: 'if the page is not in the TLB', by: ['call.ok'] },
    },
    ({ page, next, entryHi, scratch, place, stlbBase, index, resume, unmapped }) => {
      a.bltz(page, 'call.range');
      emitEntryHi(a, entryHi, page, scratch);
      a.mtc0(entryHi, CP0_ENTRYHI);
      a.sw(next, KP.epc, ZERO);
      a.tlbp();
      emitStlbSlot(a, place, entryHi, stlbBase);
      a.note('whatever page has the slot: the STLB is a cache');
      a.sw(ZERO, 0, place);
      a.mfc0(index, CP0_INDEX);
      a.lw(resume, KP.epc, ZERO);
      a.bltz(index, 'call.ok', (slot) => slot.lui(unmapped, KSEG0 >>> 16));
      a.note('an address that the TLB never translates: the entry matches nothing');
      a.mtc0(unmapped, CP0_ENTRYHI);
      a.mtc0(ZERO, CP0_ENTRYLO);
      a.nop();
      a.tlbwi();
      a.mtc0(entryHi, CP0_ENTRYHI);
      a.b('call.ok');
    },
  );
}

/** tlbvad_range: a loop over the pages. */
export function emitTlbRange(a: SlotAssembler): void {
  routine(
    a,
    routineLabel('tlbvad_range'),
    {
      does: 'tlbvad_range(va, pages): 13 instructions a page that is not in the TLB, 16 one that is.',
      in: { va: A0, pages: A1, back: RA },
      out: { error: V0 },
      uses: {
        allowed: K1,
        bytes: K1,
        last: K1,
        vpn: K1,
        entryHi: T0,
        ownHi: V1,
        asid: T1,
        stlb: T4,
        pageBytes: T6,
        unmapped: T7,
        place: T2,
        folded: T3,
        index: T5,
        left: A1,
      },
      fast: { instructions: 32, when: 'for one page that is not in the TLB', by: ['range.absent'] },
    },
    ({ va, pages, back, error, allowed, bytes, last, vpn, entryHi, ownHi, asid, ...r }) => {
      const { stlb, pageBytes, unmapped, place, folded, index, left } = r;
      a.note('a refusal changes v0 alone');
      a.bltz(va, 'range.refused', (slot) => slot.sltiu(allowed, pages, TLBVAD_PAGES_MAX + 1));
      a.beq(allowed, ZERO, 'range.refused', (slot) => slot.sll(bytes, pages, 12));
      a.beq(pages, ZERO, 'range.empty', (slot) => slot.addu(last, bytes, va));
      a.addiu(last, last, -1);
      a.bltz(last, 'range.refused', (slot) => slot.srl(vpn, va, 12));
      a.mfc0(ownHi, CP0_ENTRYHI);
      a.sll(entryHi, vpn, 12);
      a.andi(asid, ownHi, 0xfc0);
      a.or(entryHi, entryHi, asid);
      a.li(stlb, STLB_BASE);
      a.li(pageBytes, PAGE_BYTES);
      a.lui(unmapped, KSEG0 >>> 16);

      a.label('range.next');
      a.mtc0(entryHi, CP0_ENTRYHI);
      a.srl(place, entryHi, 9);
      a.sll(folded, entryHi, 3);
      a.tlbp();
      a.xor(place, place, folded);
      a.andi(place, place, 0x7ff8);
      a.mfc0(index, CP0_INDEX);
      a.addu(place, place, stlb);
      a.note('whatever page has the slot: comparing costs more than it saves');
      a.sw(ZERO, 0, place);
      a.bltz(index, 'range.absent', (slot) => slot.addiu(left, left, -1));
      a.mtc0(unmapped, CP0_ENTRYHI);
      a.mtc0(ZERO, CP0_ENTRYLO);
      a.nop();
      a.tlbwi();
      a.label('range.absent');
      a.bne(left, ZERO, 'range.next', (slot) => slot.addu(entryHi, entryHi, pageBytes));
      a.note("the caller's address space again");
      a.mtc0(ownHi, CP0_ENTRYHI);
      a.label('range.empty');
      a.jr(back, (slot) => slot.move(error, ZERO));
      a.label('range.refused');
      a.jr(back, (slot) => slot.li(error, ERRORS.E_RANGE));
    },
  );
}
