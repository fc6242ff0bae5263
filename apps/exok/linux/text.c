/*
 * Text, numbers and bytes: what a C library would have.
 */
#include "sys.h"

size_t length(const char *text)
{
	size_t n = 0;
	while (text[n])
		n++;
	return n;
}

int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The decimal number at the start of a text. */
u32 number(const char *text)
{
	u32 value = 0;
	while (*text >= '0' && *text <= '9')
		value = value * 10 + (u32)(*text++ - '0');
	return value;
}

void *memset(void *to, int byte, size_t n)
{
	for (u8 *p = to; n > 0; n--)
		*p++ = (u8)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	const u8 *f = from;
	for (u8 *t = to; n > 0; n--)
		*t++ = *f++;
	return to;
}

/* The CRC of zip and Ethernet; begin with 0. */
u32 crc32(u32 crc, const void *data, size_t n)
{
	static u32 table[256];
	const u8 *p = data;
	if (table[1] == 0)
		for (u32 i = 0; i < 256; i++) {
			u32 c = i;
			for (int bit = 0; bit < 8; bit++)
				c = c >> 1 ^ (0xedb88320 & -(c & 1));
			table[i] = c;
		}
	for (crc = ~crc; n > 0; n--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

/* ---- Printing: one write for each call of `say` */

static char line[512];
static size_t used;

static void put(char c)
{
	if (used == sizeof line) {
		sys(SYS_write, 1, line, used);
		used = 0;
	}
	line[used++] = c;
}

static void put_number(u32 value, u32 base, int width)
{
	char digits[10];
	int n = 0;
	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	for (; width > n; width--)
		put('0');
	while (n > 0)
		put(digits[--n]);
}

void say(const char *format, ...)
{
	__builtin_va_list arguments;
	__builtin_va_start(arguments, format);
	for (; *format; format++) {
		int width = 0;
		if (*format != '%') {
			put(*format);
			continue;
		}
		for (format++; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (*format - '0');
		if (*format == 's') {
			for (const char *s = __builtin_va_arg(arguments, const char *); *s; s++)
				put(*s);
		} else if (*format == 'c') {
			put((char)__builtin_va_arg(arguments, int));
		} else if (*format == 'd') {
			int value = __builtin_va_arg(arguments, int);
			if (value < 0)
				put('-');
			put_number(value < 0 ? -(u32)value : (u32)value, 10, width);
		} else if (*format == 'u' || *format == 'x') {
			put_number(__builtin_va_arg(arguments, u32), *format == 'u' ? 10 : 16, width);
		} else {
			put(*format);
		}
	}
	__builtin_va_end(arguments);
	sys(SYS_write, 1, line, used);
	used = 0;
}

int failed(const char *what, long error)
{
	say("%s: error %d\n", what, (int)-error);
	return 1;
}
