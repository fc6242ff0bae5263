/** What an environment can try, in machine code and without end: each of these with a name. */
import { CALLS, ENTRYLO, EXPOSED, WELL_KNOWN_READ, type CallName } from '@exokernel/abi';
import { A0, A1, A2, A3, S0, S1, T0, T1, T2, T3, V0, V1, ZERO, type Assembler } from '@exokernel/isa';
import { emitCall, rawImage, WINDOW, type RawImage } from '../../testkit/src/index.ts';

/** An image that does `body` for ever. */
export function attacker(body: (a: Assembler) => void, more: Partial<Parameters<typeof rawImage>[0]> = {}): RawImage {
  return rawImage({
    entry: 'go',
    emit: (a) => {
      a.label('go');
      body(a);
      a.b('go');
      a.nop();
      a.label('handler');
      a.break(0);
      a.label('entered');
      a.b('entered');
      a.nop();
    },
    ...more,
  });
}

/** Emits the routine `computes`, which does not return. */
export function emitComputes(a: Assembler): void {
  a.label('computes');
  a.addiu(S0, S0, 1);
  a.b('computes');
  a.nop();
}

/** It computes, and gives no slice away. */
export function worker(): RawImage {
  return rawImage({ name: 'worker', entry: 'computes', prologue: 'computes', emit: emitComputes });
}

/** The kernel's own clock: cycles between two ticks at 25 MHz. */
export const QUANTUM: number = 25_000_000 / 64;
/** Instructions of a loop of `spin`. */
const LOOP = 3;

/** Emits a loop of about so many cycles. */
export function spin(a: Assembler, label: string, cycles: number): void {
  a.li(T3, Math.max(1, Math.round(cycles / LOOP)));
  a.label(label);
  a.addiu(T3, T3, -1);
  a.bnez(T3, label);
  a.nop();
}

/** At the end of each slice it goes on for so many quanta, and yields. */
export function overrunning(quanta: number, name = 'overrunning'): RawImage {
  return rawImage({
    name,
    entry: 'go',
    prologue: 'go',
    epilogue: 'end',
    emit: (a) => {
      a.label('go');
      a.addiu(S0, S0, 1);
      a.b('go');
      a.nop();
      a.label('end');
      spin(a, 'end.spin', quanta * QUANTUM);
      a.li(A0, -1);
      emitCall(a, 'yield');
      a.b('go');
      a.nop();
    },
  });
}

/** Fills the argument registers from a sequence that goes through all of them. */
function emitGarbage(a: Assembler): void {
  a.li(T0, 0x41c64e6d);
  a.multu(S0, T0);
  a.mflo(S0);
  a.addiu(S0, S0, 12345);
  for (let r = 4; r < 16; r += 1) {
    a.srl(S1, S0, r);
    a.xor(r as never, r as never, S1);
  }
}

export const ATTACKS: readonly (readonly [string, () => RawImage])[] = [
  ['computes', () => attacker((a) => a.addiu(S0, S0, 1))],
  ['makes null calls', () => attacker((a) => emitCall(a, 'null'))],
  [
    'makes calls that do not exist',
    () =>
      attacker((a) => {
        a.addiu(V0, V0, 77);
        a.syscall(0);
      }),
  ],
  ...(
    Object.keys(CALLS).filter((name) => !['yield', 'sleep', 'scall', 'acall', 'env_free'].includes(name)) as CallName[]
  ).map(
    (name) =>
      [
        `calls ${name} with garbage`,
        () =>
          attacker((a) => {
            emitGarbage(a);
            emitCall(a, name);
          }),
      ] as const,
  ),
  [
    'takes frames until there are none',
    () =>
      attacker((a) => {
        a.li(A0, -1);
        emitCall(a, 'frame_alloc');
      }),
  ],
  ['makes environments until there are none', () => attacker((a) => emitCall(a, 'env_alloc'))],
  ['faults without end', () => attacker((a) => a.lw(V0, 4, ZERO), { handlers: { tlbl: 'handler' } })],
  ['cannot handle its own faults', () => attacker((a) => a.break(0), { handlers: { breakpoint: 'handler' } })],
  [
    'executes what it may not',
    () =>
      attacker((a) => {
        a.tlbwr();
        a.rfe();
        a.word(0xffffffff);
        a.lw(V0, -4, ZERO);
      }),
  ],
  [
    'jumps into the kernel',
    () =>
      attacker((a) => {
        a.lui(V0, 0x8000);
        a.jr(V0);
        a.nop();
      }),
  ],
  ['never ends its slice', () => attacker((a) => a.addiu(S0, S0, 1), { epilogue: 'entered' })],
  ['has nothing at its epilogue', () => attacker((a) => a.addiu(S0, S0, 1), { epilogue: 'go' })],
  [
    'yields to the bystander and to nobody',
    () =>
      attacker((a) => {
        a.li(A0, 1);
        a.bal('kit.yield');
        a.nop();
        a.li(A0, 999);
        a.bal('kit.yield');
        a.nop();
      }),
  ],
  [
    'transfers control to the bystander',
    () =>
      attacker((a) => {
        a.li(V1, 1);
        emitCall(a, 'scall');
        a.li(V1, 1);
        emitCall(a, 'acall');
      }),
  ],
  [
    'sends the bystander messages',
    () =>
      attacker((a) => {
        a.li(A0, 1);
        emitCall(a, 'msg_send');
      }),
  ],
  ...(['asks', 'takes'] as const).map(
    (how, mode) =>
      [
        `${how} frames of itself without end`,
        () =>
          attacker((a) => {
            for (let i = 0; i < 4; i += 1) {
              a.li(A0, -1);
              emitCall(a, 'frame_alloc');
            }
            for (const r of [A0, A1, A2, A3, T0]) a.move(r, ZERO);
            a.li(T1, 1);
            a.li(T2, mode);
            emitCall(a, 'revoke');
          }),
      ] as const,
  ),
  [
    'maps the kernel’s tables for writing, and frames that are not its own',
    () =>
      attacker((a) => {
        a.li(A0, WINDOW);
        a.li(A1, EXPOSED.environments | ENTRYLO.valid | ENTRYLO.dirty);
        a.li(A2, WELL_KNOWN_READ[0]);
        a.li(A3, WELL_KNOWN_READ[1]);
        emitCall(a, 'tlbwr');
        a.sw(V1, 0, A0);
        a.li(A1, 0x110000 | ENTRYLO.valid | ENTRYLO.dirty);
        emitCall(a, 'tlbwr');
        a.sw(V1, 0, A0);
      }),
  ],
];
