/*
 * What the compiler calls for 64-bit integers, for want of a libgcc for MIPS I.
 */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

int __clzsi2(u32 x)
{
	int n = 0;
	for (; !(x >> 31); x <<= 1)
		n++;
	return n;
}

int __clzdi2(u64 x)
{
	return x >> 32 ? __clzsi2((u32)(x >> 32)) : 32 + __clzsi2((u32)x);
}

int __ctzsi2(u32 x)
{
	int n = 0;
	for (; !(x & 1); x >>= 1)
		n++;
	return n;
}

int __ctzdi2(u64 x)
{
	return (u32)x ? __ctzsi2((u32)x) : 32 + __ctzsi2((u32)(x >> 32));
}

u64 __lshrdi3(u64 x, int by)
{
	u32 high = (u32)(x >> 32), low = (u32)x;
	if (by == 0)
		return x;
	return by >= 32 ? high >> (by - 32) : (u64)(high >> by) << 32 | (low >> by | high << (32 - by));
}

s64 __ashrdi3(s64 x, int by)
{
	return (s64)(x < 0 ? ~__lshrdi3(~(u64)x, by) : __lshrdi3((u64)x, by));
}

u64 __ashldi3(u64 x, int by)
{
	u32 high = (u32)(x >> 32), low = (u32)x;
	if (by == 0)
		return x;
	return by >= 32 ? (u64)(low << (by - 32)) << 32 : (u64)(high << by | low >> (32 - by)) << 32 | low << by;
}

static u64 divide(u64 n, u64 d, u64 *rest)
{
	u64 quotient = 0, bit = 1;
	if ((n | d) >> 32 == 0) {
		*rest = (u32)n % (u32)d;
		return (u32)n / (u32)d;
	}
	for (; d < n && !(d >> 63); d <<= 1)
		bit <<= 1;
	for (; bit; d >>= 1, bit >>= 1)
		if (n >= d)
			n -= d, quotient |= bit;
	*rest = n;
	return quotient;
}

static u64 magnitude(s64 x)
{
	return x < 0 ? -(u64)x : (u64)x;
}

u64 __udivdi3(u64 n, u64 d)
{
	u64 rest;
	return divide(n, d, &rest);
}

u64 __umoddi3(u64 n, u64 d)
{
	u64 rest;
	divide(n, d, &rest);
	return rest;
}

s64 __divdi3(s64 n, s64 d)
{
	u64 quotient = __udivdi3(magnitude(n), magnitude(d));
	return (s64)((n < 0) != (d < 0) ? -quotient : quotient);
}

s64 __moddi3(s64 n, s64 d)
{
	u64 rest = __umoddi3(magnitude(n), magnitude(d));
	return (s64)(n < 0 ? -rest : rest);
}

u64 __fixunsdfdi(double x)
{
	u32 high = (u32)(x / 4294967296.0);
	return (u64)high << 32 | (u32)(x - high * 4294967296.0);
}

s64 __fixdfdi(double x)
{
	return x < 0 ? -(s64)__fixunsdfdi(-x) : (s64)__fixunsdfdi(x);
}

double __floatundidf(u64 x)
{
	return (u32)(x >> 32) * 4294967296.0 + (u32)x;
}

double __floatdidf(s64 x)
{
	return x < 0 ? -__floatundidf(magnitude(x)) : __floatundidf((u64)x);
}

float __floatdisf(s64 x)
{
	return (float)__floatdidf(x);
}

float __floatundisf(u64 x)
{
	return (float)__floatundidf(x);
}

u32 __bswapsi2(u32 x)
{
	return x >> 24 | (x >> 8 & 0xff00) | (x & 0xff00) << 8 | x << 24;
}

u64 __bswapdi2(u64 x)
{
	return (u64)__bswapsi2((u32)x) << 32 | __bswapsi2((u32)(x >> 32));
}
