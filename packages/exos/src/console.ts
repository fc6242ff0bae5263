/** The console: bytes to the serial line whose capability the process holds, as many per call as fit in registers. */
import { ERRORS } from '@exokernel/abi';
import type { Assembly } from '@exokernel/isa';
import { UKIT, address, encodeUtf8, loadCapability, type Console, type Fiber, type Fibers } from '@exokernel/libos-kit';

/** Bytes that one serial_write carries. */
const CHUNK = 28;

/** Writes all bytes, sleeping while the kernel's queue is full. Returns how many, or a negative error. */
export function* writeSerial(fibers: Fibers, runtime: Assembly, bytes: Uint8Array): Fiber<number> {
  const line = yield* loadCapability(fibers, UKIT.serial);
  for (let sent = 0; sent < bytes.length;) {
    const part = bytes.subarray(sent, sent + CHUNK);
    const at = (i: number): number => word(part, 4 * i);
    const words = [at(0), at(1), at(2), at(3), at(4), at(5), at(6)] as const;
    const code = yield* fibers.syscall('serial_write', ...line, part.length, ...words);
    if (code < 0) return code;
    const accepted = fibers.results('serial_write').accepted;
    sent += accepted;
    if (accepted < part.length) {
      const now = yield* fibers.call(address(runtime, 'clock_ticks'));
      yield* fibers.call(address(runtime, 'kit.sleep'), now + 1);
    }
  }
  return ERRORS.E_OK + bytes.length;
}

export function fiberConsole(fibers: Fibers, runtime: Assembly): Console {
  return {
    *write(text) {
      yield* writeSerial(fibers, runtime, encodeUtf8(text));
    },
  };
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}
