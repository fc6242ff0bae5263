/**
 * From a validated module of WebAssembly to the IR.
 *
 * Functions that use floating point are refused by name, or become traps. Offsets and initial values may not depend on what is imported.
 * Throws `WasmError` for what is no valid module, `VcodeError` `unsupported` for what is not compiled.
 */
import {
  validateModule,
  type Code,
  type ConstantExpression,
  type FunctionType,
  type ValidModule,
} from '@exokernel/wasm';
import type {
  Data,
  Expression,
  Func,
  Global,
  Import,
  Module,
  Signature,
  Statement,
  ValueType,
  Variable,
} from '../ir/ir.ts';
import { VcodeError } from '../program/error.ts';
import { ABORT_UNREACHABLE } from '../ir/abort.ts';
import { translateFunction, type Scope } from './function.ts';
import { HELPERS, type Helper } from './helpers.ts';
import { checkPassive, passiveHelpers } from './passive.ts';
import { word } from './operators.ts';

/** How a module is taken. */
export interface FromWasmOptions {
  readonly name?: string;
  /** `refuse` (as given nothing): a function with floating point is an error. `trap`: it aborts when it is called. */
  readonly floats?: 'refuse' | 'trap';
  /** Values of imported globals, by `module.name`. */
  readonly globals?: Readonly<Record<string, number | bigint>>;
  /**
   * How many words the routine behind an import gives besides its one result; 0 or nothing: what its type says. Such an import takes one parameter
   * more than the routine: the address at which the words are stored, if the result is 0.
   */
  readonly moreResults?: (one: { readonly module: string; readonly name: string }) => number;
  /** Pages of an imported memory, if it has more than the module asks for. */
  readonly pages?: number;
  /** The most pages that the memory may get. As given nothing: what the module says, or 65,535. */
  readonly mostPages?: number;
}

/** Decodes, validates and translates. */
export function fromWasm(bytes: Uint8Array, options: FromWasmOptions = {}): Module {
  return new ModuleTranslator(validateModule(bytes), options).run();
}

const isInteger = (type: string): type is ValueType => type === 'i32' || type === 'i64';
/** What a function that became a trap takes and gives: it can still be called from outside. */
const withoutFloats = ({ parameters, results }: FunctionType): Signature => ({
  parameters: parameters.filter(isInteger),
  results: results.filter(isInteger),
});

class ModuleTranslator {
  readonly #module: ValidModule;
  readonly #options: FromWasmOptions;
  readonly #signatures = new Map<string, number>();
  readonly #extraIndices = new Map<string, number>();
  /** By passive segment, the global with its length. */
  readonly #passive = new Map<number, number>();
  /** The helpers of segments, by name. */
  readonly #ofData = new Map<string, Helper>();
  readonly #extras: (() => Func)[] = [];
  readonly #imported: number;
  /** By imported function. */
  readonly #moreResults: readonly number[];
  readonly #exportedNames = new Map<number, string>();

  constructor(module: ValidModule, options: FromWasmOptions) {
    this.#module = module;
    this.#options = options;
    this.#imported = module.functionTypes.length - module.functions.length;
    this.#moreResults = module.imports
      .filter(({ kind }) => kind === 'function')
      .map((one) => options.moreResults?.(one) ?? 0);
    for (const { kind, index, name } of module.exports) {
      if (kind === 'function' && !this.#exportedNames.has(index)) this.#exportedNames.set(index, name);
    }
    this.#findPassive();
  }

  /** Passive segments, and what copies them. Without a data count section nothing copies any. */
  #findPassive(): void {
    const { data, dataCount, globals, imports } = this.#module;
    if (dataCount === undefined) return;
    let next = globals.length + imports.filter(({ kind }) => kind === 'global').length;
    checkPassive(data.reduce((sum, { offset, bytes }) => sum + (offset === undefined ? bytes.length : 0), 0));
    data.forEach(({ offset, bytes }, segment) => {
      const isPassive = offset === undefined;
      const length: Expression = isPassive ? { kind: 'global', global: next } : word(0);
      for (const [name, helper] of passiveHelpers(segment, isPassive ? bytes : new Uint8Array(), length)) {
        this.#ofData.set(name, helper);
      }
      if (isPassive) this.#passive.set(segment, next++);
    });
  }

