// 64 x 64 matrix multiplication, three times.
const N: i32 = 64;
const a = new StaticArray<i32>(N * N);
const b = new StaticArray<i32>(N * N);
const c = new StaticArray<i32>(N * N);
export function run(): u32 {
  let sum: u32 = 0;
  for (let i: i32 = 0; i < N; i++) {
    for (let j: i32 = 0; j < N; j++) {
      a[i * N + j] = i * 3 + j;
      b[i * N + j] = i - j * 5;
    }
  }
  for (let round: i32 = 0; round < 3; round++) {
    for (let i: i32 = 0; i < N; i++) {
      for (let j: i32 = 0; j < N; j++) {
        let s: i32 = 0;
        for (let k: i32 = 0; k < N; k++) s += unchecked(a[i * N + k]) * unchecked(b[k * N + j]);
        unchecked((c[i * N + j] = s));
      }
    }
    for (let i: i32 = 0; i < N; i++) {
      for (let j: i32 = 0; j < N; j++) {
        sum = sum * 31 + unchecked(c[i * N + j]);
        unchecked((a[i * N + j] = unchecked(c[i * N + j]) & 0xff));
      }
    }
  }
  return sum;
}
