/** The fixtures of the pcap language, if there are any, and a reader of capture files that is as small as they allow. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linkTypeOf, type LinkType } from '../src/pcap/index.ts';

const FOLDER = join(
  process.env['EXOKERNEL_FIXTURES'] ?? join(import.meta.dirname, '../../../../shared/fixtures'),
  'pcap-filter',
);

/** Whether the fixtures are there. */
export const HAS_FIXTURES: boolean = existsSync(join(FOLDER, 'accept.json'));

/** A file of cases; none if it is not there. */
export function cases(name: string): readonly unknown[] {
  return HAS_FIXTURES ? (JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as readonly unknown[]) : [];
}

/** A capture file. */
export interface Capture {
  readonly linkType: LinkType | undefined;
  readonly snapLength: number;
  readonly packets: readonly { readonly bytes: Uint8Array; readonly wireLength: number }[];
}

/** Reads a capture of the fixtures. */
export function capture(name: string): Capture {
  const bytes = new Uint8Array(readFileSync(join(FOLDER, 'captures', name)));
  const view = new DataView(bytes.buffer);
  return view.getUint32(0) === 0x0a0d0d0a ? blocks(bytes, view) : records(bytes, view);
}

function records(bytes: Uint8Array, view: DataView): Capture {
  const isLittle = view.getUint32(0, true) === 0xa1b2c3d4;
  const packets: { readonly bytes: Uint8Array; readonly wireLength: number }[] = [];
  for (let at = 24; at + 16 <= bytes.length;) {
    const length = view.getUint32(at + 8, isLittle);
    packets.push({ bytes: bytes.slice(at + 16, at + 16 + length), wireLength: view.getUint32(at + 12, isLittle) });
    at += 16 + length;
  }
  return { linkType: linkTypeOf(view.getUint32(20, isLittle)), snapLength: view.getUint32(16, isLittle), packets };
}

/** One section, one interface, enhanced packet blocks, little-endian. */
function blocks(bytes: Uint8Array, view: DataView): Capture {
  let [number, snapLength] = [-1, 0];
  const packets: { readonly bytes: Uint8Array; readonly wireLength: number }[] = [];
  for (let at = 0; at + 12 <= bytes.length; at += view.getUint32(at + 4, true)) {
    const type = view.getUint32(at, true);
    if (type === 1) [number, snapLength] = [view.getUint16(at + 8, true), view.getUint32(at + 12, true)];
    if (type !== 6) continue;
    const length = view.getUint32(at + 20, true);
    packets.push({ bytes: bytes.slice(at + 28, at + 28 + length), wireLength: view.getUint32(at + 24, true) });
  }
  return { linkType: linkTypeOf(number), snapLength, packets };
}