  run(): Module {
    const m = this.#module;
    const scope: Scope = {
      types: m.types,
      functionTypes: m.functionTypes,
      globalTypes: m.globalTypes,
      imported: this.#imported,
      isDirect: (index) => (this.#moreResults[index] ?? 0) === 0,
      own: (index) => this.#own(index),
      signature: (type) => this.#signature(type),
      helper: (name) => {
        const { results, parameters } = this.#helperOf(name);
        return { index: this.#helper(name), results, arity: parameters.length };
      },
      passive: (segment) => this.#passive.get(segment),
    };
    const functions = m.code.map((code, i) => this.#function(code, i, scope));
    const table = this.#table();
    const start = m.start === undefined ? undefined : this.#own(m.start);
    const exports = new Map<string, number>();
    for (const { name, kind, index } of m.exports) if (kind === 'function') exports.set(name, this.#own(index));
    // Building one may ask for more.
    for (const build of this.#extras) functions.push(build());
    return {
      name: this.#options.name ?? 'module',
      regions: m.memory === undefined ? [] : [{ name: 'memory', access: 'rw', align: 4, skew: 0 }],
      functions,
      imports: this.#imports(),
      globals: this.#globals(),
      table,
      exports,
      start,
      memory: this.#memory(),
      data: this.#data(),
    };
  }

  /** The index of a function without imports; an imported one becomes a function that calls it. */
  #own(index: number): number {
    if (index >= this.#imported) return index - this.#imported;
    return this.#extra(`import ${index}`, () => this.#calling(index));
  }

  /** A function that calls an import, and stores what it gives besides its result. */
  #calling(index: number): Func {
    const type = this.#module.functionTypes[index] ?? { parameters: [], results: [] };
    const { parameters, results } = withoutFloats(type);
    const more = this.#moreResults[index] ?? 0;
    const local = (of: number): Expression => ({ kind: 'local', local: of });
    const all = [...results, ...new Array<ValueType>(more).fill('i32')];
    const variables = (types: readonly string[]): Variable[] =>
      types.map((one, i) => ({ name: `p${i}`, type: one as ValueType }));
    const passed = parameters.slice(0, parameters.length - (more > 0 ? 1 : 0));
    const into = all.map((_, i) => parameters.length + i);
    const stores = into.slice(results.length).map((of, i): Statement => ({
      kind: 'store',
      region: 0,
      size: 4,
      index: local(parameters.length - 1),
      displacement: 4 * i,
      endian: 'little',
      align: 2,
      value: local(of),
    }));
    const isFine: Expression = { kind: 'binary', operator: 'eq', left: local(parameters.length), right: word(0) };
    return {
      name: `import ${index}`,
      parameters: variables(parameters),
      results: results,
      locals: variables(all),
      signature: this.#signature(type),
      body: [
        { kind: 'callImport', import: index, values: passed.map((_, i) => local(i)), results: into },
        ...(more > 0 ? [{ kind: 'if', condition: isFine, then: stores, otherwise: [] } as const] : []),
        { kind: 'return', values: into.slice(0, results.length).map(local) },
      ],
    };
  }

  /** The index of a function that the module does not have itself; `build` makes it once. */
  #extra(name: string, build: () => Func): number {
    let index = this.#extraIndices.get(name);
    if (index === undefined) {
      index = this.#module.functions.length + this.#extras.length;
      this.#extraIndices.set(name, index);
      this.#extras.push(build);
    }
    return index;
  }

  #signature(type: FunctionType): number {
    const key = `${type.parameters.join()}:${type.results.join()}`;
    let number = this.#signatures.get(key);
    if (number === undefined) {
      number = this.#signatures.size + 1;
      this.#signatures.set(key, number);
    }
    return number;
  }

  #helper(name: string): number {
    return this.#extra(name, () => this.#buildHelper(name));
  }

  #helperOf(name: string): Helper {
    const helper = HELPERS[name] ?? this.#ofData.get(name);
    if (helper === undefined) throw new VcodeError('malformed', `no helper ${name}`);
    return helper;
  }

  #buildHelper(name: string): Func {
    const helper = this.#helperOf(name);
    const { parameters, results } = helper;
    return {
      name,
      parameters: parameters.map((type, i) => ({ name: `p${i}`, type })),
      results,
      signature: this.#signature({ parameters, results }),
      ...helper.build((other) => this.#helper(other)),
    };
  }

  #function(code: Code, index: number, scope: Scope): Func {
    const m = this.#module;
    const name =
      m.names.get(this.#imported + index) ??
      this.#exportedNames.get(this.#imported + index) ??
      `function ${this.#imported + index}`;
    const signature = this.#signature(code.type);
    if (code.usesFloat) {
      if (this.#options.floats !== 'trap') {
        throw new VcodeError('unsupported', `${name} uses floating point, which the compiler does not have`, { name });
      }
      const types = withoutFloats(code.type);
      return {
        name,
        parameters: types.parameters.map((type, i) => ({ name: `p${i}`, type })),
        results: types.results,
        locals: [],
        body: [{ kind: 'abort', code: ABORT_UNREACHABLE }],
        signature,
      };
    }
    if (code.opcodes.length > MOST_INSTRUCTIONS) {
      throw new VcodeError(
        'limit',
        `${name} has ${code.opcodes.length} instructions, at most ${MOST_INSTRUCTIONS} are compiled`,
        {
          name,
        },
      );
    }
    return {
      name,
      parameters: code.type.parameters.map((type, i) => ({ name: `p${i}`, type: type as ValueType })),
      results: code.type.results as readonly ValueType[],
      signature,
      ...translateFunction(code, scope),
    };
  }

