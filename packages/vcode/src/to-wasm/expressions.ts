/** Expressions of the checked profile in WebAssembly. */
import { I32, type FunctionBuilder, type OpcodeName } from '@exokernel/wasm';
import { ABORT_BOUNDS, ABORT_DIVIDE } from '../ir/abort.ts';
import { BINARY, type BinaryOperator, type Expression, type Guard, type Place } from '../ir/ir.ts';
import type { Run } from './run.ts';
import type { Names } from './surroundings.ts';

/** Operators that are one instruction. The counts of 64-bit shifts are words in the IR. */
const PLAIN: Readonly<Partial<Record<BinaryOperator, OpcodeName>>> = {
  add: 'i32Add',
  sub: 'i32Sub',
  mul: 'i32Mul',
  and: 'i32And',
  or: 'i32Or',
  xor: 'i32Xor',
  shl: 'i32Shl',
  shr: 'i32ShrU',
  sar: 'i32ShrS',
  rotl: 'i32Rotl',
  divu: 'i32DivU',
  divs: 'i32DivS',
  remu: 'i32RemU',
  rems: 'i32RemS',
  eq: 'i32Eq',
  ne: 'i32Ne',
  ltu: 'i32LtU',
  leu: 'i32LeU',
  lts: 'i32LtS',
  les: 'i32LeS',
  add64: 'i64Add',
  sub64: 'i64Sub',
  mul64: 'i64Mul',
  and64: 'i64And',
  or64: 'i64Or',
  xor64: 'i64Xor',
  shl64: 'i64Shl',
  shr64: 'i64ShrU',
  sar64: 'i64ShrS',
  rotl64: 'i64Rotl',
  eq64: 'i64Eq',
  ne64: 'i64Ne',
  ltu64: 'i64LtU',
  leu64: 'i64LeU',
  lts64: 'i64LtS',
  les64: 'i64LeS',
};

const LOADS: Readonly<Record<number, readonly [unsigned: OpcodeName, signed: OpcodeName]>> = {
  1: ['i32Load8U', 'i32Load8S'],
  2: ['i32Load16U', 'i32Load16S'],
  4: ['i32Load', 'i32Load'],
  8: ['i64Load', 'i64Load'],
};
const STORES: Readonly<Record<number, OpcodeName>> = { 1: 'i32Store8', 2: 'i32Store16', 4: 'i32Store', 8: 'i64Store' };

/** Emits expressions into one function. */
export class Expressions {
  readonly #f: FunctionBuilder;
  readonly #to: Names;
  readonly #run: Run;
  readonly #helpers: number[] = [];

  constructor(f: FunctionBuilder, names: Names, run: Run) {
    this.#f = f;
    this.#to = names;
    this.#run = run;
  }

  /** The WebAssembly local of a local. */
  local(local: number): number {
    return this.#to.firstLocal + local;
  }

