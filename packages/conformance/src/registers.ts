/** What every routine promises to machine code: it keeps s0 to s7, gp, sp and fp. */
import { V0 } from '@exokernel/isa';
import { ENTRY_POINTS, type EntryPoint, type InterfaceName } from '@exokernel/libos-kit';
import { END, assembledCase, type Argument, type Emit } from './assembled.ts';
import type { ProgramCase } from './case.ts';

/** Offsets in the program's data. */
const [CODE, BYTES, READER, WRITER, PAGE, SELF] = [0x10, 0x20, 0x30, 0x34, 0x40, 0x44];

export const REGISTERS: readonly ProgramCase[] = [
  keepsRegisters(['clock'], ({ keeping }) => {
    keeping('clock_ticks');
    keeping('clock_sleep', 1);
  }),
  keepsRegisters(['console'], ({ keeping, data }) => {
    keeping('console_write', data + BYTES, 40);
  }),
  keepsRegisters(['memory'], ({ keeping, isNoError }) => {
    keeping('memory_allocate', 4096);
    isNoError('memory_allocate(4096)');
  }),
  keepsRegisters(['processes'], ({ a, keeping, keep, isNoError, data }) => {
    keeping('process_self');
    keep(SELF);
    keeping('process_yield', { word: SELF });
    keeping('process_fork');
    isNoError('process_fork()');
    // Both have them: the child ends here.
    a.beqz(V0, END);
    a.nop();
    keeping('process_wait', data + CODE);
    isNoError('process_wait(code)');
    a.li(V0, data + CODE);
    a.lw(V0, 0, V0);
    a.nop();
    a.bnez(V0, END);
    a.nop();
  }),
  keepsRegisters(['pipes'], ({ keeping, isNoError, is, data }) => {
    keeping('pipe_open', data + READER);
    isNoError('pipe_open(ends)');
    keeping('pipe_write', { word: WRITER }, data + BYTES, 4);
    is('pipe_write(writer, at, 4)', V0, 4);
    keeping('pipe_read', { word: READER }, data + BYTES, 4);
    is('pipe_read(reader, at, 4)', V0, 4);
    keeping('pipe_close', { word: READER });
    isNoError('pipe_close(reader)');
  }),
  keepsRegisters(['shared'], ({ keeping, isNoError }) => {
    keeping('shared_allocate');
    isNoError('shared_allocate()');
  }),
  keepsRegisters(['lrpc'], ({ keeping, isNoError }) => {
    keeping('lrpc_bind');
    isNoError('lrpc_bind()');
    keeping('lrpc_name', 0);
  }),
  keepsRegisters(['protection', 'memory'], ({ call, keeping, keep, is }) => {
    call('memory_allocate', 4096);
    keep(PAGE);
    const page: Argument = { word: PAGE };
    for (const name of ['vm_protect', 'vm_unprotect', 'vm_clean'] as const) {
      keeping(name, page, 1);
      is(`${name}(at, 1)`, V0, 0);
    }
    keeping('vm_dirty', page);
    keeping('vm_handler', 0);
  }),
];

function keepsRegisters<const N extends InterfaceName>(
  needs: readonly [N, ...N[]],
  emit: (e: Emit<N>) => void,
): ProgramCase {
  const routines: readonly EntryPoint<N>[] = ENTRY_POINTS[needs[0]];
  return assembledCase(`${routines[0]?.split('_')[0] ?? ''} routines keep s0 to s7, gp, sp and fp`, needs, emit);
}
