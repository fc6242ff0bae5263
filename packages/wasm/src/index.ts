/** WebAssembly module encoder. */
export { ModuleBuilder, type MemoryLimits } from './module-builder.ts';
export { I32, I64, type FunctionBuilder, type ValueType } from './function-builder.ts';
export { OPCODES, type ImmediateKind, type OpcodeName } from './opcodes.ts';
export { ByteWriter } from './byte-writer.ts';
export { WasmError, type WasmErrorCode } from './error.ts';
