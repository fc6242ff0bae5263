/**
 * The operand stack of a function that is translated: values that are not written down yet, as expressions.
 *
 * An entry that reads a local is saved in a local of its own before the local is set; one that reads memory or may trap, before anything
 * has an effect.
 */
import type { Expression, Statement, ValueType, Variable } from '../ir/ir.ts';
import { VcodeError } from '../program/error.ts';

/** The deepest expression. Assumption: deeper ones do not come from people. */
const MOST_DEPTH = 24;

/** A value that has not been written down yet. */
export interface Entry {
  readonly expression: Expression;
  readonly type: ValueType;
  readonly depth: number;
  /** Reads memory or a global, or may trap. */
  readonly isBound: boolean;
  /** Locals that it reads. */
  readonly locals: readonly number[];
}

const NO_LOCALS: readonly number[] = [];

export class OperandStack {
  /** The uppermost is the last. */
  entries: Entry[] = [];
  /** The function's parameters and locals, then those that save entries. */
  readonly variables: Variable[];
  readonly #write: (statement: Statement) => void;

  constructor(variables: Variable[], write: (statement: Statement) => void) {
    this.variables = variables;
    this.#write = write;
  }

  temporary(type: ValueType): number {
    this.variables.push({ name: `t${this.variables.length}`, type });
    return this.variables.length - 1;
  }

  push(expression: Expression, type: ValueType, parts: readonly Entry[], isBound = false): void {
    const depth = 1 + parts.reduce((most, part) => Math.max(most, part.depth), 0);
    const bound = isBound || parts.some((part) => part.isBound);
    const locals =
      parts.length === 0
        ? NO_LOCALS
        : parts.length === 1
          ? (parts[0] as Entry).locals
          : [...new Set(parts.flatMap((part) => part.locals))];
    const entry: Entry = { expression, type, depth, isBound: bound, locals };
    this.entries.push(depth > MOST_DEPTH ? this.saved(entry) : entry);
  }

  pushLocal(local: number): void {
    const { type } = this.variables[local] as Variable;
    this.entries.push({ expression: { kind: 'local', local }, type, depth: 1, isBound: false, locals: [local] });
  }

  pop(): Entry {
    const entry = this.entries.pop();
    if (entry === undefined) throw new VcodeError('malformed', 'the function was not validated');
    return entry;
  }

  /** The value in a local of its own. */
  saved(entry: Entry): Entry {
    const local = this.temporary(entry.type);
    this.#write({ kind: 'set', local, value: entry.expression });
    return { expression: { kind: 'local', local }, type: entry.type, depth: 1, isBound: false, locals: [local] };
  }

  /** Writes down the entries that something about to happen could change. */
  save(mustSave: (entry: Entry) => boolean): void {
    for (let i = 0; i < this.entries.length; i += 1) {
      const entry = this.entries[i] as Entry;
      if (mustSave(entry)) this.entries[i] = this.saved(entry);
    }
  }

  /** Before an effect. */
  settle(): void {
    this.save((entry) => entry.isBound);
  }

  /** Before a label: what is behind it may be reached with other locals. */
  settleAll(): void {
    this.save((entry) => entry.isBound || entry.locals.length > 0);
  }

  take(count: number): Entry[] {
    return this.entries.splice(this.entries.length - count, count);
  }

  /** Sets locals to the uppermost values, all at once. */
  assign(locals: readonly number[], entries: readonly Entry[]): void {
    const meets = entries.some((entry, i) =>
      entry.locals.some((local) => locals.indexOf(local) >= 0 && locals.indexOf(local) < i),
    );
    const values = meets ? entries.map((entry) => this.saved(entry)) : entries;
    locals.forEach((local, i) => {
      const value = values[i]?.expression;
      if (value === undefined || (value.kind === 'local' && value.local === local)) return;
      this.#write({ kind: 'set', local, value });
    });
  }
}
