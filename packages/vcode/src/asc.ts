/**
 * AssemblyScript in: sources to WebAssembly, with what the compiler has to say as objects.
 *
 * The options are fixed, because some of asc's are traps: numbers other than decimal ones are silently ignored, an unknown option is a
 * warning, and levels of optimisation below 3 leave tests in loops. A program traps where it would throw, and has no floating
 * point. `assemblyscript` is an optional peer: it has its own back end in it, of 14 MB.
 */
import { decode } from '@jridgewell/sourcemap-codec';
import { validateModule } from '@exokernel/wasm';
import { VcodeError } from './program/error.ts';

/** How sources are compiled. */
export interface AscOptions {
  /** Where static data begin: an address, a multiple of 16. As given nothing: 4 MiB. */
  readonly memoryBase?: number;
  /**
   * What allocates: `stub` (the name is that of asc) never frees; `minimal` collects when it is told to, with an empty stack;
   * `incremental` collects by itself and keeps references on a stack of its own. As given nothing: `stub`.
   */
  readonly runtime?: 'stub' | 'minimal' | 'incremental';
  /** False leaves the code as it was written, for a debugger's sake. */
  readonly optimize?: boolean;
  /** True keeps functions that are called from outside by their number in the table: upcalls. */
  readonly exportTable?: boolean;
  /** False takes assertions out; bounds checks of arrays stay, `unchecked` takes them out. */
  readonly assertions?: boolean;
}

/** Sources by name, or what finds them: a file that is imported is asked for under several names. */
export type AscSources = ReadonlyMap<string, string> | ((file: string) => string | undefined);

/** What the compiler says about a place in a source. */
export interface AscDiagnostic {
  readonly severity: 'error' | 'warning' | 'info';
  readonly code: number;
  readonly message: string;
  /** The file as it was named; of a file of the compiler's library, only its name. Nothing for what has no place. */
  readonly place: SourcePlace | undefined;
}

/** A place in a source; line and column from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What came of it. */
export interface AscResult {
  /** The module; nothing if there was an error. */
  readonly wasm: Uint8Array | undefined;
  readonly diagnostics: readonly AscDiagnostic[];
  /** The source of an instruction, by its offset in the module. */
  readonly placeOf: (offset: number) => SourcePlace | undefined;
}

/** The part of the compiler that is used; its own types declare globals that clash with a package without a host. */
interface Asc {
  readonly main: (arguments_: readonly string[], api: AscApi) => Promise<{ readonly error: Error | null }>;
}
interface AscApi {
  readonly readFile: (name: string) => string | null;
  readonly writeFile: (name: string, contents: Uint8Array | string) => void;
  readonly listFiles: () => string[];
  readonly reportDiagnostic: (message: AscMessage) => void;
  readonly stdout: AscStream;
  readonly stderr: AscStream;
}
interface AscStream {
  readonly write: (chunk: Uint8Array | string) => void;
}
interface AscMessage {
  readonly code: number;
  readonly category: number;
  readonly message: string;
  /** `start` counts UTF-16 units of the source. */
  readonly range: { readonly start: number; readonly source: { readonly normalizedPath: string } } | null;
}

const SEVERITIES: Readonly<Record<number, AscDiagnostic['severity']>> = { 2: 'warning', 3: 'error' };
const OUT = 'out.wasm';
const DEFAULT_BASE = 4 * 1024 * 1024;
/**
 * Files of asc's library that reach words at any address: it writes the digits of a number two at a time. asc says of all accesses that they are
 * aligned, and in WebAssembly that is but a hint.
 */
const UNALIGNED: ReadonlySet<string | undefined> = new Set([
  '~lib/util/number.ts',
  '~lib/util/bytes.ts',
  '~lib/dataview.ts',
]);
/** Opcodes of loads and stores; the alignment is the next byte. */
const ACCESSES = { first: 0x28, last: 0x3e } as const;

/**
 * Compiles sources. `entry` names the file whose exports are the program's; other files are found by what they are imported as. Throws
 * `VcodeError` `argument` for options out of range or an entry that is not there; what is wrong in the sources is among the diagnostics.
 */
