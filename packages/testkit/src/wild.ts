/**
 * The wild environment: machine code that makes system calls without end, all of them, with random arguments that are right
 * often enough to succeed.
 *
 * It keeps nothing outside the machine and has no native functions, so a machine with it can be saved at any instruction. What it
 * does follows from its seed and from what the kernel answers. Capabilities that it gets it keeps in a pool, eight of each kind;
 * what one replaces there it gives back.
 */
import { CALLS, RING_SLOT } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  S0,
  S1,
  S2,
  S3,
  S7,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  T8,
  V0,
  V1,
  ZERO,
  type Assembler,
  type Register,
} from '@exokernel/isa';
import { UKIT } from '@exokernel/libos-kit';
import { SCRATCH } from './registers.ts';
import { WINDOW, emitCall, rawImage, type RawImage } from './raw.ts';
import {
  ANY_KIND,
  CALL_OF_KIND,
  FILTER,
  HANDLER,
  NUMBER,
  NUMBERS,
  PAGE,
  PAGES,
  PREDICATE,
  TYPE,
  callTable,
} from './wild-calls.ts';

/** Where it keeps its things, in pages that it reaches without a base register. */
const AT = SCRATCH + 0x800;
/** How many calls it has made, a sum over the answers, and how often each call has succeeded, by number. */
export const WILD: Readonly<Record<'count' | 'digest' | 'successes', number>> = {
  count: AT + 4,
  digest: AT + 8,
  successes: AT + 0x700,
};
const SELF = AT + 0xc;
const RING = AT + 0x10;
const ARGUMENTS = AT + 0x20;
const FIXED = AT + 0x80;
/** Eight capabilities of each kind, 16 bytes each. */
const POOL = AT + 0x100;
const KIND_BYTES = 128;
const PAGE_VA = WINDOW + 0x100000;
const PACKET = 2048;

/** An environment that calls anything, for ever. `mac`: the machine's own address, to which it sends packets. */
export function wildImage(seed: number, mac: Uint8Array = new Uint8Array(6)): RawImage {
  return rawImage({
    name: `wild ${seed}`,
    entry: 'wild.start',
    emit: (a) => {
      emitWild(a, seed | 1, mac);
    },
    extent: { start: 0, blocks: 8, shared: true },
    tap: true,
  });
}

function emitWild(a: Assembler, seed: number, mac: Uint8Array): void {
  emitStart(a, seed, mac);
  emitLoop(a);
  emitCopy(a, 'wild.copy', 4);
  // v0 = the next random number: a xorshift of three steps.
  a.label('wild.random');
  for (const [shift, by] of [
    ['sll', 13],
    ['srl', 17],
    ['sll', 5],
  ] as const) {
    a[shift](T8, S7, by);
    a.xor(S7, S7, T8);
  }
  a.ret();
  a.move(V0, S7);
  a.align(4);
  for (const [label, bytes] of [
    ['wild.filter', FILTER],
    ['wild.handler', HANDLER],
    ['wild.predicate', PREDICATE],
    ['wild.table', callTable()],
    ['wild.numbers', new Uint8Array(Int32Array.from(Object.values(NUMBERS).flat()).buffer)],
    ['wild.free', Uint8Array.from(CALL_OF_KIND, (name) => (name === undefined ? 0 : CALLS[name].number))],
  ] as const) {
    a.label(label);
    a.bytes(bytes);
    a.align(4);
  }
}

/** t1 = from, t2 = to, t3 = words, none if 0: copied. Uses t0. */
function emitCopy(a: Assembler, label: string, bytes: number): void {
  a.label(label);
  a.lw(T0, 0, T1);
  a.addiu(T1, T1, bytes);
  a.sw(T0, 0, T2);
  a.addiu(T3, T3, -1);
  a.bgtz(T3, label);
  a.addiu(T2, T2, bytes);
  a.ret();
  a.nop();
}

function copy(a: Assembler, words: number): void {
  a.bal('wild.copy');
  a.li(T3, words);
}

