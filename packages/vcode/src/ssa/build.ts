/**
 * From the IR to the graph: one walk through the text in the order of evaluation, which keeps the present node of every local.
 *
 * Control flow is structured, so all that meets at a point is known when the walk comes to it: a label's phis are made when its block
 * ends, a loop's when it begins, for the locals that its body sets.
 */
import { ABORT_TABLE } from '../ir/abort.ts';
import { assigned, provesAccess } from '../ir/guard.ts';
import type { Body, Expression, Func, Module, Statement } from '../ir/ir.ts';
import { Expressions } from './expressions.ts';
import { Flow, type Incoming, type Target } from './flow.ts';
import { resolve, type Block, type Callee, type Graph, type Node } from './graph.ts';
import type { Surroundings } from './surroundings.ts';
import type { Values } from './values.ts';

/** Builds the graph of a function. */
export function buildGraph(
  module: Module,
  func: Func,
  surroundings: Surroundings,
): { readonly graph: Graph; readonly values: Values } {
  return new Builder(module, func, surroundings).build();
}

class Builder {
  readonly #func: Func;
  readonly #to: Surroundings;
  readonly #flow: Flow;
  readonly #values: Values;
  readonly #expressions: Expressions;
  readonly #targets = new Map<number, Target>();
  readonly #slots: readonly number[];
  readonly #isLong: readonly boolean[];

  constructor(module: Module, func: Func, surroundings: Surroundings) {
    this.#func = func;
    this.#to = surroundings;
    const first: number[] = [];
    let next = 0;
    const isLong: boolean[] = [];
    for (const { type } of [...func.parameters, ...func.locals]) {
      first.push(next);
      isLong.push(type === 'i64');
      next += type === 'i64' ? 2 : 1;
    }
    this.#slots = first;
    this.#isLong = isLong;
    this.#flow = new Flow(next, surroundings);
    this.#values = this.#flow.values;
    this.#expressions = new Expressions(this.#flow, module, surroundings, { first, isLong });
  }

