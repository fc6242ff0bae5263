/** Modules on the test's processor, in both profiles. */
import {
  compileChecked,
  compileOwn,
  enterSymbol,
  functionSymbol,
  type CheckedCode,
  type Module,
  type OwnCode,
  type RecordLayout,
  type Value,
} from '@exokernel/vcode';
import { Cpu, ROUTINES, type CpuRun } from './cpu.ts';

const PAGE = 65536;
/** Where things are: the record, the stack's upper end, a routine for all imports, the code, the module's memory. */
const [RECORD, STACK, IMPORT, ORIGIN, MEMORY] = [0x10000, 0x80000, 0x90000, 0x100000, 0x1000000];
/** `jr ra; nop`. */
const RETURN_AT_ONCE = Uint32Array.of(0x03e00008, 0);
/** Words that the entry puts on the stack below the caller's. */
const ENTRY = 64;

function wordsOf(values: readonly Value[]): number[] {
  return values.flatMap((value) =>
    typeof value === 'bigint' ? [Number(value & 0xffffffffn) | 0, Number(value >> 32n) | 0] : [value | 0],
  );
}

function setGlobals(cpu: Cpu, module: Module, { globals }: RecordLayout): void {
  module.globals.forEach(({ type, initial }, i) => {
    const at = RECORD + (globals[i] ?? 0);
    if (type === 'i64') cpu.memory.setBigUint64(at, BigInt.asUintN(64, BigInt(initial)), true);
    else cpu.memory.setUint32(at, Number(initial), true);
  });
}

/** What a run of the checked profile gave. */
export interface CheckedRun {
  readonly values: readonly Value[];
  readonly status: number;
  readonly fuel: number;
  readonly executed: number;
}

/** A module of the checked profile. Its memory may get `mostBytes`. The start function has run. */
export class CheckedMips {
  readonly code: CheckedCode;
  readonly #cpu: Cpu;
  readonly #module: Module;

  constructor(given: Module, mostBytes: number) {
    const { start } = given;
    const module = start === undefined ? given : { ...given, exports: new Map([...given.exports, [START, start]]) };
    this.#module = module;
    this.#cpu = new Cpu(MEMORY + mostBytes);
    this.code = compileChecked(
      module,
      ORIGIN,
      module.imports.map(() => IMPORT),
    );
    const { record } = this.code;
    this.#cpu.load(this.code.words, ORIGIN);
    this.#cpu.load(RETURN_AT_ONCE, IMPORT);
    const put = (offset: number, value: number): void => {
      this.#cpu.memory.setUint32(RECORD + offset, value, true);
    };
    put(record.table, this.code.table);
    put(record.most, Math.min((module.memory?.most ?? 0) * PAGE, mostBytes));
    if (module.memory !== undefined) {
      put(record.base(0), MEMORY);
      put(record.length(0), module.memory.pages * PAGE);
    }
    for (const { offset, bytes } of module.data) this.#cpu.bytes(MEMORY, mostBytes).set(bytes, offset);
    setGlobals(this.#cpu, module, record);
    if (start !== undefined) this.call(START, [], 0x7fffffff);
  }

  call(name: string, values: readonly Value[], fuel: number, stack = 16 * 1024): CheckedRun {
    const { record, symbols } = this.code;
    const { memory } = this.#cpu;
    const func = this.#module.functions[this.#module.exports.get(name) ?? -1];
    const words = wordsOf(values);
    // What the entry puts on the stack is not the module's.
    const extra = Math.max(0, words.length - 8, wordCount(func?.results ?? []) - 6);
    const limit = STACK - ENTRY + 16 - ((4 * extra + 7) & ~7) - stack;
    memory.setUint32(RECORD + record.fuel, fuel, true);
    memory.setUint32(RECORD + record.stackLimit, limit, true);
    words.forEach((word, i) => {
      memory.setInt32(RECORD + record.values + 4 * i, word, true);
    });
    const { executed, v1 } = this.#cpu.call(symbols.get(enterSymbol(name)) ?? 0, [RECORD], { sp: STACK });
    const status = memory.getUint32(RECORD + record.status, true);
    if (status !== v1) throw new Error(`the status is ${status}, and ${v1} in v1`);
    let at = RECORD + record.values;
    const results = (func?.results ?? []).map((type): Value => {
      const value = type === 'i64' ? memory.getBigUint64(at, true) : memory.getUint32(at, true);
      at += type === 'i64' ? 8 : 4;
      return value;
    });
    const left = memory.getUint32(RECORD + record.fuel, true);
    return { values: status === 0 ? results : [], status, fuel: left, executed };
  }

  memory(): Uint8Array {
    const { length } = this.code.record;
    if (this.#module.memory === undefined) return new Uint8Array();
    return this.#cpu.bytes(MEMORY, this.#cpu.memory.getUint32(RECORD + length(0), true));
  }

  global(index: number): Value {
    const at = RECORD + (this.code.record.globals[index] ?? 0);
    return this.#module.globals[index]?.type === 'i64'
      ? this.#cpu.memory.getBigUint64(at, true)
      : this.#cpu.memory.getUint32(at, true);
  }
}

const START = '(start)';
const wordCount = (types: readonly string[]): number => types.reduce((sum, type) => sum + (type === 'i64' ? 2 : 1), 0);

/** Where a module of the own profile has its things: behind its memory, which begins at 0 and does not grow. */
const OWN = { record: 0x1000000, stack: 0x1080000, origin: 0x1100000 };

/** A module of the own profile. The start function has run. */
export class OwnMips {
  readonly code: OwnCode;
  readonly #cpu = new Cpu(0x1400000);
  readonly #module: Module;

  constructor(module: Module) {
    this.#module = module;
    const imports = module.imports.map(() => ({ kind: 'routine', address: OWN.origin }) as const);
    this.code = compileOwn(module, OWN.origin, { imports, grow: OWN.origin + 8, reserve: ROUTINES.length });
    this.code.words.set(ROUTINES);
    this.#cpu.load(this.code.words, OWN.origin);
    this.#cpu.memory.setUint32(OWN.record, (module.memory?.pages ?? 0) * PAGE, true);
    this.#cpu.memory.setUint32(OWN.record + this.code.record.table, this.code.table, true);
    module.globals.forEach(({ type, initial }, i) => {
      const at = OWN.record + (this.code.record.globals[i] ?? 0);
      if (type === 'i64') this.#cpu.memory.setBigUint64(at, BigInt.asUintN(64, BigInt(initial)), true);
      else this.#cpu.memory.setUint32(at, Number(initial), true);
    });
    for (const { offset, bytes } of module.data) this.#cpu.bytes(0, OWN.record).set(bytes, offset);
    if (module.start !== undefined) this.#run(module.start, []);
  }

  /** Calls an export. Throws `Exception`. */
  call(name: string, values: readonly Value[]): CpuRun {
    return this.#run(this.#module.exports.get(name) ?? -1, wordsOf(values));
  }

  memory(): Uint8Array {
    return this.#cpu.bytes(0, (this.#module.memory?.pages ?? 0) * PAGE);
  }

  #run(index: number, words: readonly number[]): CpuRun {
    // Room for arguments and results that no register holds.
    const sp = OWN.stack - 64;
    return this.#cpu.call(this.code.symbols.get(functionSymbol(index)) ?? 0, words, { gp: OWN.record, sp });
  }
}
