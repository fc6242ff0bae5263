/**
 * A hostile environment: it forges a capability, reaches for a frame of another, executes a privileged instruction, and then does
 * not give the processor back. What became of each attempt it notes in its u-page, where the demo looks.
 *
 * It uses the kit's prologue, but not its epilogue: at the end of its slice it loops.
 */
import { CALLS, ERRORS, EXCEPTIONS, RIGHTS, CAPABILITY_KINDS, type Image } from '@exokernel/abi';
import { A0, A1, A2, A3, CP0_STATUS, T0, T1, V0, ZERO, KSEG0, type Assembler } from '@exokernel/isa';
import { UKIT, address, assembleRuntime, buildImage, resumeLabel } from '@exokernel/libos-kit';

/** Words of its u-page. A code is what the kernel answered; a count is how often the exception came. */
export const HOSTILE = {
  forgedFree: 0x1400,
  forgedMap: 0x1404,
  foreignMap: 0x1408,
  addressErrors: 0x140c,
  privileged: 0x1410,
  /** 1 once everything before the endless loop was tried. */
  done: 0x1414,
} as const;

/** What the words should be in the end. */
export const REFUSED: number = ERRORS.E_CAP;

const FRAME_CAPABILITY = (CAPABILITY_KINDS.frame << 24) | ((RIGHTS.read | RIGHTS.write) << 16) | 1;
const ENTRYLO_RW = 0x600;
/** A MAC that an attacker might guess. */
const GUESS = [0x12345678, 0x9abcdef0] as const;
const SOMEWHERE = 0x10000;

/** An environment that attacks the frame `victim` (a physical frame number). */
export function hostile(victim: number): Image {
  const runtime = assembleRuntime({
    resumes: [EXCEPTIONS.ades, EXCEPTIONS.coprocessor],
    emit: (a) => {
      emitAttacks(a, victim);
      emitSkipHandler(a, 'ades', HOSTILE.addressErrors);
      emitSkipHandler(a, 'coprocessor', HOSTILE.privileged);
    },
  });
  const image = buildImage({
    name: 'hostile',
    libos: 'none',
    runtime,
    entry: address(runtime, 'hostile'),
    pages: [],
    handlers: { ades: 'hostile.ades', coprocessor: 'hostile.coprocessor' },
    natives: () => [],
    placement: {},
  });
  return { ...image, epilogue: address(runtime, 'hostile.loop') };
}

function emitAttacks(a: Assembler, victim: number): void {
  const note = (word: number): void => {
    a.syscall(0);
    a.sw(V0, word, ZERO);
  };
  a.label('hostile');
  // A capability made up for the frame: give it back, map it.
  a.li(A0, FRAME_CAPABILITY);
  a.li(A1, victim);
  a.li(A2, GUESS[0]);
  a.li(A3, GUESS[1]);
  a.li(V0, CALLS.frame_free.number);
  note(HOSTILE.forgedFree);
  a.li(A0, SOMEWHERE);
  a.li(A1, (victim << 12) | ENTRYLO_RW);
  a.li(A2, GUESS[0]);
  a.li(A3, GUESS[1]);
  a.li(V0, CALLS.tlbwr.number);
  note(HOSTILE.forgedMap);
  // A true capability, of a frame of its own, for the frame of another.
  a.lw(A2, UKIT.uPageCapability + 8, ZERO);
  a.lw(A3, UKIT.uPageCapability + 12, ZERO);
  a.li(V0, CALLS.tlbwr.number);
  note(HOSTILE.foreignMap);
  // Straight at physical memory, and at the processor's status.
  a.li(T0, KSEG0 + victim * 4096);
  a.sw(T0, 0, T0);
  a.mtc0(ZERO, CP0_STATUS);
  a.li(T0, 1);
  a.sw(T0, HOSTILE.done, ZERO);
  a.label('hostile.loop');
  a.b('hostile.loop');
  a.nop();
}

/** A handler that counts the exception and goes on behind the instruction. */
function emitSkipHandler(a: Assembler, name: 'ades' | 'coprocessor', count: number): void {
  const code = EXCEPTIONS[name];
  a.label(`hostile.${name}`);
  a.addiu(T0, T0, 4);
  a.sw(T0, UKIT.epc + 4 * code, ZERO);
  a.lw(T1, count, ZERO);
  a.nop();
  a.addiu(T1, T1, 1);
  a.sw(T1, count, ZERO);
  a.j(resumeLabel(code));
  a.nop();
}
