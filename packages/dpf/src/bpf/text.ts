/**
 * BPF programs as text: the listing that `tcpdump -d` prints, and the numbers of `tcpdump -ddd` (a count, then a line of
 * `code jt jf k` for each instruction). What cannot be read is refused with its line.
 */
import { DpfError } from '../error.ts';
import { BPF_ANCILLARY, type BpfInstruction } from './instruction.ts';
import { ANCILLARY_NAMES, BY_CODE, OPERATIONS, type Operand, type Operation } from './operations-table.ts';

const ANCILLARY_BY_OFFSET = new Map([...ANCILLARY_NAMES].map(([name, offset]) => [BPF_ANCILLARY + offset, name]));

function operandText({ operand }: Operation, k: number, at: number): string {
  switch (operand) {
    case 'none':
      return '';
    case 'x':
      return 'x';
    case 'length':
      return '#pktlen';
    case 'hex':
      return `#0x${k.toString(16)}`;
    case 'decimal':
      return `#${k | 0}`;
    case 'absolute':
      return `[${ANCILLARY_BY_OFFSET.get(k) ?? String(k | 0)}]`;
    case 'indexed':
      return `[x + ${k | 0}]`;
    case 'header':
      return `4*([${k | 0}]&0xf)`;
    case 'memory':
      return `M[${k | 0}]`;
    case 'jump':
      return String((at + 1 + k) | 0);
  }
}

/** One line of a listing: the instruction at position `at`. */
export function formatInstruction(instruction: BpfInstruction, at: number): string {
  const { code, jt, jf, k } = instruction;
  const operation = BY_CODE.get(code);
  const head = `(${String(at).padStart(3, '0')}) `;
  if (operation === undefined) return `${head}${'unimp'.padEnd(8)} 0x${code.toString(16)}`;
  const operand = operandText(operation, k, at);
  if (operation.branches)
    return `${head}${operation.name.padEnd(8)} ${operand.padEnd(16)} jt ${at + 1 + jt}\tjf ${at + 1 + jf}`;
  return operand === '' ? head + operation.name : `${head}${operation.name.padEnd(8)} ${operand}`;
}

/** A program as a listing, a line for each instruction. */
export function formatBpf(program: readonly BpfInstruction[]): string {
  return program.map(formatInstruction).join('\n');
}

const OPERANDS: Readonly<Record<Operand, RegExp>> = {
  none: /^$/,
  x: /^x$/,
  length: /^#pktlen$/,
  hex: /^#(0x[0-9a-f]{1,8}|-?\d{1,10})$/i,
  decimal: /^#(0x[0-9a-f]{1,8}|-?\d{1,10})$/i,
  absolute: /^\[(-?\d{1,10}|[a-z_]+)\]$/,
  indexed: /^\[x \+ (-?\d{1,10})\]$/,
  header: /^4\*\(\[(-?\d{1,10})\]&0xf\)$/,
  memory: /^M\[(\d{1,10})\]$/,
  jump: /^(-?\d{1,10})$/,
};

function refuse(line: number, text: string, why: string): never {
  throw new DpfError('malformed', `line ${line + 1} of the BPF listing, "${text.slice(0, 80)}": ${why}`, {
    line: line + 1,
    text,
  });
}

function valueOf(operand: Operand, text: string, at: number): number | undefined {
  if (operand === 'jump') return (Number(text) - at - 1) >>> 0;
  if (operand === 'absolute' && /^[a-z]/.test(text)) {
    const offset = ANCILLARY_NAMES.get(text);
    return offset === undefined ? undefined : BPF_ANCILLARY + offset;
  }
  const value = Number(text);
  return value < -0x8000_0000 || value > 0xffff_ffff ? undefined : value >>> 0;
}

/** The instruction that one line of a listing stands for. */
function parseLine(text: string, index: number): BpfInstruction {
  const line = text.replace(/;.*$/, '').trim();
  const match = /^\((\d{1,9})\)\s+(\w+)\s*(.*?)(?:\s+jt\s+(\d{1,10})\s+jf\s+(\d{1,10}))?$/.exec(line);
  if (match === null) return refuse(index, text, 'it is not of the form "(000) ldh [12]".');
  const [, position = '', name = '', operand = '', yes, no] = match;
  const at = Number(position);
  if (at !== index) return refuse(index, text, `instruction ${index} is expected here.`);
  const operation = OPERATIONS.find(
    (one) => one.name === name && OPERANDS[one.operand].test(operand) && one.branches === (yes !== undefined),
  );
  if (operation === undefined) return refuse(index, text, 'there is no such operation.');
  const raw = OPERANDS[operation.operand].exec(operand)?.[1];
  const k = raw === undefined ? 0 : valueOf(operation.operand, raw, at);
  if (k === undefined) return refuse(index, text, 'its operand is no word.');
  const [jt, jf] = operation.branches ? [Number(yes) - at - 1, Number(no) - at - 1] : [0, 0];
  if (jt < 0 || jt > 255 || jf < 0 || jf > 255) return refuse(index, text, 'a branch goes up to 255 forward.');
  return { code: operation.code, jt, jf, k };
}

/** Reads a listing as `formatBpf` and `tcpdump -d` write it. What follows a semicolon is a remark. */
export function parseBpf(listing: string): BpfInstruction[] {
  return listing
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseLine);
}

/** A program as the numbers that `tcpdump -ddd` prints. */
export function encodeBpf(program: readonly BpfInstruction[]): string {
  return [String(program.length), ...program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`), ''].join('\n');
}

/** Reads the numbers of `tcpdump -ddd`. */
export function decodeBpf(text: string): BpfInstruction[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const [first = '', ...rest] = lines;
  if (!/^\s*\d{1,9}\s*$/.test(first) || Number(first) !== rest.length)
    refuse(0, first, `it should be the number of the lines that follow (${rest.length}).`);
  return rest.map((line, index) => {
    const match = /^\s*(\d{1,5})\s+(\d{1,3})\s+(\d{1,3})\s+(\d{1,10})\s*$/.exec(line);
    if (match === null) return refuse(index + 1, line, 'it is not of the form "40 0 0 12".');
    const [code = 0, jt = 0, jf = 0, k = 0] = match.slice(1).map(Number);
    if (code > 0xffff || jt > 255 || jf > 255 || k > 0xffff_ffff)
      return refuse(index + 1, line, 'a number is too large.');
    return { code, jt, jf, k };
  });
}
