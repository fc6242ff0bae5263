/*
 * The CPU-bound mix that the benchmark `cpu` runs: a table-driven and a bitwise CRC, a linked list that is sorted, searched
 * and reversed, a state machine over text, a recursive function, a sieve, strings and divisions, and every eighth
 * iteration a multiplication of matrices. Freestanding, integers only: the same source is compiled for every engine.
 */
#include "mix.h"

typedef unsigned int u32;
typedef unsigned char u8;

static u32 crc_table[256];
static u8 text[1024];

static u32 chance = 12345;
static u32 next(void) {
  chance = chance * 1103515245u + 12345u;
  return chance >> 8;
}

static void prepare(void) {
  static const char words[] = "12.5 -7 0x1f +3.25e7 exokernel 99 .5 -1e-3 frame ";
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    crc_table[i] = c;
  }
  for (u32 i = 0; i < sizeof text; i++) text[i] = words[i % (sizeof words - 1)];
}

static u32 crc_by_table(const u8 *p, u32 n, u32 crc) {
  while (n--) crc = crc_table[(crc ^ *p++) & 255] ^ (crc >> 8);
  return crc;
}

static u32 crc_by_bits(const u8 *p, u32 n, u32 crc) {
  while (n--) {
    crc ^= *p++;
    for (int k = 0; k < 8; k++) crc = crc & 1 ? 0xedb88320u ^ (crc >> 1) : crc >> 1;
  }
  return crc;
}

struct node {
  struct node *next;
  int value;
};
static struct node nodes[256];

static struct node *merge(struct node *a, struct node *b) {
  struct node head, *tail = &head;
  while (a && b) {
    struct node **least = a->value <= b->value ? &a : &b;
    tail->next = *least;
    tail = *least;
    *least = (*least)->next;
  }
  tail->next = a ? a : b;
  return head.next;
}

static struct node *sort(struct node *list) {
  if (!list || !list->next) return list;
  struct node *slow = list, *fast = list->next;
  while (fast && fast->next) {
    slow = slow->next;
    fast = fast->next->next;
  }
  struct node *half = slow->next;
  slow->next = 0;
  return merge(sort(list), sort(half));
}

static u32 lists(void) {
  for (u32 i = 0; i < 256; i++) {
    nodes[i].value = (int)(next() & 0xfff);
    nodes[i].next = i < 255 ? &nodes[i + 1] : 0;
  }
  struct node *list = sort(nodes);
  u32 found = 0;
  for (int wanted = 0; wanted < 64; wanted++) {
    struct node *n = list;
    while (n && n->value < wanted * 64) n = n->next;
    if (n) found += (u32)n->value;
  }
  struct node *reversed = 0;
  while (list) {
    struct node *n = list;
    list = list->next;
    n->next = reversed;
    reversed = n;
  }
  for (struct node *n = reversed; n; n = n->next) found = found * 31 + (u32)n->value;
  return found;
}

enum state { START, SIGN, DIGITS, POINT, FRACTION, EXPONENT, HEX, WORD, STATES };

static u32 machine(void) {
  u32 counts[STATES] = {0};
  enum state s = START;
  for (u32 i = 0; i < sizeof text; i++) {
    u8 c = text[i];
    int digit = c >= '0' && c <= '9';
    if (c == ' ') {
      counts[s]++;
      s = START;
      continue;
    }
    switch (s) {
      case START: s = digit ? DIGITS : c == '.' ? POINT : c == '-' || c == '+' ? SIGN : WORD; break;
      case SIGN: s = digit ? DIGITS : c == '.' ? POINT : WORD; break;
      case DIGITS: s = digit ? DIGITS : c == '.' ? FRACTION : c == 'e' ? EXPONENT : c == 'x' ? HEX : WORD; break;
      case POINT: s = digit ? FRACTION : WORD; break;
      case FRACTION: s = digit ? FRACTION : c == 'e' ? EXPONENT : WORD; break;
      case EXPONENT: s = digit || c == '-' ? EXPONENT : WORD; break;
      case HEX: s = digit || (c >= 'a' && c <= 'f') ? HEX : WORD; break;
      default: break;
    }
  }
  u32 sum = 0;
  for (int i = 0; i < STATES; i++) sum = sum * 7 + counts[i];
  return sum;
}

static u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static u8 composite[8192];
static u32 sieve(void) {
  u32 primes = 0;
  for (u32 i = 0; i < sizeof composite; i++) composite[i] = 0;
  for (u32 i = 2; i < sizeof composite; i++) {
    if (composite[i]) continue;
    primes++;
    for (u32 k = i + i; k < sizeof composite; k += i) composite[k] = 1;
  }
  return primes;
}

static u32 compare(const u8 *a, const u8 *b) {
  u32 n = 0;
  while (*a && *a == *b) a++, b++, n++;
  return n + *a - *b;
}

static u32 strings(void) {
  u8 a[64], b[64];
  u32 sum = 0;
  for (u32 round = 1; round < 40; round++) {
    for (u32 i = 0; i < 63; i++) a[i] = text[(i + round) & 1023];
    a[63] = 0;
    u32 i = 0;
    do b[i] = a[i];
    while (a[i++]);
    b[round] ^= 1;
    sum += compare(a, b) + 100000u / round + (sum % (round + 3));
    sum += (u32)((int)(sum - 50000) / (int)(round + 1));
  }
  return sum;
}

#define N 64
static int ma[N][N], mb[N][N], mc[N][N];
static u32 matrices(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) ma[i][j] = i + j, mb[i][j] = i - j;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      int sum = 0;
      for (int k = 0; k < N; k++) sum += ma[i][k] * mb[k][j];
      mc[i][j] = sum;
    }
  u32 sum = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) sum = sum * 3 + (u32)mc[i][j];
  return sum;
}

u32 mix(u32 iterations) {
  u32 result = 0;
  prepare();
  for (u32 i = 0; i < iterations; i++) {
    result = crc_by_table(text, sizeof text, result + i);
    result = crc_by_bits(text, 128, result);
    result += lists();
    result ^= machine();
    result += fib(14);
    result = result * 5 + sieve();
    result ^= strings();
    if (i % 8 == 0) result += matrices();
  }
  return result;
}
