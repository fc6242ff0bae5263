/*
 * Floating point under Linux: what the R3010 does itself, and what it leaves to software by an interrupt (denormals, underflow); rounding
 * modes; two processes that take turns. Prints the bits of each result; as process 1 it then switches the machine off. Freestanding MIPS I
 * with hard float.
 */
static long sys(long number, long a, long b, long c, long d)
{
	register long v0 asm("$2") = number;
	register long a0 asm("$4") = a;
	register long a1 asm("$5") = b;
	register long a2 asm("$6") = c;
	register long a3 asm("$7") = d;
	asm volatile("syscall"
		     : "+r"(v0), "+r"(a3)
		     : "r"(a0), "r"(a1), "r"(a2)
		     : "memory", "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo");
	return v0;
}

static void bits(double value)
{
	union {
		double value;
		unsigned words[2];
	} both = { value };
	char line[17];
	for (int i = 0; i < 16; i++) {
		unsigned digit = both.words[i < 8] >> (28 - 4 * (i & 7)) & 15;
		line[i] = (digit < 10 ? '0' : 'a' - 10) + digit;
	}
	line[16] = '\n';
	sys(4004, 1, (long)line, sizeof line, 0);
}

static void round_to(unsigned mode)
{
	asm volatile("ctc1 %0, $31\n\tnop\n\tnop" : : "r"(mode) : "memory");
}

static volatile double zero = 0, one = 1, three = 3, least = 2.2250738585072014e-308;

void start(void) asm("__start");
void start(void)
{
	double sum = 0, root = 2, small = least;
	for (int i = 1; i < 1000; i++)
		sum += one / i;
	bits(sum);
	for (int i = 0; i < 6; i++)
		root = (root + 2 / root) / 2;
	bits(root);
	for (int i = 0; i < 10; i++) {
		small = small / 2;
		bits(small);
	}
	for (int i = 0; i < 200; i++)
		small = small * 1.0000001 + least / 3;
	bits(small);
	bits(small * 1024);
	bits((float)small);
	bits((float)1.1754942e-38 * (float)0.3);
	bits(zero / zero);
	bits(one / zero);
	bits((int)(sum * 1e6));
	for (int mode = 0; mode < 4; mode++) {
		round_to(mode);
		bits(one / three);
		bits(-one / three);
		bits(least / three);
		round_to(0);
	}
	long child = sys(4002, 0, 0, 0, 0);
	double turns = child == 0 ? 3 : 5;
	for (int i = 1; i < 300; i++) {
		turns += one / (i * turns) + (i % 50 == 0 ? least / i : 0);
		sys(4162, 0, 0, 0, 0); /* the other one's turn */
	}
	if (child == 0) {
		bits(turns);
		sys(4001, 0, 0, 0, 0);
	}
	sys(4114, child, 0, 0, 0);
	bits(turns);
	if (sys(4020, 0, 0, 0, 0) == 1) {
		sys(4054, 1, 0x5405, 1, 0); /* what is printed has gone out */
		sys(4088, 0xfee1dead, 672274793, 0x4321fedc, 0);
	}
	sys(4001, 0, 0, 0, 0);
}
