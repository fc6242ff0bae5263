/**
 * Calls on serial lines and the disk.
 */
import { ERRORS, RIGHTS, type CapabilityWords } from '@exokernel/abi';
import type { Call, Parts } from '../call.ts';
import { COSTS } from '../costs.ts';

export function deviceCalls({ capabilities, serial, disk, frames }: Parts): Record<string, Call> {
  const lineOf = (words: CapabilityWords, rights: number): number => capabilities.check(words, 'serial', rights);
  const transfer =
    (write: boolean): Call =>
    (call, self) => {
      const extent = disk.check(call.capability(0), write ? RIGHTS.write : RIGHTS.read);
      const ppn = frames.check(call.capability(4), write ? RIGHTS.read : RIGHTS.read | RIGHTS.write);
      if (extent === undefined || ppn < 0) return ERRORS.E_CAP;
      call.cpu.charge(COSTS.device);
      const request = { extent, ppn, block: call.word(8) >>> 0, slot: call.word(9) >>> 0, write };
      return disk.start(call.cpu, self, request);
    };
  return {
    serial_write: (call, self) => {
      const line = lineOf(call.capability(0), RIGHTS.write);
      const length = call.word(4);
      if (line < 0) return line;
      if (length < 0 || length > SERIAL_WRITE_MAX) return ERRORS.E_RANGE;
      const bytes = Array.from({ length }, (_, i) => (call.word(5 + (i >> 2)) >>> (8 * (i & 3))) & 0xff);
      return serial.write(call.cpu, self, line, bytes);
    },
    serial_read: (call, self) => {
      const line = lineOf(call.capability(0), RIGHTS.read);
      return line < 0 ? line : serial.read(self, line);
    },
    disk_read: transfer(false),
    disk_write: transfer(true),
  };
}

/** Bytes in the seven word arguments of serial_write. */
const SERIAL_WRITE_MAX = 28;
