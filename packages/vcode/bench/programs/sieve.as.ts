// Primes below 20,000, by Eratosthenes' sieve, four times.
const N: i32 = 20000;
const composite = new StaticArray<u8>(N);
export function run(): u32 {
  let sum: u32 = 0;
  for (let round: i32 = 0; round < 4; round++) {
    for (let i: i32 = 0; i < N; i++) unchecked((composite[i] = 0));
    for (let i: i32 = 2; i < N; i++) {
      if (unchecked(composite[i])) continue;
      sum += i;
      for (let j: i32 = i + i; j < N; j += i) unchecked((composite[j] = 1));
    }
  }
  return sum;
}
