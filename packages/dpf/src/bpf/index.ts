/** The classic BPF machine: its programs as text and as numbers, which of them may run, and what they do. */
export { BPF, BPF_ANCILLARY, BPF_MAX_INSTRUCTIONS, BPF_MEMORY_WORDS, type BpfInstruction } from './instruction.ts';
export { decodeBpf, encodeBpf, formatBpf, formatInstruction, parseBpf } from './text.ts';
export { runBpf, type Ancillary } from './run.ts';
export { validateBpf } from './validate.ts';
