/**
 * Programs that were compiled: a module of WebAssembly becomes machine code in the paged region, every instruction of it executed.
 *
 *     PAGED_BASE       a beginning of the kit's, then the program's functions and its table, read-only
 *                      the module's record, in a page of its own
 *                      a page that is not there: the stack ends at it
 *                      the stack
 *     COMPILED_MEMORY  the module's memory: its addresses are the environment's, so static data must be placed from here on
 *
 * Imports of module `aegis` are system calls in line, with arguments and results as `abi` has them: each word a parameter; the result is the
 * error code; what a call gives besides is stored at an address that is one parameter more. Imports of module `kit` are the entry points of
 * the program's interfaces, and `load8`, `load16`, `load32`, `store8`, `store16`, `store32`: accesses that are never merged, for words that the
 * kernel or a device changes.
 */
import { PAGE_BYTES } from '@exokernel/abi';
import {
  A0,
  A1,
  A2,
  A3,
  GP,
  RA,
  SP,
  T0,
  T1,
  T2,
  T3,
  T4,
  T5,
  T6,
  T7,
  V0,
  V1,
  ZERO,
  createAssembler,
} from '@exokernel/isa';
import { compileOwn, fromWasm, functionSymbol, type ImportCode, type Module, type OwnCode } from '@exokernel/vcode';
import { callRow, wordsOf } from './call-words.ts';
import type { CodeMap, CodePlace } from './code-map.ts';
import { LibosError } from './error.ts';
import type { InterfaceName } from './interfaces.ts';
import { PAGED_BASE } from './layout.ts';
import { wordBytes, type Pages } from './pages.ts';
import type { CompiledProgram, LinkedProgram } from './program.ts';

/** The least address of a compiled program's static data: `--memoryBase` of asc, `--global-base` of wasm-ld. */
export const COMPILED_MEMORY = 0x500000;
/** Assumption: enough for recursion some hundred deep. */
const STACK_BYTES = 16 * 1024;
const WASM_PAGE = 65536;
/** Words at the beginning: the start, and behind it the routine that makes the memory longer. */
const BEGINNING = 64;
const GROW = 32;

const ARGUMENTS = [A0, A1, A2, A3, T0, T1, T2, T3, T4, T5, T6, T7] as const;
const RESULTS = [V0, V1, A0, A1, A2, A3] as const;
/** Calls that come back at the prologue, if at all: not at the next instruction. */
const LEAVING: ReadonlySet<string> = new Set(['yield', 'sleep', 'scall', 'acall']);
const ACCESSES: Readonly<Record<string, ImportCode>> = {
  load8: { kind: 'load', size: 1, signed: false },
  load16: { kind: 'load', size: 2, signed: false },
  load32: { kind: 'load', size: 4, signed: false },
  store8: { kind: 'store', size: 1, signed: false },
  store16: { kind: 'store', size: 2, signed: false },
  store32: { kind: 'store', size: 4, signed: false },
};

/** What `compiledProgram` may be told. */
export interface CompiledOptions {
  /** The export that is called; as given nothing: `main`. */
  readonly entry?: string;
  /** As given nothing: 16 KiB. */
  readonly stackBytes?: number;
  /** The source of what stands at an offset of the module: what `compileAssemblyScript` gives. */
  readonly placeOf?: (offset: number) => CodePlace | undefined;
}

/**
 * Declares a program whose export `main` (or `entry`), without parameters, gives the exit code. Throws `WasmError` for bytes that are no
 * valid module, `VcodeError` for one that is not compiled, `LibosError` `image` for one without such an export.
 */
export function compiledProgram<const Needs extends InterfaceName>(
  name: string,
  needs: readonly Needs[],
  wasm: Uint8Array,
  options: CompiledOptions = {},
): CompiledProgram<Needs> {
  const { entry = 'main', stackBytes = STACK_BYTES, placeOf = () => undefined } = options;
  const module = fromWasm(wasm, { name, moreResults });
  const main = module.functions[module.exports.get(entry) ?? -1];
  if (main === undefined || main.parameters.length > 0) {
    throw new LibosError('image', `${name} exports no function ${entry} without parameters`, { entry });
  }
  if (!Number.isInteger(stackBytes) || stackBytes <= 0 || stackBytes > COMPILED_MEMORY - PAGED_BASE) {
    throw new LibosError('image', `a stack of ${stackBytes} bytes`, { stackBytes });
  }
  return { kind: 'compiled', name, needs, module, entry, stackBytes, placeOf };
}

function moreResults({ module, name }: { readonly module: string; readonly name: string }): number {
  return module === 'aegis' ? wordsOf(callRow(name)?.results ?? []) : 0;
}

