/**
 * Loops that test at the top become loops that test at the end, behind a test that is made once: one branch less in each iteration, and the first
 * test is often known.
 *
 *     loop L { if (c) { body; branch L } }   becomes   if (c) { loop M { block L { body } if (c) { branch M } } }
 *
 * This is a step from the IR to the IR, before fuel sections are numbered, so all back ends see the same loops.
 */
import type { Body, Expression, Func, Module, Statement } from './ir.ts';
import { children, innerBodies } from './walk.ts';

/** A test of more nodes is not written twice. Assumption: about the size of an address and a comparison. */
const MOST_NODES = 16;

/** The module with its loops turned. */
export function rotateLoops(module: Module): Module {
  return {
    ...module,
    functions: module.functions.map((func) =>
      hasLoop(func.body) ? { ...func, body: new Rotation(func).body(func.body) } : func,
    ),
  };
}

class Rotation {
  #label: number;

  constructor(func: Func) {
    this.#label = greatestLabel(func.body);
  }

  body(body: Body): Body {
    return body.flatMap((statement) => this.#statement(statement));
  }

  #statement(statement: Statement): Body {
    switch (statement.kind) {
      case 'if':
        return [{ ...statement, then: this.body(statement.then), otherwise: this.body(statement.otherwise) }];
      case 'block':
      case 'for':
        return [{ ...statement, body: this.body(statement.body) }];
      case 'switch': {
        const cases = statement.cases.map((one) => ({ ...one, body: this.body(one.body) }));
        return [{ ...statement, cases, otherwise: this.body(statement.otherwise) }];
      }
      case 'loop':
        return this.#loop({ ...statement, body: this.body(statement.body) });
      default:
        return [statement];
    }
  }

  #loop(loop: Extract<Statement, { kind: 'loop' }>): Body {
    const at = loop.body.findIndex(({ kind }) => kind !== 'set');
    const test = loop.body[at];
    if (test?.kind !== 'if') return [loop];
    const prefix = loop.body.slice(0, at);
    if (!isSmall([test.condition, ...prefix.map((one) => (one as Extract<Statement, { kind: 'set' }>).value)]))
      return [loop];
    this.#label += 1;
    const head = this.#label;
    const back: Statement = { kind: 'branch', label: head };
    const around = (body: Body): Statement => ({ kind: 'block', label: loop.label, body });
    if (at === loop.body.length - 1 && test.otherwise.length === 0 && endsWith(test.then, loop.label)) {
      const body = [around(test.then.slice(0, -1)), ...prefix, { ...test, then: [back] }];
      return [...prefix, { ...test, then: [{ kind: 'loop', label: head, body }] }];
    }
    // A test that leaves.
    const [leave] = test.then;
    const leaves =
      test.otherwise.length === 0 &&
      test.then.length === 1 &&
      (leave?.kind === 'branch' ? leave.label !== loop.label : leave?.kind === 'return' && leave.values.length === 0);
    if (!leaves || !endsWith(loop.body, loop.label)) return [loop];
    const body = [around(loop.body.slice(at + 1, -1)), ...prefix, test, back];
    return [...prefix, test, { kind: 'loop', label: head, body }];
  }
}

const endsWith = (body: Body, label: number): boolean => {
  const last = body.at(-1);
  return last?.kind === 'branch' && last.label === label;
};

function isSmall(expressions: readonly Expression[]): boolean {
  let nodes = 0;
  const count = (expression: Expression): void => {
    nodes += 1;
    if (nodes <= MOST_NODES) children(expression).forEach(count);
  };
  expressions.forEach(count);
  return nodes <= MOST_NODES;
}

function hasLoop(body: Body): boolean {
  return body.some((statement) => statement.kind === 'loop' || innerBodies(statement).some(hasLoop));
}

function greatestLabel(body: Body): number {
  let greatest = 0;
  for (const statement of body) {
    if (statement.kind === 'block' || statement.kind === 'loop') greatest = Math.max(greatest, statement.label);
    for (const inner of innerBodies(statement)) greatest = Math.max(greatest, greatestLabel(inner));
  }
  return greatest;
}
