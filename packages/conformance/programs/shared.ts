import { process_fork, process_wait, shared_allocate } from './kit';
import { step } from './step';

let own: i32 = 1;

/** a page that is shared is one for parent and children, and only this page */
export function one(): i32 {
  const at = shared_allocate();
  if (at <= 0) return step(1, at); // shared_allocate(): an address
  if (at & 4095) return step(2, at & 4095); // bits of the address below a page: 0
  for (let i = 0; i < 4096; i += 4) {
    if (load<i32>(at + i) != 0) return step(3, load<i32>(at + i)); // a word of the new page: 0
  }
  for (let i = 1; i <= 3; i++) {
    const child = process_fork();
    if (child < 0) return step(4, child); // process_fork(): 0 or more
    if (child == 0) {
      store<i32>(at, load<i32>(at) + i);
      own = 0;
      return 0;
    }
    process_wait(0);
  }
  if (load<i32>(at) != 6) return step(5, load<i32>(at)); // the shared word that three children have added to: 6
  return own == 1 ? 0 : step(6, own); // a word that is not shared: 1
}
