/**
 * The loader: makes the first environments out of images, as a boot loader would, before the machine runs.
 *
 * It uses the same parts as the system calls and gives an environment nothing that these would not: frames, guaranteed
 * mappings, slices, a serial line, an extent.
 */
import {
  DEATHS,
  ENV,
  ENV_STATUS,
  NO_ENV,
  PAGE_BYTES,
  SLICE_LIMIT,
  type CapabilityWords,
  type Image,
  RIGHTS,
} from '@exokernel/abi';
import { AegisError } from './error.ts';
import type { Parts } from './call.ts';
import { isLine } from './serial.ts';

/**
 * Creates a runnable environment from an image. Throws `AegisError` `image` for an image that cannot be, `extent` for
 * blocks that it cannot have, and `environments`, `frames` or `slices` when the machine cannot hold it; then nothing is left of it.
 */
export function loadImage(parts: Parts, image: Image): number {
  const { environments } = parts;
  const env = environments.allocate(NO_ENV, image.natives);
  if (env < 0) throw new AegisError('environments', `no environment left for ${image.name}`);
  try {
    fill(parts, env, image);
  } catch (error) {
    environments.end(env, DEATHS.destroyed);
    throw error;
  }
  return env;
}

function fill(parts: Parts, env: number, image: Image): void {
  const { environments, capabilities, slices } = parts;
  const pages = new Map<number, number>();
  const place = (va: number, bytes: Uint8Array, writable: boolean, uPage: boolean): CapabilityWords => {
    const ppn = newFrame(parts, env, image, bytes);
    if (
      va % PAGE_BYTES !== 0 ||
      pages.has(va) ||
      environments.map(env, ppn, va, { writable, pages: uPage ? [ENV.uPage] : [], node: 0, envNode: 0 }) < 0
    ) {
      throw new AegisError('image', `${image.name}: cannot map the page at 0x${va.toString(16)}`, { va });
    }
    pages.set(va, ppn);
    return parts.frames.capability(ppn);
  };
  const uPage = place(image.uPage, new Uint8Array(0), true, true);
  const segments = image.segments.flatMap(({ va, bytes, size, writable }) =>
    Array.from({ length: Math.ceil(size / PAGE_BYTES) }, (_, i) =>
      place(va + i * PAGE_BYTES, bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES), writable, false),
    ),
  );
  const frames = image.frames.map((bytes) => parts.frames.capability(newFrame(parts, env, image, bytes)));

  if (image.serialLine !== undefined && !isLine(image.serialLine)) {
    throw new AegisError('image', `${image.name}: no serial line ${image.serialLine}`, { line: image.serialLine });
  }
  const rights = RIGHTS.read | RIGHTS.write;
  const grants = {
    env,
    self: environments.capability(env),
    uPage,
    segments,
    frames,
    ...(image.serialLine === undefined ? {} : { serial: capabilities.make('serial', rights, image.serialLine) }),
    ...(image.tap === true ? { net: capabilities.make('net', RIGHTS.read, 0) } : {}),
    ...(image.extent === undefined ? {} : { extent: grantExtent(parts, env, image) }),
  };
  for (const [va, word] of image.words(grants)) {
    const ppn = pages.get(va - (va % PAGE_BYTES));
    if (ppn === undefined || va % 4 !== 0) {
      throw new AegisError('image', `${image.name}: no page for the word at 0x${va.toString(16)}`, { va });
    }
    parts.memory.set(ppn * PAGE_BYTES + (va % PAGE_BYTES), word);
  }

  takeSlices(slices, env, image);
  for (const [field, value] of [
    [ENV.prologue, image.prologue],
    [ENV.epilogue, image.epilogue],
    ...[...image.exceptionPc].map(([code, pc]) => [ENV.exceptionPc + 4 * code, pc] as const),
    [ENV.status, ENV_STATUS.runnable],
    [ENV.syncEntry, image.syncEntry ?? 0],
    [ENV.asyncEntry, image.asyncEntry ?? 0],
  ] as const) {
    if (environments.set(env, field, value) < 0) {
      throw new AegisError('image', `${image.name}: entry 0x${value.toString(16)} is not possible`, { field, value });
    }
  }
}

/** The right to blocks that the disk has, and of which others have none unless the image says that it shares them. */
function grantExtent({ extents, diskBlocks }: Parts, env: number, { name, extent }: Image): CapabilityWords {
  const { start, blocks, shared = false } = extent ?? { start: 0, blocks: 0 };
  const refuse = (reason: string, text: string, more = {}): never => {
    throw new AegisError('extent', `${name}: ${text}`, { reason, start, blocks, diskBlocks, ...more });
  };
  if (![start, blocks].every((value) => Number.isInteger(value) && value >= 0) || blocks === 0) {
    refuse('empty', `an extent of ${blocks} blocks at ${start}: use at least one, from block 0 on`);
  }
  if (diskBlocks === 0) refuse('no-disk', 'it wants blocks of a disk, and this machine has none: give it one');
  if (start + blocks > diskBlocks) {
    refuse('beyond', `blocks ${start} to ${start + blocks - 1} of a disk that has ${diskBlocks}`);
  }
  const other = shared ? undefined : extents.overlapping({ start, blocks });
  if (other !== undefined) {
    const text = `blocks ${start} to ${start + blocks - 1}, but ${other.start} to ${other.start + other.blocks - 1} are another's`;
    refuse('taken', `${text}: use others, or say that it shares them`, { other });
  }
  const id = extents.grant(env, { start, blocks });
  if (id < 0) refuse('limit', 'there are too many extents');
  return extents.capability(id);
}

function newFrame(parts: Parts, env: number, image: Image, bytes: Uint8Array): number {
  if (bytes.length > PAGE_BYTES) {
    throw new AegisError('image', `${image.name}: ${bytes.length} bytes for one frame`, { bytes: bytes.length });
  }
  const ppn = parts.frames.allocate(env, -1);
  if (ppn < 0) throw new AegisError('frames', `no frame left for ${image.name}`);
  parts.memory.port.write(ppn * PAGE_BYTES, bytes);
  return ppn;
}

function takeSlices(slices: Parts['slices'], env: number, image: Image): void {
  const { count, contiguous } = image.slices;
  if (!Number.isInteger(count) || count < 0) {
    throw new AegisError('image', `${image.name}: ${count} slices cannot be`, { count });
  }
  let taken = contiguous ? slices.allocateRun(env, count) : 0;
  for (let i = 0; i < count && !contiguous && taken >= 0; i += 1) taken = slices.allocate(env, -1);
  if (taken < 0) {
    throw new AegisError('slices', `${image.name} wants ${count} slices: the vector has ${SLICE_LIMIT}`, { count });
  }
}
