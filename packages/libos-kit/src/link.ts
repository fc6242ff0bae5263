/** Programs become pages: their text and data get their places, and the routines of the library operating system their addresses. */
import { PAGE_BYTES } from '@exokernel/abi';
import { createAssembler, type Assembly } from '@exokernel/isa';
import { linkCompiled } from './compiled.ts';
import { LibosError } from './error.ts';
import { address } from './image.ts';
import { ENTRY_POINTS, type InterfaceName } from './interfaces.ts';
import { PAGED_BASE, PAGED_END } from './layout.ts';
import { wordBytes } from './pages.ts';
import type { CompiledProgram, LinkedProgram, MachineProgram } from './program.ts';

/** What a program is linked to. */
export interface LinkPlace {
  /** The library operating system's name, and all of its text. */
  readonly libos: string;
  readonly text: readonly Uint32Array[];
  /** The address of a routine of an interface; nothing if it has none of this name. */
  readonly entryOf: (name: string) => number | undefined;
  /** Text and data lie below. */
  readonly end: number;
}

/**
 * Links a program to a runtime whose entry points are labels of their names: compiles it, or assembles one in machine code. Text and data lie below
 * `end`. One that is linked already is returned. Throws `LibosError` `program-size` if they do not fit, `image` for an entry point that the
 * runtime does not have, and for a program that was linked to another runtime.
 */
export function linkProgram<N extends InterfaceName>(
  program: MachineProgram<N> | CompiledProgram<N> | LinkedProgram<N>,
  libos: string,
  text: Assembly,
  end: number = PAGED_END,
): LinkedProgram<N> {
  return linkAt(program, { libos, text: [text.words], entryOf: (name) => address(text, name), end });
}

/** The same for routines that may lie elsewhere. */
export function linkAt<N extends InterfaceName>(
  program: MachineProgram<N> | CompiledProgram<N> | LinkedProgram<N>,
  to: LinkPlace,
): LinkedProgram<N> {
  const runtime = hashOf(to.text);
  const { libos } = to;
  if (program.kind === 'linked') {
    if (program.libos === libos && program.runtime === runtime) return program;
    const other = program.libos === libos ? `another ${libos}` : program.libos;
    throw new LibosError('image', `${program.name} was built for ${other}: build it again for ${libos}`, { libos });
  }
  const { name, needs } = program;
  return { kind: 'linked', name, needs, libos, runtime, ...place(program, to) };
}

/** FNV-1a, by words. */
function hashOf(texts: readonly Uint32Array[]): number {
  let hash = 0x811c9dc5 | 0;
  for (const words of texts) for (const word of words) hash = Math.imul(hash ^ word, 0x01000193);
  return hash >>> 0;
}

function place<N extends InterfaceName>(
  program: MachineProgram<N> | CompiledProgram<N>,
  { entryOf, end }: LinkPlace,
): Pick<LinkedProgram<N>, 'pages' | 'code'> {
  if (program.kind === 'compiled') {
    const routines = new Set<string>(program.needs.flatMap((need): readonly string[] => ENTRY_POINTS[need]));
    return linkCompiled(program, (name) => (routines.has(name) ? entryOf(name) : undefined), end);
  }
  const entry = (name: string): number => {
    const found = entryOf(name);
    if (found === undefined) throw new LibosError('image', `there is no routine ${name}`, { name });
    return found;
  };
  const assemble = (data: number): Assembly => {
    const a = createAssembler(PAGED_BASE);
    program.text(a, { entry, data });
    return a.assemble();
  };
  // The data's address depends on the text's length. No address makes the text longer than this one, which takes two words.
  const bytes = wordBytes(assemble(0x7fff8000).words);
  const data = PAGED_BASE + Math.ceil(bytes.length / PAGE_BYTES) * PAGE_BYTES;
  // Some addresses take one word and make it shorter: the difference stays, as padding.
  const text = new Uint8Array(bytes.length);
  text.set(wordBytes(assemble(data).words));
  if (!Number.isInteger(program.data) || program.data < 0 || data + program.data > end) {
    const details = { text: bytes.length, data: program.data, room: end - PAGED_BASE };
    throw new LibosError(
      'program-size',
      `${program.name} has ${bytes.length} + ${program.data} bytes: no room`,
      details,
    );
  }
  const pages = [
    { va: PAGED_BASE, bytes: text, writable: false },
    { va: data, bytes: new Uint8Array(Math.ceil(program.data / PAGE_BYTES) * PAGE_BYTES), writable: true },
  ];
  return { pages };
}
