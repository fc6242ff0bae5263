/*
 * Integer matrix multiplication: the original's application benchmark, 150 x 150. [SOSP95 §6.3]
 *
 * Its result is one word made of every element of the product.
 */
#ifndef N
#define N 150
#endif

/* matrix[i][j] = (x * i + y * j + z) & 0xff. */
static void fill(int (*matrix)[N], int x, int y, int z) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) matrix[i][j] = (x * i + y * j + z) & 0xff;
}

/* c = a x b. The elements of c, mixed: result * 31 + element. */
unsigned product(int (*a)[N], int (*b)[N], int (*c)[N]) {
  fill(a, 3, 5, 1);
  fill(b, 7, 2, 3);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      int sum = 0;
      for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
  unsigned result = 0;
  for (int i = 0; i < N * N; i++) result = result * 31 + c[0][i];
  return result;
}
