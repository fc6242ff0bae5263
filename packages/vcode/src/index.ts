/** vcode: a small typed IR for downloaded code, with three back ends. */
export {
  ABORT_BOUNDS,
  ABORT_DIVIDE,
  ABORT_FUEL,
  ABORT_OWN,
  BINARY_OPERATORS,
  LIMITS,
  RETURNED,
  UNARY_OPERATORS,
  type BinaryOperator,
  type Body,
  type Endian,
  type Expression,
  type Loop,
  type Place,
  type Program,
  type Region,
  type Size,
  type Statement,
  type SwitchCase,
  type UnaryOperator,
} from './program/ir.ts';
export {
  add,
  and,
  bswap16,
  bswap32,
  constant,
  defineProgram,
  divu,
  eq,
  les,
  leu,
  lts,
  ltu,
  mul,
  ne,
  not,
  or,
  ProgramBuilder,
  RegionHandle,
  remu,
  sar,
  shl,
  shr,
  sub,
  xor,
  type Local,
  type Operand,
  type RegionOptions,
} from './program/builder.ts';
export { validateProgram } from './program/validate.ts';
export { interpret, type RunInput, type RunResult } from './interpreter.ts';
export { compileWasm, type WasmOptions } from './wasm/compile.ts';
export { createMemory, instantiate, type HostMemory, type Instance } from './wasm/host.ts';
export { compileMips, sectionCosts, type MipsProgram } from './mips/compile.ts';
export { mipsListing } from './mips/listing.ts';
export { ACTIVATION, activationRegion } from './mips/frame.ts';
export { isBounded, maxCost } from './mips/bounds.ts';
export { VcodeError, type VcodeErrorCode } from './program/error.ts';
export { decodeProgram, encodeProgram } from './program/encoding.ts';
export { formatProgram } from './program/format.ts';
