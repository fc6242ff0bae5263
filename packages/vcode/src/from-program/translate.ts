/**
 * From a downloaded program to the IR: a module of one function, `run`, with the program's regions and parameters.
 *
 * Constants are folded on the way, so that what follows sees the offsets of accesses; a body that cannot run is left out. A `while` becomes
 * a loop around a test; `break` and `continue` become branches to blocks around the loop and its body.
 */
import type { Body, Expression, Module, Place, Statement } from '../ir/ir.ts';
import type * as program from '../program/ir.ts';
import { VcodeError } from '../program/error.ts';
import { validateProgram } from '../program/validate.ts';
import { simplify } from './simplify.ts';

/** The name of the one export. */
export const RUN = 'run';

/** The module of a program. Throws `VcodeError` `malformed` or `limit`. */
export function moduleOf(source: program.Program): Module {
  validateProgram(source);
  return translate(source);
}

function translate({ name, regions, parameters, locals, body }: program.Program): Module {
  const word = (of: string): { name: string; type: 'i32' } => ({ name: of, type: 'i32' });
  const run = {
    name: RUN,
    parameters: parameters.map(word),
    results: ['i32'] as const,
    locals: locals.map(word),
    body: new Translator(name).body(body, undefined),
    signature: 1,
  };
  return {
    name,
    regions,
    functions: [run],
    imports: [],
    globals: [],
    table: [],
    exports: new Map([[RUN, 0]]),
    start: undefined,
    memory: undefined,
    data: [],
  };
}

/** Loops inside each other, at most: all that follows walks them by recursion. Encoded programs have at most `LIMITS.depth`. */
const MOST_LOOPS = 64;

/** Where `break` and `continue` go; whether they do is known when the body has been translated. */
interface Labels {
  readonly onBreak: number;
  readonly onContinue: number;
  breaks: boolean;
  continues: boolean;
}

class Translator {
  readonly #name: string;
  #labels = 0;
  #depth = 0;

  constructor(name: string) {
    this.#name = name;
  }

  body(body: program.Body, loop: Labels | undefined): Body {
    const out: Statement[] = [];
    for (const statement of body) this.#statement(statement, loop, out);
    return out;
  }

  /** The body of a loop, which takes several statements inside each other. */
  #loopBody(body: program.Body, loop: Labels): Body {
    this.#depth += 1;
    if (this.#depth > MOST_LOOPS)
      throw new VcodeError('limit', `${this.#name} has more than ${MOST_LOOPS} loops inside each other`);
    const inner = this.body(body, loop);
    this.#depth -= 1;
    return inner;
  }

  #statement(statement: program.Statement, loop: Labels | undefined, out: Statement[]): void {
    switch (statement.kind) {
      case 'set':
        out.push({ kind: 'set', local: statement.local, value: expression(statement.value) });
        return;
      case 'store':
        out.push({ kind: 'store', ...place(statement), value: expression(statement.value) });
        return;
      case 'if': {
        const condition = expression(statement.condition);
        if (condition.kind === 'const') {
          const taken = condition.value === 0 ? statement.otherwise : statement.then;
          for (const one of taken) this.#statement(one, loop, out);
          return;
        }
        const [then, otherwise] = [this.body(statement.then, loop), this.body(statement.otherwise, loop)];
        out.push({ kind: 'if', condition, then, otherwise });
        return;
      }
      case 'for': {
        const labels = this.#loop();
        const inner = this.#loopBody(statement.body, labels);
        const body = inBlock(labels.continues, labels.onContinue, inner);
        const { counter, count } = statement;
        out.push(...inBlock(labels.breaks, labels.onBreak, [{ kind: 'for', counter, count, body }]));
        return;
      }
      case 'while': {
        const condition = expression(statement.condition);
        if (condition.kind === 'const' && condition.value === 0) return;
        const labels = this.#loop();
        const { onContinue: label } = labels;
        const body: Body = [...this.#loopBody(statement.body, labels), { kind: 'branch', label }];
        const tested: Body = condition.kind === 'const' ? body : [{ kind: 'if', condition, then: body, otherwise: [] }];
        out.push(...inBlock(labels.breaks, labels.onBreak, [{ kind: 'loop', label, body: tested }]));
        return;
      }
      case 'break':
        if (loop === undefined) return;
        loop.breaks = true;
        out.push({ kind: 'branch', label: loop.onBreak });
        return;
      case 'continue':
        if (loop === undefined) return;
        loop.continues = true;
        out.push({ kind: 'branch', label: loop.onContinue });
        return;
      case 'switch': {
        const cases = statement.cases.map(({ value, body }) => ({ values: [value], body: this.body(body, loop) }));
        const otherwise = this.body(statement.otherwise, loop);
        out.push({ kind: 'switch', value: expression(statement.value), cases, otherwise });
        return;
      }
      case 'return':
        out.push({ kind: 'return', values: [expression(statement.value)] });
        return;
      case 'abort':
        out.push(statement);
    }
  }

  #loop(): Labels {
    this.#labels += 2;
    return { onBreak: this.#labels - 1, onContinue: this.#labels, breaks: false, continues: false };
  }
}

function inBlock(isNeeded: boolean, label: number, body: Body): Body {
  return isNeeded ? [{ kind: 'block', label, body }] : body;
}

function expression(source: program.Expression): Expression {
  switch (source.kind) {
    case 'unary':
      return { kind: 'unary', operator: source.operator, operand: expression(source.operand) };
    case 'binary': {
      const left = expression(source.left);
      return simplify(source.operator, left, expression(source.right));
    }
    case 'load':
      return { kind: 'load', signed: false, ...place(source) };
    case 'fits':
      return { kind: 'fits', region: source.region, index: expression(source.index), bytes: source.bytes };
    case 'const':
    case 'local':
    case 'length':
      return source;
  }
}

/** A constant index becomes part of the displacement, so that accesses near each other share one test. */
function place({ region, size, index: at, displacement, endian }: program.Place): Place {
  const index = expression(at);
  const sum = index.kind === 'const' ? index.value + displacement : 0;
  if (index.kind !== 'const' || sum > 0xffffffff) return { region, size, index, displacement, endian, align: 0 };
  return { region, size, index: { kind: 'const', value: 0 }, displacement: sum, endian, align: 0 };
}
