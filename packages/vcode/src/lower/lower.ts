/**
 * Lowering: from the IR to the tree that the compiling back ends read.
 *
 * One pass in the order of evaluation, with the facts that hold there. The result is a fresh tree: an expression object
 * that the builder's user put in two places has its own guard in each.
 */
import { localAlignments } from './alignment.ts';
import { Facts } from './facts.ts';
import { findRun, runKey, type Extents } from './run.ts';
import type { Body, Expression, Loop, Place, Program, Statement } from '../program/ir.ts';
import type {
  Guard,
  LoweredBody,
  LoweredExpression,
  LoweredPlace,
  LoweredProgram,
  LoweredStatement,
} from './lowered.ts';
import { loopSections } from '../program/sections.ts';
import { simplify } from './simplify.ts';
import { validateProgram } from '../program/validate.ts';
import { children, innerBodies, ownExpressions } from '../program/walk.ts';

const DONE = new WeakMap<Program, LoweredProgram>();

/** Lowers a program, once. Throws `VcodeError` `malformed` or `limit`. */
export function lower(program: Program): LoweredProgram {
  const known = DONE.get(program);
  if (known !== undefined) return known;
  validateProgram(program);
  const sections = loopSections(program);
  const lowering = new Lowering(sections, indexLocals(program.body));
  const body = lowering.body(program.body, new Facts()).body;
  const lowered = { body, sections: sections.size + 1, alignments: localAlignments(program) };
  DONE.set(program, lowered);
  return lowered;
}

const NOTHING: Extents = new Map();
const isZero = (expression: LoweredExpression): boolean => expression.kind === 'const' && expression.value === 0;

class Lowering {
  readonly #sections: ReadonlyMap<Loop, number>;
  readonly #indexLocals: ReadonlySet<number>;
  /** What the run in progress needs. */
  #extents: Extents = NOTHING;

  constructor(sections: ReadonlyMap<Loop, number>, indexLocals: ReadonlySet<number>) {
    this.#sections = sections;
    this.#indexLocals = indexLocals;
  }

