/**
 * The bytes in which a handler is downloaded: a header, then the program as vcode encodes it.
 *
 *     'A' 'H' version    window bytes: u32, little-endian    program
 */
import { decodeProgram, encodeProgram, VcodeError } from '@exokernel/vcode';
import { checkSignature } from './check.ts';
import { checkWindow, type Handler } from './define.ts';
import { AshError } from './error.ts';

const MAGIC = [0x41, 0x48, 1] as const;
const HEADER_BYTES = 7;

/** Encodes a handler. Throws `AshError` `signature` or `range`, `VcodeError` `malformed` or `limit`. */
export function encodeHandler({ program, windowBytes }: Handler): Uint8Array<ArrayBuffer> {
  checkSignature(program);
  checkWindow(windowBytes);
  const body = encodeProgram(program);
  const bytes = new Uint8Array(HEADER_BYTES + body.length);
  bytes.set(MAGIC);
  for (let i = 0; i < 4; i += 1) bytes[3 + i] = windowBytes >>> (8 * i);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Decodes a handler. Throws `AshError` `malformed`, `signature` or `range`, and nothing else, for any bytes. */
export function decodeHandler(bytes: Uint8Array): Handler {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new AshError('malformed', 'this is no handler of a known version');
  }
  let windowBytes = 0;
  for (let i = 3; i >= 0; i -= 1) windowBytes = windowBytes * 256 + (bytes[3 + i] ?? 0);
  checkWindow(windowBytes);
  try {
    const program = decodeProgram(bytes.subarray(HEADER_BYTES));
    checkSignature(program);
    return { program, windowBytes };
  } catch (cause) {
    if (cause instanceof VcodeError) throw new AshError('malformed', cause.message, { cause });
    throw cause;
  }
}
