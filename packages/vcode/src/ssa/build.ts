/**
 * From the IR to the graph: one walk through the text in the order of evaluation, which keeps the present node of every local.
 *
 * Control flow is structured, so all that meets at a point is known when the walk comes to it: a label's phis are made when its block
 * ends, a loop's when it begins, for the locals that its body sets.
 */
import {
  BINARY,
  UNARY,
  type Body,
  type Expression,
  type Func,
  type Module,
  type Place,
  type Statement,
} from '../ir/ir.ts';
import { assigned } from '../ir/guard.ts';
import { ABORT_BOUNDS, ABORT_DIVIDE, ABORT_TABLE } from '../ir/abort.ts';
import type { RecordLayout } from '../r3000/record.ts';
import { Graph, resolve, type Block, type Callee, type Node } from './graph.ts';
import { Longs, type Long } from './longs.ts';
import { swapBytes } from './swap.ts';
import { Values, type Operator } from './values.ts';

/** What the builder must know of where the code will run. */
export interface Surroundings {
  /** Own: no tests, no fuel; an address is what the program says. */
  readonly profile: 'own' | 'checked';
  /** By statement: the fuel section that a loop begins. */
  readonly sections: ReadonlyMap<Statement, number>;
  /** The section of the function itself. */
  readonly section: number;
  /** Globals that do not change while the function runs. */
  readonly settled: ReadonlySet<number>;
  /** Where things are in the module's record. */
  readonly record: RecordLayout;
}

interface Incoming {
  readonly from: Block;
  readonly locals: readonly Node[];
}

interface Target {
  /** The loop's head; a block has its place behind it, which is made when the block ends. */
  readonly head: Block | undefined;
  readonly incoming: Incoming[];
}

/** Builds the graph of a function. */
export function buildGraph(
  module: Module,
  func: Func,
  surroundings: Surroundings,
): { readonly graph: Graph; readonly values: Values } {
  return new Builder(module, func, surroundings).build();
}

class Builder {
  readonly #module: Module;
  readonly #func: Func;
  readonly #to: Surroundings;
  readonly #graph = new Graph();
  readonly #values = new Values(this.#graph);
  readonly #longs = new Longs(this.#values);
  readonly #targets = new Map<number, Target>();
  readonly #traps = new Map<number, Block>();
  readonly #slots: readonly number[];
  readonly #isLong: readonly boolean[];
  #locals: Node[] = [];
  #block: Block | undefined;
  #at = -1;

  constructor(module: Module, func: Func, surroundings: Surroundings) {
    this.#module = module;
    this.#func = func;
    this.#to = surroundings;
    const slots: number[] = [];
    let next = 0;
    const isLong: boolean[] = [];
    for (const { type } of [...func.parameters, ...func.locals]) {
      slots.push(next);
      isLong.push(type === 'i64');
      next += type === 'i64' ? 2 : 1;
    }
    this.#slots = slots;
    this.#isLong = isLong;
    this.#locals = new Array<Node>(next).fill(this.#values.constant(0));
  }

  build(): { readonly graph: Graph; readonly values: Values } {
    const entry = this.#graph.block();
    this.#block = entry;
    const words = this.#func.parameters.reduce((sum, { type }) => sum + (type === 'i64' ? 2 : 1), 0);
    for (let word = 0; word < words; word += 1) {
      const node = this.#pin(this.#graph.node('parameter', [], word));
      this.#graph.parameters.push(node);
      this.#locals[word] = node;
    }
    this.#charge(this.#to.section);
    this.#body(this.#func.body);
    if (this.#block !== undefined) {
      const zero = this.#values.constant(0);
      this.#return(this.#func.results.flatMap((type) => (type === 'i64' ? [zero, zero] : [zero])));
    }
    return { graph: this.#graph, values: this.#values };
  }

  /* Blocks. */

  #pin(node: Node): Node {
    node.at = this.#at;
    node.block = this.#block;
    this.#block?.nodes.push(node);
    return node;
  }

  #charge(section: number): void {
    if (this.#to.profile === 'checked') this.#pin(this.#graph.node('charge', [], section));
  }

  #body(body: Body): void {
    for (const statement of body) {
      if (this.#block === undefined) return;
      this.#statement(statement);
    }
  }

