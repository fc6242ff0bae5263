/**
 * One function of WebAssembly in the IR: values on the operand stack become expressions, which are written down as late as nothing is
 * between that could change them.
 *
 * An entry that reads a local is saved before the local is set; one that reads memory or may trap, before anything has an effect. Depth is
 * bounded, so that whoever walks expressions may use recursion.
 */
import type { Code, FunctionType } from '@exokernel/wasm';
import type { Expression, Place, Statement, ValueType, Variable } from '../ir/ir.ts';
import { ABORT_UNREACHABLE } from '../ir/abort.ts';
import { VcodeError } from '../program/error.ts';
import { ACCESSES, binary, HELPED, long, OPERATIONS, unary, word } from './operators.ts';

/** What the function may name. */
export interface Scope {
  readonly types: readonly FunctionType[];
  readonly functionTypes: readonly FunctionType[];
  readonly globalTypes: readonly { readonly type: string }[];
  /** How many functions are imported: they come first. */
  readonly imported: number;
  /** The number of a signature. */
  readonly signature: (type: FunctionType) => number;
  /** The index of a helper among the module's functions. */
  readonly helper: (name: string) => {
    readonly index: number;
    readonly results: readonly ValueType[];
    readonly arity: number;
  };
}

/** The parts of an IR function. */
export interface Translated {
  readonly locals: readonly Variable[];
  readonly body: readonly Statement[];
}

/** The deepest expression. Assumption: deeper ones do not come from people. */
const MOST_DEPTH = 24;

/** A value that has not been written down yet. */
interface Entry {
  readonly expression: Expression;
  readonly type: ValueType;
  readonly depth: number;
  /** Reads memory or a global, or may trap. */
  readonly isBound: boolean;
  /** Locals that it reads. */
  readonly locals: readonly number[];
}

interface Label {
  readonly number: number;
  /** The locals that a branch sets. */
  readonly values: readonly number[];
  readonly isLoop: boolean;
  isUsed: boolean;
}

const NO_LOCALS: readonly number[] = [];

export function translateFunction(code: Code, scope: Scope): Translated {
  return new Translator(code, scope).run();
}

class Translator {
  readonly #code: Code;
  readonly #scope: Scope;
  readonly #variables: Variable[];
  readonly #parameters: number;
  readonly #labels: Label[] = [];
  #stack: Entry[] = [];
  #out: Statement[] = [];
  #at = 0;
  #next = 0;
  #numbers = 0;
  #isDead = false;

  constructor(code: Code, scope: Scope) {
    this.#code = code;
    this.#scope = scope;
    this.#variables = code.locals.map((type, i) => ({ name: `l${i}`, type: type as ValueType }));
    this.#parameters = code.type.parameters.length;
  }

  run(): Translated {
    const results = this.#code.type.results as readonly ValueType[];
    this.#sequence();
    if (!this.#isDead) this.#return(results.length);
    return { locals: this.#variables.slice(this.#parameters), body: this.#out };
  }

  /* The stack. */

  #temporary(type: ValueType): number {
    this.#variables.push({ name: `t${this.#variables.length}`, type });
    return this.#variables.length - 1;
  }

  #write(statement: Statement): void {
    this.#out.push({ ...statement, at: this.#code.offsets[this.#at] ?? 0 });
  }

