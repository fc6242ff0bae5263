/** Says hello: `exok build hello.ts --libos exos && exok run hello.elf`. */
import { console_write } from './kit';

function print(text: string): void {
  const bytes = String.UTF8.encode(text);
  console_write(changetype<usize>(bytes), bytes.byteLength);
}

export function main(): i32 {
  print(`Hello from ${6 * 7}!\n`);
  return 0;
}