/**
 * The pages of a compiled program; it is entered at PAGED_BASE like one in machine code. `entryOf` gives the address of a routine of the
 * library operating system. Throws `LibosError` `image` for an import that is not known, `program-size` if something does not fit below
 * `end`.
 */
export function linkCompiled<N extends InterfaceName>(
  program: CompiledProgram<N>,
  entryOf: (name: string) => number | undefined,
  end: number,
): Required<Pick<LinkedProgram<N>, 'pages' | 'code'>> {
  const { module, name } = program;
  const imports = module.imports.map((one) => importCode(name, one, entryOf));
  const grow = PAGED_BASE + 4 * GROW;
  const code = compileOwn(module, PAGED_BASE, { imports, grow, reserve: BEGINNING });
  const record = PAGED_BASE + roundUp(4 * code.words.length);
  const stack = record + roundUp(code.record.bytes) + PAGE_BYTES;
  const stackTop = stack + roundUp(program.stackBytes);
  // What is allocated later comes behind it, so it has a page at least.
  const memoryEnd = Math.max((module.memory?.pages ?? 0) * WASM_PAGE, COMPILED_MEMORY + WASM_PAGE);
  if (stackTop > COMPILED_MEMORY || memoryEnd > end) {
    const details = { code: 4 * code.words.length, stack: program.stackBytes, memory: memoryEnd, end };
    throw new LibosError(
      'program-size',
      `${name} has ${4 * code.words.length} bytes of code, and memory up to ${memoryEnd}: no room`,
      details,
    );
  }
  code.words.set(beginning(program, code, { record, stackTop, allocate: entryOf('memory_allocate') }));
  const pages = [
    { va: PAGED_BASE, bytes: wordBytes(code.words), writable: false },
    { va: record, bytes: recordBytes(module, code, memoryEnd), writable: true },
    { va: stack, bytes: new Uint8Array(stackTop - stack), writable: true },
    memoryPages(program, memoryEnd),
  ];
  return { pages, code: codeMap(program, code, imports) };
}

/** Functions, and the lines of their instructions. What the compiler added without a source counts to what stands before it. */
function codeMap(
  { module, placeOf }: CompiledProgram<InterfaceName>,
  code: OwnCode,
  imports: readonly ImportCode[],
): CodeMap {
  const functions = module.functions
    .map(({ name }, i) => ({ name, address: code.symbols.get(functionSymbol(i)) ?? 0 }))
    .sort((a, b) => a.address - b.address);
  const lines: { address: number; place: CodePlace }[] = [];
  functions.forEach(({ address }, i) => {
    const end = functions[i + 1]?.address ?? code.table;
    const positions = code.positions.subarray((address - code.origin) / 4, (end - code.origin) / 4);
    const places = placesOf(positions, placeOf);
    let before = places.find((place) => place !== undefined);
    if (before !== undefined) lines.push({ address, place: before });
    places.forEach((place, k) => {
      if (place === undefined || isSame(place, before)) return;
      lines.push({ address: address + 4 * k, place });
      before = place;
    });
  });
  const routines = imports
    .flatMap((one, i) =>
      one.kind === 'routine' ? [{ name: module.imports[i]?.name ?? '', address: one.address }] : [],
    )
    .sort((a, b) => a.address - b.address);
  return { functions, routines, end: code.table, lines };
}

/** The places of a function's instructions. One without a place in the source, such as a trap, has that of what precedes it in the module. */
function placesOf(
  positions: Int32Array,
  placeOf: (offset: number) => CodePlace | undefined,
): (CodePlace | undefined)[] {
  const known = new Map<number, CodePlace>();
  let last: CodePlace | undefined;
  for (const position of positions.slice().sort()) {
    if (position < 0) continue;
    last = placeOf(position) ?? last;
    if (last !== undefined) known.set(position, last);
  }
  return Array.from(positions, (position) => known.get(position));
}