function emitStart(a: Assembler, seed: number, mac: Uint8Array): void {
  const capability: readonly Register[] = [A0, A1, A2, A3];
  a.label('wild.start');
  a.li(S7, seed);
  for (const [kind, from] of [
    [2, UKIT.self],
    [3, UKIT.extent],
    [4, UKIT.serial],
    [8, UKIT.net],
  ] as const) {
    a.li(T1, from);
    a.li(T2, POOL + KIND_BYTES * kind);
    copy(a, 4);
  }
  a.lw(T0, UKIT.self + 4, ZERO);
  a.nop();
  a.sw(T0, SELF, ZERO);
  PAGES.forEach((name, i) => {
    a.li(A0, -1);
    emitCall(a, 'frame_alloc');
    capability.forEach((r, n) => {
      a.sw(r, FIXED + 16 * i + 4 * n, ZERO);
      a.move(([T0, T1, T2, T3] as const)[n] ?? T0, r);
      a.move(r, ZERO);
    });
    a.li(T4, (PAGE_VA + 4096 * i) | 1);
    emitCall(a, 'env_map');
    const bytes = { filter: FILTER, handler: HANDLER, predicate: PREDICATE, list: undefined, ring: undefined }[name];
    if (bytes === undefined) return;
    a.la(T1, `wild.${name}`);
    a.li(T2, PAGE_VA + 4096 * i);
    copy(a, Math.ceil(bytes.length / 4));
  });
  // One packet, to this machine itself.
  const ring = PAGE_VA + 4096 * PAGES.indexOf('ring');
  const packet = new DataView(new ArrayBuffer(16));
  mac.forEach((byte, i) => {
    packet.setUint8(i, byte);
  });
  packet.setUint8(6, 2);
  packet.setUint16(12, TYPE);
  a.li(T2, ring);
  for (const [at, word] of [
    [RING_SLOT.buffers, PACKET],
    [RING_SLOT.buffers + 4, 64],
    ...[0, 4, 8, 12].map((i) => [PACKET + i, packet.getInt32(i, true)] as const),
  ] as const) {
    a.li(T0, word);
    a.sw(T0, at, T2);
  }
  capability.forEach((r, n) => {
    a.lw(r, FIXED + 16 * PAGES.indexOf('ring') + 4 * n, ZERO);
  });
  a.li(T0, 1);
  a.li(T1, 1);
  emitCall(a, 'ring_bind');
  a.sw(V1, RING, ZERO);
}

