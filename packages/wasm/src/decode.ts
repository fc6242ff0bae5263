/**
 * Reads a module's sections. Functions stay bytes here; `validateFunction` reads them.
 *
 * WebAssembly 2.0 without vectors and without reference types: a second memory or table, a segment of references, a passive table are
 * `unsupported`. Throws `WasmError`: `malformed` for what is no module, `invalid` for one that breaks a rule, `unsupported`.
 * Source: [WASM §5.5].
 */
import { ByteReader } from './byte-reader.ts';
import { readConstant, type KnownGlobals } from './constants.ts';
import { WasmError } from './error.ts';
import type {
  DataSegment,
  ElementSegment,
  FunctionType,
  GlobalType,
  Limits,
  WasmImport,
  WasmModule,
  WasmType,
} from './module.ts';
import { readNames } from './names.ts';
import { invalid, LATER_TYPES, readType, unsupported } from './types.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const FUNCREF = 0x70;
/** The place of each section in the order; the data count stands before the code. */
const ORDER: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 5,
  6: 6,
  7: 7,
  8: 8,
  9: 9,
  12: 10,
  10: 11,
  11: 12,
};
const MOST_PAGES = 65536;
/** Of one function, as in engines. */
const MOST_LOCALS = 50000;
/** A few bytes could ask for gigabytes. Assumption: a module of a megabyte has some ten thousand. */
const MOST_LOCALS_IN_ALL = 1_000_000;

/** Decodes a module. Its functions are not validated yet. */
export function decodeModule(bytes: Uint8Array): WasmModule {
  return new Decoder(bytes).run();
}

