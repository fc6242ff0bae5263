/**
 * The same assembler in a form in which a delay slot cannot be taken for an ordinary line: every branch and jump takes what stands in
 * its slot as its last argument, and without one a `nop` stands there.
 *
 *     s.beq(V0, ZERO, 'refused', (slot) => slot.sll(T0, T0, 2)); // the shift is executed either way
 *     s.jr(RA); // and a nop
 */
import { AssemblerCore, type Assembler } from './assembler.ts';
import { IsaError } from './error.ts';
import { INSTRUCTIONS } from './instructions.ts';

type Table = typeof INSTRUCTIONS;
type Branch =
  | {
      [M in keyof Table]: Table[M] extends readonly [string, number, number, `branches${string}`] ? M : never;
    }[keyof Table]
  | 'b'
  | 'bal'
  | 'beqz'
  | 'bnez'
  | 'ret';
type PlainMethods = { [K in keyof Assembler]: Assembler[K] };
type OperandsOf<F> = F extends (...operands: infer O extends unknown[]) => void ? O : never;

/** What does not branch: all that may stand in a delay slot, and what both forms of the assembler can do. */
export type StraightAssembler = Omit<PlainMethods, Branch | 'emit' | 'assemble'>;

/** Writes the one instruction that stands in a delay slot. It may name it (`label`) and note something of it (`note`). */
export type Slot = (slot: StraightAssembler) => void;

/** An assembler whose branches and jumps take their delay slot as an argument. Make one with `withSlots`. */
export type SlotAssembler = StraightAssembler & {
  /** A plain assembler, whose methods would ignore a slot, is none of these. */
  readonly fillsSlots: true;
} & {
  readonly [B in Branch]: (...operands: [...OperandsOf<PlainMethods[B]>, slot?: Slot]) => void;
};

const PSEUDO_BRANCHES: readonly string[] = ['b', 'bal', 'beqz', 'bnez', 'ret'];
const BRANCHES: ReadonlySet<string> = new Set([
  ...PSEUDO_BRANCHES,
  ...Object.entries<readonly (string | number)[]>(INSTRUCTIONS)
    .filter(([, row]) => String(row[3]).startsWith('branches'))
    .map(([mnemonic]) => mnemonic.replaceAll('.', '_')),
]);

type Method = (this: Assembler, ...operands: unknown[]) => unknown;

/**
 * The form with slots of `plain`; both write to the same program. A slot that is not exactly one word throws `IsaError`
 * `delay-slot`.
 */
export function withSlots(plain: Assembler): SlotAssembler {
  const view = {
    get here(): number {
      return plain.here;
    },
    origin: plain.origin,
    fillsSlots: true,
  } as unknown as Record<string, unknown>;
  const fill = (slot: Slot | undefined): void => {
    const start = plain.here;
    if (slot === undefined) plain.nop();
    else slot(view as unknown as StraightAssembler);
    if (plain.here === start + 4) return;
    const words = (plain.here - start) / 4;
    throw new IsaError('delay-slot', `a delay slot at 0x${start.toString(16)} of ${words} words: use one`, { words });
  };
  for (const name of Object.getOwnPropertyNames(AssemblerCore.prototype)) {
    if (name === 'constructor' || name === 'here' || name === 'assemble' || name === 'emit') continue;
    const method = Reflect.get(plain, name) as Method;
    view[name] = !BRANCHES.has(name)
      ? method.bind(plain)
      : (...operands: unknown[]): void => {
          const slot = typeof operands.at(-1) === 'function' ? (operands.pop() as Slot) : undefined;
          method.apply(plain, operands);
          fill(slot);
        };
  }
  return view as unknown as SlotAssembler;
}
