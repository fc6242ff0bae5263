/**
 * Statements to WebAssembly: structured control flow maps directly; exits are blocks around the whole body.
 *
 * Charges exactly where the other back ends do: at entry and at the head of each iteration.
 */
import { I32, type FunctionBuilder } from '@exokernel/wasm';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_FUEL, RETURNED, type Program } from '../program/ir.ts';
import type { LoweredBody, LoweredStatement } from '../lower/lowered.ts';
import { WasmExpressions, type Exit } from './expressions.ts';

const FUEL = 0;
/** A search among at most this many cases is a row of comparisons. */
const LINEAR_CASES = 3;

interface LoopExits {
  readonly onBreak: Exit;
  readonly onContinue: Exit;
}

type Switch = Extract<LoweredStatement, { kind: 'switch' }>;

/** Emits the body of one function. */
export class WasmStatements {
  readonly #f: FunctionBuilder;
  readonly #to: WasmExpressions;
  readonly #costs: readonly number[] | undefined;
  readonly #globals: { readonly status: number; readonly fuel: number };
  #fuelExit: Exit = { depth: 0 };

  constructor(
    f: FunctionBuilder,
    program: Program,
    costs: readonly number[] | undefined,
    globals: { readonly status: number; readonly fuel: number },
  ) {
    this.#f = f;
    this.#to = new WasmExpressions(f, program);
    this.#costs = costs;
    this.#globals = globals;
    program.locals.forEach(() => f.local(I32));
  }

  /** The whole function body. */
  program(body: LoweredBody): void {
    const f = this.#f;
    this.#fuelExit = this.#open();
    this.#to.divideExit = this.#open();
    this.#to.boundsExit = this.#open();
    this.#charge(0);
    this.#body(body, undefined);
    this.#leave(RETURNED, 0);
    f.end();
    this.#leave(ABORT_BOUNDS, 0);
    f.end();
    this.#leave(ABORT_DIVIDE, 0);
    f.end();
    f.i32Const(0);
    f.localSet(FUEL);
    this.#leave(ABORT_FUEL, 0);
  }

  #open(): Exit {
    this.#f.block();
    return { depth: this.#f.depth };
  }

  #jump(exit: Exit): void {
    this.#f.br(this.#f.depth - exit.depth);
  }

  /** Returns with a status and a constant, or with the value on the stack. */
  #leave(status: number, value?: number): void {
    const f = this.#f;
    if (value !== undefined) f.i32Const(value);
    f.i32Const(status);
    f.globalSet(this.#globals.status);
    if (this.#costs !== undefined) {
      f.localGet(FUEL);
      f.globalSet(this.#globals.fuel);
    }
    f.return();
  }

  #charge(section: number): void {
    if (this.#costs === undefined) return;
    const f = this.#f;
    f.localGet(FUEL);
    f.i32Const(this.#costs[section] ?? 0);
    f.i32Sub();
    f.localTee(FUEL);
    f.i32Const(0);
    f.i32LtS();
    this.#to.leaveIf(this.#fuelExit);
  }

  #body(body: LoweredBody, loop: LoopExits | undefined): void {
    for (const statement of body) this.#statement(statement, loop);
  }

  #statement(statement: LoweredStatement, loop: LoopExits | undefined): void {
    const f = this.#f;
    const to = this.#to;
    switch (statement.kind) {
      case 'set':
        to.value(statement.value);
        f.localSet(to.local(statement.local));
        return;
      case 'store':
        this.#store(statement);
        return;
      case 'if':
        to.value(statement.condition);
        f.if();
        this.#body(statement.then, loop);
        if (statement.otherwise.length > 0) {
          f.else();
          this.#body(statement.otherwise, loop);
        }
        f.end();
        return;
      case 'for':
      case 'while':
        this.#loop(statement);
        return;
      case 'break':
      case 'continue':
        if (loop !== undefined) this.#jump(statement.kind === 'break' ? loop.onBreak : loop.onContinue);
        return;
      case 'switch':
        this.#switch(statement, loop);
        return;
      case 'return':
        to.value(statement.value);
        this.#leave(RETURNED);
        return;
      case 'abort':
        this.#leave(statement.code, 0);
    }
  }

  #store(statement: Extract<LoweredStatement, { kind: 'store' }>): void {
    const f = this.#f;
    const to = this.#to;
    to.held(statement.index, (index) => {
      // The value comes before the guard: with a constant or a local there is nothing to be seen of it.
      const isPlain = statement.value.kind === 'const' || statement.value.kind === 'local';
      const helper = isPlain ? undefined : to.take();
      if (helper !== undefined) {
        to.value(statement.value);
        f.localSet(helper);
      }
      to.guard(statement, index);
      to.address(statement, index);
      if (helper === undefined) to.value(statement.value);
      else f.localGet(helper);
      if (statement.endian === 'big') to.swapBytes(statement.size);
      if (statement.size === 1) f.i32Store8(statement.displacement);
      else if (statement.size === 2) f.i32Store16(statement.displacement);
      else f.i32Store(statement.displacement);
      if (helper !== undefined) to.release(helper);
    });
  }

  #loop(statement: Extract<LoweredStatement, { kind: 'for' | 'while' }>): void {
    const f = this.#f;
    const to = this.#to;
    const onBreak = this.#open();
    if (statement.kind === 'for') {
      f.i32Const(0);
      f.localSet(to.local(statement.counter));
    }
    f.loop();
    const head: Exit = { depth: f.depth };
    this.#charge(statement.section);
    if (statement.kind === 'while') {
      to.value(statement.condition);
      f.i32Eqz();
      to.leaveIf(onBreak);
      this.#body(statement.body, { onBreak, onContinue: head });
      this.#jump(head);
    } else {
      const onContinue = this.#open();
      this.#body(statement.body, { onBreak, onContinue });
      f.end();
      f.localGet(to.local(statement.counter));
      f.i32Const(1);
      f.i32Add();
      f.localTee(to.local(statement.counter));
      f.i32Const(statement.count);
      f.i32LtU();
      to.leaveIf(head);
    }
    f.end();
    f.end();
  }

  #switch(statement: Switch, loop: LoopExits | undefined): void {
    const f = this.#f;
    const end = this.#open();
    const otherwise = this.#open();
    const value = this.#to.take();
    this.#to.value(statement.value);
    f.localSet(value);
    const search = (cases: Switch['cases']): void => {
      if (cases.length > LINEAR_CASES) {
        const middle = cases.length >> 1;
        f.localGet(value);
        f.i32Const(cases[middle]?.value ?? 0);
        f.i32LtU();
        f.if();
        search(cases.slice(0, middle));
        f.else();
        search(cases.slice(middle));
        f.end();
        return;
      }
      for (const one of cases) {
        f.localGet(value);
        f.i32Const(one.value);
        f.i32Eq();
        f.if();
        this.#body(one.body, loop);
        this.#jump(end);
        f.end();
      }
      this.#jump(otherwise);
    };
    search(statement.cases);
    this.#to.release(value);
    f.end();
    this.#body(statement.otherwise, loop);
    f.end();
  }
}
