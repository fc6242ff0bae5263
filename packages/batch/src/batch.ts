/**
 * Batch: the smallest library operating system. It has frames, a page table, contiguous slices, and nothing else.
 *
 * A batch task minimises its execution time by owning neighbouring positions of the slice vector: it is switched in once
 * per round. Memory is taken eagerly, frame by frame, so that no page ever faults to allocate. [SOSP95 §5.1.1], [LECTURE]
 */
import { EXCEPTIONS, type NativeFactory } from '@exokernel/abi';
import { A0, RA, V0, ZERO, type Assembly } from '@exokernel/isa';
import {
  Fibers,
  FIRST_LIBOS_NATIVE,
  PAGED_BASE,
  PAGED_END,
  PTE_BYTES,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  emitClock,
  emitEagerAllocate,
  emitFaultHandler,
  emitFiberEntry,
  fiberClock,
  fiberMemory,
  linkProgram,
  usedPages,
  type FiberProgram,
  type LinkingLibOs,
} from '@exokernel/libos-kit';

/** Offset in the page table of the first entry that is not used yet. */
const HEAP = UKIT.libos;
/** Exit word of a program that touched memory it does not have. */
export const BAD_ADDRESS = -1;

const MAIN = FIRST_LIBOS_NATIVE;

export type BatchInterface = 'memory' | 'clock';

/** The batch library operating system. */
export const batch: LinkingLibOs<BatchInterface> = {
  name: 'batch',
  provides: ['memory', 'clock'],
  load: (program, placement) => {
    const runtime = batchRuntime();
    const { pages = [], code } = program.kind !== 'fiber' ? linkProgram(program, 'batch', runtime) : {};
    const used = usedPages(pages);
    return buildImage({
      name: placement.name ?? program.name,
      libos: 'batch',
      runtime,
      entry: address(runtime, program.kind !== 'fiber' ? 'batch.start' : 'batch.start.fiber'),
      pages,
      code,
      handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs', mod: 'batch.bad' },
      natives: batchNatives(program.kind === 'fiber' ? program : undefined, runtime),
      placement: { contiguous: true, ...placement },
      words: () => new Map([[HEAP, used * PTE_BYTES]]),
    });
  },
  link: (program) => linkProgram(program, 'batch', batchRuntime()),
};

function batchRuntime(): Assembly {
  return assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    emit: (a) => {
      const policy = { absent: 'batch.bad', outside: 'batch.bad' };
      emitFaultHandler(a, 'tlbl', policy);
      emitFaultHandler(a, 'tlbs', policy);
      a.label('batch.bad');
      a.li(A0, BAD_ADDRESS);
      a.j('kit.exit');
      a.sw(A0, UKIT.failed, ZERO);

      a.label('batch.start');
      a.li(V0, PAGED_BASE);
      a.jalr(RA, V0);
      a.nop();
      a.j('kit.exit');
      a.move(A0, V0);
      emitFiberEntry(a, 'batch.main', MAIN);
      a.label('batch.start.fiber');
      a.bal('batch.main');
      a.nop();
      a.j('kit.exit');
      a.move(A0, V0);

      emitClock(a);
      emitEagerAllocate(a, HEAP, PAGED_END);
    },
  });
}

/** Native functions of an environment: the fiber step, and the program's fiber. */
function batchNatives(program: FiberProgram<BatchInterface> | undefined, runtime: Assembly): NativeFactory {
  const fibers = new Fibers();
  if (program === undefined) return () => [];
  const allocate = address(runtime, 'memory_allocate');
  const os = {
    memory: fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes)),
    clock: fiberClock(fibers, runtime),
  };
  return (env) => [fibers.step(env), fibers.start(env, () => program.main(os))];
}
