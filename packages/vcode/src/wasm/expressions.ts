/**
 * Expressions to WebAssembly: each leaves its value on the operand stack.
 *
 * A guard needs the index twice, so an index that is neither constant nor a local goes through a helper local; helpers are
 * handed out like a stack and come back before the next sibling needs one.
 */
import { I32, type FunctionBuilder, type OpcodeName } from '@exokernel/wasm';
import type { BinaryOperator, Program, Size } from '../program/ir.ts';
import type { Guard, LoweredExpression, LoweredPlace } from '../lower/lowered.ts';

/** A block that is open, to branch out of. */
export interface Exit {
  readonly depth: number;
}

const OPERATORS: Record<BinaryOperator, OpcodeName> = {
  add: 'i32Add',
  sub: 'i32Sub',
  mul: 'i32Mul',
  and: 'i32And',
  or: 'i32Or',
  xor: 'i32Xor',
  shl: 'i32Shl',
  shr: 'i32ShrU',
  sar: 'i32ShrS',
  divu: 'i32DivU',
  remu: 'i32RemU',
  eq: 'i32Eq',
  ne: 'i32Ne',
  ltu: 'i32LtU',
  leu: 'i32LeU',
  lts: 'i32LtS',
  les: 'i32LeS',
};

/** Emits expressions into one function. */
export class WasmExpressions {
  readonly #f: FunctionBuilder;
  readonly #regions: number;
  readonly #helpers: number[] = [];
  /** Where failed guards and divisions go; set once the blocks are open. */
  boundsExit: Exit = { depth: 0 };
  divideExit: Exit = { depth: 0 };

  constructor(f: FunctionBuilder, program: Program) {
    this.#f = f;
    this.#regions = program.regions.length;
  }

  /** The WebAssembly local of a local of the program: behind fuel and regions come parameters, then the others. */
  local(local: number): number {
    return 1 + 2 * this.#regions + local;
  }

  /** Takes a helper local. */
  take(): number {
    return this.#helpers.pop() ?? this.#f.local(I32);
  }

  release(helper: number): void {
    this.#helpers.push(helper);
  }

  /** Branches out if the value on the stack is not 0. */
  leaveIf(exit: Exit): void {
    this.#f.brIf(this.#f.depth - exit.depth);
  }

  value(node: LoweredExpression): void {
    const f = this.#f;
    switch (node.kind) {
      case 'const':
        f.i32Const(node.value);
        return;
      case 'local':
        f.localGet(this.local(node.local));
        return;
      case 'unary':
        this.value(node.operand);
        this.swapBytes(node.operator === 'bswap16' ? 2 : 4);
        return;
      case 'binary':
        this.#binary(node);
        return;
      case 'load':
        this.#load(node);
        return;
      case 'length':
        this.#length(node.region);
        return;
      case 'fits':
        this.#fits(node);
    }
  }

  /** Exchanges the bytes of the value on the stack; of a half, the upper bytes of the result are 0. */
  swapBytes(size: Size): void {
    if (size === 1) return;
    const f = this.#f;
    const x = this.take();
    f.localSet(x);
    // Two bytes: ((x & 0xff) << 8) | ((x >>> 8) & 0xff). Four: the same for alternate bytes, by rotation.
    const parts =
      size === 2
        ? ([
            [8, 'i32Shl', 0xff00],
            [8, 'i32ShrU', 0xff],
          ] as const)
        : ([
            [8, 'i32Rotl', 0x00ff00ff],
            [24, 'i32Rotl', 0xff00ff00],
          ] as const);
    for (const [count, shift, mask] of parts) {
      f.localGet(x);
      f.i32Const(count);
      f[shift]();
      f.i32Const(mask);
      f.i32And();
    }
    f.i32Or();
    this.release(x);
  }

  /** Runs `use` with a local that holds the value (-1: it is the constant 0). */
  held(node: LoweredExpression, use: (local: number) => void): void {
    if (node.kind === 'const' && node.value === 0) use(-1);
    else if (node.kind === 'local') use(this.local(node.local));
    else {
      const helper = this.take();
      this.value(node);
      this.#f.localSet(helper);
      use(helper);
      this.release(helper);
    }
  }

  /** Leaves through the bounds exit unless the guard holds. */
  guard(place: LoweredPlace, index: number): void {
    if (place.guard === undefined) return;
    this.#outside(place.region, index, place.guard);
    this.leaveIf(this.boundsExit);
  }

  /** The address of an access whose guard has passed, without the displacement. */
  address(place: LoweredPlace, index: number): void {
    const f = this.#f;
    f.localGet(1 + 2 * place.region);
    if (index < 0) return;
    f.localGet(index);
    f.i32Add();
  }

  #length(region: number): void {
    this.#f.localGet(2 + 2 * region);
  }

  /** 1 if the guarded bytes are not all in the region. */
  #outside(region: number, index: number, { extent, floor, span }: Guard): void {
    const f = this.#f;
    if (floor) {
      this.#length(region);
      f.i32Const(extent);
      f.i32LtU();
    }
    if (!span) return;
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

  #fits(node: Extract<LoweredExpression, { kind: 'fits' }>): void {
    this.held(node.index, (index) => {
      this.#outside(node.region, index, node.guard);
      this.#f.i32Eqz();
    });
  }

  #binary({ operator, left, right }: Extract<LoweredExpression, { kind: 'binary' }>): void {
    const f = this.#f;
    this.value(left);
    if ((operator === 'divu' || operator === 'remu') && (right.kind !== 'const' || right.value === 0)) {
      const divisor = this.take();
      this.value(right);
      f.localTee(divisor);
      f.i32Eqz();
      this.leaveIf(this.divideExit);
      f.localGet(divisor);
      this.release(divisor);
    } else if (operator === 'eq' && right.kind === 'const' && right.value === 0) {
      f.i32Eqz();
      return;
    } else this.value(right);
    f.emit(OPERATORS[operator], []);
  }

  #load(node: Extract<LoweredExpression, { kind: 'load' }>): void {
    const f = this.#f;
    const access = (index: number): void => {
      this.guard(node, index);
      this.address(node, index);
    };
    this.held(node.index, access);
    if (node.size === 1) f.i32Load8U(node.displacement);
    else if (node.size === 2) f.i32Load16U(node.displacement);
    else f.i32Load(node.displacement);
    if (node.endian === 'big') this.swapBytes(node.size);
  }
}