class Decoder {
  readonly #reader: ByteReader;
  readonly #module: Mutable<Omit<WasmModule, 'names' | 'custom'>> & {
    names: Map<number, string>;
    custom: Map<string, Uint8Array>;
  };
  #declared: number[] = [];
  readonly #imported: GlobalType[] = [];
  readonly #known: KnownGlobals;
  #locals = 0;
  #hasCode = false;

  constructor(bytes: Uint8Array) {
    this.#reader = new ByteReader(bytes);
    this.#module = {
      bytes,
      types: [],
      imports: [],
      functions: [],
      table: undefined,
      memory: undefined,
      globals: [],
      exports: [],
      start: undefined,
      elements: [],
      data: [],
      dataCount: undefined,
      names: new Map(),
      custom: new Map(),
    };
    this.#known = { imported: this.#imported, own: this.#module.globals };
  }

  run(): WasmModule {
    const reader = this.#reader;
    for (const [at, byte] of MAGIC.entries()) {
      if (reader.byte() !== byte) {
        reader.position = at;
        reader.fail(at < 4 ? 'magic header not detected' : 'unknown binary version');
      }
    }
    let last = 0;
    while (!reader.isAtEnd) {
      const offset = reader.position;
      const id = reader.byte();
      const size = reader.unsigned();
      if (size > reader.end - reader.position) reader.fail('length out of bounds');
      const section = new ByteReader(reader.bytes, reader.position, reader.position + size);
      reader.position += size;
      if (id === 0) {
        this.#custom(section);
        continue;
      }
      const order = ORDER[id];
      if (order === undefined) {
        if (id === 13) unsupported('tags', offset);
        reader.position = offset;
        reader.fail('malformed section id');
      } else if (order <= last) {
        reader.position = offset;
        reader.fail('unexpected content after last section');
      } else last = order;
      this.#section(id, section);
      if (!section.isAtEnd) section.fail('section size mismatch');
    }
    if (this.#declared.length > 0 && !this.#hasCode) reader.fail('function and code section have inconsistent lengths');
    const { dataCount, data } = this.#module;
    if (dataCount !== undefined && dataCount !== data.length)
      reader.fail('data count and data section have inconsistent lengths');
    return this.#module;
  }

  #section(id: number, r: ByteReader): void {
    const m = this.#module;
    const each = (read: () => void): void => {
      const count = r.count();
      for (let i = 0; i < count; i += 1) read();
    };
    switch (id) {
      case 1:
        each(() => m.types.push(this.#functionType(r)));
        return;
      case 2:
        each(() => m.imports.push(this.#import(r)));
        return;
      case 3:
        each(() => this.#declared.push(this.#typeIndex(r)));
        return;
      case 4:
        each(() => {
          const offset = r.position;
          const limits = this.#tableType(r);
          if (m.table !== undefined) unsupported('a second table', offset);
          m.table = limits;
        });
        return;
      case 5:
        each(() => {
          const offset = r.position;
          const limits = this.#memoryLimits(r);
          if (m.memory !== undefined) unsupported('a second memory', offset);
          m.memory = limits;
        });
        return;
      case 6:
        each(() => {
          const type = this.#globalType(r);
          m.globals.push({ ...type, initial: readConstant(r, type.type, this.#known, false) });
        });
        return;
      case 7:
        this.#exports(r);
        return;
      case 8: {
        const start = r.unsigned();
        m.start = start;
        return;
      }
      case 9:
        each(() => m.elements.push(this.#element(r)));
        return;
      case 10:
        this.#hasCode = true;
        this.#code(r);
        return;
      case 11:
        each(() => m.data.push(this.#data(r)));
        return;
      default:
        m.dataCount = r.unsigned();
    }
  }

  #custom(r: ByteReader): void {
    const name = r.name();
    const bytes = r.take(r.end - r.position);
    this.#module.custom.set(name, bytes);
    if (name === 'name') readNames(bytes, this.#module.names);
  }

  #functionType(r: ByteReader): FunctionType {
    const offset = r.position;
    const form = r.byte();
    if (form !== 0x60) {
      if (form === 0x4e || form === 0x50 || form === 0x4f || form === 0x5f || form === 0x5e)
        unsupported('types of structures', offset);
      r.position = offset;
      r.fail('malformed function type');
    }
    const types = (): WasmType[] => {
      const count = r.count();
      const list: WasmType[] = [];
      for (let i = 0; i < count; i += 1) list.push(readType(r));
      return list;
    };
    const parameters = types();
    return { parameters, results: types() };
  }

  #typeIndex(r: ByteReader): number {
    const index = r.unsigned();
    if (index >= this.#module.types.length) invalid(r, 'unknown type');
    return index;
  }

  #import(r: ByteReader): WasmImport {
    const module = r.name();
    const name = r.name();
    const offset = r.position;
    const kind = r.byte();
    const m = this.#module;
    switch (kind) {
      case 0:
        return { module, name, kind: 'function', type: this.#typeIndex(r) };
      case 1: {
        const limits = this.#tableType(r);
        if (m.table !== undefined) unsupported('a second table', offset);
        m.table = limits;
        return { module, name, kind: 'table', limits };
      }
      case 2: {
        const limits = this.#memoryLimits(r);
        if (m.memory !== undefined) unsupported('a second memory', offset);
        m.memory = limits;
        return { module, name, kind: 'memory', limits };
      }
      case 3:
        this.#imported.push(this.#globalType(r));
        return { module, name, kind: 'global', ...(this.#imported.at(-1) as GlobalType) };
      default:
        r.position = offset;
        if (kind === 4) unsupported('tags', offset);
        return r.fail('malformed import kind');
    }
  }

  #limits(r: ByteReader, most: number, what: string): Limits {
    const offset = r.position;
    const flags = r.byte();
    if (flags > 1) {
      if (flags <= 7) unsupported(flags >= 4 ? 'indices of 64 bits' : 'shared memory', offset);
      r.position = offset;
      r.fail('malformed limits flags');
    }
    const minimum = r.unsigned();
    const maximum = flags === 1 ? r.unsigned() : undefined;
    if (minimum > most || (maximum ?? 0) > most) invalid(r, `${what} size must be at most ${most}`);
    if (maximum !== undefined && minimum > maximum) invalid(r, 'size minimum must not be greater than maximum');
    return { minimum, maximum };
  }

  #memoryLimits(r: ByteReader): Limits {
    return this.#limits(r, MOST_PAGES, 'memory');
  }

  #tableType(r: ByteReader): Limits {
    const offset = r.position;
    const type = r.byte();
    if (type !== FUNCREF) {
      if (LATER_TYPES.has(type) || type === 0x40) unsupported('a table of other references than functions', offset);
      r.position = offset;
      r.fail('malformed reference type');
    }
    return this.#limits(r, 0xffffffff, 'table');
  }

  #globalType(r: ByteReader): GlobalType {
    const type = readType(r);
    const mutable = r.byte();
    if (mutable > 1) r.fail('malformed mutability');
    return { type, mutable: mutable === 1 };
  }

  #exports(r: ByteReader): void {
    const kinds = ['function', 'table', 'memory', 'global'] as const;
    const names = new Set<string>();
    const count = r.count();
    for (let i = 0; i < count; i += 1) {
      const name = r.name();
      const kind = kinds[r.byte()];
      if (kind === undefined) return r.fail('malformed export kind');
      const index = r.unsigned();
      if (names.has(name)) invalid(r, 'duplicate export name');
      names.add(name);
      this.#module.exports.push({ name, kind, index });
    }
  }

  #element(r: ByteReader): ElementSegment {
    const offset = r.position;
    const flags = r.unsigned();
    if (flags > 7) r.fail('malformed elements segment kind');
    if (flags >= 4) unsupported('a segment of expressions', offset);
    const mode = (flags & 1) === 0 ? 'active' : (flags & 2) === 0 ? 'passive' : 'declared';
    const table = flags === 2 ? r.unsigned() : 0;
    if (mode === 'active' && table > 0) invalid(r, 'unknown table');
    const start = mode === 'active' ? readConstant(r, 'i32', this.#known, true) : undefined;
    if (flags !== 0 && r.byte() !== 0) r.fail('malformed element kind');
    const count = r.count();
    const functions: number[] = [];
    for (let i = 0; i < count; i += 1) functions.push(r.unsigned());
    return { mode, offset: start, functions };
  }

  #data(r: ByteReader): DataSegment {
    const flags = r.unsigned();
    if (flags > 2) r.fail('malformed data segment kind');
    if (flags === 2 && r.unsigned() !== 0) invalid(r, 'unknown memory');
    const offset = flags === 1 ? undefined : readConstant(r, 'i32', this.#known, true);
    return { offset, bytes: r.take(r.unsigned()) };
  }

  #code(r: ByteReader): void {
    const count = r.count();
    if (count !== this.#declared.length) r.fail('function and code section have inconsistent lengths');
    for (const type of this.#declared) {
      const size = r.unsigned();
      if (size > r.end - r.position) r.fail('unexpected end');
      const to = r.position + size;
      const body = new ByteReader(r.bytes, r.position, to);
      const locals: WasmType[] = [];
      const runs = body.count();
      for (let i = 0; i < runs; i += 1) {
        const length = body.unsigned();
        if (locals.length + length > 0xffffffff) body.fail('too many locals');
        const local = readType(body);
        if (locals.length + length > MOST_LOCALS) {
          throw new WasmError('limit', `at ${body.position}: more than ${MOST_LOCALS} locals`, {
            offset: body.position,
          });
        }
        this.#locals += length;
        if (this.#locals > MOST_LOCALS_IN_ALL) {
          throw new WasmError('limit', `at ${body.position}: more than ${MOST_LOCALS_IN_ALL} locals in all functions`, {
            offset: body.position,
          });
        }
        for (let k = 0; k < length; k += 1) locals.push(local);
      }
      this.#module.functions.push({ type, locals, from: body.position, to });
      r.position = to;
    }
  }
}
