// Recursion: Fibonacci, Ackermann, the towers of Hanoi, permutations.
let moves: u32 = 0;
let seen: u32 = 0;
const items = new StaticArray<i32>(8);
function fib(n: u32): u32 {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
function ackermann(m: u32, n: u32): u32 {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}
function hanoi(n: i32, from: i32, to: i32, by: i32): void {
  if (n == 0) return;
  hanoi(n - 1, from, by, to);
  moves += from * 3 + to;
  hanoi(n - 1, by, to, from);
}
function permute(k: i32): void {
  if (k == 7) {
    let h: u32 = 0;
    for (let i: i32 = 0; i < 7; i++) h = h * 7 + unchecked(items[i]);
    seen ^= h;
    return;
  }
  for (let i: i32 = k; i < 7; i++) {
    let t = unchecked(items[k]);
    unchecked((items[k] = items[i]));
    unchecked((items[i] = t));
    permute(k + 1);
    t = unchecked(items[k]);
    unchecked((items[k] = items[i]));
    unchecked((items[i] = t));
  }
}
export function run(): u32 {
  for (let i: i32 = 0; i < 7; i++) unchecked((items[i] = i));
  permute(0);
  hanoi(12, 0, 2, 1);
  return fib(18) * 31 + ackermann(2, 40) * 17 + moves * 3 + seen;
}
