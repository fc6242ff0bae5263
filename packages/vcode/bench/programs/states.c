/* A state machine over characters: words, numbers, strings and comments of a program's text. */
static char text[8192];
static unsigned counts[8];
enum { SPACE, WORD, NUMBER, STRING, ESCAPE, SLASH, COMMENT, STAR };
static int step(int state, unsigned char c) {
  switch (state) {
    case STRING:
      return c == '\\' ? ESCAPE : c == '"' ? SPACE : STRING;
    case ESCAPE:
      return STRING;
    case SLASH:
      if (c == '*') return COMMENT;
      break;
    case COMMENT:
      return c == '*' ? STAR : COMMENT;
    case STAR:
      return c == '/' ? SPACE : c == '*' ? STAR : COMMENT;
    case WORD:
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_') return WORD;
      break;
    case NUMBER:
      if (c >= '0' && c <= '9') return NUMBER;
      break;
  }
  switch (c) {
    case '"':
      return STRING;
    case '/':
      return SLASH;
    case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
      return NUMBER;
    case ' ': case '\t': case '\n': case '\r': case ';': case ',': case '(': case ')': case '{': case '}':
      return SPACE;
  }
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ? WORD : SPACE;
}
unsigned run(void) {
  static const char sample[] =
      "static int f(char *s) { /* a * comment */ return s[0] + 1234 * 56; }\n\tconst x = \"a \\\"string\\\" /* no */\";\n";
  unsigned n = sizeof sample - 1, sum = 0;
  for (unsigned i = 0; i < sizeof text; i++) text[i] = sample[i % n];
  for (int round = 0; round < 4; round++) {
    int state = SPACE;
    for (unsigned i = 0; i < sizeof text; i++) {
      int next = step(state, text[i]);
      if (next != state) counts[next]++;
      state = next;
    }
  }
  for (int i = 0; i < 8; i++) sum = sum * 31 + counts[i];
  return sum;
}
