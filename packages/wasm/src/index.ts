/** WebAssembly modules: encoder, decoder and validator. */
export { ModuleBuilder, type MemoryLimits } from './module-builder.ts';
export { I32, I64, type FunctionBuilder, type ValueType } from './function-builder.ts';
export { OPCODES, type ImmediateKind, type OpcodeName } from './opcodes.ts';
export { ByteWriter } from './byte-writer.ts';
export { WasmError, type WasmErrorCode } from './error.ts';
export {
  decodeModule,
  type ConstantExpression,
  type DataSegment,
  type ElementSegment,
  type FunctionType,
  type GlobalType,
  type Limits,
  type WasmExport,
  type WasmFunction,
  type WasmImport,
  type WasmModule,
  type WasmType,
} from './decode.ts';
export { TYPE_NUMBERS, validateModule, type Code, type ValidModule } from './validate.ts';
export { INSTRUCTION_SET } from './instruction-set.ts';
