/**
 * The checked profile's tests: marks every access with the test that it still needs, and with the alignment that is proved.
 *
 * One pass in the order of evaluation, with the facts that hold there. The result is a fresh tree: an expression that stands in two places
 * has its own test in each.
 */
import { alignmentOf, localAlignments } from './alignment.ts';
import { Facts } from './facts.ts';
import type { Body, Expression, Func, Guard, Module, Place, Region, Statement } from './ir.ts';
import { findRun, runKey, type Extents } from './run.ts';
import { children, innerBodies, ownExpressions } from './walk.ts';

const NOTHING: Extents = new Map();
const isZero = (expression: Expression): boolean => expression.kind === 'const' && expression.value === 0;

/** The module with its tests. */
export function guardModule(module: Module): Module {
  return { ...module, functions: module.functions.map((func) => guardFunction(func, module.regions)) };
}

function guardFunction(func: Func, regions: readonly Region[]): Func {
  const guarding = new Guarding(func, regions);
  return { ...func, body: guarding.body(func.body, new Facts(regions.length)).body };
}

class Guarding {
  readonly #regions: readonly Region[];
  readonly #indexLocals: ReadonlySet<number>;
  readonly #alignments: readonly number[];
  /** What holds at every branch to a label. */
  readonly #labels = new Map<number, Facts>();
  /** What the run in progress needs. */
  #extents: Extents = NOTHING;

  constructor(func: Func, regions: readonly Region[]) {
    this.#regions = regions;
    this.#indexLocals = indexLocals(func.body);
    this.#alignments = localAlignments(func);
  }

