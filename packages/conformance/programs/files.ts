import { E } from '@exokernel/libos-kit/assembly/abi';
import { file_append, file_create, file_find, file_list, file_read, file_remove, file_size } from './kit';
import { step } from './step';

const name = memory.data(32);
const entry = memory.data(36);
const bytes = memory.data(4100);
const back = memory.data(4100);

/** Puts a name where `name` is. Gives its length. */
function named(text: string): i32 {
  return <i32>String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, name);
}

function fill(from: i32): void {
  for (let i = 0; i < 4100; i++) store<u8>(bytes + i, i * 7 + from);
}

/** what is appended is read again, and listed until it is removed */
export function back_again(): i32 {
  fill(1);
  const a = file_create(name, named('a'));
  if (a <= 0) return step(1, a); // file_create('a'): a number
  const b = file_create(name, named('grüße'));
  if (b <= 0 || b == a) return step(2, b); // file_create('grüße'): another number
  const some = file_append(a, bytes, 100);
  if (some != 100) return step(3, some); // file_append of 100 bytes: 100
  const page = file_append(b, bytes, 4096);
  if (page != 4096) return step(4, page); // file_append of 4096 bytes: 4096
  const more = file_append(a, bytes + 100, 1000);
  if (more != 1000) return step(5, more); // file_append of 1000 bytes more: 1000
  const size = file_size(a);
  if (size != 1100) return step(6, size); // file_size: 1100
  const got = file_read(a, 50, back, 4096);
  if (got != 1050) return step(7, got); // file_read(a, 50, at, 4096): 1050
  if (memory.compare(back, bytes + 50, 1050) != 0) return step(8, load<u8>(back)); // bytes of it: what was appended
  const end = file_read(a, 1100, back, 4);
  if (end != 0) return step(9, end); // file_read at the end: 0
  const found = file_find(name, named('grüße'));
  if (found != b) return step(10, found); // file_find('grüße'): its number
  const removed = file_remove(a);
  if (removed != 0) return step(11, removed); // file_remove: 0
  const none = file_find(name, named('a'));
  if (none != 0) return step(12, none); // file_find of what was removed: 0
  const first = file_list(0, entry);
  if (first != b) return step(13, first); // file_list(0, at): the number of the only file
  if (load<i32>(entry) != 4096) return step(14, load<i32>(entry)); // its size in the list: 4096
  if (load<i32>(entry, 4) != named('grüße')) return step(15, load<i32>(entry, 4)); // the length of its name: 7
  if (memory.compare(entry + 8, name, 7) != 0) return step(16, load<u8>(entry, 8)); // the bytes of its name: those of 'grüße'
  const next = file_list(b, entry);
  return next == 0 ? 0 : step(17, next); // file_list after it: 0
}

/** what is no file, no name and no range is refused */
export function refuses(): i32 {
  const a = file_create(name, named('a'));
  if (a <= 0) return step(1, a); // file_create('a'): a number
  const again = file_create(name, named('a'));
  if (again != E.BUSY) return step(2, again); // file_create('a') once more: -4
  const empty = file_create(name, 0);
  if (empty != E.RANGE) return step(3, empty); // file_create of no name: -3
  const long = file_create(bytes, 29);
  if (long != E.RANGE) return step(4, long); // file_create of 29 bytes: -3
  const much = file_append(a, bytes, 4097);
  if (much != E.RANGE) return step(5, much); // file_append of 4097 bytes: -3
  const negative = file_append(a, bytes, -1);
  if (negative != E.RANGE) return step(6, negative); // file_append of -1 bytes: -3
  const before = file_read(a, -1, back, 4);
  if (before != E.RANGE) return step(7, before); // file_read at -1: -3
  for (let none = -1; none < 2; none++) {
    const number = none == 1 ? 0x7fffffff : none;
    const read = file_read(number, 0, back, 4);
    if (read != E.CAP) return step(8, read); // file_read of no file: -2
    const put = file_append(number, bytes, 4);
    if (put != E.CAP) return step(9, put); // file_append to no file: -2
    const gone = file_remove(number);
    if (gone != E.CAP) return step(10, gone); // file_remove of no file: -2
    const size = file_size(number);
    if (size != E.CAP) return step(11, size); // file_size of no file: -2
  }
  const size = file_size(a);
  return size == 0 ? 0 : step(12, size); // file_size of the one that was created: 0
}

/** a disk that is full is an answer, and what is removed makes room */
export function full(): i32 {
  fill(3);
  const keep = file_create(name, named('keep'));
  if (keep <= 0) return step(1, keep); // file_create('keep'): a number
  const kept = file_append(keep, bytes, 700);
  if (kept != 700) return step(2, kept); // file_append of 700 bytes: 700
  const big = file_create(name, named('big'));
  if (big <= 0) return step(3, big); // file_create('big'): a number
  let count = 0;
  for (;;) {
    const code = file_append(big, bytes, 4096);
    if (code == E.NONE) break;
    if (code != 4096) return step(4, code); // file_append of 4096 bytes: 4096, or -5
    count++;
    if (count > 16) return step(5, count); // blocks of 4096 bytes on a disk of 16: 16 at most
  }
  if (count < 2) return step(6, count); // blocks of 4096 bytes on a disk of 16: 2 at least
  const size = file_size(big);
  if (size != 4096 * count) return step(7, size); // file_size of what is full: what was appended
  const removed = file_remove(big);
  if (removed != 0) return step(8, removed); // file_remove: 0
  const next = file_create(name, named('next'));
  if (next <= 0) return step(9, next); // file_create after that: a number
  const again = file_append(next, bytes, 4096);
  if (again != 4096) return step(10, again); // file_append after that: 4096
  const got = file_read(keep, 0, back, 4096);
  if (got != 700) return step(11, got); // file_read of what was kept: 700
  return memory.compare(back, bytes, 700) == 0 ? 0 : step(12, load<u8>(back)); // bytes of it: what was appended
}
