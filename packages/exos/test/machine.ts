/** Programs in assembly for ExOS, as tests write them. */
import { RA, S0, SP, type Assembler } from '@exokernel/isa';
import { compose, machineProgram, type EntryPoint, type MachineOs } from '@exokernel/libos-kit';
import { exos } from '../src/index.ts';

const NEEDS = ['processes', 'pipes', 'shared', 'lrpc', 'clock'] as const;
type Needed = (typeof NEEDS)[number];
/** What such a program is linked against. */
export type Os = MachineOs<Needed>;
/** Calls a routine of ExOS. */
export type Call = (name: EntryPoint<Needed>) => void;
export type Image = ReturnType<typeof compose>;

/** A program that begins with its data in s0, 8 KiB of it, and ends at `end` with its code in v0. */
export function machine(name: string, emit: (a: Assembler, call: Call, os: Os) => void): Image {
  return compose(
    exos,
    machineProgram(name, NEEDS, 8192, (a, os) => {
      a.addiu(SP, SP, -8);
      a.sw(RA, 4, SP);
      a.li(S0, os.data);
      emit(
        a,
        (entry) => {
          a.jal(os.entry(entry));
          a.nop();
        },
        os,
      );
      a.label('end');
      a.lw(RA, 4, SP);
      a.addiu(SP, SP, 8);
      a.ret();
      a.nop();
    }),
  );
}
