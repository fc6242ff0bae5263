/** Statements in a row, with jumps between them: so that a run needs no recursion of its host, however deep the guest's is. */
import type { Body, Expression, Func, Statement } from '../ir/ir.ts';

/** One step. Jumps go to the index of another step. */
export type Step =
  | Extract<
      Statement,
      { kind: 'set' | 'setGlobal' | 'store' | 'return' | 'abort' | 'call' | 'callIndirect' | 'callImport' | 'grow' }
    >
  | { readonly kind: 'charge'; readonly section: number }
  | { readonly kind: 'jump'; to: number }
  /** Jumps if the condition is 0. */
  | { readonly kind: 'unless'; readonly condition: Expression; to: number }
  | { readonly kind: 'choose'; readonly value: Expression; readonly cases: Map<number, number>; otherwise: number };

/** The steps of a function; the last one returns zeros. */
export function flatten(func: Func, section: number, loops: ReadonlyMap<Statement, number>): readonly Step[] {
  const flattening = new Flattening(loops);
  flattening.steps.push({ kind: 'charge', section });
  flattening.body(func.body);
  const zeros = func.results.map((type): Expression =>
    type === 'i64' ? { kind: 'const64', value: 0n } : { kind: 'const', value: 0 },
  );
  flattening.steps.push({ kind: 'return', values: zeros });
  return flattening.steps;
}

class Flattening {
  readonly steps: Step[] = [];
  readonly #loops: ReadonlyMap<Statement, number>;
  /** Where a label is, if that is known. */
  readonly #places = new Map<number, number>();
  /** Jumps to labels whose place is not known yet. */
  readonly #jumps = new Map<number, { to: number }[]>();

  constructor(loops: ReadonlyMap<Statement, number>) {
    this.#loops = loops;
  }

  body(body: Body): void {
    for (const statement of body) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    const { steps } = this;
    switch (statement.kind) {
      case 'if': {
        const unless: Step = { kind: 'unless', condition: statement.condition, to: 0 };
        steps.push(unless);
        this.body(statement.then);
        if (statement.otherwise.length > 0) {
          const over: Step = { kind: 'jump', to: 0 };
          steps.push(over);
          unless.to = steps.length;
          this.body(statement.otherwise);
          over.to = steps.length;
        } else unless.to = steps.length;
        return;
      }
      case 'for':
        this.#for(statement);
        return;
      case 'block':
        this.body(statement.body);
        for (const jump of this.#jumps.get(statement.label) ?? []) jump.to = steps.length;
        this.#jumps.delete(statement.label);
        return;
      case 'loop':
        this.#places.set(statement.label, steps.length);
        steps.push({ kind: 'charge', section: this.#loops.get(statement) ?? 0 });
        this.body(statement.body);
        return;
      case 'branch': {
        const place = this.#places.get(statement.label);
        const jump: Step = { kind: 'jump', to: place ?? 0 };
        steps.push(jump);
        if (place !== undefined) return;
        const waiting = this.#jumps.get(statement.label);
        if (waiting === undefined) this.#jumps.set(statement.label, [jump]);
        else waiting.push(jump);
        return;
      }
      case 'switch':
        this.#switch(statement);
        return;
      default:
        steps.push(statement);
    }
  }

  #for(statement: Extract<Statement, { kind: 'for' }>): void {
    const { steps } = this;
    const counter: Expression = { kind: 'local', local: statement.counter };
    const set = (value: Expression): void => {
      steps.push({ kind: 'set', local: statement.counter, value });
    };
    set({ kind: 'const', value: 0 });
    const head = steps.length;
    steps.push({ kind: 'charge', section: this.#loops.get(statement) ?? 0 });
    this.body(statement.body);
    set({ kind: 'binary', operator: 'add', left: counter, right: { kind: 'const', value: 1 } });
    const condition: Expression = {
      kind: 'binary',
      operator: 'ltu',
      left: counter,
      right: { kind: 'const', value: statement.count },
    };
    steps.push({ kind: 'unless', condition, to: steps.length + 2 }, { kind: 'jump', to: head });
  }

  #switch(statement: Extract<Statement, { kind: 'switch' }>): void {
    const { steps } = this;
    const choose: Step = { kind: 'choose', value: statement.value, cases: new Map(), otherwise: 0 };
    steps.push(choose);
    const ends: { to: number }[] = [];
    for (const { values, body } of statement.cases) {
      for (const value of values) choose.cases.set(value, steps.length);
      this.body(body);
      const end: Step = { kind: 'jump', to: 0 };
      steps.push(end);
      ends.push(end);
    }
    choose.otherwise = steps.length;
    this.body(statement.otherwise);
    for (const end of ends) end.to = steps.length;
  }
}