  /** Lowers a body; the facts after it are `undefined` if its end is never reached. Changes the facts it is given. */
  body(body: Body, before: Facts): { body: LoweredBody; facts: Facts | undefined } {
    const lowered: LoweredStatement[] = [];
    let facts: Facts | undefined = before;
    let runEnd = 0;
    let extents = NOTHING;
    for (const [at, statement] of body.entries()) {
      if (facts === undefined) break;
      if (at >= runEnd) ({ end: runEnd, extents } = findRun(body, at, this.#indexLocals));
      this.#extents = extents;
      facts = this.#statement(statement, facts, lowered);
    }
    return { body: lowered, facts };
  }

  #statement(statement: Statement, facts: Facts, out: LoweredStatement[]): Facts | undefined {
    switch (statement.kind) {
      case 'set':
        out.push({ kind: 'set', local: statement.local, value: this.#expression(statement.value, facts) });
        facts.forget(statement.local);
        return facts;
      case 'store': {
        const index = this.#expression(statement.index, facts);
        const value = this.#expression(statement.value, facts);
        out.push({ kind: 'store', value, ...this.#place(statement, index, facts) });
        return facts;
      }
      case 'if':
        return this.#if(statement, facts, out);
      case 'for': {
        const section = this.#sections.get(statement) ?? 0;
        const after = this.#forgetAssigned(facts, statement.body).copy();
        facts.forget(statement.counter);
        after.forget(statement.counter);
        const { counter, count } = statement;
        out.push({ kind: 'for', section, counter, count, body: this.body(statement.body, facts).body });
        return after;
      }
      case 'while': {
        const section = this.#sections.get(statement) ?? 0;
        const after = this.#forgetAssigned(facts, statement.body).copy();
        this.#extents = NOTHING;
        const condition = this.#expression(statement.condition, facts);
        learn(condition, true, facts);
        out.push({ kind: 'while', section, condition, body: this.body(statement.body, facts).body });
        return after;
      }
      case 'switch': {
        const value = this.#expression(statement.value, facts);
        let after: Facts | undefined;
        const cases = statement.cases.map((one) => {
          const { body, facts: end } = this.body(one.body, facts.copy());
          after = Facts.meet(after, end);
          return { value: one.value, body };
        });
        const otherwise = this.body(statement.otherwise, facts);
        cases.sort((a, b) => a.value - b.value);
        out.push({ kind: 'switch', value, cases, otherwise: otherwise.body });
        return Facts.meet(after, otherwise.facts);
      }
      case 'return':
        out.push({ kind: 'return', value: this.#expression(statement.value, facts) });
        return undefined;
      case 'break':
      case 'continue':
      case 'abort':
        out.push(statement);
        return undefined;
    }
  }

  #if(statement: Extract<Statement, { kind: 'if' }>, facts: Facts, out: LoweredStatement[]): Facts | undefined {
    const condition = this.#expression(statement.condition, facts);
    if (condition.kind === 'const') {
      const { body, facts: after } = this.body(condition.value === 0 ? statement.otherwise : statement.then, facts);
      for (const one of body) out.push(one);
      return after;
    }
    const otherwiseFacts = facts.copy();
    learn(condition, true, facts);
    learn(condition, false, otherwiseFacts);
    const then = this.body(statement.then, facts);
    const otherwise = this.body(statement.otherwise, otherwiseFacts);
    out.push({ kind: 'if', condition, then: then.body, otherwise: otherwise.body });
    return Facts.meet(then.facts, otherwise.facts);
  }

  #expression(expression: Expression, facts: Facts): LoweredExpression {
    switch (expression.kind) {
      case 'const':
      case 'local':
      case 'length':
        return expression;
      case 'unary': {
        const operand = this.#expression(expression.operand, facts);
        return { kind: 'unary', operator: expression.operator, operand };
      }
      case 'binary': {
        const left = this.#expression(expression.left, facts);
        return simplify(expression.operator, left, this.#expression(expression.right, facts));
      }
      case 'load': {
        const index = this.#expression(expression.index, facts);
        return { kind: 'load', ...this.#place(expression, index, facts) };
      }
      case 'fits': {
        const { region, bytes } = expression;
        const index = this.#expression(expression.index, facts);
        const guard = neededGuard(region, index, bytes, bytes, facts);
        return guard === undefined ? { kind: 'const', value: 1 } : { kind: 'fits', region, index, guard };
      }
    }
  }

  #place(place: Place, index: LoweredExpression, facts: Facts): LoweredPlace {
    const { region, size, displacement, endian } = place;
    const key = runKey(region, index);
    const extent = displacement + size;
    const farthest = key === undefined ? extent : Math.max(extent, this.#extents.get(key) ?? 0);
    const guard = neededGuard(region, index, extent, farthest, facts);
    if (guard !== undefined) learnPlace(region, index, guard.extent, facts);
    return { region, size, index, displacement, endian, guard };
  }

  /** Drops what an iteration may have changed; it holds neither at the head of the next one nor after the loop. */
  #forgetAssigned(facts: Facts, body: Body): Facts {
    for (const local of assigned(body, new Set())) facts.forget(local);
    return facts;
  }
}

/** The guard of an access that needs `extent` bytes, testing `farthest` if it must test at all. */
function neededGuard(
  region: number,
  index: LoweredExpression,
  extent: number,
  farthest: number,
  facts: Facts,
): Guard | undefined {
  if (isZero(index)) {
    return facts.floor(region) >= extent ? undefined : { extent: farthest, floor: true, span: false };
  }
  if (index.kind === 'local' && facts.span(region, index.local) >= extent) return undefined;
  return { extent: farthest, floor: farthest > 1 && facts.floor(region) < farthest, span: true };
}

function learnPlace(region: number, index: LoweredExpression, extent: number, facts: Facts): void {
  if (index.kind === 'local') facts.learnSpan(region, index.local, extent);
  else facts.learnFloor(region, extent);
}

/** What a condition that turned out `truth` says about regions. */
function learn(condition: LoweredExpression, truth: boolean, facts: Facts): void {
  if (condition.kind === 'fits') {
    if (truth) learnPlace(condition.region, condition.index, condition.guard.extent, facts);
  } else if (condition.kind === 'binary' && isZero(condition.right)) {
    if (condition.operator === 'eq') learn(condition.left, !truth, facts);
    else if (condition.operator === 'ne') learn(condition.left, truth, facts);
  }
}

/** Locals that a body may set. */
function assigned(body: Body, into: Set<number>): Set<number> {
  for (const statement of body) {
    if (statement.kind === 'set') into.add(statement.local);
    if (statement.kind === 'for') into.add(statement.counter);
    for (const inner of innerBodies(statement)) assigned(inner, into);
  }
  return into;
}

/** Locals that stand alone as the index of an access somewhere. */
function indexLocals(body: Body): ReadonlySet<number> {
  const found = new Set<number>();
  const search = (expression: Expression): void => {
    if ((expression.kind === 'load' || expression.kind === 'fits') && expression.index.kind === 'local') {
      found.add(expression.index.local);
    }
    children(expression).forEach(search);
  };
  const visit = (inner: Body): void => {
    for (const statement of inner) {
      if (statement.kind === 'store' && statement.index.kind === 'local') found.add(statement.index.local);
      ownExpressions(statement).forEach(search);
      innerBodies(statement).forEach(visit);
    }
  };
  visit(body);
  return found;
}
