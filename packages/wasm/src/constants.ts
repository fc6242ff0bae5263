/** Constant expressions: initial values and offsets. Source: [WASM §3.3.7]. */
import type { ByteReader } from './byte-reader.ts';
import type { ConstantExpression, GlobalType, WasmType } from './module.ts';
import { invalid, unsupported } from './types.ts';

/** Arithmetic in constant expressions, from WebAssembly 3.0: compilers emit it for addresses. */
const ARITHMETIC: Readonly<Record<number, readonly ['add' | 'sub' | 'mul', 'i32' | 'i64']>> = {
  0x6a: ['add', 'i32'],
  0x6b: ['sub', 'i32'],
  0x6c: ['mul', 'i32'],
  0x7c: ['add', 'i64'],
  0x7d: ['sub', 'i64'],
  0x7e: ['mul', 'i64'],
};

/** What a constant expression may name, as far as it is decoded. */
export interface KnownGlobals {
  readonly imported: readonly GlobalType[];
  readonly own: readonly GlobalType[];
}

/**
 * A constant expression of a type, with its `end`. A global's initial value may only name imported globals, as in WebAssembly 2.0; an offset may name the
 * module's own, as in 3.0.
 */
export function readConstant(
  r: ByteReader,
  type: WasmType,
  globals: KnownGlobals,
  isOffset: boolean,
): ConstantExpression {
  const stack: { readonly value: ConstantExpression; readonly type: WasmType }[] = [];
  for (;;) {
    const offset = r.position;
    const opcode = r.byte();
    if (opcode === 0x0b) break;
    switch (opcode) {
      case 0x41:
        stack.push({ value: { kind: 'i32', value: r.signed() >>> 0 }, type: 'i32' });
        break;
      case 0x42:
        stack.push({ value: { kind: 'i64', value: BigInt.asUintN(64, r.signed64()) }, type: 'i64' });
        break;
      case 0x43:
        stack.push({ value: { kind: 'f32', value: littleEndian(r.take(4)) }, type: 'f32' });
        break;
      case 0x44: {
        const bits = r.take(8);
        const value = BigInt(littleEndian(bits)) | (BigInt(littleEndian(bits.subarray(4))) << 32n);
        stack.push({ value: { kind: 'f64', value }, type: 'f64' });
        break;
      }
      case 0x23: {
        const global = r.unsigned();
        const { imported, own } = globals;
        const known = imported[global] ?? (isOffset ? own[global - imported.length] : undefined);
        if (known === undefined) return invalid(r, 'unknown global');
        if (known.mutable) invalid(r, 'constant expression required');
        stack.push({ value: { kind: 'global', global }, type: known.type });
        break;
      }
      default: {
        if (opcode === 0xd0 || opcode === 0xd2) unsupported('references in constant expressions', offset);
        const operator = ARITHMETIC[opcode];
        if (operator === undefined) return invalid(r, 'constant expression required');
        const [right, left] = [stack.pop(), stack.pop()];
        const [kind, of] = operator;
        if (left?.type !== of || right?.type !== of) return invalid(r, 'type mismatch');
        stack.push({ value: { kind, type: of, left: left.value, right: right.value }, type: of });
      }
    }
  }
  const [only] = stack;
  if (only === undefined || stack.length > 1 || only.type !== type) return invalid(r, 'type mismatch');
  return only.value;
}

function littleEndian(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 24)) >>> 0;
}
