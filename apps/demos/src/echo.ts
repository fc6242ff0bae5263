/**
 * An environment that is its own library operating system: it downloads a packet filter and a handler into the kernel and then
 * sleeps for good. The handler answers UDP echo from inside the kernel, bounded in memory and time. [ASH96]
 */
import { EXCEPTIONS, PAGE_BYTES, POLICIES, type Image } from '@exokernel/abi';
import { encodeHandler, udpEcho } from '@exokernel/ash';
import { encodeFilter, udp } from '@exokernel/dpf';
import { A0, V0 } from '@exokernel/isa';
import {
  FIRST_LIBOS_NATIVE,
  Fibers,
  PAGED_BASE,
  PAGED_END,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  emitEagerAllocate,
  emitFaultHandler,
  emitFiberEntry,
  fiberMemory,
  pageCapability,
  type Fiber,
  type Memory,
} from '@exokernel/libos-kit';

export interface EchoOptions {
  readonly ip: number;
  readonly port: number;
}

/** Page-table offset of the first page not used yet. */
const HEAP = UKIT.libos;
const MAIN = FIRST_LIBOS_NATIVE;
/** The window is the third page it has; the handler counts datagrams in its first word. */
const WINDOW_PAGE = 2;
const COUNTER = 0;
/** Address of the word in which an echo environment counts the datagrams it has answered. */
export const ECHO_COUNTER: number = PAGED_BASE + WINDOW_PAGE * PAGE_BYTES + COUNTER;

/** The image of an environment that answers UDP datagrams to a port. It exits only with an error of the kernel's. */
export function echo(options: EchoOptions): Image {
  const runtime = assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    emit: (a) => {
      emitFaultHandler(a, 'tlbl', { absent: 'echo.end', outside: 'echo.end' });
      emitFaultHandler(a, 'tlbs', { absent: 'echo.end', outside: 'echo.end' });
      emitEagerAllocate(a, HEAP, PAGED_END);
      emitFiberEntry(a, 'echo.main', MAIN);
      a.label('echo.start');
      a.bal('echo.main');
      a.nop();
      // Only an error comes back here.
      a.label('echo.end');
      a.j('kit.exit');
      a.move(A0, V0);
    },
  });
  const allocate = address(runtime, 'memory_allocate');
  const sleep = address(runtime, 'kit.sleep');
  return buildImage({
    name: 'echo',
    libos: 'its own',
    runtime,
    entry: address(runtime, 'echo.start'),
    pages: [],
    handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs' },
    natives: (env) => {
      const fibers = new Fibers();
      const memory = fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes));
      return [fibers.step(env), fibers.start(env, () => main(fibers, memory, sleep, options))];
    },
    placement: {},
    words: () => new Map([[HEAP, 0]]),
  });
}

function* main(fibers: Fibers, memory: Memory, sleep: number, { ip, port }: EchoOptions): Fiber<number> {
  const page = yield* memory.allocate(3 * PAGE_BYTES);
  if (page < 0) return page;
  const [code, ring, window] = [page, page + PAGE_BYTES, page + WINDOW_PAGE * PAGE_BYTES];
  const ringFrame = yield* pageCapability(fibers, ring);
  const codeFrame = yield* pageCapability(fibers, code);
  const windowFrame = yield* pageCapability(fibers, window);

  // One slot without a buffer: the handler takes every datagram, and nothing is to come here.
  let failed = yield* fibers.syscall('ring_bind', ...ringFrame, 0, 1);
  if (failed < 0) return failed;
  const receive = fibers.results('ring_bind').capability;

  const filter = encodeFilter(udp({ dstIp: ip, dstPort: port }));
  yield* fibers.write(code, filter);
  failed = yield* fibers.syscall('filter_bind', ...codeFrame, ...receive, filter.length, POLICIES.specific);
  if (failed < 0) return failed;
  const bound = fibers.results('filter_bind').capability;
  failed = yield* fibers.syscall('ash_window', ...bound, ...windowFrame, 0);
  if (failed < 0) return failed;

  const handler = encodeHandler(udpEcho({ ip, port, counterOffset: COUNTER }));
  yield* fibers.write(code, handler);
  failed = yield* fibers.syscall('ash_attach', ...bound, ...codeFrame, handler.length);
  if (failed < 0) return failed;
  for (;;) yield* fibers.call(sleep, 0);
}
