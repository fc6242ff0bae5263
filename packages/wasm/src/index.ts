/** WebAssembly modules: encoder, decoder and validator. */
export { ModuleBuilder, type MemoryLimits } from './module-builder.ts';
export { I32, I64, type FunctionBuilder, type ValueType } from './function-builder.ts';
export { OPCODES, type ImmediateKind, type OpcodeName } from './opcodes.ts';
export { ByteWriter } from './byte-writer.ts';
export { WasmError, type WasmErrorCode } from './error.ts';
export { decodeModule } from './decode.ts';
export type {
  ConstantExpression,
  DataSegment,
  ElementSegment,
  FunctionType,
  GlobalType,
  Limits,
  WasmExport,
  WasmFunction,
  WasmImport,
  WasmModule,
  WasmType,
} from './module.ts';
export { TYPE_NUMBERS, type Code } from './validate-function.ts';
export { validateModule, type ValidModule } from './validate.ts';
export { INSTRUCTION_SET } from './instruction-set.ts';
