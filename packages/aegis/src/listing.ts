/**
 * The kernel's text as a listing: labels, notes, and the names of the fields that its loads and stores reach.
 *
 * A line names a field only if it is certain which record a base register points to: since the last label it was loaded from
 * KP.env, KP.slice or SLICE.running, or computed from the address of the environments. Other offsets stay numbers. What stands in a
 * delay slot is indented once more.
 */
import { CALLS, ENV, SLICE } from '@exokernel/abi';
import { decode, disassemble, effects, type Assembly } from '@exokernel/isa';
import { kernelImage } from './kernel-image.ts';
import { KP, KSEG0, NATIVE, PHYSICAL } from './layout.ts';

/** A record, by its name, and its fields by their offset. */
interface Layout {
  readonly name: string;
  readonly fields: readonly (readonly [name: string, offset: number])[];
}

const layout = (name: string, fields: Readonly<Record<string, number>>): Layout => ({
  name,
  fields: Object.entries(fields).sort(([, a], [, b]) => b - a),
});
const KERNEL_PAGE = layout('KP', KP);
const ENVIRONMENT = layout('ENV', ENV);
const SLOT = layout('SLICE', SLICE);
/** The upper half of the address of the environments' table, which alone a register may hold. */
const TABLE: Layout = { name: '', fields: [] };
const TABLE_UPPER = (KSEG0 + PHYSICAL.environments) >>> 16;

/** What a load of this field gives a pointer to. */
const POINTERS: ReadonlyMap<string, Layout> = new Map([
  ['KP.env', ENVIRONMENT],
  ['KP.slice', SLOT],
  ['SLICE.running', ENVIRONMENT],
]);

/** The kernel's native functions by number. */
const NATIVE_NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(CALLS).map(([name, { number }]) => [number, `CALLS.${name}`] as const),
  ...Object.entries(NATIVE).map(([name, number]) => [number, `NATIVE.${name}`] as const),
]);

/** Labels within a routine that its author did not name. */
const ANONYMOUS = /^(?!exception\.).*\.\d+$/;

/**
 * The kernel's text, one line an instruction. With `symbol` the parts of it that belong to it: labels that are the symbol, begin with
 * it and a dot, or end with a dot and it. Empty if there are none.
 */
export function kernelListing(symbol?: string): readonly string[] {
  return list(kernelImage(), symbol);
}

function list({ origin, words, symbols, notes }: Assembly, symbol: string | undefined): string[] {
  const labels = new Map<number, string[]>();
  for (const [name, at] of symbols) labels.set(at, [...(labels.get(at) ?? []), name]);
  const isWanted = (name: string): boolean =>
    symbol === undefined || name === symbol || name.startsWith(`${symbol}.`) || name.endsWith(`.${symbol}`);
  const lines: string[] = [];
  let bases = new Map<number, Layout>();
  let wanted = symbol === undefined;
  let before = { branches: false, calls: false };
  words.forEach((word, i) => {
    const at = origin + 4 * i;
    const here = labels.get(at) ?? [];
    if (here.length > 0) bases = new Map();
    if (here.some((name) => !ANONYMOUS.test(name))) wanted = here.some((name) => isWanted(name));
    const text = named(word, at, symbols, bases);
    // Between vectors and text lies the kernel page.
    const isGap = at < KSEG0 + PHYSICAL.text && word === 0 && !before.branches;
    if (wanted && !isGap) {
      for (const name of here) lines.push(`${name}:`);
      for (const note of notes.get(at) ?? []) lines.push(`${' '.repeat(12)}# ${note}`);
      lines.push(`  ${at.toString(16)}  ${before.branches ? '  ' : ''}${text}`);
    }
    follow(word, text, bases);
    if (before.calls) bases.clear();
    before = effects(word);
  });
  return lines;
}

/** One instruction, with the field that it reaches by its name. */
function named(
  word: number,
  at: number,
  symbols: ReadonlyMap<string, number>,
  bases: ReadonlyMap<number, Layout>,
): string {
  const text = disassemble(word, at, symbols);
  const [, native] = /^cop2 (\w+)$/.exec(text) ?? [];
  if (native !== undefined) return `cop2 ${NATIVE_NAMES.get(Number(native)) ?? native}`;
  const [, before = '', base = ''] = /^(.*,)-?\w+\((\w+)\)$/.exec(text) ?? [];
  if (base === '') return text;
  const register = (word >>> 21) & 31;
  const record = register === 0 ? KERNEL_PAGE : bases.get(register);
  const offset = (word << 16) >> 16;
  const [field, start = 0] = record?.fields.find(([, first]) => first <= offset) ?? [];
  if (record === undefined || field === undefined) return text;
  return `${before}${record.name}.${field}${offset === start ? '' : `+${offset - start}`}(${base})`;
}

/** Notes what the registers point to after an instruction. */
function follow(word: number, text: string, bases: Map<number, Layout>): void {
  const { reads, writes, loads } = effects(word);
  const mnemonic = decode(word)?.mnemonic;
  let points: Layout | undefined;
  if (mnemonic === 'lui' && (word & 0xffff) === TABLE_UPPER) points = TABLE;
  if (mnemonic === 'addu') {
    const from = [...bases].filter(([register]) => ((reads >>> register) & 1) !== 0).map(([, record]) => record);
    const other = (word >>> 16) & 31;
    if (from.length === 1) points = from[0] === TABLE ? ENVIRONMENT : other === 0 ? from[0] : undefined;
  }
  if (mnemonic === 'lw') points = POINTERS.get(/,(\w+\.\w+)\(/.exec(text)?.[1] ?? '');
  for (let register = 1; register < 32; register += 1) {
    if ((((writes | loads) >>> register) & 1) === 0) continue;
    if (points === undefined) bases.delete(register);
    else bases.set(register, points);
  }
}
