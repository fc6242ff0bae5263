/** Random machine code for user mode: words that are anything, instructions that are likely, and calls. */
import { CALLS, type CapabilityWords } from '@exokernel/abi';
import { A0, A1, A2, A3, createAssembler, register, V0, ZERO, type Assembler } from '@exokernel/isa';
import { SCRATCH } from '../../../testkit/src/index.ts';
import type { Random } from '../soaker.ts';

/** Where a child's code lies, and its u-page. */
export const CODE_VA = 0x400000;
export const U_PAGE_VA = 0x1000;
/** Words of code; behind them, in the same page, lie capabilities. */
export const CODE_PAGE = { words: 768, capabilities: 16 } as const;
/** A word of a colluder's: what it puts into floating-point registers when another enters it, or 0. */
export const FLOAT: number = SCRATCH + 0xf00;

/** The bytes of a page. */
export function emitRandomCode(random: Random, board: readonly CapabilityWords[]): Uint8Array {
  const a = createAssembler(CODE_VA);
  while (a.here < CODE_VA + 4 * CODE_PAGE.words - 80) emitOne(a, random);
  while (a.here < CODE_VA + 4 * CODE_PAGE.words) a.nop();
  for (let i = 0; i < CODE_PAGE.capabilities; i += 1) {
    for (const word of board[random(Math.max(1, board.length))] ?? [0, 0, 0, 0]) a.word(word);
  }
  const { words } = a.assemble();
  return new Uint8Array(Uint32Array.from(words).buffer);
}

function emitOne(a: Assembler, random: Random): void {
  const r = (): ReturnType<typeof register> => register(random(32));
  switch (random(12)) {
    case 0:
    case 1:
      a.word(random(0x10000) * 0x10000 + random(0x10000));
      return;
    case 2:
      a.lui(r(), random(4) === 0 ? random(0x10000) : random(0x41));
      return;
    case 3:
      a.lw(r(), 4 * random(2048), r());
      a.nop();
      return;
    case 4:
      a.sw(r(), 4 * random(2048), r());
      return;
    case 5:
      a.beq(r(), r(), CODE_VA + 4 * random(CODE_PAGE.words));
      a.nop();
      return;
    case 6:
      a.j(CODE_VA + 4 * random(CODE_PAGE.words));
      a.nop();
      return;
    case 7:
      a.mtc1(r(), random(32));
      return;
    case 8:
    case 9:
      emitRandomCall(a, random);
      return;
    default:
      a.addiu(r(), r(), random(0x8000));
  }
}

/** A call with capabilities of the page, and numbers. */
function emitRandomCall(a: Assembler, random: Random): void {
  const name = Object.values(CALLS)[random(Object.keys(CALLS).length)];
  a.lui(V0, CODE_VA >>> 16);
  for (const first of [4, 8]) {
    const at = 4 * CODE_PAGE.words + 16 * random(CODE_PAGE.capabilities);
    for (let i = 0; i < 4; i += 1) a.lw(register(first + i), at + 4 * i, V0);
    a.nop();
  }
  if (random(2) === 0) for (const one of [A0, A1, A2, A3]) a.move(one, ZERO);
  for (const n of [12, 13]) a.li(register(n), random(3) === 0 ? -1 : random(16));
  a.li(V0, name?.number ?? 0);
  a.syscall(0);
}
