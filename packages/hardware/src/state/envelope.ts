/**
 * The wrapping of snapshots and recordings: what the bytes are, which version of it, and whether they are whole.
 *
 *     8 letters | u32 version | u32 length of the rest | u32 checksum of the rest (`checksum.ts`) | 12 zeros | the rest
 */
import { HardwareError } from '../error.ts';
import { checksum } from './checksum.ts';

/** Bytes before the rest, a multiple of 4, so that words of it are aligned. */
export const ENVELOPE_HEADER = 32;

/** What is wrapped: its name for people and as error code, its eight letters, its version. */
export interface Envelope {
  readonly name: 'snapshot' | 'recording';
  readonly magic: string;
  readonly version: number;
}

/** Fills in the header of bytes whose rest is there. Returns them. */
export function seal({ magic, version }: Envelope, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  bytes.set(Array.from(magic, (letter) => letter.charCodeAt(0)));
  const rest = bytes.subarray(ENVELOPE_HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, ENVELOPE_HEADER);
  view.setUint32(8, version, true);
  view.setUint32(12, rest.length, true);
  view.setUint32(16, checksum(rest), true);
  return bytes;
}

/** The checksum in the header of whole bytes. */
export function sealOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, ENVELOPE_HEADER).getUint32(16, true);
}

/** What was wrapped. Throws an error of the envelope's name for anything else, of another version, or damaged. */
export function unwrap(envelope: Envelope, bytes: Uint8Array): Uint8Array {
  const { magic, version } = envelope;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const letters = Array.from(bytes.subarray(0, 8), (code) => String.fromCharCode(code)).join('');
  if (letters !== magic) refuse(envelope, `it does not begin with ${magic}`, { bytes: bytes.length });
  if (bytes.length < ENVELOPE_HEADER) refuse(envelope, `it ends after ${bytes.length} bytes`, { bytes: bytes.length });
  const found = view.getUint32(8, true);
  if (found !== version) refuse(envelope, `its version is ${found}, not ${version}`, { version: found });
  const length = view.getUint32(12, true);
  const rest = bytes.subarray(ENVELOPE_HEADER);
  if (rest.length !== length) {
    const details = { bytes: rest.length, length };
    refuse(envelope, `it has ${rest.length} bytes behind its header, not ${length}`, details);
  }
  if (checksum(rest) !== view.getUint32(16, true)) refuse(envelope, 'its checksum does not match', { length });
  return rest;
}

/** Throws. */
export function refuse({ name }: Envelope, why: string, details: Readonly<Record<string, unknown>>): never {
  throw new HardwareError(name, `no ${name} for this: ${why}`, details);
}
