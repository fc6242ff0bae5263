/**
 * Builds the image of an environment that uses the kit: text, page table, boot stack, u-page, and the program's pages.
 *
 * The library operating system gives the assembled runtime and its policies; the page table is filled in when the kernel
 * has granted the frames.
 */
import {
  EXCEPTIONS,
  PAGE_BYTES,
  type CapabilityWords,
  type ExceptionName,
  type Grants,
  type Image,
  type NativeFactory,
} from '@exokernel/abi';
import type { Assembly } from '@exokernel/isa';
import { LibosError } from './error.ts';
import { codeAt, trapText, type CodeMap } from './code-map.ts';
import {
  BOOT_STACK,
  BOOT_STACK_TOP,
  KIT_TEXT,
  KIT_TEXT_BYTES,
  PAGED_BASE,
  PAGED_END,
  PAGE_TABLE,
  PAGE_TABLE_BYTES,
  PTE,
  PTE_BYTES,
  PTE_SOFT,
  UKIT,
  U_PAGE,
} from './layout.ts';
import { pageEntry } from './paging.ts';
import { wordBytes, type Pages } from './pages.ts';
import type { Placement } from './program.ts';

/** What a library operating system builds an image of. */
export interface ImageParts {
  readonly name: string;
  readonly libos: string;
  readonly runtime: Assembly;
  /** Where the environment starts, an address. */
  readonly entry: number;
  readonly pages: readonly Pages[];
  /** What stands in the program's code, if that is known. */
  readonly code?: CodeMap | undefined;
  /** Pages that get a frame only when they are touched, by the library operating system's fault policy. */
  readonly zeroFill?: readonly { readonly va: number; readonly pages: number }[] | undefined;
  /** Label of the handler by exception. */
  readonly handlers: Partial<Record<ExceptionName, string>>;
  readonly natives: NativeFactory;
  readonly placement: Placement;
  /** Address of the page-table entry of a page; the linear table's by default. */
  readonly entryOf?: (va: number) => number;
  /** Label where a slice begins; the kit's prologue by default. */
  readonly prologue?: string;
  readonly syncEntry?: string;
  readonly asyncEntry?: string;
  /** The placement's by default. */
  readonly extent?: Image['extent'] | undefined;
  readonly tap?: Image['tap'] | undefined;
  /** Of the frames for the runtime; KIT_TEXT_BYTES by default. */
  readonly textBytes?: number;
  /** Further words for the u-page or the other guaranteed pages. */
  readonly words?: (grants: Grants) => ReadonlyMap<number, number>;
}

/** The image. Throws `LibosError` `image` for pages outside the paged region or on top of each other. */
export function buildImage(parts: ImageParts): Image {
  const { runtime, placement } = parts;
  const slots = parts.pages.flatMap(splitPages);
  const extent = parts.extent ?? placement.extent;
  if (new Set(slots.map(({ va }) => va)).size !== slots.length) {
    throw new LibosError('image', `${parts.name}: two pages at one place`, { pages: slots.map(({ va }) => va) });
  }
  const station = stationWords(parts);
  return {
    name: parts.name,
    libos: parts.libos,
    uPage: U_PAGE,
    segments: [
      { va: KIT_TEXT, bytes: wordBytes(runtime.words), size: parts.textBytes ?? KIT_TEXT_BYTES, writable: false },
      { va: PAGE_TABLE, bytes: new Uint8Array(0), size: PAGE_TABLE_BYTES, writable: true },
      { va: BOOT_STACK, bytes: new Uint8Array(0), size: PAGE_BYTES, writable: true },
    ],
    frames: slots.map((slot) => slot.bytes),
    words: (grants) => new Map([...station, ...initialWords(parts, slots, grants)]),
    prologue: address(runtime, parts.prologue ?? 'kit.prologue'),
    epilogue: address(runtime, 'kit.epilogue'),
    exceptionPc: new Map(
      Object.entries(parts.handlers).map(([name, label]) => [
        EXCEPTIONS[name as ExceptionName],
        address(runtime, label),
      ]),
    ),
    natives: parts.natives,
    slices: { count: placement.slices ?? 1, contiguous: placement.contiguous ?? false },
    serialLine: placement.serialLine ?? 3,
    failed: UKIT.failed,
    ...(parts.syncEntry === undefined ? {} : { syncEntry: address(runtime, parts.syncEntry) }),
    ...(parts.asyncEntry === undefined ? {} : { asyncEntry: address(runtime, parts.asyncEntry) }),
    ...(extent === undefined ? {} : { extent }),
    ...(parts.tap === undefined ? {} : { tap: parts.tap }),
    ...(parts.code === undefined ? {} : { program: describedProgram(parts.code, parts.pages) }),
  };
}

