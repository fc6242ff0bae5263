/**
 * One function of WebAssembly in the IR: values on the operand stack become expressions, which are written down as late as nothing is
 * between that could change them.
 *
 * An entry that reads a local is saved before the local is set; one that reads memory or may trap, before anything has an effect. Depth is
 * bounded, so that a walk over expressions may use recursion.
 */
import type { Code, FunctionType } from '@exokernel/wasm';
import type { Expression, Place, Statement, ValueType, Variable } from '../ir/ir.ts';
import { ABORT_UNREACHABLE } from '../ir/abort.ts';
import { VcodeError } from '../program/error.ts';
import { OperandStack, type Entry } from './stack.ts';
import { initName } from './passive.ts';
import { ACCESSES, binary, HELPED, long, OPERATIONS, unary, word } from './operators.ts';

/** What the function may name. */
export interface Scope {
  readonly types: readonly FunctionType[];
  readonly functionTypes: readonly FunctionType[];
  readonly globalTypes: readonly { readonly type: string }[];
  /** How many functions are imported: they come first. */
  readonly imported: number;
  /** Whether an imported function gives what its type says. */
  readonly isDirect: (index: number) => boolean;
  /** The index of a function without imports. */
  readonly own: (index: number) => number;
  /** The number of a signature. */
  readonly signature: (type: FunctionType) => number;
  /** The index of a helper among the module's functions. */
  readonly helper: (name: string) => {
    readonly index: number;
    readonly results: readonly ValueType[];
    readonly arity: number;
  };
  /** The global with the length of a passive segment; nothing for an active one, which is dropped before a program begins. */
  readonly passive: (segment: number) => number | undefined;
}

/** The parts of an IR function. */
export interface Translated {
  readonly locals: readonly Variable[];
  readonly body: readonly Statement[];
}

interface Label {
  readonly number: number;
  /** The locals that a branch sets. */
  readonly values: readonly number[];
  readonly isLoop: boolean;
  isUsed: boolean;
}

export function translateFunction(code: Code, scope: Scope): Translated {
  return new Translator(code, scope).run();
}

class Translator {
  readonly #code: Code;
  readonly #scope: Scope;
  readonly #stack: OperandStack;
  readonly #parameters: number;
  readonly #labels: Label[] = [];
  #out: Statement[] = [];
  #at = 0;
  #next = 0;
  #numbers = 0;
  #isDead = false;

