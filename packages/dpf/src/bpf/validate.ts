/** Which BPF programs may run: those whose every path ends, inside the program, at a `ret`. */
import { DpfError } from '../error.ts';
import { BPF, BPF_MAX_INSTRUCTIONS, BPF_MEMORY_WORDS, type BpfInstruction } from './instruction.ts';
import { BY_CODE } from './operations-table.ts';

const isInteger = (value: number, most: number): boolean => Number.isInteger(value) && value >= 0 && value <= most;

function flaw(program: readonly BpfInstruction[], at: number, { code, jt, jf, k }: BpfInstruction): string | undefined {
  const operation = BY_CODE.get(code);
  if (operation === undefined) return `there is no operation 0x${code.toString(16)}`;
  if (!isInteger(jt, 255) || !isInteger(jf, 255) || !isInteger(k, 0xffff_ffff)) return 'a field is out of its range';
  if (operation.branches && at + 1 + Math.max(jt, jf) >= program.length) return 'it jumps beyond the end';
  if (code === BPF.JA && at + 1 + k >= program.length) return 'it jumps backwards or beyond the end';
  if (operation.operand === 'memory' && k >= BPF_MEMORY_WORDS) return `memory has ${BPF_MEMORY_WORDS} words`;
  if ((code === BPF.DIV_K || code === BPF.MOD_K) && k === 0) return 'it divides by 0';
  if ((code === BPF.LSH_K || code === BPF.RSH_K) && k > 31) return 'it shifts by more than 31 bits';
  return undefined;
}

/**
 * Throws `malformed` unless the program has from 1 to 1,048,576 known instructions, its jumps go forward and stay inside, it
 * ends with `ret`, no constant divides by 0 or shifts by more than 31, and memory is used within its 16 words. Such a
 * program ends after at most as many steps as it has instructions.
 */
export function validateBpf(program: readonly BpfInstruction[]): void {
  if (program.length < 1 || program.length > BPF_MAX_INSTRUCTIONS)
    throw new DpfError(
      'malformed',
      `A BPF program has 1 to ${BPF_MAX_INSTRUCTIONS} instructions, not ${program.length}.`,
      {
        length: program.length,
      },
    );
  program.forEach((instruction, at) => {
    const why = flaw(program, at, instruction);
    if (why !== undefined)
      throw new DpfError('malformed', `Instruction ${at} of the BPF program: ${why}.`, { at, instruction });
  });
  const last = program.at(-1)?.code;
  if (last !== BPF.RET_K && last !== BPF.RET_A)
    throw new DpfError('malformed', 'The last instruction of a BPF program must be ret.', { at: program.length - 1 });
}
