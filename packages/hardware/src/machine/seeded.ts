/** Chance that repeats: what a cut of power loses on the disk. */

/** Integers from 0 up to n, by the finaliser of MurmurHash3 over a counter (splitmix). */
export function seeded(seed: number): (n: number) => number {
  let state = seed | 0;
  return (n) => {
    state = (state + 0x9e3779b9) | 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) % n;
  };
}
