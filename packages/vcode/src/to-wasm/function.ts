/** One function of the checked profile in WebAssembly: structured control flow maps directly. */
import { I32, I64, type FunctionBuilder } from '@exokernel/wasm';
import { ABORT_STACK, ABORT_TABLE } from '../ir/abort.ts';
import type { Body, Func, Statement } from '../ir/ir.ts';
import { Expressions } from './expressions.ts';
import { addTo } from './run.ts';
import type { Calls, Surroundings } from './surroundings.ts';

export function emitFunction(f: FunctionBuilder, func: Func, surroundings: Surroundings): void {
  new Statements(f, func, surroundings).run();
}

/** A value, and what is done if it is this one. */
type Arm = readonly [value: number, body: Body];

/** A search among at most this many cases is a row of comparisons. */
const LINEAR = 3;

class Statements {
  readonly #f: FunctionBuilder;
  readonly #func: Func;
  readonly #to: Surroundings;
  readonly #expressions: Expressions;
  /** By label: how deep its block is. */
  readonly #labels = new Map<number, number>();

  constructor(f: FunctionBuilder, func: Func, surroundings: Surroundings) {
    this.#f = f;
    this.#func = func;
    this.#to = surroundings;
    for (const { type } of func.locals) f.local(type === 'i64' ? I64 : I32);
    this.#expressions = new Expressions(f, surroundings, surroundings.run);
  }

