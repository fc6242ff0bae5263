/** vcode: small programs for downloading and whole modules, one IR, three back ends; see docs/compiler.md. */
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
export { interpret, type RunInput, type RunResult } from './downloaded/interpret.ts';
export {
  compileWasm,
  createMemory,
  instantiate,
  type HostMemory,
  type Instance,
  type WasmOptions,
} from './downloaded/wasm.ts';
export { compileMips, isBounded, maxCost, sectionCosts, type MipsProgram } from './downloaded/mips.ts';
export { mipsListing } from './downloaded/listing.ts';
export { ACTIVATION, activationRegion } from './ir/record.ts';
export { VcodeError, type VcodeErrorCode } from './program/error.ts';
export { ABORT_STACK, ABORT_TABLE, ABORT_UNREACHABLE } from './ir/abort.ts';
export type { Data, Func, Global, Import, Module, Signature, ValueType, Variable } from './ir/ir.ts';
export type { ImportCode } from './ir/imports.ts';
export type { CheckedRecord, OwnRecord, RecordLayout } from './ir/record.ts';
export { fromWasm, type FromWasmOptions } from './from-wasm/module.ts';
export { interpretModule } from './run/interpreter.ts';
export { instantiateModule } from './run/host.ts';
export type { Allowance, HostFunction, InstanceOptions, ModuleInstance, Outcome, Value } from './run/instance.ts';
export { compileChecked, compileOwn, type CheckedCode, type OwnCode } from './r3000/compile.ts';
export { enterSymbol, functionSymbol, type Linked, type Piece } from './r3000/link.ts';
export { decodeProgram, encodeProgram } from './program/encoding.ts';
export { formatProgram } from './program/format.ts';
