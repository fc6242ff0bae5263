/** Pieces of machine code that were measured on real machines, as a C compiler and its library of the time make them. */
import { A0, A1, A2, S0, T0, T1, T2, T3, V0, ZERO, type Assembler } from '@exokernel/isa';
import type { Region } from './region.ts';

/** Two places that are apart in the data cache, and the size of that. */
const SOURCE = 0x80100000;
const DESTINATION = 0x80208000;
const CACHE_BYTES = 0x10000;

/**
 * `count` calls of a procedure that does nothing, in a loop: `jal` and `jr` with nothing to do in their slots, and the
 * loop's count and branch. Assumption: that [SOSP95] counted its loop, as the 7 cycles at each of its clocks say.
 */
export function nullCalls(count: number): Region {
  return {
    region: (a) => {
      a.li(S0, count);
      a.label('call');
      a.jal('procedure');
      a.nop();
      a.addiu(S0, S0, -1);
      a.bnez(S0, 'call');
      a.nop();
    },
    functions: (a) => {
      a.label('procedure');
      a.ret();
      a.nop();
    },
  };
}

/** Copies `bytes` (a multiple of 32) by words, eight to a turn. `cached` false: the source is not in the cache before. */
export function copy(bytes: number, cached: boolean): Region {
  return {
    prepare: (a) => {
      read(a, 'prepare', cached ? SOURCE : SOURCE + CACHE_BYTES, bytes);
    },
    region: (a) => {
      a.li(A0, SOURCE);
      a.li(A1, DESTINATION);
      a.li(A2, SOURCE + bytes);
      a.label('copy');
      for (const at of [0, 16]) {
        [T0, T1, T2, T3].forEach((register, i) => {
          a.lw(register, at + 4 * i, A0);
        });
        [T0, T1, T2, T3].forEach((register, i) => {
          a.sw(register, at + 4 * i, A1);
        });
      }
      a.addiu(A0, A0, 32);
      a.bne(A0, A2, 'copy');
      a.addiu(A1, A1, 32);
    },
  };
}

/** The Internet checksum's sum of `bytes`, a word to a turn; the same of `cached`. */
export function sum(bytes: number, cached: boolean): Region {
  return {
    prepare: (a) => {
      read(a, 'prepare', cached ? SOURCE : SOURCE + CACHE_BYTES, bytes);
    },
    region: (a) => {
      read(a, 'sum', SOURCE, bytes);
    },
  };
}

function read(a: Assembler, label: string, from: number, bytes: number): void {
  a.li(A0, from);
  a.li(A2, from + bytes);
  a.move(V0, ZERO);
  a.label(label);
  a.lw(T0, 0, A0);
  a.addiu(A0, A0, 4);
  a.addu(V0, V0, T0);
  a.sltu(T1, V0, T0);
  a.bne(A0, A2, label);
  a.addu(V0, V0, T1);
}
