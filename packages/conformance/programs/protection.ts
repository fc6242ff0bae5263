import { memory_allocate, vm_clean, vm_dirty, vm_protect, vm_unprotect } from './kit';
import { step } from './step';

const PAGE: i32 = 4096;

/** a page is dirty when it was written, clean when it was cleaned, and a reader leaves it so */
export function dirt(): i32 {
  const at = memory_allocate(3 * PAGE);
  if (at <= 0) return step(1, at); // memory_allocate(12288): an address
  for (let i = 0; i < 3; i++) store<i32>(at + i * PAGE, i + 1);
  const written = vm_dirty(at + 5000);
  if (written != 1) return step(2, written); // vm_dirty of a page that was written: 1
  const cleaned = vm_clean(at, 3);
  if (cleaned != 0) return step(3, cleaned); // vm_clean(at, 3): 0
  if (load<i32>(at) != 1) return step(4, load<i32>(at)); // the word of a page that was cleaned: 1
  const read = vm_dirty(at);
  if (read != 0) return step(5, read); // vm_dirty of a page that was read: 0
  store<i32>(at + PAGE, 7);
  const again = vm_dirty(at + PAGE);
  if (again != 1) return step(6, again); // vm_dirty of a page that was written again: 1
  const other = vm_dirty(at);
  return other == 0 ? 0 : step(7, other); // vm_dirty of the page before it: 0
}

/** what is protected and unprotected again is as it was; what are no pages is refused */
export function ranges(): i32 {
  const at = memory_allocate(4 * PAGE);
  if (at <= 0) return step(1, at); // memory_allocate(16384): an address
  for (let i = 0; i < 4; i++) store<i32>(at + i * PAGE, i + 1);
  const none = vm_protect(at, 0);
  if (none >= 0) return step(2, none); // vm_protect of no pages: an error
  const negative = vm_protect(at, -1);
  if (negative >= 0) return step(3, negative); // vm_protect of -1 pages: an error
  const many = vm_protect(at, 0x7fffffff);
  if (many >= 0) return step(4, many); // vm_protect of 2147483647 pages: an error
  const kernel = vm_protect(0x80000000, 1);
  if (kernel >= 0) return step(5, kernel); // vm_protect of a page of the kernel: an error
  const on = vm_protect(at, 4);
  if (on != 0) return step(6, on); // vm_protect(at, 4): 0
  const off = vm_unprotect(at, 4);
  if (off != 0) return step(7, off); // vm_unprotect(at, 4): 0
  for (let i = 0; i < 4; i++) {
    const word = load<i32>(at + i * PAGE);
    if (word != i + 1) return step(8, word); // a word of a page that is not protected any more: what was stored
  }
  return 0;
}
