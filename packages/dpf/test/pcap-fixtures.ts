/** The fixtures of the pcap language, if there are any. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCapture } from '../../capture/src/index.ts';
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

/** Reads a capture of the fixtures, which has one interface. */
export async function capture(name: string): Promise<Capture> {
  const reader = await openCapture(new Uint8Array(readFileSync(join(FOLDER, 'captures', name))));
  let [linkType, snapLength]: [LinkType | undefined, number] = [undefined, 0];
  const packets: { readonly bytes: Uint8Array; readonly wireLength: number }[] = [];
  for await (const record of reader.records()) {
    if (record.kind === 'interface') [linkType, snapLength] = [linkTypeOf(record.linkType), record.snapshotLength];
    if (record.kind === 'packet') packets.push({ bytes: record.data, wireLength: record.originalLength });
  }
  return { linkType, snapLength, packets };
}
