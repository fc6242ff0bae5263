/* Primes below 20,000, by Eratosthenes' sieve, four times. */
#define N 20000
static unsigned char composite[N];
unsigned run(void) {
  unsigned sum = 0;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < N; i++) composite[i] = 0;
    for (int i = 2; i < N; i++) {
      if (composite[i]) continue;
      sum += i;
      for (int j = i + i; j < N; j += i) composite[j] = 1;
    }
  }
  return sum;
}
