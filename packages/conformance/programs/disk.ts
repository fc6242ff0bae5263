import { file_append, file_create, file_find, file_read, file_size } from './kit';
import { step } from './step';

const PIECE: i32 = 200;
const name = memory.data(4);
const piece = memory.data(200);

/** The file of a letter. */
function find(letter: i32): i32 {
  store<u8>(name, letter);
  return file_find(name, 1);
}

function create(letter: i32): i32 {
  store<u8>(name, letter);
  return file_create(name, 1);
}

/** two files grow in turn, until power is lost */
export function grows(): i32 {
  const a = create(0x61);
  if (a <= 0) return step(1, a); // file_create('a'): a number
  const b = create(0x62);
  if (b <= 0) return step(2, b); // file_create('b'): a number
  for (let i = 0; i < 16; i++) {
    memory.fill(piece, <u8>(i + 1), PIECE);
    const first = file_append(a, piece, PIECE);
    if (first != PIECE) return step(3, first); // file_append of 200 bytes to 'a': 200
    const second = file_append(b, piece, PIECE);
    if (second != PIECE) return step(4, second); // file_append of 200 bytes to 'b': 200
  }
  return 0;
}

/** The first piece of a file that is not what was appended; −1 if there is none. */
function bad(file: i32): i32 {
  const pieces = file_size(file) / PIECE;
  for (let i = 0; i < pieces; i++) {
    if (file_read(file, i * PIECE, piece, PIECE) != PIECE) return i;
    for (let at = 0; at < PIECE; at++) if (load<u8>(piece + at) != i + 1) return i;
  }
  return -1;
}

/** power is lost at some write: of two files that grow in turn each has what was answered, and nothing by half */
export function grown(): i32 {
  const a = find(0x61);
  if (a < 0) return step(1, a); // file_find('a'): a number or 0
  const b = find(0x62);
  if (b < 0) return step(2, b); // file_find('b'): a number or 0
  if (b == 0) return 0;
  if (a == 0) return step(3, a); // file_find of what was created before the one that is there: a number
  const size = file_size(a);
  if (size % PIECE != 0) return step(4, size % PIECE); // bytes of 'a' beyond whole pieces: 0
  const other = file_size(b);
  if (other % PIECE != 0) return step(5, other % PIECE); // bytes of 'b' beyond whole pieces: 0
  const ahead = (size - other) / PIECE;
  if (ahead < 0 || ahead > 1) return step(6, ahead); // pieces of 'a' that 'b' has not: 0 or 1
  if (bad(a) >= 0) return step(7, bad(a)); // a piece of 'a' that is another: none
  return bad(b) < 0 ? 0 : step(8, bad(b)); // a piece of 'b' that is another: none
}

/** files are there in the next life */
export function whole(): i32 {
  const a = find(0x61);
  if (a <= 0) return step(1, a); // file_find('a'): a number
  const b = find(0x62);
  if (b <= 0) return step(2, b); // file_find('b'): a number
  const size = file_size(a);
  if (size != 16 * PIECE) return step(3, size); // file_size of 'a': 3200
  const other = file_size(b);
  if (other != 16 * PIECE) return step(4, other); // file_size of 'b': 3200
  if (bad(a) >= 0) return step(5, bad(a)); // a piece of 'a' that is another: none
  if (bad(b) >= 0) return step(6, bad(b)); // a piece of 'b' that is another: none
  const again = create(0x61);
  return again < 0 ? 0 : step(7, again); // file_create('a') once more: an error
}
