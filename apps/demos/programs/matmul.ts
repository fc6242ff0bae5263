/**
 * Integer matrix multiplication: the original's application benchmark, 150 × 150. [SOSP95 §6.3]
 *
 * Its result is one word made of every element of the product.
 */
import { memory_allocate } from './kit';

const N: i32 = 150;

/** matrix[i][j] = (x·i + y·j + z) & 0xff. */
function fill(matrix: usize, x: i32, y: i32, z: i32): void {
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) store<i32>(matrix + 4 * (i * N + j), (x * i + y * j + z) & 0xff);
  }
}

/** c = a × b. The elements of c, mixed: result × 31 + element. */
export function product(a: usize, b: usize, c: usize): i32 {
  fill(a, 3, 5, 1);
  fill(b, 7, 2, 3);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < N; j++) {
      let sum = 0;
      for (let k = 0; k < N; k++) sum += load<i32>(a + 4 * (i * N + k)) * load<i32>(b + 4 * (k * N + j));
      store<i32>(c + 4 * (i * N + j), sum);
    }
  }
  let result = 0;
  for (let i = 0; i < N * N; i++) result = result * 31 + load<i32>(c + 4 * i);
  return result;
}

export function main(): i32 {
  const a = memory_allocate(4 * N * N);
  const b = memory_allocate(4 * N * N);
  const c = memory_allocate(4 * N * N);
  return a < 0 || b < 0 || c < 0 ? -1 : product(a, b, c);
}
