/**
 * Statements to MIPS: control flow as labels and branches, a switch as a binary search, loops that pay at their head.
 *
 * No temporary is live between statements, except the value of a switch during its search. Each way out of the program
 * writes the fuel and the status itself; there is no common epilogue to jump to on the way that matters.
 */
import { RA, V0, V1, ZERO, type Register } from '@exokernel/isa';
import type { LoweredBody, LoweredStatement } from '../lower/lowered.ts';
import type { Label, MipsCode } from './code.ts';
import type { ExpressionSelector } from './expressions.ts';
import { ACTIVATION, RECORD, type Frame } from './frame.ts';
import { branchOn } from './operators.ts';
import type { SectionRange } from './path-costs.ts';
import type { Held } from './selector.ts';

/** A search among at most this many cases is a row of comparisons. */
const LINEAR_CASES = 3;

interface LoopLabels {
  readonly onBreak: Label;
  readonly onContinue: Label;
}

type SwitchCases = Extract<LoweredStatement, { kind: 'switch' }>['cases'];

/** Selects statements; one for each program. */
export class StatementSelector {
  readonly #code: MipsCode;
  readonly #frame: Frame;
  readonly #to: ExpressionSelector;
  readonly #fuelExit: Label;
  readonly #ownExits = new Map<number, Label>();
  readonly ranges: SectionRange[] = [];
  readonly #large: boolean;

  /** With `large`, costs may exceed 15 bits and charging takes three instructions. */
  constructor(to: ExpressionSelector, fuelExit: Label, large: boolean) {
    this.#to = to;
    this.#code = to.code;
    this.#frame = to.frame;
    this.#fuelExit = fuelExit;
    this.#large = large;
  }

  /** The exits that the program's own aborts need. */
  get ownExits(): ReadonlyMap<number, Label> {
    return this.#ownExits;
  }