  constructor(code: Code, scope: Scope) {
    this.#code = code;
    this.#scope = scope;
    this.#stack = new OperandStack(
      code.locals.map((type, i) => ({ name: `l${i}`, type: type as ValueType })),
      (statement) => {
        this.#write(statement);
      },
    );
    this.#parameters = code.type.parameters.length;
  }

  run(): Translated {
    const results = this.#code.type.results as readonly ValueType[];
    if (this.#sequence()) this.#return(results.length);
    return { locals: this.#stack.variables.slice(this.#parameters), body: this.#out };
  }

  #write(statement: Statement): void {
    this.#out.push({ ...statement, at: this.#code.offsets[this.#at] ?? 0 });
  }

  /* Control. */

  /** Translates up to the `end` or `else` that closes the block; leaves it to be read. Tells whether its end is reached. */
  #sequence(): boolean {
    const { opcodes } = this.#code;
    let nested = 0;
    for (; this.#next < opcodes.length; this.#next += 1) {
      const opcode = opcodes[this.#next] ?? 0;
      if (this.#isDead) {
        if (opcode >= 0x02 && opcode <= 0x04) nested += 1;
        else if (opcode === 0x0b || opcode === 0x05) {
          if (nested === 0) return false;
          if (opcode === 0x0b) nested -= 1;
        }
        continue;
      }
      if (opcode === 0x0b || opcode === 0x05) return true;
      this.#at = this.#next;
      if (opcode >= 0x02 && opcode <= 0x04) this.#block(opcode);
      else this.#instruction(opcode);
    }
    return !this.#isDead;
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
    const begin = this.#at;
    const type = this.#code.blocks[this.#code.first[this.#next] ?? 0] as FunctionType;
    const condition = opcode === 0x04 ? this.#stack.pop() : undefined;
    this.#stack.settleAll();
    const parameters = this.#stack.take(type.parameters.length);
    const results = (type.results as readonly ValueType[]).map((result) => this.#stack.temporary(result));
    const isLoop = opcode === 0x03;
    const inputs = parameters.map((entry) => this.#stack.temporary(entry.type));
    this.#stack.assign(inputs, parameters);
    this.#numbers += 1;
    const label: Label = { number: this.#numbers, values: isLoop ? inputs : results, isLoop, isUsed: false };
    const below = this.#stack.entries;
    this.#labels.push(label);
    let reachesEnd = false;
    const way = (): Statement[] =>
      this.#inside(() => {
        this.#stack.entries = [];
        for (const input of inputs) this.#stack.pushLocal(input);
        this.#isDead = false;
        this.#next += 1;
        if (!this.#sequence()) return;
        reachesEnd = true;
        this.#stack.assign(results, this.#stack.take(results.length));
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
          this.#stack.entries = [];
          for (const input of inputs) this.#stack.pushLocal(input);
          this.#stack.assign(results, this.#stack.take(results.length));
        });
      }
      body = [{ kind: 'if', condition: condition.expression, then, otherwise, at: this.#code.offsets[begin] ?? 0 }];
    }
    this.#labels.pop();
    if (!label.isUsed) for (const statement of body) this.#out.push(statement);
    else this.#out.push({ kind: isLoop ? 'loop' : 'block', label: label.number, body });
    this.#stack.entries = below;
    this.#isDead = !reachesEnd && (isLoop || !label.isUsed);
    for (const result of results) this.#stack.pushLocal(result);
  }

  /** A branch outward, with the uppermost values; `values` are copies of them, so that the stack stays. */
  #branch(depth: number, entries: readonly Entry[]): void {
    const label = this.#labels[this.#labels.length - 1 - depth];
    if (label === undefined) {
      this.#write({ kind: 'return', values: entries.map(({ expression }) => expression) });
      return;
    }
    label.isUsed = true;
    this.#stack.assign(label.values, entries);
    this.#write({ kind: 'branch', label: label.number });
  }

  #arity(depth: number): number {
    return this.#labels[this.#labels.length - 1 - depth]?.values.length ?? this.#code.type.results.length;
  }

  #return(count: number): void {
    const entries = this.#stack.take(count);
    this.#stack.settle();
    this.#write({ kind: 'return', values: entries.map(({ expression }) => expression) });
  }

  #branchIf(depth: number): void {
    const condition = this.#stack.pop();
    const arity = this.#arity(depth);
    // What stays on the stack is evaluated once, and before the branch.
    if (arity > 0) this.#stack.settleAll();
    else this.#stack.settle();
    const entries = this.#stack.entries.slice(this.#stack.entries.length - arity);
    const then = this.#inside(() => {
      this.#branch(depth, entries);
    });
    this.#write({ kind: 'if', condition: condition.expression, then, otherwise: [] });
  }

  #branchTable(index: number): void {
    const labels = this.#code.labels[index] ?? [];
    const otherwise = labels.at(-1) ?? 0;
    const value = this.#stack.pop();
    const arity = this.#arity(otherwise);
    const taken = this.#stack.take(arity);
    this.#stack.settle();
    const entries = arity > 0 ? taken.map((entry) => this.#stack.saved(entry)) : [];
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
        this.#stack.settle();
        this.#write({ kind: 'abort', code: ABORT_UNREACHABLE });
        this.#isDead = true;
        return;
      case 0x01:
        return;
      case 0x0c: {
        const entries = this.#stack.take(this.#arity(first));
        this.#stack.settle();
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
      const a = this.#stack.pop();
      this.#stack.push(build(a.expression, a.expression), type, [a], mayTrap);
      return;
    }
    const b = this.#stack.pop();
    const a = this.#stack.pop();
    this.#stack.push(build(a.expression, b.expression), type, [a, b], mayTrap);
  }

  #place(size: Place['size'], index: Expression): Place {
    const align = Math.min(this.#code.second[this.#next] ?? 0, 3) as Place['align'];
    return { region: 0, size, index, displacement: this.#code.first[this.#next] ?? 0, endian: 'little', align };
  }

  #load({ size, signed, type }: NonNullable<(typeof ACCESSES)[number]>): void {
    const index = this.#stack.pop();
    const load: Expression = { kind: 'load', signed: signed && size < 4, ...this.#place(size, index.expression) };
    const extended = type === 'i64' && size < 8 ? unary(signed ? 'extends' : 'extendu', load) : load;
    this.#stack.push(extended, type, [index], true);
  }

  #store(size: Place['size'], type: ValueType): void {
    const value = this.#stack.pop();
    const index = this.#stack.pop();
    this.#stack.settle();
    const narrow = type === 'i64' && size < 8 ? unary('wrap', value.expression) : value.expression;
    this.#write({ kind: 'store', value: narrow, ...this.#place(size, index.expression) });
  }

  #call(
    call:
      { readonly kind: 'call'; readonly function: number } | { readonly kind: 'callImport'; readonly import: number },
    arity: number,
    results: readonly ValueType[],
  ): void {
    const values = this.#stack.take(arity);
    this.#stack.settle();
    const locals = results.map((type) => this.#stack.temporary(type));
    this.#write({ ...call, values: values.map(({ expression }) => expression), results: locals });
    for (const local of locals) this.#stack.pushLocal(local);
  }

  #other(opcode: number, first: number): void {
    const second = this.#code.second[this.#next] ?? 0;
    switch (opcode) {
      case 0x10: {
        const type = this.#scope.functionTypes[first] as FunctionType;
        const { imported } = this.#scope;
        this.#call(
          first < imported && this.#scope.isDirect(first)
            ? { kind: 'callImport', import: first }
            : { kind: 'call', function: this.#scope.own(first) },
          type.parameters.length,
          type.results as readonly ValueType[],
        );
        return;
      }
      case 0x11: {
        const type = this.#scope.types[first] as FunctionType;
        const slot = this.#stack.pop();
        const values = this.#stack.take(type.parameters.length);
        this.#stack.settle();
        const results = (type.results as readonly ValueType[]).map((result) => this.#stack.temporary(result));
        this.#write({
          kind: 'callIndirect',
          signature: this.#scope.signature(type),
          slot: slot.expression,
          values: values.map(({ expression }) => expression),
          results,
        });
        for (const result of results) this.#stack.pushLocal(result);
        return;
      }
      case 0x1a: {
        const dropped = this.#stack.pop();
        // What may trap still traps.
        if (dropped.isBound) this.#stack.saved(dropped);
        return;
      }
      case 0x1b:
      case 0x1c: {
        const [then, otherwise, condition] = this.#stack.take(3) as [Entry, Entry, Entry];
        const expression: Expression = {
          kind: 'select',
          then: then.expression,
          otherwise: otherwise.expression,
          condition: condition.expression,
          type: then.type,
        };
        this.#stack.push(expression, then.type, [then, otherwise, condition]);
        return;
      }
      case 0x20:
        this.#stack.pushLocal(first);
        return;
      case 0x21:
      case 0x22: {
        const value = this.#stack.pop();
        this.#stack.save((entry) => entry.locals.includes(first));
        this.#write({ kind: 'set', local: first, value: value.expression });
        if (opcode === 0x22) this.#stack.pushLocal(first);
        return;
      }
      case 0x23:
        this.#stack.push(
          { kind: 'global', global: first },
          this.#scope.globalTypes[first]?.type as ValueType,
          [],
          true,
        );
        return;
      case 0x24: {
        const value = this.#stack.pop();
        this.#stack.settle();
        this.#write({ kind: 'setGlobal', global: first, value: value.expression });
        return;
      }
      case 0x3f:
        this.#stack.push(binary('shr', { kind: 'length', region: 0 }, word(16)), 'i32', [], true);
        return;
      case 0x40: {
        const pages = this.#stack.pop();
        this.#stack.settle();
        const result = this.#stack.temporary('i32');
        this.#write({ kind: 'grow', pages: pages.expression, result });
        this.#stack.pushLocal(result);
        return;
      }
      case 0x41:
        this.#stack.push(word(first), 'i32', []);
        return;
      case 0x42:
        this.#stack.push(long((BigInt(second) << 32n) | BigInt(first)), 'i64', []);
        return;
      case 0x108: {
        const { index, results, arity } = this.#scope.helper(initName(first));
        this.#call({ kind: 'call', function: index }, arity, results);
        return;
      }
      case 0x109: {
        const global = this.#scope.passive(first);
        if (global === undefined) return;
        this.#stack.settle();
        this.#write({ kind: 'setGlobal', global, value: word(0) });
        return;
      }
      default:
        throw new VcodeError('unsupported', `instruction 0x${opcode.toString(16)} is not compiled`, { opcode });
    }
  }
}
