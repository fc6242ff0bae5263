/** Machine-code programs on ExOS: every entry point, by its contract. */
import { DEATHS } from '@exokernel/abi';
import { A0, A1, A2, RA, S0, S1, S2, SP, T0, T1, V0, ZERO, type Assembler, type Register } from '@exokernel/isa';
import { ENTRY_POINTS, compose, machineProgram, type EntryPoint, type MachineOs } from '@exokernel/libos-kit';
import { expect, test } from 'vitest';
import { exos } from '../src/index.ts';
import { boot } from '../../testkit/src/index.ts';

const NEEDS = ['console', 'clock', 'memory', 'processes', 'pipes'] as const;
type Needed = (typeof NEEDS)[number];
type All = MachineOs<Needed>;

/** What the program writes, as bytes in its text. */
const HELLO = 'machine code speaks\n';

function emitCall(a: Assembler, os: All, name: EntryPoint<Needed>): void {
  a.li(T0, os.entry(name));
  a.jalr(RA, T0);
  a.nop();
}

/** Emits: ends with this code unless the register holds this value. Uses t1. */
function emitExpect(a: Assembler, r: Register, value: number, code: number): void {
  const good = a.fresh('good');
  a.li(T1, value);
  a.beq(r, T1, good);
  a.nop();
  a.j('end');
  a.li(V0, code);
  a.label(good);
}

test('a program that uses them all', () => {
  const all = machineProgram('all', NEEDS, 8192, (a, os) => {
    a.addiu(SP, SP, -16);
    a.sw(RA, 0, SP);
    a.sw(S0, 4, SP);
    a.li(S0, os.data);

    // console_write: from the text itself.
    a.bal('after');
    a.nop();
    for (let i = 0; i < HELLO.length; i += 4) {
      a.word([0, 1, 2, 3].reduce((word, k) => word | ((HELLO.charCodeAt(i + k) || 0) << (8 * k)), 0));
    }
    a.label('after');
    a.move(A0, RA);
    a.li(A1, HELLO.length);
    emitCall(a, os, 'console_write');
    emitExpect(a, V0, HELLO.length, 1);
    // A length that cannot be is an error.
    a.move(A0, S0);
    a.li(A1, -1);
    emitCall(a, os, 'console_write');
    emitExpect(a, V0, -1, 2);

    // clock_ticks, clock_sleep.
    emitCall(a, os, 'clock_ticks');
    a.move(S1, V0);
    a.li(A0, 2);
    emitCall(a, os, 'clock_sleep');
    emitExpect(a, V0, 0, 3);
    emitCall(a, os, 'clock_ticks');
    a.subu(V0, V0, S1);
    a.sltiu(V0, V0, 2);
    emitExpect(a, V0, 0, 4);

    // memory_allocate: a page, zero; too much is -1.
    a.li(A0, 4096);
    emitCall(a, os, 'memory_allocate');
    a.move(S1, V0);
    a.lw(T0, 4092, S1);
    a.nop();
    emitExpect(a, T0, 0, 5);
    a.lui(A0, 0x1000);
    emitCall(a, os, 'memory_allocate');
    emitExpect(a, V0, -1, 6);
    a.li(A0, -1);
    emitCall(a, os, 'memory_allocate');
    emitExpect(a, V0, -1, 7);

    // pipe_open: two descriptors.
    a.move(A0, S0);
    emitCall(a, os, 'pipe_open');
    emitExpect(a, V0, 0, 8);

    // process_self, process_fork: the child writes its number to the pipe, in a word of the page allocated above.
    emitCall(a, os, 'process_self');
    emitExpect(a, V0, 0, 9);
    emitCall(a, os, 'process_fork');
    a.move(S2, V0);
    a.bnez(V0, 'parent');
    a.nop();
    emitCall(a, os, 'process_self');
    a.sw(V0, 0, S1);
    a.lw(A0, 4, S0);
    a.move(A1, S1);
    a.li(A2, 4);
    emitCall(a, os, 'pipe_write');
    emitExpect(a, V0, 4, 10);
    a.j('end');
    a.li(V0, 55);

    a.label('parent');
    a.lw(A0, 4, S0);
    emitCall(a, os, 'pipe_close');
    emitExpect(a, V0, 0, 11);
    a.lw(A0, 0, S0);
    a.addiu(A1, S0, 4096);
    a.li(A2, 100);
    emitCall(a, os, 'pipe_read');
    emitExpect(a, V0, 4, 12);
    a.lw(T0, 4096, S0);
    a.nop();
    a.bne(T0, S2, 'wrong');
    a.nop();
    a.lw(A0, 0, S0);
    a.addiu(A1, S0, 4096);
    a.li(A2, 100);
    emitCall(a, os, 'pipe_read');
    emitExpect(a, V0, 0, 13);
    // The closed end is no descriptor any more.
    a.lw(A0, 4, S0);
    a.move(A1, S1);
    a.li(A2, 4);
    emitCall(a, os, 'pipe_write');
    emitExpect(a, V0, -1, 14);
    a.lw(T0, 0, S1);
    a.nop();
    emitExpect(a, T0, 0, 15);

    // process_wait: the child and its code; then there is none.
    a.addiu(A0, S0, 8);
    emitCall(a, os, 'process_wait');
    a.bne(V0, S2, 'wrong');
    a.nop();
    a.lw(T0, 8, S0);
    a.nop();
    emitExpect(a, T0, 55, 16);
    a.move(A0, ZERO);
    emitCall(a, os, 'process_wait');
    emitExpect(a, V0, -1, 17);
    a.j('end');
    a.li(V0, 42);

    a.label('wrong');
    a.li(V0, 99);
    a.label('end');
    a.lw(RA, 0, SP);
    a.lw(S0, 4, SP);
    a.ret();
    a.addiu(SP, SP, 16);
  });
  const used = new Set<string>();
  const spied = {
    ...all,
    text: (a: Assembler, os: All): void => {
      all.text(a, {
        ...os,
        entry: (name) => {
          used.add(name);
          return os.entry(name);
        },
      });
    },
  };
  const booted = boot([compose(exos, spied)]);
  expect(booted.finish(0)[0]).toMatchObject({ death: DEATHS.exit, exit: 42 });
  booted.runUntil(() => booted.serial(3).length >= HELLO.length, 1);
  expect(booted.serial(3)).toBe(HELLO);
  // The others are those of ipc.test.ts.
  const all5 = NEEDS.flatMap((name): readonly string[] => ENTRY_POINTS[name]).filter(
    (name) => name !== 'process_yield',
  );
  expect([...used].sort()).toEqual(all5.sort());
});
