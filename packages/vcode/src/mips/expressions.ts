/**
 * Expressions to MIPS: operands in registers, constants in immediates, guards as branches to the bounds exit.
 *
 * A result is in a temporary (release it after its last use) or in the register of a local (never write it). At least
 * three temporaries must be free when an expression that is not a leaf is selected; an operand that would leave fewer for
 * its neighbour waits in the activation record. Selecting never fails for want of registers.
 */
import { V0, ZERO, type Register } from '@exokernel/isa';
import { alignmentOf } from '../lower/alignment.ts';
import type { Program } from '../program/ir.ts';
import type { Guard, LoweredExpression, LoweredPlace } from '../lower/lowered.ts';
import type { Label, MipsCode } from './code.ts';
import { RECORD, type Frame } from './frame.ts';
import { selectBinary } from './operators.ts';
import type { Held, Selector } from './selector.ts';

/** Where an access goes: a register and an immediate offset. */
export interface Address {
  readonly held: Held;
  readonly offset: number;
}

const RESERVE = 3;
const isLeaf = (node: LoweredExpression): boolean => node.kind === 'const' || node.kind === 'local';

/** Selects expressions and keeps account of the temporaries. */
export class ExpressionSelector implements Selector {
  readonly code: MipsCode;
  readonly frame: Frame;
  readonly #program: Program;
  readonly #alignments: readonly number[];
  readonly #boundsExit: Label;
  readonly #divideExit: Label;
  readonly #busy = new Set<Register>();
  /** Temporaries, the longest unused first: neighbours in different registers leave the scheduler room. */
  readonly #order: Register[];
  /** Addresses still in a released temporary, by region and local; valid in the block they were computed in. */
  readonly #addresses = new Map<string, { readonly register: Register; readonly block: number }>();
  #waiting = 0;
  /** Words of the activation record that waiting operands need. */
  mostWaiting = 0;

  constructor(
    code: MipsCode,
    frame: Frame,
    program: Program,
    alignments: readonly number[],
    exits: { bounds: Label; divide: Label },
  ) {
    this.code = code;
    this.frame = frame;
    this.#program = program;
    this.#alignments = alignments;
    this.#boundsExit = exits.bounds;
    this.#divideExit = exits.divide;
    this.#order = [...frame.temporaries.filter((one) => one !== V0), V0];
  }

  /** A free temporary, or the wanted register, which must be the caller's to write. */
  take(wanted?: Register): Held {
    if (wanted !== undefined) return { register: wanted, temporary: false };
    const at = this.#order.findIndex((one) => !this.#busy.has(one));
    const [free] = at < 0 ? [] : this.#order.splice(at, 1);
    if (free === undefined) throw new RangeError('the selector ran out of temporaries');
    // To the end of the order, but before the result register, which is better kept for the result.
    this.#order.splice(free === V0 ? this.#order.length : -1, 0, free);
    return this.claim(free);
  }

  release(held: Held): void {
    if (held.temporary) this.#busy.delete(held.register);
  }

  /** Reserves one particular temporary, which must be free; its content is lost unless it is to be kept. */
  claim(wanted: Register, keep = false): Held {
    if (!keep) {
      for (const [key, { register }] of this.#addresses) if (register === wanted) this.#addresses.delete(key);
    }
    this.#busy.add(wanted);
    return { register: wanted, temporary: true };
  }

  /** The result in whatever register suits; in `wanted` if given. */
  select(node: LoweredExpression, wanted?: Register): Held {
    switch (node.kind) {
      case 'const':
        if (node.value === 0 && wanted === undefined) return { register: ZERO, temporary: false };
        return this.#produce(wanted, (into) => {
          this.code.li(into, node.value);
        });
      case 'local': {
        const home = this.frame.local(node.local);
        if (home === undefined) return this.reload(this.frame.localOffset(node.local), wanted);
        if (wanted === undefined) return { register: home, temporary: false };
        this.code.move(wanted, home);
        return this.take(wanted);
      }
      case 'unary':
        return this.#swapBytes(node, wanted);
      case 'binary':
        return selectBinary(this, node, wanted, this.#divideExit);
      case 'load':
        return this.#load(node, wanted);
      case 'length':
        return this.#length(node.region, wanted);
      case 'fits':
        return this.#fits(node, wanted);
    }
  }