  #imports(): Import[] {
    const imports: Import[] = [];
    for (const one of this.#module.imports) {
      if (one.kind !== 'function') continue;
      const type = this.#module.types[one.type];
      if (type === undefined) continue;
      // A function with floating point is never called: who would call it uses floating point, too.
      const { parameters, results } = withoutFloats(type);
      const more = this.#moreResults[imports.length] ?? 0;
      if (more > 0 && (results.join() !== 'i32' || parameters.at(-1) !== 'i32')) {
        const message = `${one.module}.${one.name} takes an address last, and gives one i32`;
        throw new VcodeError('unsupported', message, { module: one.module, name: one.name });
      }
      imports.push({
        module: one.module,
        name: one.name,
        parameters: parameters.slice(0, parameters.length - (more > 0 ? 1 : 0)),
        results: [...results, ...new Array<ValueType>(more).fill('i32')],
      });
    }
    return imports;
  }

  #globals(): Global[] {
    const m = this.#module;
    const globals: Global[] = [];
    for (const one of m.imports) {
      if (one.kind !== 'global') continue;
      const key = `${one.module}.${one.name}`;
      const given = this.#options.globals?.[key];
      if (given === undefined)
        throw new VcodeError('unsupported', `the global ${key} is imported, and no value is given for it`);
      globals.push({ name: key, type: isInteger(one.type) ? one.type : 'i32', initial: given });
    }
    for (const { type, initial } of m.globals) {
      const value = this.#constant(initial, globals);
      globals.push({
        name: `g${globals.length}`,
        type: isInteger(type) ? type : 'i32',
        initial: isInteger(type) ? value : 0,
      });
    }
    for (const segment of this.#passive.keys()) {
      globals.push({ name: `data ${segment}`, type: 'i32', initial: m.data[segment]?.bytes.length ?? 0 });
    }
    return globals;
  }

  #constant(expression: ConstantExpression, globals: readonly Global[]): number | bigint {
    switch (expression.kind) {
      case 'global': {
        const global = globals[expression.global];
        return global?.initial ?? 0;
      }
      case 'add':
      case 'sub':
      case 'mul': {
        const [a, b] = [
          BigInt(this.#constant(expression.left, globals)),
          BigInt(this.#constant(expression.right, globals)),
        ];
        const value = expression.kind === 'add' ? a + b : expression.kind === 'sub' ? a - b : a * b;
        return expression.type === 'i64' ? BigInt.asUintN(64, value) : Number(BigInt.asUintN(32, value));
      }
      default:
        return expression.value;
    }
  }

  #table(): number[] {
    const m = this.#module;
    if (m.table === undefined) return [];
    if (m.table.minimum > MOST_SLOTS) throw new VcodeError('limit', `a table of more than ${MOST_SLOTS} slots`);
    const table = new Array<number>(m.table.minimum).fill(-1);
    const globals = this.#globals();
    for (const { mode, offset, functions } of m.elements) {
      if (mode !== 'active' || offset === undefined) continue;
      const at = Number(this.#constant(offset, globals));
      if (at + functions.length > table.length)
        throw new VcodeError('unsupported', 'an element segment is outside the table');
      functions.forEach((index, i) => {
        table[at + i] = this.#own(index);
      });
    }
    return table;
  }

  #memory(): Module['memory'] {
    const { memory } = this.#module;
    if (memory === undefined) return undefined;
    const isImported = this.#module.imports.some(({ kind }) => kind === 'memory');
    const pages = Math.max(memory.minimum, isImported ? (this.#options.pages ?? 0) : 0);
    const most = Math.min(memory.maximum ?? MOST_PAGES, this.#options.mostPages ?? MOST_PAGES, MOST_PAGES);
    if (pages > MOST_PAGES) throw new VcodeError('limit', `a memory of ${pages} pages`);
    return { pages, most: Math.max(most, pages) };
  }

  #data(): Data[] {
    const globals = this.#globals();
    const data: Data[] = [];
    for (const { offset, bytes } of this.#module.data) {
      if (offset === undefined) continue;
      data.push({ offset: Number(this.#constant(offset, globals)), bytes });
    }
    return data;
  }
}

/** Lengths in bytes are words. */
const MOST_PAGES = 0xffff;
/** Of one function. A branch of the machine reaches 32,768 instructions, which this many do not always take. */
const MOST_INSTRUCTIONS = 50_000;
/** Assumption: a table of a libOS has some hundred slots. */
const MOST_SLOTS = 1 << 16;
