/**
 * The wrapping of snapshots and recordings: what the bytes are, which version of it, and whether they are whole.
 *
 *     8 letters | u32 version | u32 length of the rest | u32 CRC-32 of the rest | the rest
 */
import { crc32 } from '@exokernel/wire';
import { HardwareError } from '../error.ts';

const HEADER = 20;

/** What is wrapped: its name for people and as error code, its eight letters, its version. */
export interface Envelope {
  readonly name: 'snapshot' | 'recording';
  readonly magic: string;
  readonly version: number;
}

export function wrap({ magic, version }: Envelope, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + payload.length);
  bytes.set(Array.from(magic, (letter) => letter.charCodeAt(0)));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, crc32(payload, payload.length), true);
  bytes.set(payload, HEADER);
  return bytes;
}

/** What was wrapped. Throws an error of the envelope's name for anything else, of another version, or damaged. */
export function unwrap(envelope: Envelope, bytes: Uint8Array): Uint8Array {
  const { magic, version } = envelope;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const letters = Array.from(bytes.subarray(0, 8), (code) => String.fromCharCode(code)).join('');
  if (letters !== magic) refuse(envelope, `it does not begin with ${magic}`, { bytes: bytes.length });
  if (bytes.length < HEADER) refuse(envelope, `it ends after ${bytes.length} bytes`, { bytes: bytes.length });
  const found = view.getUint32(8, true);
  if (found !== version) refuse(envelope, `its version is ${found}, not ${version}`, { version: found });
  const length = view.getUint32(12, true);
  const payload = bytes.subarray(HEADER);
  if (payload.length !== length) {
    const details = { bytes: payload.length, length };
    refuse(envelope, `it has ${payload.length} bytes behind its header, not ${length}`, details);
  }
  if (crc32(payload, length) !== view.getUint32(16, true)) refuse(envelope, 'its checksum does not match', { length });
  return payload;
}

/** Throws. */
export function refuse({ name }: Envelope, why: string, details: Readonly<Record<string, unknown>>): never {
  throw new HardwareError(name, `no ${name} for this: ${why}`, details);
}