function isSame(a: CodePlace, b: CodePlace | undefined): boolean {
  return a.file === b?.file && a.line === b.line && a.column === b.column;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;

function importCode(
  program: string,
  { module, name, parameters, results }: Module['imports'][number],
  entryOf: (name: string) => number | undefined,
): ImportCode {
  const fail = (what: string): never => {
    throw new LibosError('image', `${program} imports ${module}.${name}${what}`, { module, name });
  };
  if (module === 'kit') {
    const access = ACCESSES[name];
    if (access !== undefined) {
      const shape = access.kind === 'load' ? 'i32:i32' : 'i32,i32:';
      if (`${parameters.join()}:${results.join()}` !== shape) fail(`, but as another type than ${shape}`);
      return access;
    }
    const address = entryOf(name);
    return address === undefined ? fail(', which none of its interfaces has') : { kind: 'routine', address };
  }
  const row = module === 'aegis' ? callRow(name) : undefined;
  if (row === undefined || LEAVING.has(name)) {
    return fail(
      row === undefined
        ? ': there is no such thing'
        : ', which does not come back to its caller: the kit has routines for it',
    );
  }
  const [takes, gives] = [wordsOf(row.args), 1 + wordsOf(row.results)];
  const isFit =
    parameters.length === takes &&
    results.length === gives &&
    [...parameters, ...results].every((type) => type === 'i32');
  if (!isFit) fail(`, which takes ${takes} words${gives > 1 ? ' and an address' : ''} and gives one`);
  return {
    kind: 'inline',
    arguments: ARGUMENTS,
    results: RESULTS,
    lines: [
      { mnemonic: 'addiu', operands: [V0, ZERO, row.number] },
      { mnemonic: 'syscall', operands: [0] },
    ],
  };
}

/** What is entered: changes to the program's own stack, calls it, and gives its result. Then, at GROW, the routine for a longer memory. */
function beginning(
  { module, entry, name }: CompiledProgram<InterfaceName>,
  code: OwnCode,
  places: { readonly record: number; readonly stackTop: number; readonly allocate: number | undefined },
): Uint32Array {
  const a = createAssembler(PAGED_BASE);
  const call = (index: number): void => {
    a.li(T0, code.symbols.get(functionSymbol(index)) ?? 0);
    a.jalr(RA, T0);
    a.nop();
  };
  a.li(T0, places.stackTop - 8);
  a.sw(SP, 0, T0);
  a.sw(RA, 4, T0);
  a.move(SP, T0);
  a.li(GP, places.record);
  if (module.start !== undefined) call(module.start);
  call(module.exports.get(entry) ?? 0);
  a.lw(RA, 4, SP);
  a.lw(SP, 0, SP);
  a.ret();
  a.nop();
  while (a.here < PAGED_BASE + 4 * GROW) a.nop();
  // The pages must come right behind the memory: whatever else was allocated meanwhile is in the way.
  if (places.allocate === undefined) {
    a.ret();
    a.li(V0, -1);
  } else {
    a.addiu(SP, SP, -16);
    a.sw(RA, 12, SP);
    a.sw(A0, 8, SP);
    a.srl(V0, A0, 15);
    a.bne(V0, ZERO, 'none');
    a.sll(A0, A0, 16);
    a.beq(A0, ZERO, 'same');
    a.li(T0, places.allocate);
    a.jalr(RA, T0);
    a.nop();
    a.lw(T1, 0, GP);
    a.lw(T0, 8, SP);
    a.bne(V0, T1, 'none');
    a.sll(T0, T0, 16);
    a.addu(T0, T1, T0);
    a.sw(T0, 0, GP);
    a.b('done');
    a.srl(V0, T1, 16);
    a.label('same');
    a.lw(T1, 0, GP);
    a.b('done');
    a.srl(V0, T1, 16);
    a.label('none');
    a.li(V0, -1);
    a.label('done');
    a.lw(RA, 12, SP);
    a.addiu(SP, SP, 16);
    a.ret();
    a.nop();
  }
  const { words } = a.assemble();
  if (words.length > BEGINNING) throw new LibosError('image', `the beginning of ${name} is too long`);
  return words;
}

function recordBytes(module: Module, code: OwnCode, memoryEnd: number): Uint8Array {
  const bytes = new Uint8Array(roundUp(code.record.bytes));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, memoryEnd, true);
  view.setUint32(code.record.table, code.table, true);
  module.globals.forEach(({ type, initial }, i) => {
    const at = code.record.globals[i] ?? 0;
    if (type === 'i64') view.setBigUint64(at, BigInt(initial), true);
    else view.setUint32(at, Number(initial), true);
  });
  return bytes;
}

/** Static data in zeros. */
function memoryPages({ module, name }: CompiledProgram<InterfaceName>, memoryEnd: number): Pages {
  const bytes = new Uint8Array(memoryEnd - COMPILED_MEMORY);
  for (const { offset, bytes: data } of module.data) {
    if (offset < COMPILED_MEMORY || offset + data.length > memoryEnd) {
      throw new LibosError(
        'program-size',
        `${name} has static data at ${offset}: they must lie from ${COMPILED_MEMORY} on`,
        { offset },
      );
    }
    bytes.set(data, offset - COMPILED_MEMORY);
  }
  return { va: COMPILED_MEMORY, bytes, writable: true };
}
