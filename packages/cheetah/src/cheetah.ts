/**
 * Cheetah: a web server as a library operating system. It owns an extent of the disk, keeps whole formatted responses in its
 * frames, speaks TCP by itself, and runs one loop. [SOSP97 §7.3]
 */
import {
  EXCEPTIONS,
  PAGE_BYTES,
  TICKS_PER_SECOND,
  TRANSFER_LIMIT,
  type Image,
  type ImageExtent,
  type NativeFactory,
} from '@exokernel/abi';
import { arp, encodeFilter, etherType, type Atom } from '@exokernel/dpf';
import { A0, V0, ZERO, type Assembly } from '@exokernel/isa';
import {
  DiskExtent,
  FIRST_LIBOS_NATIVE,
  Fibers,
  NetworkDevice,
  PAGED_END,
  UKIT,
  address,
  assembleRuntime,
  buildImage,
  emitEagerAllocate,
  emitFaultHandler,
  emitFiberEntry,
  fiberMemory,
  type Fiber,
  type Memory,
  type Placement,
} from '@exokernel/libos-kit';
import { NetworkStack } from '@exokernel/net';
import { CachedFile } from './cached-file.ts';
import { WebServer, type Resource } from './server.ts';
import {
  BLOCK_BYTES,
  directoryLength,
  fileBlocks,
  readDirectory,
  segments,
  sumsOffset,
  type SiteEntry,
} from './site.ts';
import { CheetahError } from './error.ts';

/** Page-table offset of the first page not used yet. */
const HEAP = UKIT.libos;
/** Words of the u-page, after HEAP, that tell observers how the server is. */
export const CHEETAH_STATUS = { state: 0x1404, requests: 0x1408, connections: 0x140c, files: 0x1410 } as const;
/** Values of CHEETAH_STATUS.state. */
export const CHEETAH_STATE = { starting: 0, serving: 1 } as const;
/**
 * Exit words: memory it does not have, no site on its disk or none that can be read, no network device or none for its
 * address (another environment has a filter for it), not enough frames.
 */
export const CHEETAH_EXIT = { badAddress: -1, noSite: -2, noDevice: -3, noMemory: -4 } as const;

const MAIN = FIRST_LIBOS_NATIVE;
const MS_PER_TICK = 1000 / TICKS_PER_SECOND;
/** Disk requests under way at a time. */
const REQUESTS = 2;
const ETHERTYPE_IPV4 = 0x0800;
/** Offset of the destination in a frame that holds an IPv4 packet. */
const DESTINATION = 30;
/** What a folder's path stands for. */
const INDEX = 'index.html';
/** Ticks between looks at silent connections. */
const SWEEP_TICKS = TICKS_PER_SECOND;

/** Where a server is on the network and on the disk. */
export interface CheetahOptions {
  readonly mac: Uint8Array;
  readonly ip: number;
  readonly netmask: number;
  readonly gateway?: number;
  readonly port: number;
  /** Seeds TCP's sequence numbers. */
  readonly seed: number;
  /** Where the site lies on the disk, in 4 KiB blocks. */
  readonly extent: ImageExtent;
  readonly placement?: Placement;
}

/** The image of a server of the site in its extent. Throws `NetError` for addresses or a port that cannot be. */
export function cheetah(options: CheetahOptions): Image {
  // What the environment will do on the machine, where an error would only end it.
  new NetworkStack(options).tcp.listen(options.port);
  const runtime = cheetahRuntime();
  return buildImage({
    name: options.placement?.name ?? 'cheetah',
    libos: 'cheetah',
    runtime,
    entry: address(runtime, 'cheetah.start'),
    pages: [],
    handlers: { tlbl: 'fault.tlbl', tlbs: 'fault.tlbs' },
    natives: cheetahNatives(options, runtime),
    placement: options.placement ?? {},
    extent: options.extent,
    words: () => new Map([[HEAP, 0]]),
  });
}

function cheetahRuntime(): Assembly {
  return assembleRuntime({
    resumes: [EXCEPTIONS.tlbl, EXCEPTIONS.tlbs],
    emit: (a) => {
      const policy = { absent: 'cheetah.bad', outside: 'cheetah.bad' };
      emitFaultHandler(a, 'tlbl', policy);
      emitFaultHandler(a, 'tlbs', policy);
      a.label('cheetah.bad');
      a.li(A0, CHEETAH_EXIT.badAddress);
      a.j('kit.exit');
      a.sw(A0, UKIT.failed, ZERO);
      emitFiberEntry(a, 'cheetah.main', MAIN);
      a.label('cheetah.start');
      a.bal('cheetah.main');
      a.nop();
      a.j('kit.exit');
      a.move(A0, V0);
      emitEagerAllocate(a, HEAP, PAGED_END);
    },
  });
}

function cheetahNatives(options: CheetahOptions, runtime: Assembly): NativeFactory {
  const allocate = address(runtime, 'memory_allocate');
  return (env) => {
    const fibers = new Fibers();
    const memory = fiberMemory(fibers, (bytes) => fibers.call(allocate, bytes));
    return [fibers.step(env), fibers.start(env, () => main({ fibers, memory, runtime }, options))];
  };
}

/** What every part of the environment uses. */
interface Self {
  readonly fibers: Fibers;
  readonly memory: Memory;
  readonly runtime: Assembly;
}