  build(): { readonly graph: Graph; readonly values: Values } {
    const entry = this.#flow.graph.block();
    this.#flow.begin(entry);
    const words = this.#func.parameters.reduce((sum, { type }) => sum + (type === 'i64' ? 2 : 1), 0);
    const { parameters } = this.#to.record;
    for (let word = 0; word < words; word += 1) {
      if (parameters !== undefined) {
        this.#flow.locals[word] = this.#values.field(parameters + 4 * word);
        continue;
      }
      const node = this.#flow.pin(this.#flow.graph.node('parameter', [], word));
      this.#flow.graph.parameters.push(node);
      this.#flow.locals[word] = node;
    }
    this.#charge(this.#to.section);
    this.#body(this.#func.body);
    if (this.#flow.block !== undefined) {
      const zero = this.#values.constant(0);
      this.#flow.return(this.#func.results.flatMap((type) => (type === 'i64' ? [zero, zero] : [zero])));
    }
    return { graph: this.#flow.graph, values: this.#values };
  }

  #charge(section: number): void {
    if (this.#to.profile === 'checked') this.#flow.pin(this.#flow.graph.node('charge', [], section));
  }

  #body(body: Body): void {
    for (const statement of body) {
      if (this.#flow.block === undefined) return;
      this.#statement(statement);
    }
  }

  /* Statements. */

  #statement(statement: Statement): void {
    if (statement.at !== undefined) this.#flow.at = statement.at;
    switch (statement.kind) {
      case 'set':
        this.#set(statement.local, statement.value);
        return;
      case 'setGlobal':
        this.#setGlobal(statement.global, statement.value);
        return;
      case 'store':
        this.#expressions.store(statement, statement.value);
        return;
      case 'if':
        this.#if(statement);
        return;
      case 'for':
        this.#for(statement);
        return;
      case 'block': {
        const target: Target = { head: undefined, incoming: [] };
        const { known } = this.#values;
        this.#targets.set(statement.label, target);
        this.#body(statement.body);
        this.#flow.leave(target);
        this.#values.forget(known);
        this.#flow.meet(target.incoming);
        return;
      }
      case 'loop':
        this.#loop(statement, (target) => {
          this.#targets.set(statement.label, target);
          this.#body(statement.body);
        });
        return;
      case 'branch': {
        const target = this.#targets.get(statement.label);
        if (target !== undefined) this.#flow.leave(target);
        return;
      }
      case 'switch':
        this.#switch(statement);
        return;
      case 'return':
        this.#flow.return(statement.values.flatMap((value) => this.#expressions.wordsOf(value)));
        return;
      case 'abort':
        this.#flow.goto(this.#flow.trap(statement.code));
        return;
      case 'call':
        this.#call({ kind: 'function', function: statement.function }, [], statement.values, statement.results);
        return;
      case 'callImport':
        this.#callImport(statement);
        return;
      case 'callIndirect':
        this.#callIndirect(statement);
        return;
      case 'grow': {
        this.#grow(this.#expressions.word(statement.pages), this.#slots[statement.result] ?? 0);
      }
    }
  }

  #set(local: number, value: Expression): void {
    const slot = this.#slots[local] ?? 0;
    if (this.#isLong[local] === true) {
      const { low, high } = this.#expressions.long(value);
      this.#flow.locals[slot] = low;
      this.#flow.locals[slot + 1] = high;
    } else this.#flow.locals[slot] = this.#expressions.word(value);
  }

  #setGlobal(global: number, value: Expression): void {
    const offset = this.#to.record.globals[global] ?? 0;
    this.#expressions
      .wordsOf(value)
      .forEach((word, i) => this.#flow.pin(this.#flow.graph.node('write', [word], offset + 4 * i)));
  }

  #if({ condition: test, then, otherwise }: Extract<Statement, { kind: 'if' }>): void {
    const condition = this.#expressions.word(test);
    const known = resolve(condition);
    if (known.op === 'const') {
      this.#body(known.value === 0 ? otherwise : then);
      return;
    }
    const incoming: Incoming[] = [];
    const locals = this.#flow.locals;
    const ways = this.#flow.branch(condition, this.#to.profile === 'checked' && !provesAccess(test));
    this.#way(ways.then, locals, then, incoming);
    this.#way(ways.otherwise, locals, otherwise, incoming);
    this.#flow.meet(incoming);
  }

  #way(block: Block, locals: Node[], body: Body, incoming: Incoming[]): void {
    const { known } = this.#values;
    this.#flow.begin(block);
    this.#flow.locals = locals;
    this.#flow.locals = this.#flow.copy();
    this.#body(body);
    if (this.#flow.block !== undefined) incoming.push({ from: this.#flow.block, locals: this.#flow.locals });
    this.#values.forget(known);
  }

  /** A loop: `walk` goes through the body and leaves to the target for each way back. */
  #loop(loop: Statement, walk: (target: Target) => void): void {
    const head = this.#flow.graph.block();
    this.#flow.goto(head);
    this.#flow.begin(head);
    const phis: [word: number, phi: Node][] = [];
    for (const local of assigned([loop], new Set())) {
      const slot = this.#slots[local] ?? 0;
      for (const word of this.#isLong[local] === true ? [slot, slot + 1] : [slot]) {
        const phi = this.#flow.phi(head, [this.#flow.locals[word] as Node]);
        this.#flow.locals[word] = phi;
        phis.push([word, phi]);
      }
    }
    this.#charge(this.#to.sections.get(loop) ?? 0);
    const target: Target = { head, incoming: [] };
    walk(target);
    for (const [word, phi] of phis) {
      for (const { locals } of target.incoming) phi.inputs.push(locals[word] as Node);
    }
  }

  /** The test is at the end: the body runs at least once. */
  #for(statement: Extract<Statement, { kind: 'for' }>): void {
    const counter = this.#slots[statement.counter] ?? 0;
    this.#flow.locals[counter] = this.#values.constant(0);
    this.#loop(statement, (target) => {
      this.#body(statement.body);
      if (this.#flow.block === undefined) return;
      const next = this.#values.binary('add', this.#flow.locals[counter] as Node, this.#values.constant(1));
      this.#flow.locals[counter] = next;
      const { otherwise } = this.#flow.branch(this.#values.binary('ltu', next, this.#values.constant(statement.count)));
      this.#flow.leave(target);
      this.#flow.begin(otherwise);
    });
  }

  #switch(statement: Extract<Statement, { kind: 'switch' }>): void {
    const value = resolve(this.#expressions.word(statement.value));
    const { cases, otherwise } = statement;
    if (value.op === 'const') {
      this.#body(cases.find((one) => one.values.includes(value.value))?.body ?? otherwise);
      return;
    }
    const from = this.#flow.block;
    if (from === undefined) return;
    const bodies = [...cases.map(({ body }) => body), otherwise];
    const blocks = bodies.map(() => this.#flow.graph.block());
    from.end = { kind: 'switch', cases: cases.map(({ values }) => values) };
    from.inputs = [value];
    for (const block of blocks) this.#flow.graph.edge(from, block);
    const incoming: Incoming[] = [];
    const locals = this.#flow.locals;
    blocks.forEach((block, i) => {
      this.#way(block, locals, bodies[i] ?? [], incoming);
    });
    this.#flow.meet(incoming);
  }

  #callIndirect(statement: Extract<Statement, { kind: 'callIndirect' }>): void {
    const v = this.#values;
    const { record } = this.#to;
    const values = statement.values.flatMap((value) => this.#expressions.wordsOf(value));
    const slot = this.#expressions.word(statement.slot);
    this.#flow.trapIf(v.not(v.binary('ltu', slot, v.constant(record.tableLength))), ABORT_TABLE);
    const entry = v.binary('add', v.binary('shl', slot, v.constant(3)), this.#expressions.field(record.table));
    this.#flow.trapIf(
      v.binary('ne', this.#expressions.access(entry, 4, 4), v.constant(statement.signature)),
      ABORT_TABLE,
    );
    this.#call({ kind: 'address' }, [this.#expressions.access(entry, 0, 4), ...values], [], statement.results);
  }

  /** A call of an import, or the access that it stands for. */
  #callImport(statement: Extract<Statement, { kind: 'callImport' }>): void {
    const code = this.#to.imports[statement.import];
    if (code === undefined || code.kind === 'routine' || code.kind === 'inline') {
      this.#call({ kind: 'import', import: statement.import }, [], statement.values, statement.results);
      return;
    }
    const { graph } = this.#flow;
    const values = statement.values.flatMap((value) => this.#expressions.wordsOf(value));
    const node = graph.node(code.kind, values);
    node.size = code.signed ? -code.size : code.size;
    node.align = 2;
    node.isOrdered = true;
    this.#flow.pin(node);
    const [result] = statement.results;
    if (result !== undefined) this.#flow.locals[this.#slots[result] ?? 0] = node;
  }

  #call(callee: Callee, before: readonly Node[], values: readonly Expression[], results: readonly number[]): void {
    const inputs = [...before, ...values.flatMap((value) => this.#expressions.wordsOf(value))];
    const call = this.#flow.pin(this.#flow.graph.node('call', inputs));
    call.callee = callee;
    let word = 0;
    for (const local of results) {
      const slot = this.#slots[local] ?? 0;
      for (const target of this.#isLong[local] === true ? [slot, slot + 1] : [slot]) {
        this.#flow.locals[target] = this.#flow.pin(this.#flow.graph.node('result', [call], word));
        word += 1;
      }
    }
    call.value = word;
  }

  /** Makes region 0 longer; the kit does it in the own profile. */
  #grow(pages: Node, result: number): void {
    const v = this.#values;
    const { record } = this.#to;
    if (this.#to.profile === 'own') {
      const call = this.#flow.pin(this.#flow.graph.node('call', [pages], 1));
      call.callee = { kind: 'grow' };
      this.#flow.locals[result] = this.#flow.pin(this.#flow.graph.node('result', [call], 0));
      return;
    }
    const length = this.#expressions.length(0);
    const room = v.binary('shr', v.binary('sub', this.#expressions.field(record.most), length), v.constant(16));
    const incoming: Incoming[] = [];
    const ways = this.#flow.branch(v.binary('ltu', room, pages));
    const locals = this.#flow.locals;
    for (const isTooMuch of [true, false]) {
      const way = isTooMuch ? ways.then : ways.otherwise;
      this.#flow.begin(way);
      this.#flow.locals = locals.slice();
      if (!isTooMuch) {
        const longer = v.binary('add', length, v.binary('shl', pages, v.constant(16)));
        this.#flow.pin(this.#flow.graph.node('write', [longer], record.length(0)));
      }
      this.#flow.locals[result] = isTooMuch ? v.constant(-1) : v.binary('shr', length, v.constant(16));
      incoming.push({ from: way, locals: this.#flow.locals });
    }
    this.#flow.meet(incoming);
  }
}