export async function compileAssemblyScript(
  sources: AscSources,
  entry: string,
  options: AscOptions = {},
): Promise<AscResult> {
  const read = typeof sources === 'function' ? sources : (file: string): string | undefined => sources.get(file);
  const { memoryBase = DEFAULT_BASE } = options;
  if (!Number.isInteger(memoryBase) || memoryBase < 0 || memoryBase >= 2 ** 32 || memoryBase % 16 !== 0) {
    throw new VcodeError('argument', `the memory's base is ${memoryBase}, must be a multiple of 16 below 2^32`, {
      memoryBase,
    });
  }
  if (read(entry) === undefined) throw new VcodeError('argument', `there is no source ${entry}`, { entry });
  // A computed name keeps bundlers from taking the compiler along.
  const name = 'assemblyscript/asc';
  const asc = ((await import(/* @vite-ignore */ name)) as { readonly default: Asc }).default;
  const diagnostics: AscDiagnostic[] = [];
  const written = new Map<string, Uint8Array | string>();
  const silent: AscStream = { write: () => undefined };
  const { error } = await asc.main(argumentsOf(entry, memoryBase, options), {
    readFile: (file) => read(file) ?? null,
    writeFile: (file, contents) => {
      written.set(file, contents);
    },
    listFiles: () => [],
    reportDiagnostic: (message) => diagnostics.push(diagnosticOf(message, read)),
    stdout: silent,
    stderr: silent,
  });
  const wasm = written.get(OUT);
  const hasFailed = error !== null || !(wasm instanceof Uint8Array);
  if (hasFailed && !diagnostics.some(({ severity }) => severity === 'error')) {
    diagnostics.push({ severity: 'error', code: 0, message: error?.message ?? 'nothing was made', place: undefined });
  }
  const map = written.get(`${OUT}.map`);
  const placeOf = typeof map === 'string' ? places(map) : (): undefined => undefined;
  return { wasm: hasFailed ? undefined : admitUnaligned(wasm, placeOf), diagnostics, placeOf };
}

/** Has a module say of the accesses of some files that they may not be aligned. */
function admitUnaligned(wasm: Uint8Array, placeOf: AscResult['placeOf']): Uint8Array {
  const changed = wasm.slice();
  for (const { opcodes, offsets } of validateModule(wasm).code) {
    opcodes.forEach((opcode, i) => {
      const offset = offsets[i] ?? 0;
      const isAccess = opcode >= ACCESSES.first && opcode <= ACCESSES.last;
      if (isAccess && UNALIGNED.has(placeOf(offset)?.file)) changed[offset + 1] = 0;
    });
  }
  return changed;
}

function argumentsOf(entry: string, memoryBase: number, options: AscOptions): string[] {
  const { runtime = 'stub', optimize = true, assertions = true, exportTable = false } = options;
  return [
    entry,
    '--outFile',
    OUT,
    '--sourceMap',
    '--memoryBase',
    memoryBase.toString(10),
    '--runtime',
    runtime,
    // What would throw becomes a trap.
    '--use',
    'abort=',
    '--debug',
    ...(optimize ? ['--optimizeLevel', '3'] : []),
    ...(exportTable ? ['--exportTable'] : []),
    ...(assertions ? [] : ['--noAssert']),
  ];
}

function diagnosticOf(
  { code, category, message, range }: AscMessage,
  read: (file: string) => string | undefined,
): AscDiagnostic {
  const severity = SEVERITIES[category] ?? 'info';
  if (range === null) return { severity, code, message, place: undefined };
  const file = range.source.normalizedPath;
  const before = (read(file) ?? '').slice(0, range.start).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return { severity, code, message, place: { file, line: before.length, column } };
}

/** The places of a source map whose columns are offsets in a module. */
function places(map: string): AscResult['placeOf'] {
  const { mappings, sources } = JSON.parse(map) as { readonly mappings: string; readonly sources: readonly string[] };
  // One without a source says that from there on there is none.
  const segments = decode(mappings)[0] ?? [];
  return (offset) => {
    let [low, high] = [0, segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((segments[middle]?.[0] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const [, source, line, column] = segments[low - 1] ?? [];
    const file = source === undefined ? undefined : sources[source];
    return file === undefined || line === undefined ? undefined : { file, line: line + 1, column: (column ?? 0) + 1 };
  };
}