function* main(self: Self, options: CheetahOptions): Fiber<number> {
  const { fibers, memory, runtime } = self;
  const resources = yield* loadSite(self, options.extent.blocks);
  if (typeof resources === 'number') return resources;
  const device = yield* NetworkDevice.open(fibers, memory, { filters: filters(options.ip) });
  if (!(device instanceof NetworkDevice)) {
    return device.call === 'frame_alloc' ? CHEETAH_EXIT.noMemory : CHEETAH_EXIT.noDevice;
  }
  const stack = new NetworkStack(options);
  const server = new WebServer(stack, options.port, resources);
  yield* fibers.store(CHEETAH_STATUS.files, resources.size);
  yield* fibers.store(CHEETAH_STATUS.state, CHEETAH_STATE.serving);
  for (let swept = 0; ;) {
    const tick = yield* ticks(fibers);
    const now = tick * MS_PER_TICK;
    const received = yield* device.receive(stack, now);
    stack.poll(now);
    server.run(now);
    if (tick - swept >= SWEEP_TICKS) {
      server.sweep(now);
      swept = tick;
    }
    const sent = yield* device.transmit(stack, now);
    yield* fibers.store(CHEETAH_STATUS.requests, server.requests);
    yield* fibers.store(CHEETAH_STATUS.connections, server.connections);
    if (received + sent > 0) continue;
    // Nothing to do until a packet comes, a timer is due, or the controller has room again.
    const deadline = Math.ceil((stack.nextDeadline ?? Infinity) / MS_PER_TICK);
    const busy = stack.hasOutput || (yield* device.isBusy());
    const until = Math.min(busy ? tick + 1 : tick + SWEEP_TICKS, Math.max(deadline, tick + 1));
    yield* fibers.call(address(runtime, 'kit.sleep'), until);
  }
}

/**
 * Of a host at `ip`: ARP for it, and all IPv4 packets to it that no more specific filter claims, so that a closed port answers and a
 * router is heard.
 */
function filters(ip: number): Uint8Array[] {
  const toUs: Atom = { kind: 'eq', offset: DESTINATION, size: 4, value: ip };
  return [encodeFilter([...etherType(ETHERTYPE_IPV4), toUs]), encodeFilter(arp({ targetIp: ip }))];
}

function* ticks(fibers: Fibers): Fiber<number> {
  yield* fibers.syscall('tick');
  return fibers.results('tick').tick;
}

/** Reads the directory and every file into memory. Returns the exit word if that cannot be. */
function* loadSite(self: Self, blocks: number): Fiber<ReadonlyMap<string, Resource> | number> {
  const { fibers, memory, runtime } = self;
  const disk = yield* DiskExtent.open(fibers, memory, { runtime });
  if (typeof disk === 'number') return CHEETAH_EXIT.noMemory;
  try {
    const first = yield* loadBlocks(self, disk, [0]);
    if (first < 0) return first;
    const block = new Uint8Array(BLOCK_BYTES);
    yield* fibers.read(first, block);
    const directory = new Uint8Array(Math.ceil(directoryLength(block) / BLOCK_BYTES) * BLOCK_BYTES);
    directory.set(block);
    const rest = yield* loadBlocks(self, disk, consecutive(1, directory.length / BLOCK_BYTES - 1));
    if (rest < 0) return rest;
    yield* memory.read(rest, directory.subarray(BLOCK_BYTES));
    // All files at once, so that the disk need not wait for the server between two of them.
    const entries = readDirectory(directory, blocks);
    let va = yield* loadBlocks(self, disk, entries.flatMap(blocksOf));
    if (va < 0) return va;
    const resources = new Map<string, Resource>();
    for (const entry of entries) {
      resources.set(entry.path, yield* fileAt(self, va, entry));
      va += blocksOf(entry).length * BLOCK_BYTES;
    }
    for (const [path, resource] of [...resources]) {
      const folder = path.slice(0, -INDEX.length);
      if (path.endsWith(`/${INDEX}`) && !resources.has(folder)) resources.set(folder, resource);
    }
    return resources;
  } catch (error) {
    if (error instanceof CheetahError) return CHEETAH_EXIT.noSite;
    throw error;
  }
}

function consecutive(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

function blocksOf({ block, headerBytes, bodyBytes }: SiteEntry): number[] {
  return consecutive(block, fileBlocks(headerBytes + bodyBytes));
}

function* fileAt({ fibers }: Self, va: number, { headerBytes, bodyBytes }: SiteEntry): Fiber<Resource> {
  const length = headerBytes + bodyBytes;
  const sums = new Uint32Array(segments(length));
  const bytes = new Uint8Array(sums.buffer);
  yield* fibers.read(va + sumsOffset(length), bytes);
  return {
    file: new CachedFile(
      va,
      length,
      sums.map((sum) => sum & 0xffff),
    ),
    headerBytes,
  };
}

/**
 * Reads blocks of the extent into new pages, in this order. Two requests are under way at a time, so that the disk always knows what comes
 * next and the platter does not turn in vain; pages are allocated meanwhile. Returns the address of the first page, or an exit word.
 */
function* loadBlocks({ memory }: Self, disk: DiskExtent, blocks: readonly number[]): Fiber<number> {
  let first: number | undefined;
  for (let i = 0; i < blocks.length; i += TRANSFER_LIMIT) {
    const batch = blocks.slice(i, i + TRANSFER_LIMIT);
    const va = yield* memory.allocate(batch.length * PAGE_BYTES);
    if (va < 0) return CHEETAH_EXIT.noMemory;
    first ??= va;
    const slot = (i / TRANSFER_LIMIT) % REQUESTS;
    if ((yield* disk.wait(slot)) < 0 || (yield* disk.start(slot, false, batch, va)) < 0) return CHEETAH_EXIT.noSite;
  }
  for (let slot = 0; slot < REQUESTS; slot += 1) if ((yield* disk.wait(slot)) < 0) return CHEETAH_EXIT.noSite;
  return first ?? (yield* memory.allocate(0));
}
