/**
 * An assembly as a listing: labels, notes, columns of numbers, and the names of the fields that loads and stores reach.
 *
 * A line names a field only if it is certain which record its base register points to: since the last label the register was loaded
 * from a field that points to such a record, or computed from the address of a table of them. Other offsets stay numbers. What stands
 * in a delay slot is indented once more. Zeros behind a jump, to which no label leads, are padding and are left out.
 */
import type { Assembly } from './assembler.ts';
import { decode } from './codec.ts';
import { disassemble } from './disassembler.ts';
import { controlFlow, effects } from './effects.ts';

/** A record, by its name, and the offsets of its fields. A record without a name has fields with names of their own. */
export interface RecordLayout {
  readonly name: string;
  readonly fields: Readonly<Record<string, number>>;
}

/** What a listing knows beside the words. All of it may be left out. */
export interface ListingOptions {
  /** Only what belongs to it: labels that are the symbol, begin with it and a dot, or end with a dot and it. */
  readonly symbol?: string;
  /** What register `zero` is a base of. */
  readonly zero?: RecordLayout;
  /** Registers that point to a record throughout, by number. */
  readonly bases?: ReadonlyMap<number, RecordLayout>;
  /** What a load of a field gives a pointer to, by the field's full name. */
  readonly pointers?: ReadonlyMap<string, RecordLayout>;
  /** The records of tables, by the upper half of the table's address, which `lui` loads. */
  readonly tables?: ReadonlyMap<number, RecordLayout>;
  /** Native functions by number. */
  readonly natives?: ReadonlyMap<number, string>;
  /** What stands between the address and the instruction, by the index of the word. */
  readonly column?: (index: number) => string;
}

/** Labels within a routine that its author did not name: `hint.n`, and no cause of an exception. */
const ANONYMOUS = /^(?!exception\.|kit\.resume\.).*\.\d+$/;

/** The lines of a listing, without line ends. Empty if nothing belongs to `symbol`. */
export function listing({ origin, words, symbols, notes }: Assembly, options: ListingOptions = {}): string[] {
  const { symbol, column = () => '' } = options;
  const labels = new Map<number, string[]>();
  for (const [name, at] of symbols) labels.set(at, [...(labels.get(at) ?? []), name]);
  const isWanted = (name: string): boolean =>
    symbol === undefined || name === symbol || name.startsWith(`${symbol}.`) || name.endsWith(`.${symbol}`);
  const lines: string[] = [];
  const known = new Bases(options);
  let wanted = symbol === undefined;
  let before = { branches: false, calls: false };
  let ended = false;
  let padding = false;
  words.forEach((word, i) => {
    const at = (origin + 4 * i) >>> 0;
    const here = labels.get(at) ?? [];
    if (here.length > 0) known.forget();
    if (!before.branches) padding = here.length === 0 && word === 0 && (padding || ended);
    if (here.some((name) => !ANONYMOUS.test(name))) wanted = here.some((name) => isWanted(name));
    const text = known.named(word, at, symbols);
    if (wanted && !padding) {
      for (const name of here) lines.push(`${name}:`);
      for (const note of notes.get(at) ?? []) lines.push(`${' '.repeat(12 + column(i).length)}# ${note}`);
      lines.push(`  ${at.toString(16).padStart(8, '0')}  ${column(i)}${before.branches ? '  ' : ''}${text}`);
    }
    known.follow(word, text);
    if (before.calls) known.forget();
    ended = before.branches ? ended : controlFlow(word, at).always;
    before = effects(word);
  });
  return lines;
}

/** What the registers point to. */
class Bases {
  readonly #options: ListingOptions;
  #bases: Map<number, RecordLayout>;
  /** Registers that hold the address of a table of such records. */
  #tables = new Map<number, RecordLayout>();

  constructor(options: ListingOptions) {
    this.#options = options;
    this.#bases = new Map(options.bases);
  }

  forget(): void {
    this.#bases = new Map(this.#options.bases);
    this.#tables = new Map();
  }

  /** One instruction, with the field that it reaches by its name. */
  named(word: number, at: number, symbols: ReadonlyMap<string, number>): string {
    const text = disassemble(word, at, symbols);
    const [, native] = /^cop2 (\w+)$/.exec(text) ?? [];
    if (native !== undefined) return `cop2 ${this.#options.natives?.get(Number(native)) ?? native}`;
    const [, before = '', base = ''] = /^(.*,)-?\w+\((\w+)\)$/.exec(text) ?? [];
    if (base === '') return text;
    const register = (word >>> 21) & 31;
    const record = register === 0 ? this.#options.zero : this.#bases.get(register);
    if (record === undefined) return text;
    const field = fieldAt(record, (word << 16) >> 16);
    return field === undefined ? text : `${before}${field}(${base})`;
  }

  /** Notes what the registers point to after an instruction. */
  follow(word: number, text: string): void {
    const { reads, writes, loads } = effects(word);
    const mnemonic = decode(word)?.mnemonic;
    const table = mnemonic === 'lui' ? this.#options.tables?.get(word & 0xffff) : undefined;
    let points: RecordLayout | undefined;
    if (mnemonic === 'lw') points = this.#options.pointers?.get(/,(\w+\.\w+)\(/.exec(text)?.[1] ?? '');
    if (mnemonic === 'addu') {
      const isMove = ((word >>> 16) & 31) === 0;
      const one = read(this.#tables, reads);
      points = one ?? (isMove ? read(this.#bases, reads) : undefined);
    }
    for (let register = 1; register < 32; register += 1) {
      if ((((writes | loads) >>> register) & 1) === 0) continue;
      put(this.#bases, register, points);
      put(this.#tables, register, table);
    }
  }
}

/** What the only register among `reads` that is known points to. */
function read(known: ReadonlyMap<number, RecordLayout>, reads: number): RecordLayout | undefined {
  const from = [...known].filter(([register]) => ((reads >>> register) & 1) !== 0);
  return from.length === 1 ? from[0]?.[1] : undefined;
}

function put(known: Map<number, RecordLayout>, register: number, points: RecordLayout | undefined): void {
  if (points === undefined) known.delete(register);
  else known.set(register, points);
}

/** `RECORD.field` or `RECORD.field+offset`: the last field that begins at or before the offset. */
function fieldAt({ name, fields }: RecordLayout, offset: number): string | undefined {
  let best: readonly [string, number] | undefined;
  for (const field of Object.entries(fields)) {
    if (field[1] <= offset && (best === undefined || field[1] > best[1])) best = field;
  }
  if (best === undefined) return undefined;
  const [field, start] = best;
  return `${name === '' ? '' : `${name}.`}${field}${offset === start ? '' : `+${offset - start}`}`;
}
