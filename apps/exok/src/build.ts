/**
 * Sources to a program in a file: AssemblyScript to WebAssembly to machine code, linked to the routines of a library operating system.
 *
 * The interfaces that the program needs are those whose routines it imports, and memory.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { createAssembler, listing } from '@exokernel/isa';
import {
  COMPILED_MEMORY,
  ENTRY_POINTS,
  compiledProgram,
  writeProgram,
  type CodePlace,
  type CompiledProgram,
  type InterfaceName,
  type LinkedProgram,
} from '@exokernel/libos-kit';
import { diagnosticText } from '@exokernel/libos-kit/node';
import { compileAssemblyScript, type AscOptions } from '@exokernel/vcode/asc';
import { decodeModule } from '@exokernel/wasm';
import { EXIT, UsageError } from './error.ts';
import { libosOf, orNoProgram } from './liboses.ts';
import { readInput, refusal } from './run-machine.ts';

/** What the command line says. */
export interface BuildOptions {
  readonly out?: string;
  readonly entry: string;
  readonly libos: string;
  readonly runtime: NonNullable<AscOptions['runtime']>;
  readonly listing?: boolean;
}

/** A module, and where its instructions come from. */
interface Compiled {
  readonly wasm: Uint8Array;
  readonly placeOf: (offset: number) => CodePlace | undefined;
  /** A line of a source, without blanks around it. */
  readonly lineOf: (place: CodePlace) => string;
}

/** Where text goes: listings, and everything else. */
export interface BuildOutput {
  readonly print: (text: string) => void;
  readonly say: (text: string) => void;
}

/** Builds a program. Returns the exit code. Throws `UsageError`. */
export async function build(entry: string, options: BuildOptions, { print, say }: BuildOutput): Promise<number> {
  const extension = extname(entry);
  if (extension !== '.ts' && extension !== '.wasm')
    throw new UsageError(`${entry}: use a source (.ts) or a module (.wasm)`);
  const compiled = extension === '.ts' ? await compile(entry, options.runtime, say) : modulesOwn(entry);
  if (compiled === undefined) return EXIT.failed;
  const name = basename(entry, extension);
  const linked = orNoProgram(entry, () => {
    const { wasm, placeOf } = compiled;
    const program = compiledProgram(name, needsOf(wasm), wasm, { entry: options.entry, placeOf });
    return link(program, options.libos);
  });
  const out = options.out ?? `${name}.elf`;
  try {
    writeFileSync(out, writeProgram(linked));
  } catch (error) {
    throw refusal('write', out, error);
  }
  if (options.listing === true) print(`${listingOf(linked, compiled.lineOf).join('\n')}\n`);
  else say(`${linked.name} for ${linked.libos} in ${out}\n`);
  return EXIT.ok;
}

/** The interfaces whose routines a module imports. */
function needsOf(wasm: Uint8Array): InterfaceName[] {
  const { imports } = decodeModule(wasm);
  const interfaces = Object.keys(ENTRY_POINTS) as InterfaceName[];
  return interfaces.filter(
    (one) =>
      one === 'memory' ||
      imports.some(
        ({ module, name: routine }) => module === 'kit' && (ENTRY_POINTS[one] as readonly string[]).includes(routine),
      ),
  );
}

function link(program: CompiledProgram<InterfaceName>, name: string): LinkedProgram<InterfaceName> {
  const libos = libosOf(name);
  const missing = program.needs.filter((need) => !libos.provides.includes(need));
  if (missing.length > 0) {
    throw new UsageError(
      `${program.name} needs ${missing.join(', ')}, which ${name} does not provide: choose another with --libos`,
    );
  }
  return libos.link(program);
}

function modulesOwn(file: string): Compiled {
  return { wasm: readInput(file), placeOf: () => undefined, lineOf: () => '' };
}

/** Compiles AssemblyScript, and says what is wrong with it as compilers do. Nothing if there are errors. */
async function compile(
  entry: string,
  runtime: BuildOptions['runtime'],
  say: BuildOutput['say'],
): Promise<Compiled | undefined> {
  const folder = dirname(entry);
  const texts = new Map<string, string | undefined>([[basename(entry), new TextDecoder().decode(readInput(entry))]]);
  const read = (file: string): string | undefined => {
    if (!texts.has(file)) texts.set(file, readSource(join(folder, file)));
    return texts.get(file);
  };
  const { wasm, diagnostics, placeOf } = await compiler(() =>
    compileAssemblyScript(read, basename(entry), { memoryBase: COMPILED_MEMORY, runtime }),
  );
  for (const { place, ...diagnostic } of diagnostics) {
    const at = place === undefined ? undefined : { ...place, file: fileOf(place.file, folder) };
    say(`${diagnosticText({ ...diagnostic, place: at })}\n`);
  }
  if (wasm === undefined) return undefined;
  return { wasm, placeOf, lineOf: ({ file, line }) => texts.get(file)?.split('\n')[line - 1]?.trim() ?? '' };
}

/** Nothing for a file that is not there: the compiler asks for several names. */
function readSource(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Runs the compiler. Throws `UsageError` if it is not installed. */
export async function compiler<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError(
      'AssemblyScript is compiled by the package assemblyscript: npm install assemblyscript@0.28.20',
    );
  }
}

/** What the compiler brings along is named as it names it. */
const fileOf = (file: string, folder: string): string => (file.startsWith('~lib/') ? file : join(folder, file));

/** The code, with the line of the source before what comes of it. */
function listingOf({ pages, code }: LinkedProgram<InterfaceName>, lineOf: Compiled['lineOf']): string[] {
  const [text] = pages;
  if (text === undefined || code === undefined) return [];
  const words = new Uint32Array((code.end - text.va) / 4);
  const view = new DataView(text.bytes.buffer, text.bytes.byteOffset);
  words.forEach((_, i) => (words[i] = view.getUint32(4 * i, true)));
  const symbols = new Map([...code.functions, ...code.routines].map(({ name, address }) => [name, address]));
  symbols.set('_start', text.va);
  const notes = new Map(
    code.lines.map(({ address, place }) => [
      address,
      [`${place.file}:${place.line}:${place.column}  ${lineOf(place)}`],
    ]),
  );
  return listing({ ...createAssembler(text.va).assemble(), words, symbols, notes });
}