  /** Selects a body; says whether control can reach its end. */
  body(body: LoweredBody, loop: LoopLabels | undefined): boolean {
    for (const statement of body) if (!this.#statement(statement, loop)) return false;
    return true;
  }

  /** Subtracts the current section's cost from the fuel in `fuel` and leaves if that was too much. */
  charge(fuel: Register, slot?: Parameters<MipsCode['emit']>[2]): void {
    const code = this.#code;
    if (this.#large) {
      const cost = this.#to.take();
      code.emit('lui', [cost.register, 0], { charge: 'high' });
      code.emit('ori', [cost.register, cost.register, 0], { charge: 'low' });
      code.emit('subu', [fuel, fuel, cost.register]);
      this.#to.release(cost);
    } else code.emit('addiu', [fuel, fuel, 0], { charge: 'whole' });
    code.emit('bltz', [fuel], { target: this.#fuelExit, ...slot });
  }

  /** Ends the run with a value in `v0`. */
  leave(): void {
    const code = this.#code;
    if (this.#frame.fuel !== undefined) code.emit('sw', [this.#frame.fuel, ACTIVATION.fuel, RECORD]);
    code.move(V1, ZERO);
    code.emit('jr', [RA], { slot: code.instruction('sw', [ZERO, ACTIVATION.status, RECORD]) });
  }

  #statement(statement: LoweredStatement, loop: LoopLabels | undefined): boolean {
    const to = this.#to;
    const code = this.#code;
    switch (statement.kind) {
      case 'set':
        this.#set(statement);
        return true;
      case 'store':
        this.#store(statement);
        return true;
      case 'if':
        return this.#if(statement, loop);
      case 'for':
      case 'while':
        this.#loop(statement);
        return true;
      case 'break':
      case 'continue':
        if (loop !== undefined) code.jump(statement.kind === 'break' ? loop.onBreak : loop.onContinue);
        return false;
      case 'switch': {
        const end = code.label('end');
        const otherwise = code.label('otherwise');
        const value = to.select(statement.value);
        const search = new Search(this, to, value, { end, otherwise, loop });
        search.among(statement.cases);
        to.release(value);
        code.place(otherwise);
        const falls = this.body(statement.otherwise, loop);
        code.place(end);
        return falls || search.falls;
      }
      case 'return': {
        const result = to.claim(V0);
        to.select(statement.value, V0);
        to.release(result);
        this.leave();
        return false;
      }
      case 'abort':
        code.jump(this.#exitFor(statement.code));
        return false;
    }
  }

  /** Where a statement that does nothing but jump goes. */
  #jumpTarget(statement: LoweredStatement | undefined, loop: LoopLabels | undefined): Label | undefined {
    if (statement?.kind === 'abort') return this.#exitFor(statement.code);
    if (statement?.kind === 'break') return loop?.onBreak;
    return statement?.kind === 'continue' ? loop?.onContinue : undefined;
  }

  #exitFor(code: number): Label {
    const known = this.#ownExits.get(code);
    if (known !== undefined) return known;
    const exit = this.#code.label(`abort${code}`);
    this.#ownExits.set(code, exit);
    return exit;
  }

  #set({ local, value }: Extract<LoweredStatement, { kind: 'set' }>): void {
    const home = this.#frame.local(local);
    const held = this.#to.select(value, home);
    this.#to.forget(local);
    if (home === undefined) this.#code.emit('sw', [held.register, this.#frame.localOffset(local), RECORD]);
    this.#to.release(held);
  }

  #store(statement: Extract<LoweredStatement, { kind: 'store' }>): void {
    const to = this.#to;
    const code = this.#code;
    const [index, value] = to.selectPair(statement.index, statement.value);
    const { held, offset } = to.address(statement, index);
    const base = held.register;
    const { size, endian } = statement;
    const aligned = 1 << to.alignment(statement) >= size;
    if (size === 1) code.emit('sb', [value.register, offset, base]);
    else if (endian === 'little' && aligned) code.emit(size === 4 ? 'sw' : 'sh', [value.register, offset, base]);
    else if (endian === 'little' && size === 4) {
      code.emit('swr', [value.register, offset, base]);
      code.emit('swl', [value.register, offset + 3, base]);
    } else {
      // Byte by byte, the least significant first.
      const rest = to.take();
      for (let i = 0; i < size; i += 1) {
        if (i > 0) code.emit('srl', [rest.register, value.register, 8 * i]);
        code.emit('sb', [
          i === 0 ? value.register : rest.register,
          offset + (endian === 'big' ? size - 1 - i : i),
          base,
        ]);
      }
      to.release(rest);
    }
    to.release(held);
    to.release(value);
  }

  #if(statement: Extract<LoweredStatement, { kind: 'if' }>, loop: LoopLabels | undefined): boolean {
    const code = this.#code;
    const { condition, then, otherwise: other } = statement;
    for (const [body, opposite, sense] of [
      [then, other, true],
      [other, then, false],
    ] as const) {
      // A body that only jumps needs no code but the branch.
      const exit = opposite.length === 0 && body.length === 1 ? this.#jumpTarget(body[0], loop) : undefined;
      if (exit === undefined) continue;
      branchOn(this.#to, condition, exit, sense);
      return true;
    }
    const end = code.label('end');
    if (then.length === 0 || other.length === 0) {
      branchOn(this.#to, condition, end, then.length === 0);
      this.body(then.length === 0 ? other : then, loop);
      code.place(end);
      return true;
    }
    const otherwise = code.label('else');
    branchOn(this.#to, statement.condition, otherwise, false);
    const thenFalls = this.body(statement.then, loop);
    if (thenFalls) code.jump(end);
    code.place(otherwise);
    const otherwiseFalls = this.body(statement.otherwise, loop);
    code.place(end);
    return thenFalls || otherwiseFalls;
  }

  #loop(statement: Extract<LoweredStatement, { kind: 'for' | 'while' }>): void {
    const code = this.#code;
    const [head, again, after, end] = ['head', 'again', 'after', 'end'].map((name) => code.label(name)) as [
      Label,
      Label,
      Label,
      Label,
    ];
    const { fuel } = this.#frame;
    const outer = code.section;
    if (statement.kind === 'for')
      this.#set({ kind: 'set', local: statement.counter, value: { kind: 'const', value: 0 } });
    code.section = statement.section;
    code.place(head);
    if (fuel !== undefined) this.charge(fuel);
    if (statement.kind === 'while') {
      branchOn(this.#to, statement.condition, after, false);
      const falls = this.body(statement.body, { onBreak: after, onContinue: head });
      if (falls) code.jump(head);
    } else {
      this.body(statement.body, { onBreak: after, onContinue: again });
      code.place(again);
      this.#countUp(statement.counter, statement.count, head);
    }
    code.place(end);
    code.section = outer;
    code.place(after);
    this.ranges.push({ section: statement.section, head, end });
  }

  /** Adds 1 to a counter and branches back unless it has reached the count. */
  #countUp(counter: number, count: number, head: Label): void {
    const to = this.#to;
    const local = { kind: 'local', local: counter } as const;
    const one = { kind: 'const', value: 1 } as const;
    this.#set({ kind: 'set', local: counter, value: { kind: 'binary', operator: 'add', left: local, right: one } });
    branchOn(to, { kind: 'binary', operator: 'ltu', left: local, right: { kind: 'const', value: count } }, head, true);
  }
}

/** The search of one switch. */
class Search {
  readonly #statements: StatementSelector;
  readonly #to: ExpressionSelector;
  readonly #value: Held;
  readonly #around: { readonly end: Label; readonly otherwise: Label; readonly loop: LoopLabels | undefined };
  /** Whether control leaves some case at its end. */
  falls = false;