/** One call after the other. s0 = its record, s1 = the argument to be made, s2 = behind the last, s3 = how it is made. */
function emitLoop(a: Assembler): void {
  const after = (number: number, label: string): void => {
    a.li(T2, number);
    a.beq(T1, T2, label);
    a.nop();
  };
  a.label('wild.loop');
  a.bal('wild.random');
  a.nop();
  a.srl(T0, V0, 8);
  a.andi(T0, T0, 63);
  a.sll(T0, T0, 4);
  a.la(S0, 'wild.table');
  a.addu(S0, S0, T0);
  emitTouch(a);
  emitList(a);
  a.addiu(S3, S0, 2);
  a.li(S1, ARGUMENTS);
  a.li(S2, ARGUMENTS + 48);
  emitArguments(a);
  a.lbu(T1, 0, S0);
  a.nop();
  after(CALLS.yield.number, 'wild.yield');
  after(CALLS.sleep.number, 'wild.sleep');
  after(CALLS.xmit.number, 'wild.send');
  after(CALLS.tlbwr.number, 'wild.bind');
  after(CALLS.revoke.number, 'wild.revoke');
  // Its own entries and end would end the test.
  for (const name of ['env_free', 'env_set'] as const) after(CALLS[name].number, 'wild.harm');
  a.label('wild.call');
  [A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7].forEach((r, i) => {
    a.lw(r, ARGUMENTS + 4 * i, ZERO);
  });
  a.lbu(V0, 0, S0);
  a.nop();
  a.syscall(0);
  emitAnswer(a);
  a.label('wild.harm');
  a.lw(T1, ARGUMENTS, ZERO);
  a.lw(T2, ARGUMENTS + 4, ZERO);
  a.lw(T3, SELF, ZERO);
  a.beq(T1, ZERO, 'wild.loop');
  a.nop();
  a.beq(T2, T3, 'wild.loop');
  a.nop();
  a.b('wild.call');
  a.nop();
  // Slices alone: of frames it might lose those that it cannot do without.
  a.label('wild.revoke');
  a.li(T0, 1);
  a.b('wild.call');
  a.sw(T0, ARGUMENTS + 16, ZERO);
  a.label('wild.yield');
  a.jal('kit.yield');
  a.li(A0, -1);
  a.b('wild.loop');
  a.nop();
  a.label('wild.sleep');
  emitCall(a, 'tick');
  a.jal('kit.sleep');
  a.addiu(A0, V1, 1);
  a.b('wild.loop');
  a.nop();
  a.label('wild.send');
  a.li(T0, 64);
  a.li(T1, PAGE_VA + 4096 * PAGES.indexOf('ring'));
  a.sw(T0, RING_SLOT.length, T1);
  a.lw(T0, RING, ZERO);
  a.b('wild.call');
  a.sw(T0, ARGUMENTS, ZERO);
  // A frame of the pool, at a page of the window.
  a.label('wild.bind');
  a.bal('wild.random');
  a.nop();
  a.srl(T0, V0, 3);
  a.andi(T0, T0, 0x70);
  a.lw(T1, POOL + KIND_BYTES + 4, T0);
  a.lw(T2, POOL + KIND_BYTES + 8, T0);
  a.lw(T3, POOL + KIND_BYTES + 12, T0);
  a.lw(T4, POOL + KIND_BYTES, T0);
  a.sll(T1, T1, 12);
  a.andi(T5, V0, 0x400);
  a.or(T1, T1, T5);
  a.ori(T1, T1, 0x200);
  [T1, T2, T3, T4].forEach((r, i) => {
    a.sw(r, ARGUMENTS + 4 + 4 * i, ZERO);
  });
  a.b('wild.call');
  a.nop();
}

/** A store into the window: what it finds there, or an exception. */
function emitTouch(a: Assembler): void {
  a.andi(T0, V0, 0x7ffc);
  a.li(T1, WINDOW);
  a.addu(T1, T1, T0);
  a.sw(V0, 0, T1);
}

/** Every now and then another filter, and a new list of blocks for disk_request: the first frames of the pool. */
function emitList(a: Assembler): void {
  a.andi(T0, V0, 0xf0);
  a.bnez(T0, 'wild.listed');
  a.nop();
  a.srl(T0, V0, 20);
  a.andi(T0, T0, 1);
  a.li(T1, PAGE_VA + 4096 * PAGES.indexOf('filter'));
  a.sb(T0, FILTER.length - 1, T1);
  a.li(T1, POOL + KIND_BYTES);
  a.li(T2, PAGE_VA + 4096 * PAGES.indexOf('list'));
  for (let i = 0; i < 4; i += 1) {
    copy(a, 4);
    a.srl(T0, V0, 10 + 3 * i);
    a.andi(T0, T0, 7);
    a.sw(T0, 0, T2);
    a.addiu(T2, T2, 4);
  }
  a.label('wild.listed');
}