  #push(expression: Expression, type: ValueType, parts: readonly Entry[], isBound = false): void {
    const depth = 1 + parts.reduce((most, part) => Math.max(most, part.depth), 0);
    const bound = isBound || parts.some((part) => part.isBound);
    const locals =
      parts.length === 0
        ? NO_LOCALS
        : parts.length === 1
          ? (parts[0] as Entry).locals
          : [...new Set(parts.flatMap((part) => part.locals))];
    const entry: Entry = { expression, type, depth, isBound: bound, locals };
    this.#stack.push(depth > MOST_DEPTH ? this.#saved(entry) : entry);
  }

  #pushLocal(local: number): void {
    const { type } = this.#variables[local] as Variable;
    this.#stack.push({ expression: { kind: 'local', local }, type, depth: 1, isBound: false, locals: [local] });
  }

  #pop(): Entry {
    const entry = this.#stack.pop();
    if (entry === undefined) throw new VcodeError('malformed', 'the function was not validated');
    return entry;
  }

  /** The value in a local of its own. */
  #saved(entry: Entry): Entry {
    const local = this.#temporary(entry.type);
    this.#write({ kind: 'set', local, value: entry.expression });
    return { expression: { kind: 'local', local }, type: entry.type, depth: 1, isBound: false, locals: [local] };
  }

  /** Writes down the entries that something about to happen could change. */
  #save(mustSave: (entry: Entry) => boolean): void {
    for (let i = 0; i < this.#stack.length; i += 1) {
      const entry = this.#stack[i] as Entry;
      if (mustSave(entry)) this.#stack[i] = this.#saved(entry);
    }
  }

  /** Before an effect. */
  #settle(): void {
    this.#save((entry) => entry.isBound);
  }

  /** Before a label: what is behind it may be reached with other locals. */
  #settleAll(): void {
    this.#save((entry) => entry.isBound || entry.locals.length > 0);
  }

  #take(count: number): Entry[] {
    return this.#stack.splice(this.#stack.length - count, count);
  }

  /** Sets locals to the uppermost values, all at once. */
  #assign(locals: readonly number[], entries: readonly Entry[]): void {
    const meets = entries.some((entry, i) =>
      entry.locals.some((local) => locals.indexOf(local) >= 0 && locals.indexOf(local) < i),
    );
    const values = meets ? entries.map((entry) => this.#saved(entry)) : entries;
    locals.forEach((local, i) => {
      const value = values[i]?.expression;
      if (value === undefined || (value.kind === 'local' && value.local === local)) return;
      this.#write({ kind: 'set', local, value });
    });
  }

  /* Control. */

  /** Translates up to the `end` or `else` that closes the block; leaves it to be read. */
  #sequence(): void {
    const { opcodes } = this.#code;
    let nested = 0;
    for (; this.#next < opcodes.length; this.#next += 1) {
      const opcode = opcodes[this.#next] ?? 0;
      if (this.#isDead) {
        if (opcode >= 0x02 && opcode <= 0x04) nested += 1;
        else if (opcode === 0x0b || opcode === 0x05) {
          if (nested === 0) return;
          if (opcode === 0x0b) nested -= 1;
        }
        continue;
      }
      if (opcode === 0x0b || opcode === 0x05) return;
      this.#at = this.#next;
      this.#instruction(opcode);
    }
  }

  /** What the block in `write` does, in statements of its own. */
  #inside(write: () => void): Statement[] {
    const out = this.#out;
    this.#out = [];
    write();
    const inner = this.#out;
    this.#out = out;
    return inner;
  }

  #block(opcode: number): void {
    const type = this.#code.blocks[this.#code.first[this.#next] ?? 0] as FunctionType;
    const condition = opcode === 0x04 ? this.#pop() : undefined;
    this.#settleAll();
    const parameters = this.#take(type.parameters.length);
    const results = (type.results as readonly ValueType[]).map((result) => this.#temporary(result));
    const isLoop = opcode === 0x03;
    const inputs = parameters.map((entry) => this.#temporary(entry.type));
    this.#assign(inputs, parameters);
    this.#numbers += 1;
    const label: Label = { number: this.#numbers, values: isLoop ? inputs : results, isLoop, isUsed: false };
    const below = this.#stack;
    this.#labels.push(label);
    let reachesEnd = false;
    const way = (): Statement[] =>
      this.#inside(() => {
        this.#stack = [];
        for (const input of inputs) this.#pushLocal(input);
        this.#isDead = false;
        this.#next += 1;
        this.#sequence();
        if (this.#isDead) return;
        reachesEnd = true;
        this.#assign(results, this.#take(results.length));
      });
    const then = way();
    let body: Statement[] = then;
    if (condition !== undefined) {
      let otherwise: Statement[] = [];
      if (this.#code.opcodes[this.#next] === 0x05) otherwise = way();
      else {
        // Without else, the parameters are the results.
        reachesEnd = true;
        otherwise = this.#inside(() => {
          this.#stack = [];
          for (const input of inputs) this.#pushLocal(input);
          this.#assign(results, this.#take(results.length));
        });
      }
      body = [{ kind: 'if', condition: condition.expression, then, otherwise, at: this.#code.offsets[this.#at] ?? 0 }];
    }
    this.#labels.pop();
    if (!label.isUsed) this.#out.push(...body);
    else this.#out.push({ kind: isLoop ? 'loop' : 'block', label: label.number, body });
    this.#stack = below;
    this.#isDead = !reachesEnd && (isLoop || !label.isUsed);
    for (const result of results) this.#pushLocal(result);
  }

  /** A branch outward, with the uppermost values; `values` are copies of them, so that the stack stays. */
  #branch(depth: number, entries: readonly Entry[]): void {
    const label = this.#labels[this.#labels.length - 1 - depth];
    if (label === undefined) {
      this.#write({ kind: 'return', values: entries.map(({ expression }) => expression) });
      return;
    }
    label.isUsed = true;
    this.#assign(label.values, entries);
    this.#write({ kind: 'branch', label: label.number });
  }

  #arity(depth: number): number {
    return this.#labels[this.#labels.length - 1 - depth]?.values.length ?? this.#code.type.results.length;
  }

  #return(count: number): void {
    const entries = this.#take(count);
    this.#settle();
    this.#write({ kind: 'return', values: entries.map(({ expression }) => expression) });
  }

  #branchIf(depth: number): void {
    const condition = this.#pop();
    const arity = this.#arity(depth);
    // What stays on the stack is evaluated once, and before the branch.
    if (arity > 0) this.#settleAll();
    else this.#settle();
    const entries = this.#stack.slice(this.#stack.length - arity);
    const then = this.#inside(() => {
      this.#branch(depth, entries);
    });
    this.#write({ kind: 'if', condition: condition.expression, then, otherwise: [] });
  }

  #branchTable(index: number): void {
    const labels = this.#code.labels[index] ?? [];
    const otherwise = labels.at(-1) ?? 0;
    const value = this.#pop();
    const arity = this.#arity(otherwise);
    const taken = this.#take(arity);
    this.#settle();
    const entries = arity > 0 ? taken.map((entry) => this.#saved(entry)) : [];
    const byDepth = new Map<number, number[]>();
    labels.slice(0, -1).forEach((depth, i) => {
      if (depth === otherwise) return;
      const values = byDepth.get(depth);
      if (values === undefined) byDepth.set(depth, [i]);
      else values.push(i);
    });
    const way = (depth: number): Statement[] =>
      this.#inside(() => {
        this.#branch(depth, entries);
      });
    const cases = [...byDepth].map(([depth, values]) => ({ values, body: way(depth) }));
    this.#write({ kind: 'switch', value: value.expression, cases, otherwise: way(otherwise) });
  }

  /* Instructions. */

  #instruction(opcode: number): void {
    const operation = OPERATIONS[opcode];
    if (operation !== undefined) {
      this.#operate(operation);
      return;
    }
    const access = ACCESSES[opcode];
    if (access !== undefined) {
      if (access.isStore) this.#store(access.size, access.type);
      else this.#load(access);
      return;
    }
    const helper = HELPED.get(opcode);
    if (helper !== undefined) {
      const { index, results, arity } = this.#scope.helper(helper);
      this.#call({ kind: 'call', function: index }, arity, results);
      return;
    }
    const first = this.#code.first[this.#next] ?? 0;
    switch (opcode) {
      case 0x00:
        this.#settle();
        this.#write({ kind: 'abort', code: ABORT_UNREACHABLE });
        this.#isDead = true;
        return;
      case 0x01:
        return;
      case 0x02:
      case 0x03:
      case 0x04:
        this.#block(opcode);
        return;
      case 0x0c: {
        const entries = this.#take(this.#arity(first));
        this.#settle();
        this.#branch(first, entries);
        this.#isDead = true;
        return;
      }
      case 0x0d:
        this.#branchIf(first);
        return;
      case 0x0e:
        this.#branchTable(first);
        this.#isDead = true;
        return;
      case 0x0f:
        this.#return(this.#code.type.results.length);
        this.#isDead = true;
        return;
      default:
        this.#other(opcode, first);
    }
  }

  #operate({ arity, build, type, mayTrap }: NonNullable<(typeof OPERATIONS)[number]>): void {
    if (arity === 1) {
      const a = this.#pop();
      this.#push(build(a.expression, a.expression), type, [a], mayTrap);
      return;
    }
    const b = this.#pop();
    const a = this.#pop();
    this.#push(build(a.expression, b.expression), type, [a, b], mayTrap);
  }

  #place(size: Place['size'], index: Expression): Place {
    const align = Math.min(this.#code.second[this.#next] ?? 0, 3) as Place['align'];
    return { region: 0, size, index, displacement: this.#code.first[this.#next] ?? 0, endian: 'little', align };
  }

  #load({ size, signed, type }: NonNullable<(typeof ACCESSES)[number]>): void {
    const index = this.#pop();
    const load: Expression = { kind: 'load', signed: signed && size < 4, ...this.#place(size, index.expression) };
    const extended = type === 'i64' && size < 8 ? unary(signed ? 'extends' : 'extendu', load) : load;
    this.#push(extended, type, [index], true);
  }

  #store(size: Place['size'], type: ValueType): void {
    const value = this.#pop();
    const index = this.#pop();
    this.#settle();
    const narrow = type === 'i64' && size < 8 ? unary('wrap', value.expression) : value.expression;
    this.#write({ kind: 'store', value: narrow, ...this.#place(size, index.expression) });
  }

  #call(
    call:
      { readonly kind: 'call'; readonly function: number } | { readonly kind: 'callImport'; readonly import: number },
    arity: number,
    results: readonly ValueType[],
  ): void {
    const values = this.#take(arity);
    this.#settle();
    const locals = results.map((type) => this.#temporary(type));
    this.#write({ ...call, values: values.map(({ expression }) => expression), results: locals });
    for (const local of locals) this.#pushLocal(local);
  }

  #other(opcode: number, first: number): void {
    const second = this.#code.second[this.#next] ?? 0;
    switch (opcode) {
      case 0x10: {
        const type = this.#scope.functionTypes[first] as FunctionType;
        const { imported } = this.#scope;
        this.#call(
          first < imported ? { kind: 'callImport', import: first } : { kind: 'call', function: first - imported },
          type.parameters.length,
          type.results as readonly ValueType[],
        );
        return;
      }
      case 0x11: {
        const type = this.#scope.types[first] as FunctionType;
        const slot = this.#pop();
        const values = this.#take(type.parameters.length);
        this.#settle();
        const results = (type.results as readonly ValueType[]).map((result) => this.#temporary(result));
        this.#write({
          kind: 'callIndirect',
          signature: this.#scope.signature(type),
          slot: slot.expression,
          values: values.map(({ expression }) => expression),
          results,
        });
        for (const result of results) this.#pushLocal(result);
        return;
      }
      case 0x1a: {
        const dropped = this.#pop();
        // What may trap still traps.
        if (dropped.isBound) this.#saved(dropped);
        return;
      }
      case 0x1b:
      case 0x1c: {
        const [then, otherwise, condition] = this.#take(3) as [Entry, Entry, Entry];
        const expression: Expression = {
          kind: 'select',
          then: then.expression,
          otherwise: otherwise.expression,
          condition: condition.expression,
          type: then.type,
        };
        this.#push(expression, then.type, [then, otherwise, condition]);
        return;
      }
      case 0x20:
        this.#pushLocal(first);
        return;
      case 0x21:
      case 0x22: {
        const value = this.#pop();
        this.#save((entry) => entry.locals.includes(first));
        this.#write({ kind: 'set', local: first, value: value.expression });
        if (opcode === 0x22) this.#pushLocal(first);
        return;
      }
      case 0x23:
        this.#push({ kind: 'global', global: first }, this.#scope.globalTypes[first]?.type as ValueType, [], true);
        return;
      case 0x24: {
        const value = this.#pop();
        this.#settle();
        this.#write({ kind: 'setGlobal', global: first, value: value.expression });
        return;
      }
      case 0x3f:
        this.#push(binary('shr', { kind: 'length', region: 0 }, word(16)), 'i32', [], true);
        return;
      case 0x40: {
        const pages = this.#pop();
        this.#settle();
        const result = this.#temporary('i32');
        this.#write({ kind: 'grow', pages: pages.expression, result });
        this.#pushLocal(result);
        return;
      }
      case 0x41:
        this.#push(word(first), 'i32', []);
        return;
      case 0x42:
        this.#push(long((BigInt(second) << 32n) | BigInt(first)), 'i64', []);
        return;
      default:
        throw new VcodeError('malformed', `opcode 0x${opcode.toString(16)} is not translated`);
    }
  }
}