  /** Both operands of something, the left one first. */
  selectPair(left: LoweredExpression, right: LoweredExpression): [Held, Held] {
    const first = this.select(left);
    if (!first.temporary || isLeaf(right) || this.#hasReserve()) return [first, this.select(right)];
    const offset = this.frame.scratchOffset + 4 * this.#waiting;
    this.#waiting += 1;
    this.mostWaiting = Math.max(this.mostWaiting, this.#waiting);
    this.code.emit('sw', [first.register, offset, RECORD]);
    this.release(first);
    const second = this.select(right);
    this.#waiting -= 1;
    return [this.reload(offset), second];
  }

  /** A word of the activation record. */
  reload(offset: number, wanted?: Register): Held {
    return this.#produce(wanted, (into) => {
      this.code.emit('lw', [into, offset, RECORD]);
    });
  }

  /** Branches to `exit` unless the guarded bytes lie in the region. */
  guard(region: number, index: Held, guard: Guard, exit: Label): void {
    this.#test(region, index, guard, exit, undefined);
  }

  /** Branches to `target` if the guarded bytes lie in the region. */
  guardInside(region: number, index: Held, guard: Guard, target: Label): void {
    const outside = this.code.label('outside');
    this.#test(region, index, guard, outside, target);
    this.code.place(outside);
  }

