/**
 * The operations of Appel and Li on virtual memory, as a program of ExOS in machine code: it executes them in turn, for ever,
 * and tells where each begins and ends. [SOSP95 §6.2]
 *
 * A handler does what the paper's does: nothing but skip the access (trap); unprotect the page and protect another (appel1);
 * unprotect the page (appel2).
 */
import { A0, A1, RA, S0, S1, S2, S3, S4, SP, T0, T1, V0, ZERO, type Assembler } from '@exokernel/isa';
import { UEXOS, type ExosInterface } from '@exokernel/exos';
import { compose, machineProgram, type EntryPoint, type LibOs } from '@exokernel/libos-kit';
import { PAGE_BYTES, type Image } from '@exokernel/abi';

/** Operations in the order of [SOSP95 T10]. */
export const OPERATIONS = ['dirty', 'prot1', 'prot100', 'unprot100', 'trap', 'appel1', 'appel2'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** How many operations one passage is. */
export const PER_PASSAGE: Readonly<Partial<Record<Operation, number>>> = { appel2: 100 };

export interface VmProgram {
  readonly image: Image;
  readonly marks: Readonly<Record<Operation, { readonly from: number; readonly to: number }>>;
}

const PAGES = 100;
/** Steps through the pages: coprime to their number, so that each is touched once. Assumption: random enough. */
const STRIDE = 37;
const NEEDS = ['memory', 'protection'] as const;
type Needed = (typeof NEEDS)[number];

export function vmProgram(libos: LibOs<ExosInterface>): VmProgram {
  const marks = Object.fromEntries(OPERATIONS.map((name) => [name, { from: 0, to: 0 }])) as Record<
    Operation,
    { from: number; to: number }
  >;
  const image = compose(
    libos,
    machineProgram('vm', NEEDS, PAGE_BYTES, (a, os) => {
      const call = (name: EntryPoint<Needed>, prepareLast: () => void = () => a.nop()): void => {
        a.jal(os.entry(name));
        prepareLast();
      };
      const measured = (name: Operation, emit: () => void): void => {
        marks[name].from = a.here;
        emit();
        marks[name].to = a.here;
      };
      const handler = (label: string): void => {
        a.la(A0, label);
        call('vm_handler');
      };
      const range = (name: 'vm_protect' | 'vm_unprotect', pages: number): void => {
        a.move(A0, S0);
        call(name, () => a.li(A1, pages));
      };

      // Every page has its frame, and is dirty.
      a.li(A0, (PAGES + 1) * PAGE_BYTES);
      call('memory_allocate');
      a.move(S0, V0);
      a.li(S4, PAGE_BYTES);
      a.addiu(S1, S0, 0);
      a.li(S2, PAGES + 1);
      a.label('touch');
      a.sw(S2, 0, S1);
      a.addiu(S2, S2, -1);
      a.bnez(S2, 'touch');
      a.addu(S1, S1, S4);

      a.label('again');
      measured('dirty', () => {
        a.jal(os.entry('vm_dirty'));
        a.move(A0, S0);
      });
      measured('prot1', () => range('vm_protect', 1));
      handler('skip');
      measured('trap', () => a.sw(ZERO, 0, S0));
      handler('appel1');
      // s1 = the page that is protected, s2 = the other.
      a.move(S1, S0);
      a.addu(S2, S0, S4);
      measured('appel1', () => a.sw(ZERO, 0, S1));
      a.move(A0, S2);
      call('vm_unprotect', () => a.li(A1, 1));
      measured('prot100', () => range('vm_protect', PAGES));
      measured('unprot100', () => range('vm_unprotect', PAGES));
      handler('appel2');
      measured('appel2', () => {
        range('vm_protect', PAGES);
        emitWalk(a);
      });
      a.j('again');
      a.nop();
      emitHandlers(a, call);
    }),
  );
  return { image, marks };
}

/** Emits: stores to every page, STRIDE pages further each time. Uses s1 to s3, t0, t1. */
function emitWalk(a: Assembler): void {
  a.move(S1, S0);
  a.li(S2, PAGES);
  a.li(S3, STRIDE * PAGE_BYTES);
  a.label('walk');
  a.sw(S2, 0, S1);
  a.addu(S1, S1, S3);
  a.li(T0, PAGES * PAGE_BYTES);
  a.addu(T1, S0, T0);
  a.sltu(T1, S1, T1);
  a.bnez(T1, 'walk.inside');
  a.addiu(S2, S2, -1);
  a.subu(S1, S1, T0);
  a.label('walk.inside');
  a.bnez(S2, 'walk');
  a.nop();
}

/** The handlers: a0 = the address. */
function emitHandlers(a: Assembler, call: (name: EntryPoint<Needed>, prepareLast?: () => void) => void): void {
  a.label('skip');
  a.lw(T0, UEXOS.hookPc, ZERO);
  a.nop();
  a.addiu(T0, T0, 4);
  a.ret();
  a.sw(T0, UEXOS.hookPc, ZERO);

  a.label('appel1');
  a.addiu(SP, SP, -8);
  a.sw(RA, 4, SP);
  call('vm_unprotect', () => a.li(A1, 1));
  a.move(A0, S2);
  call('vm_protect', () => a.li(A1, 1));
  a.lw(RA, 4, SP);
  a.addiu(SP, SP, 8);
  a.ret();
  a.nop();

  a.label('appel2');
  a.addiu(SP, SP, -8);
  a.sw(RA, 4, SP);
  call('vm_unprotect', () => a.li(A1, 1));
  a.lw(RA, 4, SP);
  a.addiu(SP, SP, 8);
  a.ret();
  a.nop();
}
