import { console_write } from './kit';
import { step } from './step';

const buffer = memory.data(2048);

/** Puts a text as UTF-8 into the buffer. Gives where it ends. */
function put(at: usize, text: string): usize {
  return at + String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at);
}

/** text comes out whole and in order */
export function whole(): i32 {
  const first = console_write(buffer, <i32>(put(buffer, 'grüß dich\n') - buffer));
  if (first < 0) return step(1, first); // console_write of 12 bytes: no error
  const empty = console_write(buffer, 0);
  if (empty < 0) return step(2, empty); // console_write of no bytes: no error
  let end = buffer;
  for (let i = 0; i < 40; i++) end = put(end, `line ${i} of a text longer than any queue\n`);
  const rest = console_write(buffer, <i32>(end - buffer));
  if (rest < 0) return step(3, rest); // console_write of 1510 bytes: no error
  return 0;
}

/** a length that cannot be is refused, and nothing is written */
export function refuses(): i32 {
  const answer = console_write(0x400000, -1);
  if (answer >= 0) return step(1, answer); // console_write of -1 bytes: an error
  return 0;
}
