import { pipe_close, pipe_open, pipe_read, pipe_write, process_fork, process_wait } from './kit';
import { step } from './step';

const ends = memory.data(8);
const code = memory.data(4);
const bytes = memory.data(10000);

/** bytes come out as they went in, and then the end */
export function stream(): i32 {
  const opened = pipe_open(ends);
  if (opened < 0) return step(1, opened); // pipe_open(ends): no error
  const reader = load<i32>(ends);
  const writer = load<i32>(ends, 4);
  const child = process_fork();
  if (child < 0) return step(2, child); // process_fork(): 0 or more
  if (child == 0) {
    pipe_close(reader);
    for (let i = 0; i < 10000; i++) store<u8>(bytes + i, i * 7);
    return pipe_write(writer, bytes, 10000) == 10000 ? 0 : 1;
  }
  pipe_close(writer);
  let count = 0;
  for (;;) {
    const part = pipe_read(reader, bytes, 999);
    if (part < 0 || part > 999) return step(3, part); // pipe_read(reader, at, 999): 0 to 999
    if (part == 0) break;
    for (let i = 0; i < part; i++, count++) {
      const byte: i32 = load<u8>(bytes + i);
      if (byte != ((count * 7) & 0xff)) return step(4, byte); // a byte read: the byte written
    }
  }
  if (count != 10000) return step(5, count); // bytes up to the end: 10000
  const ended = process_wait(code);
  if (ended != child) return step(6, ended); // process_wait(code): the child's number
  return load<i32>(code) == 0 ? 0 : step(7, load<i32>(code)); // the child's code after pipe_write of 10000 bytes: 0
}

/** bad descriptors and lengths are refused, and a writer without readers is told */
export function refuses(): i32 {
  const opened = pipe_open(ends);
  if (opened < 0) return step(1, opened); // pipe_open(ends): no error
  const reader = load<i32>(ends);
  const writer = load<i32>(ends, 4);
  const wrongEnd = pipe_read(writer, bytes, 4);
  if (wrongEnd > 0) return step(2, wrongEnd); // pipe_read of the writer: 0 or an error
  const stranger = pipe_read(99, bytes, 4);
  if (stranger > 0) return step(3, stranger); // pipe_read(99, at, 4): 0 or an error
  const negative = pipe_write(-1, bytes, 4);
  if (negative > 0) return step(4, negative); // pipe_write(-1, at, 4): 0 or an error
  const nothing = pipe_read(reader, bytes, 0);
  if (nothing != 0) return step(5, nothing); // pipe_read(reader, at, 0): 0
  pipe_close(reader);
  const lost = pipe_write(writer, bytes, 4);
  if (lost > 0) return step(6, lost); // pipe_write without a reader: 0 or an error
  pipe_close(writer);
  const closed = pipe_write(writer, bytes, 4);
  return closed <= 0 ? 0 : step(7, closed); // pipe_write of a closed descriptor: 0 or an error
}