function describedProgram(code: CodeMap, pages: readonly Pages[]): NonNullable<Image['program']> {
  const start = code.functions[0]?.address ?? code.end;
  const text = pages.find(({ va, bytes }) => start >= va && start < va + bytes.length);
  const wordAt = (pc: number): number =>
    text === undefined || pc < text.va || pc + 4 > text.va + text.bytes.length
      ? 0
      : new DataView(text.bytes.buffer, text.bytes.byteOffset).getUint32(pc - text.va, true);
  return {
    start,
    end: code.end,
    at: (pc, ra) => codeAt(code, pc, ra, wordAt),
    trap: (pc) => trapText(wordAt(pc)),
  };
}

/** The address of a label of the runtime. Throws `LibosError` `image` if there is none. */
export function address(runtime: Assembly, label: string): number {
  const found = runtime.symbols.get(label);
  if (found === undefined) throw new LibosError('image', `the runtime has no ${label}`, { label });
  return found;
}

/** The words of UKIT.station: addresses as bytes in the order of the wire. */
function stationWords({ name, placement: { station } }: ImageParts): [number, number][] {
  if (station === undefined) return [];
  const { mac, ip, netmask, gateway = 0 } = station;
  const hostBits = ~netmask >>> 0;
  const areWords = [ip, netmask, gateway].every((word) => word === word >>> 0);
  const isStation = mac.length === 6 && ((mac[0] ?? 1) & 1) === 0;
  if (!areWords || ip === 0 || (hostBits & (hostBits + 1)) !== 0 || !isStation) {
    throw new LibosError('image', `${name}: this is no station: ${JSON.stringify(station)}`, { station });
  }
  const view = new DataView(new ArrayBuffer(20));
  [ip, netmask, gateway].forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  mac.forEach((byte, i) => {
    view.setUint8(12 + i, byte);
  });
  return Array.from({ length: 5 }, (_, i) => [UKIT.station + 4 * i, view.getUint32(4 * i, true)]);
}

interface PageSlot {
  readonly va: number;
  readonly bytes: Uint8Array;
  readonly writable: boolean;
}

function splitPages({ va, bytes, writable }: Pages): PageSlot[] {
  if (va % PAGE_BYTES !== 0 || va < PAGED_BASE || va + bytes.length > PAGED_END) {
    throw new LibosError('image', `pages at 0x${va.toString(16)} do not lie in the paged region`, { va });
  }
  return Array.from({ length: Math.ceil(bytes.length / PAGE_BYTES) }, (_, i) => ({
    va: va + i * PAGE_BYTES,
    bytes: bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES),
    writable,
  }));
}

function initialWords(parts: ImageParts, slots: readonly PageSlot[], grants: Grants): Map<number, number> {
  const words = new Map<number, number>();
  const entryOf = parts.entryOf ?? pageTableEntry;
  const put = (at: number, capability: CapabilityWords | undefined): void => {
    capability?.forEach((word, i) => words.set(at + 4 * i, word));
  };
  words.set(UKIT.contextPc, parts.entry);
  words.set(UKIT.context + 4 * 29, BOOT_STACK_TOP);
  put(UKIT.self, grants.self);
  put(UKIT.serial, grants.serial);
  put(UKIT.extent, grants.extent);
  words.set(UKIT.extentBlocks, (parts.extent ?? parts.placement.extent)?.blocks ?? 0);
  put(UKIT.net, grants.net);
  put(UKIT.uPageCapability, grants.uPage);
  grants.segments.forEach((capability, i) => {
    put(UKIT.segments + 16 * i, capability);
  });
  slots.forEach(({ va, writable }, i) => {
    const [head = 0, ppn = 0, mac0 = 0, mac1 = 0] = grants.frames[i] ?? [];
    const entry = entryOf(va);
    words.set(entry + PTE.entryLo, pageEntry(ppn, { writable }));
    words.set(entry + PTE.head, head);
    words.set(entry + PTE.mac0, mac0);
    words.set(entry + PTE.mac1, mac1);
  });
  for (const { va, pages } of parts.zeroFill ?? []) {
    for (let i = 0; i < pages; i += 1) {
      const entry = entryOf(va + i * PAGE_BYTES) + PTE.entryLo;
      if (!words.has(entry)) words.set(entry, PTE_SOFT.zeroFill);
    }
  }
  for (const [at, word] of parts.words?.(grants) ?? []) words.set(at, word);
  return words;
}

/** Address of the page-table entry for an address of the paged region. */
export function pageTableEntry(va: number): number {
  return PAGE_TABLE + ((va - PAGED_BASE) / PAGE_BYTES) * PTE_BYTES;
}
