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
  const runtime = hashOf(text.words);
  if (program.kind === 'linked') {
    if (program.libos === libos && program.runtime === runtime) return program;
    const other = program.libos === libos ? `another ${libos}` : program.libos;
    throw new LibosError('image', `${program.name} was built for ${other}: build it again for ${libos}`, { libos });
  }
  const { name, needs } = program;
  return { kind: 'linked', name, needs, libos, runtime, ...place(program, text, end) };
}

/** FNV-1a, by words. */
function hashOf(words: Uint32Array): number {
  return words.reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5 | 0) >>> 0;
}

function place<N extends InterfaceName>(
  program: MachineProgram<N> | CompiledProgram<N>,
  runtime: Assembly,
  end: number,
): Pick<LinkedProgram<N>, 'pages' | 'code'> {
  if (program.kind === 'compiled') {
    const routines = new Set<string>(program.needs.flatMap((need): readonly string[] => ENTRY_POINTS[need]));
    return linkCompiled(program, (name) => (routines.has(name) ? address(runtime, name) : undefined), end);
  }
  const assemble = (data: number): Assembly => {
    const a = createAssembler(PAGED_BASE);
    program.text(a, { entry: (name) => address(runtime, name), data });
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
