/* Recursion: Fibonacci, Ackermann, the towers of Hanoi, permutations. */
static unsigned moves, seen;
static int items[8];
__attribute__((noinline)) static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__attribute__((noinline)) static unsigned ackermann(unsigned m, unsigned n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}
__attribute__((noinline)) static void hanoi(int n, int from, int to, int by) {
  if (n == 0) return;
  hanoi(n - 1, from, by, to);
  moves += from * 3 + to;
  hanoi(n - 1, by, to, from);
}
__attribute__((noinline)) static void permute(int k) {
  if (k == 7) {
    unsigned h = 0;
    for (int i = 0; i < 7; i++) h = h * 7 + items[i];
    seen ^= h;
    return;
  }
  for (int i = k; i < 7; i++) {
    int t = items[k];
    items[k] = items[i];
    items[i] = t;
    permute(k + 1);
    t = items[k];
    items[k] = items[i];
    items[i] = t;
  }
}
unsigned run(void) {
  for (int i = 0; i < 7; i++) items[i] = i;
  permute(0);
  hanoi(12, 0, 2, 1);
  return fib(18) * 31 + ackermann(2, 40) * 17 + moves * 3 + seen;
}