  #take(): number {
    return this.#helpers.pop() ?? this.#f.local(I32);
  }

  /** Runs `use` with a local that holds a word. */
  held(expression: Expression, use: (local: number) => void): void {
    if (expression.kind === 'local') {
      use(this.local(expression.local));
      return;
    }
    const helper = this.#take();
    this.value(expression);
    this.#f.localSet(helper);
    use(helper);
    this.#helpers.push(helper);
  }

  value(expression: Expression): void {
    const f = this.#f;
    switch (expression.kind) {
      case 'const':
        f.i32Const(expression.value);
        return;
      case 'const64':
        f.i64Const(BigInt.asIntN(64, expression.value));
        return;
      case 'local':
        f.localGet(this.local(expression.local));
        return;
      case 'global':
        f.globalGet(this.#to.globals[expression.global] ?? 0);
        return;
      case 'unary':
        this.value(expression.operand);
        this.#unary(expression.operator);
        return;
      case 'binary':
        this.#binary(expression);
        return;
      case 'select':
        this.value(expression.then);
        this.value(expression.otherwise);
        this.value(expression.condition);
        f.select();
        return;
      case 'load':
        if (this.#isMemory) this.value(expression.index);
        else
          this.#heldIndex(expression, (index) => {
            this.#address(expression, index);
          });
        f.emit(LOADS[expression.size]?.[expression.signed && expression.endian === 'little' ? 1 : 0] ?? 'i32Load', [
          expression.displacement,
        ]);
        if (expression.endian === 'big') this.#swap(expression.size);
        return;
      case 'length':
        this.#length(expression.region);
        return;
      case 'fits':
        this.#fits(expression);
    }
  }

  store(place: Place, value: Expression): void {
    const put = (): void => {
      if (place.endian === 'big') this.#swap(place.size);
      this.#f.emit(STORES[place.size] ?? 'i32Store', [place.displacement]);
    };
    if (this.#isMemory) {
      this.value(place.index);
      this.value(value);
      put();
      return;
    }
    this.#heldIndex(place, (index) => {
      // The value comes before the test: of a constant or a local there is nothing to be seen.
      if (value.kind === 'const' || value.kind === 'local') {
        this.#address(place, index);
        this.value(value);
        put();
        return;
      }
      this.held(value, (word) => {
        this.#address(place, index);
        this.#f.localGet(word);
        put();
      });
    });
  }

  /* Regions. */

  /** Whether region 0 is the memory, whose bounds the engine tests. */
  get #isMemory(): boolean {
    return this.#to.firstRegion === undefined;
  }

  /** Runs `use` with a local that holds the index of an access; nothing if that is 0. */
  #heldIndex({ index }: Place, use: (local: number | undefined) => void): void {
    if (index.kind === 'const' && index.value === 0) use(undefined);
    else this.held(index, use);
  }

  /** Makes the test of an access, and its address but for the displacement. */
  #address({ region, guard }: Place, index: number | undefined): void {
    const f = this.#f;
    if (guard !== undefined) {
      this.#outside(region, index, guard);
      this.#run.abortIf(ABORT_BOUNDS);
    }
    f.localGet((this.#to.firstRegion ?? 0) + 2 * region);
    if (index === undefined) return;
    f.localGet(index);
    f.i32Add();
  }

  /** The length of a region in bytes. */
  #length(region: number): void {
    const f = this.#f;
    if (this.#to.firstRegion !== undefined) {
      f.localGet(this.#to.firstRegion + 2 * region + 1);
      return;
    }
    f.memorySize();
    f.i32Const(16);
    f.i32Shl();
  }

  /** 1 if not all bytes that are tested are in the region. */
  #outside(region: number, index: number | undefined, { extent, floor, span }: Guard): void {
    const f = this.#f;
    if (extent > 0xffffffff) {
      f.i32Const(1);
      return;
    }
    if (floor) {
      this.#length(region);
      f.i32Const(extent);
      f.i32LtU();
    }
    if (!span || index === undefined) return;
    this.#length(region);
    if (extent === 1) {
      f.localGet(index);
      f.i32LeU();
    } else {
      f.i32Const(extent);
      f.i32Sub();
      f.localGet(index);
      f.i32LtU();
    }
    if (floor) f.i32Or();
  }

  #unary(operator: Extract<Expression, { kind: 'unary' }>['operator']): void {
    const f = this.#f;
    switch (operator) {
      case 'bswap16':
        this.#swap(2);
        return;
      case 'bswap32':
        this.#swap(4);
        return;
      case 'extend8':
        f.i32Extend8S();
        return;
      case 'extend16':
        f.i32Extend16S();
        return;
      case 'wrap':
        f.i32WrapI64();
        return;
      case 'high':
        f.i64Const(32n);
        f.i64ShrU();
        f.i32WrapI64();
        return;
      case 'extendu':
        f.i64ExtendI32U();
        return;
      case 'extends':
        f.i64ExtendI32S();
    }
  }

  #binary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>): void {
    const f = this.#f;
    if (operator === 'divu' || operator === 'divs' || operator === 'remu' || operator === 'rems') {
      this.#divide(operator, left, right);
      return;
    }
    this.value(left);
    if (operator === 'pair') {
      f.i64ExtendI32U();
      f.i64Const(32n);
      f.i64Shl();
      this.value(right);
      f.i64ExtendI32U();
      f.i64Or();
      return;
    }
    this.value(right);
    const [of, count] = BINARY[operator];
    if (of === 'i64' && count === 'i32') f.i64ExtendI32U();
    f.emit(PLAIN[operator] ?? 'unreachable', []);
  }

  #divide(operator: 'divu' | 'divs' | 'remu' | 'rems', left: Expression, right: Expression): void {
    const f = this.#f;
    if (right.kind === 'const' && right.value !== 0 && (operator !== 'divs' || right.value !== 0xffffffff)) {
      this.value(left);
      this.value(right);
      f.emit(PLAIN[operator] ?? 'unreachable', []);
      return;
    }
    const dividend = this.#take();
    this.value(left);
    f.localSet(dividend);
    this.held(right, (divisor) => {
      f.localGet(divisor);
      f.i32Eqz();
      if (operator === 'divs') {
        f.localGet(dividend);
        f.i32Const(-0x80000000);
        f.i32Eq();
        f.localGet(divisor);
        f.i32Const(-1);
        f.i32Eq();
        f.i32And();
        f.i32Or();
      }
      this.#run.abortIf(ABORT_DIVIDE);
      f.localGet(dividend);
      f.localGet(divisor);
    });
    f.emit(PLAIN[operator] ?? 'unreachable', []);
    this.#helpers.push(dividend);
  }

  #fits({ region, index, bytes, guard }: Extract<Expression, { kind: 'fits' }>): void {
    const f = this.#f;
    if (!this.#isMemory && guard !== undefined) {
      if (guard.span)
        this.held(index, (local) => {
          this.#outside(region, local, guard);
        });
      else this.#outside(region, undefined, guard);
      f.i32Eqz();
      return;
    }
    this.value(index);
    f.i64ExtendI32U();
    f.i64Const(BigInt(bytes));
    f.i64Add();
    f.memorySize();
    f.i64ExtendI32U();
    f.i64Const(16n);
    f.i64Shl();
    f.i64LeU();
  }

  /** Exchanges the bytes of the value on the stack; of a half, the upper bytes of the result are 0. */
  #swap(size: Place['size']): void {
    if (size === 1) return;
    const f = this.#f;
    if (size === 8) {
      f.unreachable();
      return;
    }
    const x = this.#take();
    f.localSet(x);
    const part = (count: number, shift: 'i32Shl' | 'i32ShrU' | 'i32Rotl', mask: number): void => {
      f.localGet(x);
      f.i32Const(count);
      f[shift]();
      f.i32Const(mask);
      f.i32And();
    };
    // Two bytes: ((x & 0xff) << 8) | ((x >>> 8) & 0xff). Four: the same for alternate bytes, by rotation.
    if (size === 2) {
      part(8, 'i32Shl', 0xff00);
      part(8, 'i32ShrU', 0xff);
    } else {
      part(8, 'i32Rotl', 0x00ff00ff);
      part(24, 'i32Rotl', 0xff00ff00);
    }
    f.i32Or();
    this.#helpers.push(x);
  }
}
