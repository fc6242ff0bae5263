/* Strings: length, comparison, search, reversal, numbers to text and back. */
static char buffer[4096], other[4096];
static unsigned length(const char *s) {
  const char *p = s;
  while (*p) p++;
  return p - s;
}
static int compare(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return (unsigned char)*a - (unsigned char)*b;
}
static const char *search(const char *text, const char *what) {
  for (; *text; text++) {
    const char *a = text, *b = what;
    while (*b && *a == *b) a++, b++;
    if (!*b) return text;
  }
  return 0;
}
static char *number(char *p, unsigned n) {
  char digits[12];
  int k = 0;
  do digits[k++] = '0' + n % 10;
  while (n /= 10);
  while (k) *p++ = digits[--k];
  return p;
}
static unsigned value(const char *p) {
  unsigned n = 0;
  while (*p >= '0' && *p <= '9') n = n * 10 + (*p++ - '0');
  return n;
}
unsigned run(void) {
  char *p = buffer;
  unsigned sum = 0;
  for (unsigned i = 0; i < 500; i++) {
    p = number(p, i * i * 7);
    *p++ = ' ';
  }
  *p = 0;
  unsigned n = length(buffer);
  for (unsigned i = 0; i <= n; i++) other[i] = buffer[i];
  for (unsigned i = 0, j = n - 1; i < j; i++, j--) {
    char c = other[i];
    other[i] = other[j];
    other[j] = c;
  }
  sum += n + compare(buffer, other);
  for (const char *q = buffer; *q;) {
    sum = sum * 31 + value(q);
    while (*q != ' ') q++;
    q++;
  }
  const char *found = search(buffer, "1734607");
  sum += found ? found - buffer : 7;
  found = search(other, " 7 0");
  sum += found ? found - other : 9;
  return sum;
}
