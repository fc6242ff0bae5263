/**
 * The instructions that the emitter can write: `method: [opcode, immediates]`.
 *
 * Adding an instruction is adding a row; the emitter's methods and their types derive from the table. Floating point,
 * vectors, references, exceptions and passive data have no rows: nothing here emits them.
 *
 * Source: [WASM §5.4].
 */

/**
 * Immediates: `index` a local, global or function index; `label` how many blocks outward a branch goes; `memory` the
 * constant offset of an access (the alignment hint is always "unaligned", which costs nothing on today's engines);
 * `i32`, `i64` constants; `block` the optional result of a block; `labels` a branch table; `indirect` a type and a table;
 * `zero` a reserved byte; `copy` and `fill` what stands behind the prefix of these two.
 */
export type ImmediateKind =
  '' | 'index' | 'label' | 'memory' | 'i32' | 'i64' | 'block' | 'labels' | 'indirect' | 'zero' | 'copy' | 'fill';

/* prettier-ignore */
export const OPCODES = {
  unreachable: [0x00, ''], nop: [0x01, ''],
  block: [0x02, 'block'], loop: [0x03, 'block'], if: [0x04, 'block'], else: [0x05, ''], end: [0x0b, ''],
  br: [0x0c, 'label'], brIf: [0x0d, 'label'], brTable: [0x0e, 'labels'], return: [0x0f, ''],
  call: [0x10, 'index'], callIndirect: [0x11, 'indirect'], returnCallIndirect: [0x13, 'indirect'],
  drop: [0x1a, ''], select: [0x1b, ''],
  localGet: [0x20, 'index'], localSet: [0x21, 'index'], localTee: [0x22, 'index'],
  globalGet: [0x23, 'index'], globalSet: [0x24, 'index'],
  i32Load: [0x28, 'memory'], i64Load: [0x29, 'memory'],
  i32Load8S: [0x2c, 'memory'], i32Load8U: [0x2d, 'memory'], i32Load16S: [0x2e, 'memory'], i32Load16U: [0x2f, 'memory'],
  i64Load8S: [0x30, 'memory'], i64Load8U: [0x31, 'memory'], i64Load16S: [0x32, 'memory'], i64Load16U: [0x33, 'memory'],
  i64Load32S: [0x34, 'memory'], i64Load32U: [0x35, 'memory'],
  i32Store: [0x36, 'memory'], i64Store: [0x37, 'memory'],
  i32Store8: [0x3a, 'memory'], i32Store16: [0x3b, 'memory'],
  i64Store8: [0x3c, 'memory'], i64Store16: [0x3d, 'memory'], i64Store32: [0x3e, 'memory'],
  memorySize: [0x3f, 'zero'], memoryGrow: [0x40, 'zero'],
  i32Const: [0x41, 'i32'], i64Const: [0x42, 'i64'],
  i32Eqz: [0x45, ''], i32Eq: [0x46, ''], i32Ne: [0x47, ''],
  i32LtS: [0x48, ''], i32LtU: [0x49, ''], i32GtS: [0x4a, ''], i32GtU: [0x4b, ''],
  i32LeS: [0x4c, ''], i32LeU: [0x4d, ''], i32GeS: [0x4e, ''], i32GeU: [0x4f, ''],
  i64Eqz: [0x50, ''], i64Eq: [0x51, ''], i64Ne: [0x52, ''],
  i64LtS: [0x53, ''], i64LtU: [0x54, ''], i64GtS: [0x55, ''], i64GtU: [0x56, ''],
  i64LeS: [0x57, ''], i64LeU: [0x58, ''], i64GeS: [0x59, ''], i64GeU: [0x5a, ''],
  i32Clz: [0x67, ''], i32Ctz: [0x68, ''], i32Popcnt: [0x69, ''],
  i32Add: [0x6a, ''], i32Sub: [0x6b, ''], i32Mul: [0x6c, ''],
  i32DivS: [0x6d, ''], i32DivU: [0x6e, ''], i32RemS: [0x6f, ''], i32RemU: [0x70, ''],
  i32And: [0x71, ''], i32Or: [0x72, ''], i32Xor: [0x73, ''],
  i32Shl: [0x74, ''], i32ShrS: [0x75, ''], i32ShrU: [0x76, ''], i32Rotl: [0x77, ''], i32Rotr: [0x78, ''],
  i64Clz: [0x79, ''], i64Ctz: [0x7a, ''], i64Popcnt: [0x7b, ''],
  i64Add: [0x7c, ''], i64Sub: [0x7d, ''], i64Mul: [0x7e, ''],
  i64DivS: [0x7f, ''], i64DivU: [0x80, ''], i64RemS: [0x81, ''], i64RemU: [0x82, ''],
  i64And: [0x83, ''], i64Or: [0x84, ''], i64Xor: [0x85, ''],
  i64Shl: [0x86, ''], i64ShrS: [0x87, ''], i64ShrU: [0x88, ''], i64Rotl: [0x89, ''], i64Rotr: [0x8a, ''],
  i32WrapI64: [0xa7, ''], i64ExtendI32S: [0xac, ''], i64ExtendI32U: [0xad, ''],
  i32Extend8S: [0xc0, ''], i32Extend16S: [0xc1, ''],
  i64Extend8S: [0xc2, ''], i64Extend16S: [0xc3, ''], i64Extend32S: [0xc4, ''],
  memoryCopy: [0xfc, 'copy'], memoryFill: [0xfc, 'fill'],
} as const;

export type OpcodeName = keyof typeof OPCODES;