  /** Only a module whose functions call each other has statements that need it. */
  get #calls(): Calls {
    return this.#to.calls as Calls;
  }

  run(): void {
    const f = this.#f;
    this.#takeStack();
    this.#charge(this.#to.section);
    this.#body(this.#func.body);
    for (const type of this.#func.results) {
      if (type === 'i64') f.i64Const(0n);
      else f.i32Const(0);
    }
    this.#to.run.leave();
  }

  #takeStack(): void {
    const { frame = 0, stack = 0 } = this.#to.calls ?? {};
    if (frame === 0) return;
    const f = this.#f;
    f.globalGet(stack);
    f.i32Const(frame);
    f.i32LtS();
    this.#to.run.abortIf(ABORT_STACK);
    addTo(f, stack, -frame);
  }

  #charge(section: number): void {
    this.#to.run.charge(this.#to.costs[section] ?? 0);
  }

  #body(body: Body): void {
    for (const statement of body) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    const f = this.#f;
    const e = this.#expressions;
    switch (statement.kind) {
      case 'set':
        e.value(statement.value);
        f.localSet(e.local(statement.local));
        return;
      case 'setGlobal':
        e.value(statement.value);
        f.globalSet(this.#to.globals[statement.global] ?? 0);
        return;
      case 'store':
        e.store(statement, statement.value);
        return;
      case 'if':
        e.value(statement.condition);
        f.if();
        this.#body(statement.then);
        if (statement.otherwise.length > 0) {
          f.else();
          this.#body(statement.otherwise);
        }
        f.end();
        return;
      case 'for':
        this.#for(statement);
        return;
      case 'block':
        f.block();
        this.#labels.set(statement.label, f.depth);
        this.#body(statement.body);
        f.end();
        return;
      case 'loop':
        f.loop();
        this.#labels.set(statement.label, f.depth);
        this.#charge(this.#to.loops.get(statement) ?? 0);
        this.#body(statement.body);
        f.end();
        return;
      case 'branch':
        f.br(f.depth - (this.#labels.get(statement.label) ?? 0));
        return;
      case 'switch':
        this.#switch(statement);
        return;
      case 'return':
        for (const value of statement.values) e.value(value);
        this.#to.run.leave();
        return;
      case 'abort':
        this.#to.run.abort(statement.code);
        return;
      case 'call':
        for (const value of statement.values) e.value(value);
        f.call(this.#calls.functions[statement.function]?.index ?? 0);
        this.#results(statement.results);
        return;
      case 'callImport':
        for (const value of statement.values) e.value(value);
        f.call(this.#calls.imports[statement.import] ?? 0);
        this.#results(statement.results);
        return;
      case 'callIndirect':
        this.#callIndirect(statement);
        return;
      case 'grow':
        this.#grow(statement);
    }
  }

  #results(locals: readonly number[]): void {
    for (let i = locals.length - 1; i >= 0; i -= 1) this.#f.localSet(this.#expressions.local(locals[i] ?? 0));
  }

  #for(statement: Extract<Statement, { kind: 'for' }>): void {
    const f = this.#f;
    const counter = this.#expressions.local(statement.counter);
    f.i32Const(0);
    f.localSet(counter);
    f.loop();
    this.#charge(this.#to.loops.get(statement) ?? 0);
    this.#body(statement.body);
    f.localGet(counter);
    f.i32Const(1);
    f.i32Add();
    f.localTee(counter);
    f.i32Const(statement.count);
    f.i32LtU();
    f.brIf(0);
    f.end();
  }

  /** Dense values by a table; others by a search, or one by one if several lead to one case. */
  #switch(statement: Extract<Statement, { kind: 'switch' }>): void {
    const { cases } = statement;
    const values = cases.flatMap((one, i) => one.values.map((value) => [value, i] as const));
    const most = values.reduce((greatest, [value]) => Math.max(greatest, value), 0);
    const isDense = most < 4 * values.length + 16;
    if (isDense || values.length > cases.length) {
      this.#blocks(statement, isDense ? most + 1 : 0, values);
      return;
    }
    const f = this.#f;
    f.block();
    const end = f.depth;
    f.block();
    const otherwise = f.depth;
    this.#expressions.held(statement.value, (local) => {
      const arms = values.map(([value, i]): Arm => [value, cases[i]?.body ?? []]);
      this.#search(
        local,
        arms.sort(([a], [b]) => a - b),
        end,
        otherwise,
      );
    });
    f.end();
    this.#body(statement.otherwise);
    f.end();
  }

  /** Finds the value by halves. What a case does stands where its value is found: so the engine makes the fewest jumps. */
  #search(local: number, arms: readonly Arm[], end: number, otherwise: number): void {
    const f = this.#f;
    if (arms.length > LINEAR) {
      const middle = arms.length >> 1;
      f.localGet(local);
      f.i32Const(arms[middle]?.[0] ?? 0);
      f.i32LtU();
      f.if();
      this.#search(local, arms.slice(0, middle), end, otherwise);
      f.else();
      this.#search(local, arms.slice(middle), end, otherwise);
      f.end();
      return;
    }
    for (const [value, body] of arms) {
      f.localGet(local);
      f.i32Const(value);
      f.i32Eq();
      f.if();
      this.#body(body);
      f.br(f.depth - end);
      f.end();
    }
    f.br(f.depth - otherwise);
  }

  /** A block for every case: the value goes to its own through a table of so many slots, or one by one. */
  #blocks(
    { value, cases, otherwise }: Extract<Statement, { kind: 'switch' }>,
    slots: number,
    values: readonly (readonly [value: number, index: number])[],
  ): void {
    const f = this.#f;
    f.block();
    const end = f.depth;
    for (let i = 0; i <= cases.length; i += 1) f.block();
    // The innermost block, 0 steps out, is that of the first case; behind the last one stands `otherwise`.
    if (slots > 0) {
      const table = new Array<number>(slots).fill(cases.length);
      for (const [one, i] of values) table[one] = i;
      this.#expressions.value(value);
      f.brTable(table, cases.length);
    } else {
      this.#expressions.held(value, (local) => {
        for (const [one, i] of values) {
          f.localGet(local);
          f.i32Const(one);
          f.i32Eq();
          f.brIf(i);
        }
        f.br(cases.length);
      });
    }
    for (const { body } of cases) {
      f.end();
      this.#body(body);
      f.br(f.depth - end);
    }
    f.end();
    this.#body(otherwise);
    f.end();
  }

  #callIndirect(statement: Extract<Statement, { kind: 'callIndirect' }>): void {
    const f = this.#f;
    const e = this.#expressions;
    for (const value of statement.values) e.value(value);
    e.held(statement.slot, (slot) => {
      f.localGet(slot);
      f.call(this.#calls.signatureOf);
      f.i32Const(statement.signature);
      f.i32Ne();
      this.#to.run.abortIf(ABORT_TABLE);
      f.localGet(slot);
      const called = this.#to.module.functions.find(({ signature }) => signature === statement.signature);
      if (called === undefined) f.unreachable();
      else {
        f.callIndirect(
          this.#calls.typeOf(
            called.parameters.map(({ type }) => type),
            called.results,
          ),
        );
        this.#results(statement.results);
      }
    });
  }

  #grow(statement: Extract<Statement, { kind: 'grow' }>): void {
    const f = this.#f;
    const result = this.#expressions.local(statement.result);
    this.#expressions.value(statement.pages);
    f.localTee(result);
    f.globalGet(this.#calls.most);
    f.memorySize();
    f.i32Sub();
    f.i32LeU();
    f.if(I32);
    f.localGet(result);
    f.memoryGrow();
    f.else();
    f.i32Const(-1);
    f.end();
    f.localSet(result);
  }
}
