/**
 * A parent and a forked child that talk through a pipe, in machine code: fork returns twice, the memory is copied on write, the
 * child's words come out of the console.
 */
import { A0, A1, A2, RA, S0, SP, T0, T1, V0, ZERO, type Assembler } from '@exokernel/isa';
import { encodeUtf8, machineProgram, type MachineProgram } from '@exokernel/libos-kit';

export const PARENT_SAYS = 'parent: I write this into a pipe.\n';
export const CHILD_SAYS = 'child: I was forked; this came through the pipe: ';
export const PARENT_ENDS = 'parent: my memory is as I left it, and my child is done.\n';
/** What the child exits with, and the parent checks. */
export const CHILD_CODE = 7;

/** Offsets in the program's data: descriptors, a word that both write, the child's code, what comes out of the pipe. */
const DATA = { descriptors: 0, shared: 8, code: 12, length: 16, text: 64, bytes: 256 } as const;
const PARENTS_WORD = 1;
const CHILDS_WORD = 2;

/** Exit code 0 if the child ended with CHILD_CODE and the parent's memory was not the child's. */
export const pipeTalk: MachineProgram<'console' | 'processes' | 'pipes'> = machineProgram(
  'pipe-talk',
  ['console', 'processes', 'pipes'],
  DATA.bytes,
  (a, os) => {
    const call = (entry: number): void => {
      a.li(T0, entry);
      a.jalr(RA, T0);
      a.nop();
    };
    a.addiu(SP, SP, -8);
    a.sw(RA, 4, SP);
    a.li(S0, os.data);
    a.li(T0, PARENTS_WORD);
    a.sw(T0, DATA.shared, S0);
    a.addiu(A0, S0, DATA.descriptors);
    call(os.entry('pipe_open'));
    a.bltz(V0, 'failed');
    a.nop();
    call(os.entry('process_fork'));
    a.bltz(V0, 'failed');
    a.nop();
    a.beq(V0, ZERO, 'child');
    a.nop();

    // The parent: console, pipe, end of the pipe, the child's end, its own memory.
    emitPrint(a, os.entry('console_write'), 'parent.says', PARENT_SAYS);
    a.lw(A0, DATA.descriptors + 4, S0);
    a.la(A1, 'parent.says');
    a.li(A2, PARENT_SAYS.length);
    call(os.entry('pipe_write'));
    a.lw(A0, DATA.descriptors + 4, S0);
    call(os.entry('pipe_close'));
    a.addiu(A0, S0, DATA.code);
    call(os.entry('process_wait'));
    a.lw(T0, DATA.code, S0);
    a.li(T1, CHILD_CODE);
    a.bne(T0, T1, 'failed');
    a.lw(T0, DATA.shared, S0);
    a.li(T1, PARENTS_WORD);
    a.bne(T0, T1, 'failed');
    a.nop();
    emitPrint(a, os.entry('console_write'), 'parent.ends', PARENT_ENDS);
    a.b('leave');
    a.move(V0, ZERO);

    // The child: writes the word that the parent keeps, closes the end it does not use, reads until the pipe ends. It speaks
    // only when it has read something: by then the parent has spoken.
    a.label('child');
    a.li(T0, CHILDS_WORD);
    a.sw(T0, DATA.shared, S0);
    a.lw(A0, DATA.descriptors + 4, S0);
    call(os.entry('pipe_close'));
    const read = (): void => {
      a.lw(A0, DATA.descriptors, S0);
      a.addiu(A1, S0, DATA.text);
      a.li(A2, DATA.bytes - DATA.text);
      call(os.entry('pipe_read'));
    };
    read();
    a.blez(V0, 'child.done');
    a.sw(V0, DATA.length, S0);
    emitPrint(a, os.entry('console_write'), 'child.says', CHILD_SAYS);
    a.label('child.print');
    a.lw(A1, DATA.length, S0);
    a.addiu(A0, S0, DATA.text);
    call(os.entry('console_write'));
    read();
    a.bgtz(V0, 'child.print');
    a.sw(V0, DATA.length, S0);
    a.label('child.done');
    a.b('leave');
    a.li(V0, CHILD_CODE);

    a.label('failed');
    a.li(V0, 1);
    a.label('leave');
    a.lw(RA, 4, SP);
    a.addiu(SP, SP, 8);
    a.ret();
    a.nop();
    for (const [label, text] of [
      ['parent.says', PARENT_SAYS],
      ['parent.ends', PARENT_ENDS],
      ['child.says', CHILD_SAYS],
    ] as const) {
      a.label(label);
      a.bytes(encodeUtf8(text));
    }
  },
);

function emitPrint(a: Assembler, write: number, label: string, text: string): void {
  a.la(A0, label);
  a.li(A1, text.length);
  a.li(T0, write);
  a.jalr(RA, T0);
  a.nop();
}
