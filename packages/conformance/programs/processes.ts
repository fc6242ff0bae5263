import { process_fork, process_self, process_wait, process_yield } from './kit';
import { step } from './step';

let word: i32 = 1;
const code = memory.data(4);

/** fork returns twice, to copies of one memory, and the child's code comes back */
export function copies(): i32 {
  const self = process_self();
  if (self < 0) return step(1, self); // process_self(): 0 or more
  const child = process_fork();
  if (child < 0) return step(2, child); // process_fork(): 0 or more
  if (child == 0) {
    const own = process_self();
    if (word != 1 || own == self) return 1;
    word = 2;
    return 42;
  }
  word = 3;
  const ended = process_wait(code);
  if (ended != child) return step(3, ended); // process_wait(code): the child's number
  if (load<i32>(code) != 42) return step(4, load<i32>(code)); // the child's code: 42
  if (word != 3) return step(5, word); // a word that the child has stored into its copy: 3
  const none = process_wait(0);
  if (none >= 0) return step(6, none); // process_wait(0) without a child: an error
  return 0;
}

/** children are waited for, each once, and have children */
export function family(): i32 {
  let sum = 0;
  for (let i = 0; i < 4; i++) {
    const child = process_fork();
    if (child < 0) return step(1, child); // process_fork(): 0 or more
    if (child == 0) {
      const grandchild = process_fork();
      if (grandchild == 0) return 10 + i;
      if (process_wait(code) != grandchild) return 1;
      return load<i32>(code) + 1;
    }
    process_yield(child);
  }
  for (let i = 0; i < 4; i++) {
    const ended = process_wait(code);
    if (ended < 0) return step(2, ended); // process_wait(code): a child's number
    sum += load<i32>(code);
  }
  if (sum != 50) return step(3, sum); // the sum of the children's codes: 50
  const none = process_wait(code);
  return none < 0 ? 0 : step(4, none); // process_wait(code) without a child: an error
}