function emitArguments(a: Assembler): void {
  a.label('wild.argument');
  a.bal('wild.random');
  a.nop();
  a.lbu(T4, 0, S3);
  a.addiu(S3, S3, 1);
  a.andi(T5, T4, 15);
  a.andi(T0, T4, NUMBER);
  a.bnez(T0, 'wild.number');
  a.andi(T0, T4, PAGE);
  a.bnez(T0, 'wild.page');
  a.sll(T1, T5, 4);
  // One of the pool, mostly of the kind that is wanted.
  a.srl(T0, V0, 8);
  a.andi(T0, T0, 15);
  a.beqz(T0, 'wild.anyKind');
  a.li(T1, ANY_KIND);
  a.bne(T5, T1, 'wild.pooled');
  a.nop();
  a.label('wild.anyKind');
  a.srl(T5, V0, 12);
  a.andi(T5, T5, 7);
  a.addiu(T5, T5, 1);
  a.label('wild.pooled');
  a.sll(T5, T5, Math.log2(KIND_BYTES));
  a.andi(T1, V0, 7);
  a.sll(T1, T1, 4);
  a.addu(T1, T1, T5);
  a.addiu(T1, T1, POOL);
  a.b('wild.capability');
  a.nop();
  a.label('wild.page');
  a.addiu(T1, T1, FIXED);
  a.label('wild.capability');
  a.move(T2, S1);
  copy(a, 4);
  // Now and then bent.
  a.srl(T0, V0, 16);
  a.andi(T0, T0, 31);
  a.bnez(T0, 'wild.next');
  a.addiu(S1, S1, 16);
  a.lw(T0, -8, S1);
  a.nop();
  a.xori(T0, T0, 1);
  a.b('wild.next');
  a.sw(T0, -8, S1);
  a.label('wild.number');
  a.andi(T4, T4, NUMBER - 1);
  a.sll(T4, T4, 3);
  a.la(T1, 'wild.numbers');
  a.addu(T1, T1, T4);
  a.lw(T0, 4, T1);
  a.lw(T2, 0, T1);
  a.srl(T3, V0, 4);
  a.and(T0, T0, T3);
  a.addu(T0, T0, T2);
  a.sw(T0, 0, S1);
  a.addiu(S1, S1, 4);
  a.label('wild.next');
  a.bne(S1, S2, 'wild.argument');
  a.nop();
}

/** Counts the call, and keeps the capability that it gave in the place of another, which is given back. */
function emitAnswer(a: Assembler): void {
  a.lw(T0, WILD.digest, ZERO);
  a.lw(T1, WILD.count, ZERO);
  a.sll(T2, T0, 5);
  a.addu(T0, T0, T2);
  a.addu(T0, T0, V0);
  a.addu(T0, T0, V1);
  a.sw(T0, WILD.digest, ZERO);
  a.addiu(T1, T1, 1);
  a.bnez(V0, 'wild.loop');
  a.sw(T1, WILD.count, ZERO);
  a.lbu(T0, 0, S0);
  a.lbu(T2, 1, S0);
  a.sll(T0, T0, 2);
  a.lw(T1, WILD.successes, T0);
  a.nop();
  a.addiu(T1, T1, 1);
  a.beqz(T2, 'wild.loop');
  a.sw(T1, WILD.successes, T0);
  [A0, A1, A2, A3].forEach((r, i) => {
    a.sw(r, ARGUMENTS + 4 * i, ZERO);
  });
  a.bal('wild.random');
  a.nop();
  a.srl(S1, A0, 24);
  a.andi(S1, S1, 7);
  a.sll(S2, S1, Math.log2(KIND_BYTES));
  a.andi(T0, V0, 0x70);
  a.addu(S2, S2, T0);
  a.lw(A0, POOL, S2);
  a.lw(A1, POOL + 4, S2);
  a.lw(A2, POOL + 8, S2);
  a.lw(A3, POOL + 12, S2);
  a.la(T1, 'wild.free');
  a.addu(T1, T1, S1);
  a.lbu(V0, 0, T1);
  a.lw(T2, SELF, ZERO);
  a.beqz(A0, 'wild.keep');
  a.nop();
  a.beqz(V0, 'wild.keep');
  a.li(T1, 2);
  a.bne(S1, T1, 'wild.giveBack');
  a.nop();
  a.beq(A1, T2, 'wild.loop');
  a.nop();
  a.label('wild.giveBack');
  a.move(T0, ZERO);
  a.syscall(0);
  a.label('wild.keep');
  a.li(T1, ARGUMENTS);
  a.addiu(T2, S2, POOL);
  copy(a, 4);
  a.b('wild.loop');
  a.nop();
}
