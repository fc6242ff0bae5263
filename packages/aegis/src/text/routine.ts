/**
 * A routine of the kernel's text: a label, a head that says what a reader asks first, and registers that have the names of their roles.
 *
 * The head becomes notes, so a listing shows it; test/heads.test.ts holds it against the words. It says
 *
 * - what the routine does,
 * - `in`: the registers that it is given,
 * - `out`: what it leaves for those who go on from it,
 * - `uses`: the other registers that its instructions change. With `out` these are all. One register may have several roles, one
 *   after the other. What routines change that it calls or goes on to is said there.
 * - `fast`: how many instructions there are on its fast path, from its label to the jump through a register with which it leaves. A
 *   branch on that path is not taken, but to a label in `by`. A call counts as its jump and its slot.
 */
import { K0, K1, REGISTER_NAMES, ZERO, type Register, type SlotAssembler } from '@exokernel/isa';
import { KP } from '../layout.ts';

/** Registers by their role. */
export type Roles<Role extends string> = Readonly<Record<Role, Register>>;

/** What the head of a routine says. */
export interface Head<I extends string, O extends string, U extends string> {
  readonly does: string;
  readonly in?: Roles<I>;
  readonly out?: Roles<O>;
  readonly uses?: Roles<U>;
  readonly fast?: { readonly instructions: number; readonly by?: readonly string[]; readonly when?: string };
}

/** Emits a routine; `body` gets the registers of all roles. */
export function routine<I extends string = never, O extends string = never, U extends string = never>(
  a: SlotAssembler,
  label: string,
  head: Head<I, O, U>,
  body: (roles: Roles<I | O | U>) => void,
): void {
  a.label(label);
  for (const line of headLines(head)) a.note(line);
  body({ ...head.in, ...head.out, ...head.uses } as Roles<I | O | U>);
}

/** The head as the listing shows it. */
function headLines({ does, in: given = {}, out = {}, uses = {}, fast }: Head<string, string, string>): string[] {
  const lines = [does];
  for (const [name, roles] of [
    ['in  ', given],
    ['out ', out],
    ['uses', uses],
  ] as const) {
    if (Object.keys(roles).length > 0) lines.push(`${name} ${byRegister(roles)}`);
  }
  if (fast !== undefined) {
    const when = fast.when === undefined ? '' : ` ${fast.when}`;
    const by = fast.by === undefined ? '' : `, by ${fast.by.join(' and ')}`;
    lines.push(`${fast.instructions} instructions${when}${by}`);
  }
  return lines;
}

/** `a0 page, k1 slot or frame`. */
function byRegister(roles: Roles<string>): string {
  const names = new Map<Register, string[]>();
  for (const [role, register] of Object.entries(roles)) {
    names.set(register, [...(names.get(register) ?? []), role]);
  }
  return [...names].map(([register, all]) => `${REGISTER_NAMES[register] ?? ''} ${all.join(' or ')}`).join(', ');
}

/** Emits the way back to user mode, to the address in k0, with k1 as the application had it. */
export function emitReturn(a: SlotAssembler): void {
  a.lw(K1, KP.k1, ZERO);
  a.jr(K0, (slot) => slot.rfe());
}

/** What the notes of a head say. */
export interface HeadNotes {
  readonly does: string;
  /** Names of the registers that the routine's own instructions change. */
  readonly changes: readonly string[];
  readonly fast: { readonly instructions: number; readonly when: string; readonly by: readonly string[] } | undefined;
}

const FAST = /^(\d+) instructions ?([^,]*)(?:, by (.*))?$/;

/** Reads the notes of a label as a head; undefined if they are none: a head begins with a sentence. */
export function readHead(notes: readonly string[]): HeadNotes | undefined {
  const [does, ...lines] = notes;
  if (does === undefined || !/[.\]]$/.test(does)) return undefined;
  const changes = lines
    .filter((line) => /^(out |uses) /.test(line))
    .flatMap((line) => line.slice(5).split(', '))
    .map((roles) => roles.split(' ')[0] ?? '')
    .filter((register, i, all) => all.indexOf(register) === i);
  const [, instructions, when = '', by] = lines.map((line) => FAST.exec(line)).find((match) => match !== null) ?? [];
  const fast =
    instructions === undefined ? undefined : { instructions: Number(instructions), when, by: by?.split(' and ') ?? [] };
  return { does, changes, fast };
}