  constructor(
    statements: StatementSelector,
    to: ExpressionSelector,
    value: Held,
    around: { end: Label; otherwise: Label; loop: LoopLabels | undefined },
  ) {
    this.#statements = statements;
    this.#to = to;
    this.#value = value;
    this.#around = around;
  }

  /** Searches these cases, in ascending order; falls out of the end only towards `otherwise`. */
  among(cases: SwitchCases): void {
    const { code } = this.#to;
    if (cases.length > LINEAR_CASES) {
      const middle = cases.length >> 1;
      const upper = code.label('upper');
      this.#branch('ltu', pivot(cases[middle - 1]?.value ?? 0, cases[middle]?.value ?? 0), upper, false);
      this.among(cases.slice(0, middle));
      code.place(upper);
      this.among(cases.slice(middle));
      return;
    }
    cases.forEach(({ value, body }, i) => {
      const next = i === cases.length - 1 ? this.#around.otherwise : code.label('next');
      this.#branch('eq', value, next, false);
      // On this way the value is not needed any more: its register is free for the body.
      this.#to.release(this.#value);
      const falls = this.#statements.body(body, this.#around.loop);
      if (this.#value.temporary) this.#to.claim(this.#value.register);
      if (falls) code.jump(this.#around.end);
      this.falls ||= falls;
      if (next !== this.#around.otherwise) code.place(next);
    });
    if (cases.length === 0) code.jump(this.#around.otherwise);
  }

  #branch(operator: 'eq' | 'ltu', constant: number, target: Label, sense: boolean): void {
    const { code } = this.#to;
    const test = this.#to.take();
    if (operator === 'eq') {
      if (constant === 0) code.emit(sense ? 'beq' : 'bne', [this.#value.register, ZERO], { target });
      else {
        code.li(test.register, constant);
        code.emit(sense ? 'beq' : 'bne', [this.#value.register, test.register], { target });
      }
    } else {
      if ((constant | 0) >= -0x8000 && (constant | 0) <= 0x7fff)
        code.emit('sltiu', [test.register, this.#value.register, constant | 0]);
      else {
        code.li(test.register, constant);
        code.emit('sltu', [test.register, this.#value.register, test.register]);
      }
      code.emit(sense ? 'bne' : 'beq', [test.register, ZERO], { target });
    }
    this.#to.release(test);
  }
}

/** A constant above the lower case and at most the upper one: the cheapest to load. */
function pivot(lower: number, upper: number): number {
  if (upper <= 0x7fff || lower >= 0xffff8000) return upper;
  if (lower < 0x7fff) return 0x7fff;
  const round = (upper & 0xffff0000) >>> 0;
  return round > lower ? round : upper;
}