  /** The facts after a body are `undefined` if its end is never reached. Changes the facts it is given. */
  body(body: Body, before: Facts): { body: Body; facts: Facts | undefined } {
    const out: Statement[] = [];
    let facts: Facts | undefined = before;
    let runEnd = 0;
    let extents = NOTHING;
    for (const [at, statement] of body.entries()) {
      if (facts === undefined) break;
      if (at >= runEnd) ({ end: runEnd, extents } = findRun(body, at, this.#indexLocals));
      this.#extents = extents;
      facts = this.#statement(statement, facts, out);
    }
    return { body: out, facts };
  }

  #statement(statement: Statement, facts: Facts, out: Statement[]): Facts | undefined {
    switch (statement.kind) {
      case 'set':
        out.push({ ...statement, value: this.#expression(statement.value, facts) });
        facts.forget(statement.local);
        return facts;
      case 'setGlobal':
        out.push({ ...statement, value: this.#expression(statement.value, facts) });
        return facts;
      case 'store': {
        const index = this.#expression(statement.index, facts);
        const value = this.#expression(statement.value, facts);
        out.push({ ...statement, value, ...this.#place(statement, index, facts) });
        return facts;
      }
      case 'if': {
        const condition = this.#expression(statement.condition, facts);
        if (condition.kind === 'const')
          return this.#only(condition.value === 0 ? statement.otherwise : statement.then, facts, out);
        const otherwiseFacts = facts.copy();
        learn(condition, true, facts);
        learn(condition, false, otherwiseFacts);
        const then = this.body(statement.then, facts);
        const otherwise = this.body(statement.otherwise, otherwiseFacts);
        out.push({ ...statement, condition, then: then.body, otherwise: otherwise.body });
        return Facts.meet(then.facts, otherwise.facts);
      }
      case 'for': {
        for (const local of assigned([statement], new Set())) facts.forget(local);
        const after = facts.copy();
        out.push({ ...statement, body: this.body(statement.body, facts).body });
        return after;
      }
      case 'block': {
        const inner = this.body(statement.body, facts);
        out.push({ ...statement, body: inner.body });
        return Facts.meet(inner.facts, this.#labels.get(statement.label));
      }
      case 'loop': {
        // What an iteration may have changed does not hold at the head of the next one.
        for (const local of assigned(statement.body, new Set())) facts.forget(local);
        const inner = this.body(statement.body, facts);
        out.push({ ...statement, body: inner.body });
        return inner.facts;
      }
      case 'branch': {
        const known = Facts.meet(this.#labels.get(statement.label), facts.copy());
        if (known !== undefined) this.#labels.set(statement.label, known);
        out.push(statement);
        return undefined;
      }
      case 'switch': {
        const value = this.#expression(statement.value, facts);
        let after: Facts | undefined;
        const cases = statement.cases.map((one) => {
          const { body, facts: end } = this.body(one.body, facts.copy());
          after = Facts.meet(after, end);
          return { ...one, body };
        });
        const otherwise = this.body(statement.otherwise, facts);
        out.push({ ...statement, value, cases, otherwise: otherwise.body });
        return Facts.meet(after, otherwise.facts);
      }
      case 'return':
        out.push({ ...statement, values: statement.values.map((value) => this.#expression(value, facts)) });
        return undefined;
      case 'abort':
        out.push(statement);
        return undefined;
      case 'call':
      case 'callImport': {
        const values = statement.values.map((value) => this.#expression(value, facts));
        out.push({ ...statement, values });
        for (const local of statement.results) facts.forget(local);
        return facts;
      }
      case 'callIndirect': {
        const values = statement.values.map((value) => this.#expression(value, facts));
        out.push({ ...statement, values, slot: this.#expression(statement.slot, facts) });
        for (const local of statement.results) facts.forget(local);
        return facts;
      }
      case 'grow':
        out.push({ ...statement, pages: this.#expression(statement.pages, facts) });
        facts.forget(statement.result);
        return facts;
    }
  }

  /** A branch of which one way is certain. */
  #only(body: Body, facts: Facts, out: Statement[]): Facts | undefined {
    const { body: taken, facts: after } = this.body(body, facts);
    for (const statement of taken) out.push(statement);
    return after;
  }

  #expression(expression: Expression, facts: Facts): Expression {
    switch (expression.kind) {
      case 'unary':
        return { ...expression, operand: this.#expression(expression.operand, facts) };
      case 'binary': {
        const left = this.#expression(expression.left, facts);
        return { ...expression, left, right: this.#expression(expression.right, facts) };
      }
      case 'select': {
        const then = this.#expression(expression.then, facts);
        const otherwise = this.#expression(expression.otherwise, facts);
        return { ...expression, then, otherwise, condition: this.#expression(expression.condition, facts) };
      }
      case 'load': {
        const index = this.#expression(expression.index, facts);
        return { ...expression, ...this.#place(expression, index, facts) };
      }
      case 'fits': {
        const index = this.#expression(expression.index, facts);
        const guard = neededGuard(expression.region, index, expression.bytes, expression.bytes, facts);
        return guard === undefined ? { kind: 'const', value: 1 } : { ...expression, index, guard };
      }
      default:
        return expression;
    }
  }

  #place(place: Place, index: Expression, facts: Facts): Place {
    const { region, size, displacement, endian } = place;
    const key = runKey(region, index);
    const extent = displacement + size;
    const farthest = key === undefined ? extent : Math.max(extent, this.#extents.get(key) ?? 0);
    const guard = neededGuard(region, index, extent, farthest, facts);
    if (guard !== undefined) learnPlace(region, index, guard.extent, facts);
    const align = this.#alignmentAt(region, index, displacement);
    return { region, size, index, displacement, endian, align, ...(guard === undefined ? {} : { guard }) };
  }

  /** Log2 of what the address is certainly a multiple of. */
  #alignmentAt(region: number, index: Expression, displacement: number): 0 | 1 | 2 {
    const { align, skew } = this.#regions[region] ?? { align: 1, skew: 0 };
    const offset = skew + displacement;
    const base = align === 4 ? 2 : align === 2 ? 1 : 0;
    const constant = offset === 0 ? 2 : Math.min(2, 31 - Math.clz32(offset & -offset));
    return Math.min(base, constant, alignmentOf(index, this.#alignments)) as 0 | 1 | 2;
  }
}

/** The guard of an access that needs `extent` bytes, testing `farthest` if it must test at all. */
function neededGuard(
  region: number,
  index: Expression,
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

function learnPlace(region: number, index: Expression, extent: number, facts: Facts): void {
  if (index.kind === 'local') facts.learnSpan(region, index.local, extent);
  else facts.learnFloor(region, extent);
}

/** What a condition that turned out `truth` says about regions. */
function learn(condition: Expression, truth: boolean, facts: Facts): void {
  if (condition.kind === 'fits') {
    if (truth) learnPlace(condition.region, condition.index, condition.bytes, facts);
  } else if (condition.kind === 'binary' && isZero(condition.right)) {
    if (condition.operator === 'eq') learn(condition.left, !truth, facts);
    else if (condition.operator === 'ne') learn(condition.left, truth, facts);
  }
}

/** Whether what `learn` says of a condition may leave out a test. */
export function provesAccess(condition: Expression): boolean {
  if (condition.kind === 'fits') return true;
  return condition.kind === 'binary' && isZero(condition.right) && provesAccess(condition.left);
}

/** Locals that a body may set. */
export function assigned(body: Body, into: Set<number>): Set<number> {
  for (const statement of body) {
    switch (statement.kind) {
      case 'set':
        into.add(statement.local);
        break;
      case 'for':
        into.add(statement.counter);
        break;
      case 'call':
      case 'callImport':
      case 'callIndirect':
        for (const local of statement.results) into.add(local);
        break;
      case 'grow':
        into.add(statement.result);
        break;
      default:
    }
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
