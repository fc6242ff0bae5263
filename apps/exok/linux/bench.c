/*
 * bench: what Linux makes of the operations that [SOSP95] measured under Ultrix.
 *
 * A program here measures nothing itself: its clock ticks 128 times a second. It says what comes next,
 *
 *     bench <iterations> <repetitions> <name> [<name>]
 *
 * waits until the serial line is quiet, and then marks the beginning and the ends of every repetition (`mark`, start.S).
 * Whoever watches the machine sees the cycle of each mark; n names have n intervals, one after the other. The first
 * benchmark, `mark`, has nothing between its marks.
 */
#include "sys.h"

enum { PAGE = 4096, PAGES = 100, SIZE = 150, UDP_BYTES = 18 };

static u8 *pages; /* PAGES of them, readable and writable, each written once */

static void announce(u32 iterations, u32 repetitions, const char *names)
{
	say("bench %u %u %s\n", iterations, repetitions, names);
	sys(SYS_ioctl, 1, TCSBRK, 1);
}

static void handle(int signal, void (*handler)(int, struct siginfo *, struct ucontext *))
{
	struct sigaction action = { SA_SIGINFO | SA_NODEFER, handler, { 0 } };
	sys(SYS_sigaction, signal, &action, NULL, sizeof action.mask);
}

static void protect(u32 page, u32 count, int rights)
{
	sys(SYS_mprotect, pages + page * PAGE, count * PAGE, rights);
}

