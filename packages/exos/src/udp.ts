/**
 * UDP of ExOS: the kit's protocols, compiled, as a library in the process's memory. Every instruction of them is executed; only an image whose program
 * needs `udp` has them.
 *
 * A child has its parent's memory but not its rings: it opens sockets of its own.
 */
import { ERRORS, PAGE_BYTES } from '@exokernel/abi';
import { RA, V0, type Assembler, type Assembly } from '@exokernel/isa';
import {
  LIBRARY_TEXT,
  LibosError,
  address,
  compiledLibrary,
  emitEntryOf,
  linkLibrary,
  type Fiber,
  type Fibers,
  type LinkedLibrary,
  type Memory,
  type Udp,
} from '@exokernel/libos-kit';
import { bouncePage } from './bounce.ts';
import type { PageTable } from './page-table.ts';
import { UDP_WASM } from './udp-wasm.ts';

/** Where the bounce page has the sender's two words, behind the longest datagram. */
const SENDER = 2048;

/** Its imports. */
const ROUTINES: Readonly<Record<string, string>> = { sleep: 'kit.sleep', page_entry: 'kit.entry' };

const linked = new Map<string, LinkedLibrary>();

/** The library, linked to the runtime's routines. It is compiled once for each text. */
export function udpLibrary(runtime: Assembly): LinkedLibrary {
  const key = Object.values(ROUTINES)
    .map((label) => address(runtime, label))
    .join();
  const present = linked.get(key);
  if (present !== undefined) return present;
  const made = linkLibrary(compiledLibrary('udp', UDP_WASM), (name) => {
    const label = ROUTINES[name];
    return label === undefined ? undefined : address(runtime, label);
  });
  linked.set(key, made);
  return made;
}

/** Emits what only images with the library have: a routine for it, and starts, at which it starts first. */
export function emitLibrary(a: Assembler, table: PageTable): void {
  emitEntryOf(a, table.find);
  for (const start of ['exos.start', 'exos.start.fiber']) {
    a.label(`${start}.library`);
    a.li(V0, LIBRARY_TEXT);
    a.jalr(RA, V0);
    a.nop();
    a.j(start);
    a.nop();
  }
}

/** The interface for TypeScript programs, by way of the bounce page. */
export function fiberUdp(fibers: Fibers, library: LinkedLibrary | undefined, memory: Memory): Udp {
  const call = (name: string, ...args: readonly number[]): Fiber<number> => {
    const entry = library?.entries.get(name);
    if (entry === undefined) throw new LibosError('needs', 'the program does not say that it needs udp', { name });
    return fibers.call(entry, ...args);
  };
  return {
    open: (port) => call('udp_open', port),
    close: (socket) => call('udp_close', socket),
    *send(socket, host, port, bytes) {
      if (bytes.length > PAGE_BYTES) return ERRORS.E_RANGE;
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      yield* fibers.write(at, bytes);
      return yield* call('udp_send', socket, host, port, at, bytes.length);
    },
    *receive(socket, ticks = -1) {
      const at = yield* bouncePage(fibers, memory);
      if (at < 0) return ERRORS.E_NONE;
      const length = yield* call('udp_receive', socket, at, SENDER, at + SENDER, ticks);
      if (length < 0) return length;
      const bytes = new Uint8Array(length);
      yield* fibers.read(at, bytes);
      const from = yield* fibers.load(at + SENDER);
      return { address: from >>> 0, port: yield* fibers.load(at + SENDER + 4), bytes };
    },
  };
}