  #goto(target: Block): void {
    if (this.#block === undefined) return;
    this.#block.end = { kind: 'goto' };
    this.#graph.edge(this.#block, target);
    this.#block = undefined;
  }

  /** Ends the block with a branch; the walk goes on in the first successor. */
  #branch(condition: Node): { readonly then: Block; readonly otherwise: Block } {
    const [then, otherwise] = [this.#graph.block(), this.#graph.block()];
    if (this.#block !== undefined) {
      this.#block.end = { kind: 'if' };
      this.#block.inputs = [condition];
      this.#graph.edge(this.#block, then);
      this.#graph.edge(this.#block, otherwise);
    }
    this.#block = then;
    return { then, otherwise };
  }

  /** Leaves through a trap if the condition is not 0. */
  #trapIf(condition: Node, code: number): void {
    const is = resolve(condition);
    if (is.op === 'const' && is.value === 0) return;
    const from = this.#block;
    if (from === undefined) return;
    const trap = this.#trap(code);
    const onward = this.#graph.block();
    from.end = { kind: 'if' };
    from.inputs = [condition];
    this.#graph.edge(from, trap);
    this.#graph.edge(from, onward);
    this.#block = onward;
  }

  #trap(code: number): Block {
    let trap = this.#traps.get(code);
    if (trap === undefined) {
      trap = this.#graph.block();
      trap.end = { kind: 'trap', code };
      trap.isCold = true;
      this.#traps.set(code, trap);
    }
    return trap;
  }

  #return(words: Node[]): void {
    if (this.#block === undefined) return;
    this.#block.end = { kind: 'return' };
    this.#block.inputs = words;
    this.#block = undefined;
  }

  #leave(target: Target): void {
    if (this.#block === undefined) return;
    target.incoming.push({ from: this.#block, locals: this.#locals.slice() });
    if (target.head !== undefined) this.#goto(target.head);
    else this.#block = undefined;
  }

  /** Goes on where all of these meet. */
  #meet(incoming: readonly Incoming[]): void {
    const [first] = incoming;
    if (first === undefined) {
      this.#block = undefined;
      return;
    }
    this.#locals = first.locals.slice();
    if (incoming.length === 1) {
      this.#block = first.from;
      return;
    }
    const block = this.#graph.block();
    for (const { from } of incoming) {
      from.end = { kind: 'goto' };
      this.#graph.edge(from, block);
    }
    this.#block = block;
    for (let local = 0; local < this.#locals.length; local += 1) {
      const one = resolve(this.#locals[local] as Node);
      if (incoming.every(({ locals }) => resolve(locals[local] as Node) === one)) continue;
      this.#locals[local] = this.#phi(
        block,
        incoming.map(({ locals }) => locals[local] as Node),
      );
    }
  }

  #phi(block: Block, inputs: Node[]): Node {
    const phi = this.#graph.node('phi', inputs);
    phi.block = block;
    block.phis.push(phi);
    return phi;
  }

  /* Statements. */

  #statement(statement: Statement): void {
    if (statement.at !== undefined) this.#at = statement.at;
    switch (statement.kind) {
      case 'set':
        this.#set(statement.local, statement.value);
        return;
      case 'setGlobal':
        this.#setGlobal(statement.global, statement.value);
        return;
      case 'store':
        this.#store(statement, statement.value);
        return;
      case 'if':
        this.#if(this.#word(statement.condition), statement.then, statement.otherwise);
        return;
      case 'for':
        this.#for(statement);
        return;
      case 'block': {
        const target: Target = { head: undefined, incoming: [] };
        const { known } = this.#values;
        this.#targets.set(statement.label, target);
        this.#body(statement.body);
        this.#leave(target);
        this.#values.forget(known);
        this.#meet(target.incoming);
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
        if (target !== undefined) this.#leave(target);
        return;
      }
      case 'switch':
        this.#switch(statement);
        return;
      case 'return':
        this.#return(statement.values.flatMap((value) => this.#wordsOf(value)));
        return;
      case 'abort':
        this.#goto(this.#trap(statement.code));
        return;
      case 'call':
        this.#call({ kind: 'function', function: statement.function }, [], statement.values, statement.results);
        return;
      case 'callImport':
        this.#call({ kind: 'import', import: statement.import }, [], statement.values, statement.results);
        return;
      case 'callIndirect':
        this.#callIndirect(statement);
        return;
      case 'grow': {
        this.#grow(this.#word(statement.pages), this.#slots[statement.result] ?? 0);
      }
    }
  }

  #set(local: number, value: Expression): void {
    const slot = this.#slots[local] ?? 0;
    if (this.#isLong[local] === true) {
      const { low, high } = this.#long(value);
      this.#locals[slot] = low;
      this.#locals[slot + 1] = high;
    } else this.#locals[slot] = this.#word(value);
  }

  #setGlobal(global: number, value: Expression): void {
    const offset = this.#to.record.globals[global] ?? 0;
    this.#wordsOf(value).forEach((word, i) => this.#pin(this.#graph.node('write', [word], offset + 4 * i)));
  }

  #if(condition: Node, then: Body, otherwise: Body): void {
    const known = resolve(condition);
    if (known.op === 'const') {
      this.#body(known.value === 0 ? otherwise : then);
      return;
    }
    const incoming: Incoming[] = [];
    const locals = this.#locals;
    const ways = this.#branch(condition);
    this.#way(ways.then, locals, then, incoming);
    this.#way(ways.otherwise, locals, otherwise, incoming);
    this.#meet(incoming);
  }

  #way(block: Block, locals: readonly Node[], body: Body, incoming: Incoming[]): void {
    const { known } = this.#values;
    this.#block = block;
    this.#locals = locals.slice();
    this.#body(body);
    if (this.#block !== undefined) incoming.push({ from: this.#block, locals: this.#locals });
    this.#values.forget(known);
  }

  /** A loop: `walk` goes through the body and leaves to the target for each way back. */
  #loop(loop: Statement, walk: (target: Target) => void): void {
    const head = this.#graph.block();
    this.#goto(head);
    this.#block = head;
    const phis: [word: number, phi: Node][] = [];
    for (const local of assigned([loop], new Set())) {
      const slot = this.#slots[local] ?? 0;
      for (const word of this.#isLong[local] === true ? [slot, slot + 1] : [slot]) {
        const phi = this.#phi(head, [this.#locals[word] as Node]);
        this.#locals[word] = phi;
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
    this.#locals[counter] = this.#values.constant(0);
    this.#loop(statement, (target) => {
      this.#body(statement.body);
      if (this.#block === undefined) return;
      const next = this.#values.binary('add', this.#locals[counter] as Node, this.#values.constant(1));
      this.#locals[counter] = next;
      const { otherwise } = this.#branch(this.#values.binary('ltu', next, this.#values.constant(statement.count)));
      this.#leave(target);
      this.#block = otherwise;
    });
  }

  #switch(statement: Extract<Statement, { kind: 'switch' }>): void {
    const value = resolve(this.#word(statement.value));
    const { cases, otherwise } = statement;
    if (value.op === 'const') {
      this.#body(cases.find((one) => one.values.includes(value.value))?.body ?? otherwise);
      return;
    }
    const from = this.#block;
    if (from === undefined) return;
    const bodies = [...cases.map(({ body }) => body), otherwise];
    const blocks = bodies.map(() => this.#graph.block());
    from.end = { kind: 'switch', cases: cases.map(({ values }) => values) };
    from.inputs = [value];
    for (const block of blocks) this.#graph.edge(from, block);
    const incoming: Incoming[] = [];
    const locals = this.#locals;
    blocks.forEach((block, i) => {
      this.#way(block, locals, bodies[i] ?? [], incoming);
    });
    this.#meet(incoming);
  }

  #callIndirect(statement: Extract<Statement, { kind: 'callIndirect' }>): void {
    const v = this.#values;
    const { record } = this.#to;
    const values = statement.values.flatMap((value) => this.#wordsOf(value));
    const slot = this.#word(statement.slot);
    this.#trapIf(v.not(v.binary('ltu', slot, v.constant(record.tableLength))), ABORT_TABLE);
    const entry = v.binary('add', v.binary('shl', slot, v.constant(3)), this.#field(record.table));
    this.#trapIf(v.binary('ne', this.#access(entry, 4, 4), v.constant(statement.signature)), ABORT_TABLE);
    this.#call({ kind: 'address' }, [this.#access(entry, 0, 4), ...values], [], statement.results);
  }

  /** A load that needs no test. */
  #access(address: Node, displacement: number, size: number, align = 2): Node {
    const at = this.#values.binary('add', address, this.#values.constant(displacement));
    const load = this.#graph.node('load', [at]);
    load.size = size;
    load.align = align;
    return this.#pin(load);
  }

  #call(callee: Callee, before: readonly Node[], values: readonly Expression[], results: readonly number[]): void {
    const inputs = [...before, ...values.flatMap((value) => this.#wordsOf(value))];
    const call = this.#pin(this.#graph.node('call', inputs));
    call.callee = callee;
    let word = 0;
    for (const local of results) {
      const slot = this.#slots[local] ?? 0;
      for (const target of this.#isLong[local] === true ? [slot, slot + 1] : [slot]) {
        this.#locals[target] = this.#pin(this.#graph.node('result', [call], word));
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
      const call = this.#pin(this.#graph.node('call', [pages], 1));
      call.callee = { kind: 'grow' };
      this.#locals[result] = this.#pin(this.#graph.node('result', [call], 0));
      return;
    }
    const length = this.#length(0);
    const room = v.binary('shr', v.binary('sub', this.#field(record.most), length), v.constant(16));
    const incoming: Incoming[] = [];
    const ways = this.#branch(v.binary('ltu', room, pages));
    const locals = this.#locals;
    for (const isTooMuch of [true, false]) {
      this.#block = isTooMuch ? ways.then : ways.otherwise;
      this.#locals = locals.slice();
      if (!isTooMuch) {
        const longer = v.binary('add', length, v.binary('shl', pages, v.constant(16)));
        this.#pin(this.#graph.node('write', [longer], record.length(0)));
      }
      this.#locals[result] = isTooMuch ? v.constant(-1) : v.binary('shr', length, v.constant(16));
      incoming.push({ from: this.#block, locals: this.#locals });
    }
    this.#meet(incoming);
  }

  /* Memory. */

  /** The address of an access, whose test has passed. */
  #address(place: Place): Node {
    const v = this.#values;
    const index = this.#word(place.index);
    const at = v.binary('add', index, v.constant(place.displacement));
    if (this.#to.profile === 'own') return at;
    if (place.guard !== undefined) this.#guard(place, index);
    return v.binary('add', this.#field(this.#to.record.base(place.region)), at);
  }

  #guard(place: Place, index: Node): void {
    const v = this.#values;
    const { extent, floor, span } = place.guard ?? { extent: 0, floor: false, span: false };
    const length = this.#length(place.region);
    if (extent > 0xffffffff) {
      this.#trapIf(v.constant(1), ABORT_BOUNDS);
      return;
    }
    if (floor) this.#trapIf(v.binary('ltu', length, v.constant(extent)), ABORT_BOUNDS);
    if (!span) return;
    if (extent === 1) this.#trapIf(v.not(v.binary('ltu', index, length)), ABORT_BOUNDS);
    else this.#trapIf(v.binary('ltu', v.binary('sub', length, v.constant(extent)), index), ABORT_BOUNDS);
  }

  #field(offset: number): Node {
    return this.#values.field(offset);
  }

  #length(region: number): Node {
    const offset = this.#to.record.length(region);
    if (region !== 0 || this.#module.memory === undefined) return this.#field(offset);
    return this.#pin(this.#graph.node('read', [], offset));
  }

  #load(place: Extract<Expression, { kind: 'load' }>): Node {
    const address = this.#address(place);
    const size = place.size === 8 ? 4 : place.size;
    const load = this.#access(address, 0, place.signed && place.endian === 'little' ? -size : size, place.align);
    if (place.endian === 'little' || size === 1) return load;
    return swapBytes(this.#values, load, size);
  }

  #store(place: Extract<Statement, { kind: 'store' }>, value: Expression): void {
    const v = this.#values;
    const index = this.#word(place.index);
    const words = place.size === 8 ? this.#long(value) : { low: this.#word(value), high: undefined };
    let address = v.binary('add', index, v.constant(place.displacement));
    if (this.#to.profile === 'checked') {
      if (place.guard !== undefined) this.#guard(place, index);
      address = v.binary('add', this.#field(this.#to.record.base(place.region)), address);
    }
    const parts = words.high === undefined ? [words.low] : [words.low, words.high];
    const ordered = place.endian === 'little' ? parts : parts.reverse();
    ordered.forEach((word, i) => {
      const size = place.size === 8 ? 4 : place.size;
      const swapped = place.endian === 'little' || size === 1 ? word : swapBytes(v, word, size);
      const at = v.binary('add', address, v.constant(4 * i));
      const store = this.#graph.node('store', [at, swapped]);
      store.size = size;
      store.align = place.align;
      this.#pin(store);
    });
  }

  /* Expressions. */

  #wordsOf(expression: Expression): Node[] {
    if (!this.#isLongExpression(expression)) return [this.#word(expression)];
    const { low, high } = this.#long(expression);
    return [low, high];
  }

  #isLongExpression(expression: Expression): boolean {
    switch (expression.kind) {
      case 'const64':
        return true;
      case 'local':
        return this.#isLong[expression.local] === true;
      case 'global':
        return this.#module.globals[expression.global]?.type === 'i64';
      case 'unary':
        return UNARY[expression.operator][1] === 'i64';
      case 'binary':
        return BINARY[expression.operator][2] === 'i64';
      case 'select':
        return expression.type === 'i64';
      case 'load':
        return expression.size === 8;
      default:
        return false;
    }
  }

  #word(expression: Expression): Node {
    const v = this.#values;
    switch (expression.kind) {
      case 'const':
        return v.constant(expression.value);
      case 'local':
        return resolve(this.#locals[this.#slots[expression.local] ?? 0] as Node);
      case 'global':
        return this.#global(expression.global, 0);
      case 'unary':
        return this.#unary(expression);
      case 'binary':
        return this.#binary(expression);
      case 'select': {
        const [then, otherwise] = [this.#word(expression.then), this.#word(expression.otherwise)];
        return this.#select(this.#word(expression.condition), [then], [otherwise])[0] as Node;
      }
      case 'load':
        return this.#load(expression);
      case 'length':
        return this.#length(expression.region);
      case 'fits':
        return this.#fits(expression);
      case 'const64':
        return v.constant(Number(BigInt.asUintN(32, expression.value)));
    }
  }

  /** A word of a global. */
  #global(global: number, within: 0 | 4): Node {
    const offset = (this.#to.record.globals[global] ?? 0) + within;
    return this.#to.settled.has(global) ? this.#field(offset) : this.#pin(this.#graph.node('read', [], offset));
  }

  #unary({ operator, operand }: Extract<Expression, { kind: 'unary' }>): Node {
    const v = this.#values;
    if (operator === 'wrap') return this.#long(operand).low;
    if (operator === 'high') return this.#long(operand).high;
    const x = this.#word(operand);
    if (operator === 'bswap16' || operator === 'bswap32') return swapBytes(v, x, operator === 'bswap16' ? 2 : 4);
    const count = v.constant(operator === 'extend8' ? 24 : 16);
    return v.binary('sar', v.binary('shl', x, count), count);
  }

  #binary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): Node {
    const v = this.#values;
    if (BINARY[operator][0] === 'i64') {
      const a = this.#long(left);
      return this.#longs.compare(operator, a, this.#long(right));
    }
    const a = this.#word(left);
    const b = this.#word(right);
    switch (operator) {
      case 'leu':
        return v.not(v.binary('ltu', b, a));
      case 'les':
        return v.not(v.binary('lts', b, a));
      case 'rotl': {
        const back = v.binary('sub', v.constant(0), b);
        return v.binary('or', v.binary('shl', a, b), v.binary('shr', a, back));
      }
      case 'divu':
      case 'remu':
      case 'divs':
      case 'rems':
        return this.#divide(operator, a, b);
      default:
        return v.binary(operator as Operator, a, b);
    }
  }

  #divide(operator: 'divu' | 'remu' | 'divs' | 'rems', a: Node, b: Node): Node {
    const v = this.#values;
    const zero = v.constant(0);
    this.#trapIf(v.binary('eq', b, zero), ABORT_DIVIDE);
    if (operator === 'divs' && this.#to.profile === 'checked') {
      const overflow = v.binary('or', v.binary('xor', a, v.constant(0x80000000)), v.binary('xor', b, v.constant(-1)));
      this.#trapIf(v.binary('eq', overflow, zero), ABORT_DIVIDE);
    }
    return v.binary(operator, a, b);
  }

  #fits({ region, index, bytes }: Extract<Expression, { kind: 'fits' }>): Node {
    const v = this.#values;
    const at = this.#word(index);
    if (this.#to.profile === 'own') return v.constant(1);
    const length = this.#length(region);
    const short = v.binary('ltu', length, v.constant(bytes));
    const beyond = v.binary('ltu', v.binary('sub', length, v.constant(bytes)), at);
    return v.not(v.binary('or', short, beyond));
  }

  #long(expression: Expression): Long {
    const v = this.#values;
    switch (expression.kind) {
      case 'const64':
        return this.#longs.constant(expression.value);
      case 'local': {
        const slot = this.#slots[expression.local] ?? 0;
        return { low: resolve(this.#locals[slot] as Node), high: resolve(this.#locals[slot + 1] as Node) };
      }
      case 'global': {
        const low = this.#global(expression.global, 0);
        return { low, high: this.#global(expression.global, 4) };
      }
      case 'unary':
        return this.#longs.extend(this.#word(expression.operand), expression.operator === 'extends');
      case 'binary':
        return this.#longBinary(expression);
      case 'select': {
        const then = this.#long(expression.then);
        const otherwise = this.#long(expression.otherwise);
        const condition = this.#word(expression.condition);
        const [low, high] = this.#select(condition, [then.low, then.high], [otherwise.low, otherwise.high]);
        return { low: low as Node, high: high as Node };
      }
      case 'load': {
        const address = this.#address(expression);
        const first = this.#access(address, 0, 4, expression.align);
        const second = this.#access(address, 4, 4, expression.align);
        if (expression.endian === 'little') return { low: first, high: second };
        return { low: swapBytes(v, second, 4), high: swapBytes(v, first, 4) };
      }
      default:
        return this.#longs.extend(this.#word(expression), false);
    }
  }

  #longBinary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): Long {
    if (operator === 'pair') {
      const high = this.#word(left);
      return { low: this.#word(right), high };
    }
    const a = this.#long(left);
    if (BINARY[operator][1] === 'i32') return this.#longs.shift(operator, a, this.#word(right));
    return this.#longs.binary(operator, a, this.#long(right));
  }

  /** Word by word: `then` where the condition is not 0. */
  #select(condition: Node, then: readonly Node[], otherwise: readonly Node[]): Node[] {
    const v = this.#values;
    const known = resolve(condition);
    if (known.op === 'const') return [...(known.value === 0 ? otherwise : then)];
    const pairs = then.map((one, i) => [resolve(one), resolve(otherwise[i] as Node)] as const);
    if (pairs.every(([a, b]) => a === b)) return pairs.map(([a]) => a);
    const [first] = pairs;
    if (pairs.length === 1 && first !== undefined) {
      const [a, b] = first;
      const truth = v.binary('ne', condition, v.constant(0));
      // 1 and 0, and the like, need no branch.
      if (
        a.op === 'const' &&
        b.op === 'const' &&
        ((a.value - b.value) >>> 0 === 1 || (b.value - a.value) >>> 0 === 1)
      ) {
        const up = (a.value - b.value) >>> 0 === 1;
        return [v.binary('add', up ? truth : v.not(truth), up ? b : a)];
      }
    }
    const locals = this.#locals;
    const from = this.#block;
    const ways = this.#branch(condition);
    const meet = this.#graph.block();
    for (const way of [ways.then, ways.otherwise]) {
      this.#block = way;
      this.#goto(meet);
    }
    this.#block = from === undefined ? undefined : meet;
    this.#locals = locals;
    return pairs.map(([a, b]) => (a === b ? a : this.#phi(meet, [a, b])));
  }
}