  /** Tests the floor, then the span. The last test branches to `inside` if that is given, else to `outside`. */
  #test(region: number, index: Held, { extent, floor, span }: Guard, outside: Label, inside: Label | undefined): void {
    const length = this.#length(region);
    const test = this.take();
    const { code } = this;
    /** `isOutside`: what the register says when it is not 0. */
    const branch = (isOutside: boolean, isLast: boolean): void => {
      const toInside = isLast && inside !== undefined;
      const mnemonic = isOutside === toInside ? 'beq' : 'bne';
      code.emit(mnemonic, [test.register, ZERO], { target: toInside ? inside : outside, guard: true });
    };
    if (floor) {
      code.emit('sltiu', [test.register, length.register, extent]);
      branch(true, !span);
    }
    if (span && extent === 1) {
      code.emit('sltu', [test.register, index.register, length.register]);
      branch(false, true);
    } else if (span) {
      const last = extent === 0 ? length.register : test.register;
      if (extent !== 0) code.emit('addiu', [test.register, length.register, -extent]);
      code.emit('sltu', [test.register, last, index.register]);
      branch(true, true);
    }
    this.release(test);
    this.release(length);
  }

  /** Tests an access and gives its address; takes over the index. */
  address(place: LoweredPlace, index: Held): Address {
    if (place.guard !== undefined) this.guard(place.region, index, place.guard, this.#boundsExit);
    const offset = place.displacement;
    const key = place.index.kind === 'local' ? `${place.region}+${place.index.local}` : undefined;
    const known = this.#addresses.get(key ?? '');
    if (key !== undefined && known?.block === this.code.blocks && !this.#busy.has(known.register)) {
      this.release(index);
      return { held: this.claim(known.register, true), offset };
    }
    const home = this.frame.base(place.region);
    const base =
      home === undefined ? this.reload(this.frame.baseOffset(place.region)) : { register: home, temporary: false };
    if (index.register === ZERO) return { held: base, offset };
    const sum = index.temporary ? index : base.temporary ? base : this.take();
    this.code.emit('addu', [sum.register, base.register, index.register]);
    if (index.temporary) this.release(base);
    if (key !== undefined) this.#addresses.set(key, { register: sum.register, block: this.code.blocks });
    return { held: sum, offset };
  }

  /** A local gets another value: addresses that were computed from it are of no use any more. */
  forget(local: number): void {
    for (const key of this.#addresses.keys()) if (key.endsWith(`+${local}`)) this.#addresses.delete(key);
  }

  /** Log2 of the largest aligned piece that an access may be made of: 0 bytes, 1 halves, 2 words. */
  alignment(place: LoweredPlace): number {
    const region = this.#program.regions[place.region];
    if (region === undefined) return 0;
    const step = Math.min(region.align, 1 << alignmentOf(place.index, this.#alignments));
    const rest = (region.skew + place.displacement) % step;
    return rest === 0 ? Math.log2(step) : rest === 2 ? 1 : 0;
  }

  #hasReserve(): boolean {
    return this.frame.temporaries.length - this.#busy.size >= RESERVE;
  }

  #produce(wanted: Register | undefined, emit: (into: Register) => void): Held {
    const into = this.take(wanted);
    emit(into.register);
    return into;
  }

  #length(region: number, wanted?: Register): Held {
    const home = this.frame.length(region);
    if (home === undefined) return this.reload(this.frame.lengthOffset(region), wanted);
    if (wanted === undefined) return { register: home, temporary: false };
    this.code.move(wanted, home);
    return this.take(wanted);
  }

  #fits(node: Extract<LoweredExpression, { kind: 'fits' }>, wanted?: Register): Held {
    const { extent, floor, span } = node.guard;
    const { code } = this;
    const index = this.select(node.index);
    const length = this.#length(node.region);
    const short = floor ? this.take() : undefined;
    if (short !== undefined) code.emit('sltiu', [short.register, length.register, extent]);
    const far = span ? (length.temporary ? length : this.take()) : undefined;
    if (far !== undefined && extent === 1) {
      code.emit('sltu', [far.register, index.register, length.register]);
    } else if (far !== undefined) {
      code.emit('addiu', [far.register, length.register, -extent]);
      code.emit('sltu', [far.register, far.register, index.register]);
      if (short !== undefined) code.emit('or', [far.register, far.register, short.register]);
    }
    this.release(index);
    if (short !== undefined) this.release(short);
    if (far !== undefined && far !== length) this.release(far);
    this.release(length);
    const into = this.take(wanted);
    const outside = (far ?? short)?.register ?? ZERO;
    if (far !== undefined && extent === 1) code.move(into.register, outside);
    else code.emit('xori', [into.register, outside, 1]);
    return into;
  }

  #swapBytes(node: Extract<LoweredExpression, { kind: 'unary' }>, wanted?: Register): Held {
    const { code } = this;
    const operand = this.select(node.operand);
    const a = this.take();
    const x = operand.register;
    if (node.operator === 'bswap16') {
      code.emit('srl', [a.register, x, 8]);
      code.emit('andi', [a.register, a.register, 0xff]);
      const into = this.take(wanted);
      code.emit('andi', [into.register, x, 0xff]);
      code.emit('sll', [into.register, into.register, 8]);
      code.emit('or', [into.register, into.register, a.register]);
      this.release(a);
      this.release(operand);
      return into;
    }
    const b = this.take();
    code.emit('srl', [a.register, x, 24]);
    code.emit('sll', [b.register, x, 24]);
    code.emit('or', [a.register, a.register, b.register]);
    code.emit('andi', [b.register, x, 0xff00]);
    code.emit('sll', [b.register, b.register, 8]);
    code.emit('or', [a.register, a.register, b.register]);
    code.emit('srl', [b.register, x, 8]);
    code.emit('andi', [b.register, b.register, 0xff00]);
    this.release(operand);
    this.release(b);
    this.release(a);
    const into = this.take(wanted);
    code.emit('or', [into.register, a.register, b.register]);
    return into;
  }

  #load(node: Extract<LoweredExpression, { kind: 'load' }>, wanted?: Register): Held {
    const { held, offset } = this.address(node, this.select(node.index));
    const { code } = this;
    const from = held.register;
    const alignment = this.alignment(node);
    const little = node.endian === 'little' || node.size === 1;
    if (little && (1 << alignment >= node.size || node.size === 1)) {
      this.release(held);
      const into = this.take(wanted);
      code.emit(node.size === 4 ? 'lw' : node.size === 2 ? 'lhu' : 'lbu', [into.register, offset, from]);
      return into;
    }
    if (little && node.size === 4) {
      const into = this.take(wanted);
      code.emit('lwr', [into.register, offset, from]);
      code.emit('lwl', [into.register, offset + 3, from]);
      this.release(held);
      return into;
    }
    // Byte by byte, the most significant first.
    const sum = this.take();
    const part = this.take();
    const at = (i: number): number => offset + (little ? node.size - 1 - i : i);
    code.emit('lbu', [sum.register, at(0), from]);
    for (let i = 1; i < node.size; i += 1) {
      code.emit('lbu', [part.register, at(i), from]);
      code.emit('sll', [sum.register, sum.register, 8]);
      if (i < node.size - 1) code.emit('or', [sum.register, sum.register, part.register]);
    }
    this.release(held);
    this.release(part);
    this.release(sum);
    const into = this.take(wanted);
    code.emit('or', [into.register, sum.register, part.register]);
    return into;
  }
}
