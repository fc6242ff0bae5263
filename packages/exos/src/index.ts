/** ExOS, the Unix-like library operating system. */
export { exos, exosInverted, type ExosInterface } from './exos.ts';
export { BAD_ADDRESS, KILLED } from './process.ts';
export { emitFloatUse } from './float.ts';
export { emitGive } from './directed-yield.ts';
export { emitPipeReadWord, emitPipeWriteWord } from './pipe-inlined.ts';
export { emitTrustedCall, emitTrustedReply } from './lrpc.ts';
export { DESCRIPTORS, UEXOS } from './layout.ts';
