/**
 * Library operating systems of an outsider: with what packages export, and nothing else. One runs programs in TypeScript, the other is compiled.
 */
import { join } from 'node:path';
import { EXCEPTIONS } from '@exokernel/abi';
import { A0, V0 } from '@exokernel/isa';
import {
  ENTRY_POINTS,
  FIRST_LIBOS_NATIVE,
  Fibers,
  LIBRARY_MEMORY,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  compiledLibOs,
  compiledLibrary,
  emitClock,
  emitEagerAllocate,
  emitFaultHandler,
  emitFiberEntry,
  fiberClock,
  fiberMemory,
  PAGED_END,
  type CompiledLibOs,
  type InterfaceName,
  type LibOs,
} from '@exokernel/libos-kit';
import { compileLibrary, diagnosticText, kitSource } from '@exokernel/libos-kit/node';
import { compileAssemblyScript } from '@exokernel/vcode/asc';

/** Offset in the page table of the first entry that is not used yet. */
const HEAP = UKIT.libos;

/** Takes programs in TypeScript alone, and gives them time and memory. */
export const outsider: LibOs<'clock' | 'memory'> = {
  name: 'outsider',
  provides: ['clock', 'memory'],
  load: (program, placement) => {
    if (program.kind !== 'fiber') throw new RangeError('outsider runs TypeScript only');
    const fibers = new Fibers();
    const runtime = assembleRuntime({
      resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
      emit: (a) => {
        const policy = { absent: 'outsider.bad', outside: 'outsider.bad' };
        emitFaultHandler(a, 'tlbl', policy);
        emitFaultHandler(a, 'tlbs', policy);
        emitClock(a);
        emitEagerAllocate(a, HEAP, PAGED_END);
        emitFiberEntry(a, 'outsider.main', FIRST_LIBOS_NATIVE);
        a.label('outsider.start');
        a.bal('outsider.main');
        a.nop();
        a.j('kit.exit');
        a.move(A0, V0);
        a.label('outsider.bad');
        a.j('kit.exit');
        a.li(A0, -1);
      },
    });
    const allocate = address(runtime, 'memory_allocate');
    const os = {
      clock: fiberClock(fibers, runtime),
      memory: fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes)),
    };
    return buildImage({
      name: program.name,
      libos: 'outsider',
      runtime,
      entry: address(runtime, 'outsider.start'),
      pages: [],
      handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs' },
      natives: (env) => [fibers.step(env), fibers.start(env, () => program.main(os))],
      placement,
    });
  },
};

/** The routines that the kit has in AssemblyScript, by the file of each interface. */
const ROUTINES = {
  clock: ENTRY_POINTS.clock,
  console: ENTRY_POINTS.console,
  udp: ENTRY_POINTS.udp,
  files: ENTRY_POINTS.files,
} as const;
type Compiled = keyof typeof ROUTINES;

/**
 * Takes programs of machine code alone. All of it is the kit's AssemblyScript, compiled; but for routines of one interface that `faulty` has, which may
 * import the good ones.
 */
export async function compiled(faulty: string = ''): Promise<CompiledLibOs<Compiled>> {
  const lines = Object.entries(ROUTINES).map(([file, names]) => {
    const good = names.filter((name) => !faulty.includes(`function ${name}(`));
    return `export { ${good.join()} } from '@exokernel/libos-kit/assembly/${file}';`;
  });
  const source = [...lines, faulty].join('\n');
  const { wasm, diagnostics } = await compileAssemblyScript(
    (file) => (file === 'main.ts' ? source : kitSource(file)),
    'main.ts',
    { memoryBase: LIBRARY_MEMORY, exportTable: true },
  );
  if (wasm === undefined) throw new Error(JSON.stringify(diagnostics));
  return compiledLibOs(['clock', 'console', 'udp', 'files'], compiledLibrary('compiled', wasm));
}

/** A library operating system that is a file of the workspace. */
export async function compiledFrom<const P extends InterfaceName>(
  file: string,
  provides: readonly P[],
): Promise<CompiledLibOs<P>> {
  const { library, diagnostics } = await compileLibrary(join(import.meta.dirname, '../../..', file));
  if (library === undefined) throw new Error(diagnostics.map(diagnosticText).join('\n'));
  return compiledLibOs(provides, library);
}
