/**
 * Programs that were compiled: a module of WebAssembly becomes machine code in the paged region, every instruction of it executed.
 *
 *     PAGED_BASE       a beginning of the kit's, then the program's functions and its table, read-only
 *                      the module's record, in a page of its own
 *                      a page that is not there: the stack ends at it
 *                      the stack
 *     COMPILED_MEMORY  the module's memory: its addresses are the environment's, so static data must be placed from here on
 */
import { PAGE_BYTES } from '@exokernel/abi';
import { A0, GP, RA, SP, T0, T1, V0, ZERO, createAssembler } from '@exokernel/isa';
import { compileOwn, fromWasm, functionSymbol, type OwnCode } from '@exokernel/vcode';
import type { CodePlace } from './code-map.ts';
import { LibosError } from './error.ts';
import type { InterfaceName } from './interfaces.ts';
import { PAGED_BASE } from './layout.ts';
import { codeMap, importCode, memoryPages, moreResults, recordBytes, roundUp } from './module.ts';
import { wordBytes } from './pages.ts';
import type { CompiledProgram, LinkedProgram } from './program.ts';

/** The least address of a compiled program's static data: `--memoryBase` of asc, `--global-base` of wasm-ld. */
export const COMPILED_MEMORY = 0x500000;
/** Assumption: enough for recursion some hundred deep. */
const STACK_BYTES = 16 * 1024;
const WASM_PAGE = 65536;
/** Words at the beginning: the start, and behind it the routine that makes the memory longer. */
const BEGINNING = 64;
const GROW = 32;

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
    memoryPages(program, COMPILED_MEMORY, memoryEnd),
  ];
  return { pages, code: codeMap(program, code, imports) };
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
