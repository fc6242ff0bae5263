/*
 * Process 1 that prints and then goes at once, without waiting for the terminal: it switches the machine off, or ends (ENDS). Freestanding
 * MIPS I.
 */
static long sys(long number, long a, long b, long c)
{
	register long v0 asm("$2") = number;
	register long a0 asm("$4") = a;
	register long a1 asm("$5") = b;
	register long a2 asm("$6") = c;
	register long a3 asm("$7");
	asm volatile("syscall"
		     : "+r"(v0), "=r"(a3)
		     : "r"(a0), "r"(a1), "r"(a2)
		     : "memory", "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo");
	return v0;
}

void start(void) asm("__start");
void start(void)
{
	static const char words[] = "last words, longer than what is on the line\n";
	for (int i = 0; i < 20; i++)
		sys(4004, 1, (long)words, sizeof words - 1);
#ifndef ENDS
	sys(4088, 0xfee1dead, 672274793, 0x4321fedc);
#endif
	sys(4001, 0, 0, 0);
}
