/** Interface `console`: export console_write to provide it. Text goes to the serial line that the environment was given. */
import { E, UKIT } from './abi';
import { serialWrite } from './calls';
import { capabilityAt } from './capability';
import { pause } from './pause';
import { clock_ticks } from './clock';

/** Bytes that one call takes. */
const MOST = 28;
/** Bytes that console_write takes, as in every library operating system. */
const LIMIT = 4096;

/** Writes bytes, and waits where the line is busy. Gives how many; negative: there is no line, or they are more than 4096. */
export function console_write(address: usize, bytes: i32): i32 {
  if (bytes < 0 || bytes > LIMIT) return E.RANGE;
  const line = capabilityAt(UKIT.serial);
  const words = memory.data(MOST);
  const accepted = memory.data(4);
  for (let done = 0; done < bytes;) {
    const count = min(MOST, bytes - done);
    for (let i = 0; i < count; i++) store<u8>(words + i, load<u8>(address + done + i));
    // prettier-ignore
    const code = serialWrite(line, count, load<i32>(words), load<i32>(words, 4), load<i32>(words, 8), load<i32>(words, 12),
      load<i32>(words, 16), load<i32>(words, 20), load<i32>(words, 24), accepted);
    if (code < 0) return code;
    done += load<i32>(accepted);
    if (load<i32>(accepted) < count) pause(clock_ticks() + 1);
  }
  return bytes;
}

/** Writes a text as UTF-8. */
export function print(text: string): void {
  const bytes = String.UTF8.encode(text);
  console_write(changetype<usize>(bytes), bytes.byteLength);
}