/* Every page readable, writable, and written to, so that each is there. */
static void open_pages(void)
{
	if (pages == NULL)
		pages = (u8 *)sys(SYS_mmap, NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	protect(0, PAGES, PROT_READ | PROT_WRITE);
	for (u32 i = 0; i < PAGES; i++)
		*(volatile u8 *)(pages + i * PAGE) = 1;
}

/* ---- Calls */

static void bench_mark(void)
{
	announce(1, 50, "mark");
	for (int i = 0; i < 50; i++) {
		mark();
		mark();
	}
}

/* Seven instructions an iteration: with one cycle each what was published as a null procedure call. */
static void bench_procedure(void)
{
	announce(100, 20, "procedure");
	for (int i = 0; i < 20; i++) {
		u32 n = 100;
		mark();
		__asm__ volatile(".set push\n.set noreorder\n"
				 "1:	bal	3f\n	nop\n"
				 "	addiu	%0, %0, -1\n"
				 "	bnez	%0, 1b\n	nop\n"
				 "	b	4f\n	nop\n"
				 "3:	jr	$31\n	nop\n"
				 "4:\n.set pop\n"
				 : "+r"(n) : : "$31");
		mark();
	}
}

static void bench_getpid(void)
{
	announce(20, 20, "getpid");
	for (int i = 0; i < 20; i++) {
		mark();
		for (int n = 0; n < 20; n++) {
			register long call __asm__("$2") = SYS_getpid;
			__asm__ volatile("syscall" : "+r"(call) : : "$3", "$7", "$8", "$9", "$10", "$11", "$12", "$13",
					 "$14", "$15", "$24", "$25", "hi", "lo", "memory");
		}
		mark();
	}
}

/* ---- Exceptions as signals. The handler marks its beginning and has the program go on after the instruction. */

static void skip(int signal, struct siginfo *info, struct ucontext *context)
{
	(void)signal, (void)info;
	mark();
	context->pc += 4;
}

#define EXCEPTION(name, signal, instruction)                                                                   \
	do {                                                                                                   \
		announce(1, 30, name " " name "-return");                                                      \
		handle(signal, skip);                                                                          \
		for (int i = 0; i < 30; i++) {                                                                 \
			mark();                                                                                \
			__asm__ volatile(".set push\n.set noreorder\n" instruction "\n	nop\n.set pop\n"       \
					 : : "r"(pages), "r"(0x7fffffff) : "$8", "memory");                    \
			mark();                                                                                \
		}                                                                                              \
	} while (0)

static void bench_unaligned(void)
{
	open_pages();
	/* Linux would do the access itself. */
	sys(SYS_sysmips, MIPS_FIXADE, 0, 0);
	EXCEPTION("unaligned", SIGBUS, "lw	$8, 1(%0)");
	sys(SYS_sysmips, MIPS_FIXADE, 1, 0);
}

static void bench_overflow(void)
{
	EXCEPTION("overflow", SIGFPE, "add	$8, %1, %1");
}

static void bench_coprocessor(void)
{
	EXCEPTION("coprocessor", SIGILL, ".word	0x4a000000");
}

static void bench_protection(void)
{
	open_pages();
	protect(0, 1, PROT_READ);
	EXCEPTION("protection", SIGSEGV, "sw	$0, 0(%0)");
}

/* ---- Virtual memory, after Appel and Li */

static void bench_prot1(void)
{
	open_pages();
	announce(1, 30, "prot1 unprot1");
	for (u32 i = 0; i < 30; i++) {
		mark();
		protect(i, 1, PROT_READ);
		mark();
		protect(i, 1, PROT_READ | PROT_WRITE);
		mark();
		pages[i * PAGE] = 1;
	}
}

static void bench_prot100(void)
{
	open_pages();
	announce(1, 20, "prot100 unprot100");
	for (int i = 0; i < 20; i++) {
		mark();
		protect(0, PAGES, PROT_READ);
		mark();
		protect(0, PAGES, PROT_READ | PROT_WRITE);
		mark();
		open_pages();
	}
}

static u8 order[PAGES]; /* a permutation */
static u32 previous;

static void shuffle(void)
{
	u32 seed = 1;
	for (u32 i = 0; i < PAGES; i++)
		order[i] = (u8)i;
	for (u32 i = PAGES - 1; i > 0; i--) {
		seed = seed * 1664525 + 1013904223;
		u32 j = (seed >> 16) % (i + 1);
		u8 other = order[i];
		order[i] = order[j];
		order[j] = other;
	}
}

static u32 page_of(const struct siginfo *info)
{
	return (u32)((u8 *)info->addr - pages) / PAGE;
}

static void protect_other(int signal, struct siginfo *info, struct ucontext *context)
{
	(void)signal, (void)context;
	protect(previous, 1, PROT_READ);
	protect(page_of(info), 1, PROT_READ | PROT_WRITE);
}

static void unprotect(int signal, struct siginfo *info, struct ucontext *context)
{
	(void)signal, (void)context;
	protect(page_of(info), 1, PROT_READ | PROT_WRITE);
}

/* A store to a protected page in random order; its handler protects another page and unprotects this one. */
static void bench_appel1(void)
{
	open_pages();
	shuffle();
	announce(1, PAGES - 1, "appel1");
	handle(SIGSEGV, protect_other);
	protect(0, PAGES, PROT_READ);
	protect(order[0], 1, PROT_READ | PROT_WRITE);
	for (u32 i = 1; i < PAGES; i++) {
		previous = order[i - 1];
		mark();
		*(volatile u8 *)(pages + order[i] * PAGE) = 2;
		mark();
	}
}

/* A hundred pages are protected at once, then written to in random order; the handler unprotects each. */
static void bench_appel2(void)
{
	shuffle();
	announce(PAGES, 10, "appel2");
	handle(SIGSEGV, unprotect);
	for (int i = 0; i < 10; i++) {
		open_pages();
		mark();
		protect(0, PAGES, PROT_READ);
		for (u32 page = 0; page < PAGES; page++)
			*(volatile u8 *)(pages + order[page] * PAGE) = 2;
		mark();
	}
}

/* ---- Two processes */

static void end(long child)
{
	sys(SYS_kill, child, SIGKILL);
	sys(SYS_waitpid, child, NULL, 0);
}

/* A word goes through a pipe to another process and comes back through a second one: two messages. */
static void bench_pipe(void)
{
	int there[2], back[2];
	u32 word = 0;
	sys(SYS_pipe2, there, 0);
	sys(SYS_pipe2, back, 0);
	announce(2, 50, "pipe");
	long child = sys(SYS_fork);
	if (child == 0)
		for (;;) {
			sys(SYS_read, there[0], &word, sizeof word);
			word++;
			sys(SYS_write, back[1], &word, sizeof word);
		}
	for (int i = 0; i < 50; i++) {
		mark();
		sys(SYS_write, there[1], &word, sizeof word);
		sys(SYS_read, back[0], &word, sizeof word);
		mark();
	}
	end(child);
	/* The same calls without another process: what is left of a message is the switch. */
	announce(1, 50, "pipe-self");
	for (int i = 0; i < 50; i++) {
		mark();
		sys(SYS_write, there[1], &word, sizeof word);
		sys(SYS_read, there[0], &word, sizeof word);
		mark();
	}
	for (int i = 0; i < 2; i++) {
		sys(SYS_close, there[i]);
		sys(SYS_close, back[i]);
	}
}

static void nothing(int signal, struct siginfo *info, struct ucontext *context)
{
	(void)signal, (void)info, (void)context;
}

/* Two processes increment a shared counter in turns; a signal says whose turn it is. */
static void take_turns(volatile u32 *counter, u32 mine, long other)
{
	static const u32 NONE[4];
	while (*counter % 2 != mine)
		sys(SYS_sigsuspend, NONE, sizeof NONE);
	*counter += 1;
	sys(SYS_kill, other, SIGUSR1);
}

static void bench_shm(void)
{
	volatile u32 *counter = (u32 *)sys(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u32 mask[4] = { 1 << (SIGUSR1 - 1), 0, 0, 0 };
	long self = sys(SYS_getpid);
	handle(SIGUSR1, nothing);
	sys(SYS_sigprocmask, SIG_BLOCK, mask, NULL, sizeof mask);
	announce(2, 50, "shm");
	long child = sys(SYS_fork);
	if (child == 0)
		for (;;)
			take_turns(counter, 1, self);
	for (int i = 0; i < 50; i++) {
		mark();
		take_turns(counter, 0, child);
		while (*counter % 2 == 1)
			sys(SYS_sigsuspend, (u32[4]){ 0 }, sizeof mask);
		mark();
	}
	end(child);
	sys(SYS_munmap, counter, PAGE);
}

/* ---- Computation */

static void bench_matmul(void)
{
	static int a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];
	for (int i = 0; i < SIZE; i++)
		for (int j = 0; j < SIZE; j++)
			a[i][j] = i + j, b[i][j] = i - j;
	announce(1, 1, "matmul");
	mark();
	for (int i = 0; i < SIZE; i++)
		for (int j = 0; j < SIZE; j++) {
			int sum = 0;
			for (int k = 0; k < SIZE; k++)
				sum += a[i][k] * b[k][j];
			*(volatile int *)&c[i][j] = sum;
		}
	mark();
}

/* ---- Two machines */

/* Sends a datagram with a new number, and waits for the one that brings it back. */
static long exchange(long socket, u8 *data)
{
	long n = sys(SYS_sendto, socket, data, UDP_BYTES, 0, NULL, 0);
	u8 sent = data[0];
	while (n >= 0) {
		n = sys(SYS_recvfrom, socket, data, UDP_BYTES, 0, NULL, NULL);
		if (n > 0 && data[0] == sent)
			break;
	}
	data[0] = (u8)(sent + 1);
	return n;
}

/* Datagrams, 60 bytes as frames, to a udp-echo and back. */
static int bench_udp(const char *name, const char *port)
{
	struct sockaddr_in to = { AF_INET, htons((u16)number(port)), address(name), { 0 } };
	struct timeval second = { 1, 0 };
	u8 data[UDP_BYTES] = { 0 };
	long socket = sys(SYS_socket, AF_INET, SOCK_DGRAM, 0);
	long error = sys(SYS_connect, socket, &to, sizeof to);
	sys(SYS_setsockopt, socket, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	/* Until the other machine is up, and both know each other's address. */
	for (int tries = 0; tries < 100 && (error = exchange(socket, data)) < 0; tries++) {
		struct timeval pause = { 0, 100000000 }; /* seconds and nanoseconds, here */
		sys(SYS_nanosleep, &pause, NULL);
	}
	if (error < 0)
		return failed("bench udp", error);
	announce(1, 30, "udp");
	for (int i = 0; i < 30; i++) {
		mark();
		error = exchange(socket, data);
		mark();
		if (error < 0)
			return failed("bench udp", error);
	}
	return 0;
}

static const struct {
	const char *name;
	void (*run)(void);
} BENCHMARKS[] = {
	{ "mark", bench_mark },		      { "procedure", bench_procedure },	    { "getpid", bench_getpid },
	{ "unaligned", bench_unaligned },     { "overflow", bench_overflow },	    { "coprocessor", bench_coprocessor },
	{ "protection", bench_protection },   { "prot1", bench_prot1 },		    { "prot100", bench_prot100 },
	{ "appel1", bench_appel1 },	      { "appel2", bench_appel2 },	    { "pipe", bench_pipe },
	{ "shm", bench_shm },		      { "matmul", bench_matmul },
};

/* bench [list | <name> ...]; bench udp <address> <port> */
int bench(int count, char **words)
{
	if (count == 4 && same(words[1], "udp")) {
		bench_mark();
		return bench_udp(words[2], words[3]);
	}
	for (u32 i = 0; i < COUNT(BENCHMARKS); i++) {
		int wanted = count == 1;
		for (int j = 1; j < count; j++)
			wanted |= same(words[j], BENCHMARKS[i].name);
		if (count == 2 && same(words[1], "list"))
			say("%s\n", BENCHMARKS[i].name);
		else if (wanted)
			BENCHMARKS[i].run();
	}
	say("bench end\n");
	return 0;
}
