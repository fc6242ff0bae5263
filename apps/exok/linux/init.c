/*
 * /init: the first program. It mounts what is needed, says where it is, runs one command in a process of its own on the
 * console, and switches the machine off. The command is what follows ` -- ` on the kernel's command line; `hello` without.
 *
 * Everything is in this one program, so that its marks have one address (start.S).
 */
#include "sys.h"

static int hello(int count, char **words);
static int shell(int count, char **words);
static int list(int count, char **words);
static int print(int count, char **words);
static int help(int count, char **words);

static const struct {
	const char *name;
	int (*run)(int, char **);
	const char *does;
} COMMANDS[] = {
	{ "hello", hello, "says where it runs" },
	{ "ping", ping, "<address> [<times>]" },
	{ "udp-echo", udp_echo, "<port> [<datagrams>]" },
	{ "disk", disk, "[check]: mounts the disk, reads every file, writes one" },
	{ "check", check, "[<device>]: e2fsck" },
	{ "bench", bench, "[<name> ...]: the benchmarks; `bench list` names them" },
	{ "ls", list, "<folder>" },
	{ "cat", print, "<file>" },
	{ "sh", shell, "reads commands; `exit` ends it" },
	{ "help", help, "this" },
};

static int help(int count, char **words)
{
	(void)count, (void)words;
	for (u32 i = 0; i < COUNT(COMMANDS); i++)
		say("%s %s\n", COMMANDS[i].name, COMMANDS[i].does);
	return 0;
}

/* Runs a command of the table; 127 if there is none. */
static int run(int count, char **words)
{
	for (u32 i = 0; i < COUNT(COMMANDS); i++)
		if (same(words[0], COMMANDS[i].name))
			return COMMANDS[i].run(count, words);
	say("no command %s: see help\n", words[0]);
	return 127;
}

/* Runs a command in a process of its own, which Ctrl-C on the console ends. Returns how it ended, as waitpid says it. */
static int run_apart(int count, char **words)
{
	int status = 0;
	long child = sys(SYS_fork);
	if (child == 0) {
		sys(SYS_setpgid, 0, 0);
		long self = sys(SYS_getpid);
		sys(SYS_ioctl, 0, TIOCSPGRP, &self);
		sys(SYS_exit, run(count, words));
	}
	if (child < 0)
		return failed("fork", child);
	while (sys(SYS_waitpid, child, &status, 0) == -EINTR)
		;
	if (status & 0x7f)
		say("%s: ended by signal %d\n", words[0], status & 0x7f);
	return status;
}

static int hello(int count, char **words)
{
	static char text[4096];
	struct utsname name;
	(void)count, (void)words;
	sys(SYS_uname, &name);
	say("hello from %s %s on %s\n", name.sysname, name.release, name.machine);
	long file = sys(SYS_open, "/proc/cpuinfo", O_RDONLY, 0);
	long n = sys(SYS_read, file, text, sizeof text - 1);
	sys(SYS_close, file);
	/* The first lines say which machine and processor it is. */
	for (long at = 0, lines = 0; at < n && lines < 1; at++)
		if (text[at] == '\n' && ++lines == 1)
			text[at] = '\0';
	say("%s\n", text);
	return 0;
}

static int list(int count, char **words)
{
	u8 entries[1024];
	const char *path = count > 1 ? words[1] : "/";
	long n, folder = sys(SYS_open, path, O_RDONLY | O_DIRECTORY, 0);
	if (folder < 0)
		return failed(path, folder);
	while ((n = sys(SYS_getdents64, folder, entries, sizeof entries)) > 0)
		for (long at = 0; at < n; at += ((struct dirent64 *)(entries + at))->reclen)
			say("%s\n", ((struct dirent64 *)(entries + at))->name);
	return 0;
}

static int print(int count, char **words)
{
	u8 buffer[1024];
	long n, file = count > 1 ? sys(SYS_open, words[1], O_RDONLY, 0) : 0;
	if (file < 0)
		return failed(words[1], file);
	while ((n = sys(SYS_read, file, buffer, sizeof buffer)) > 0)
		sys(SYS_write, 1, buffer, n);
	return 0;
}

/* Splits a line at its spaces; returns how many words there are. */
static int split(char *line, char **words, int max)
{
	int count = 0;
	for (; *line && count < max - 1; line++) {
		if (*line == ' ' || *line == '\n' || *line == '\t')
			*line = '\0';
		else if (count == 0 || line[-1] == '\0')
			words[count++] = line;
	}
	words[count] = NULL;
	return count;
}

/* The terminal reads lines: it echoes, erases, and sends SIGINT to the command that runs. */
static int shell(int count, char **words)
{
	(void)count, (void)words;
	say("`help` says what there is\n");
	for (;;) {
		char line[256];
		char *parts[16];
		long self = sys(SYS_getpid);
		sys(SYS_ioctl, 0, TIOCSPGRP, &self);
		say("# ");
		long n = sys(SYS_read, 0, line, sizeof line - 1);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return 0;
		line[n] = '\0';
		if (n > 1 && line[n - 2] == '\n')
			line[n - 1] = '\0';
		int many = split(line, parts, COUNT(parts));
		if (many > 0 && same(parts[0], "exit"))
			return 0;
		if (many > 0 && same(parts[0], "sh"))
			continue;
		if (many > 0)
			run_apart(many, parts);
	}
}

/* Makes the kernel's console the terminal of this session, so that Ctrl-C is a signal. */
static void take_console(void)
{
	char path[64] = "/dev/";
	long file = sys(SYS_open, "/sys/class/tty/console/active", O_RDONLY, 0);
	long n = sys(SYS_read, file, path + 5, sizeof path - 6);
	sys(SYS_close, file);
	/* The last console named is the one that /dev/console is. */
	path[n > 0 ? n + 4 : 5] = '\0';
	for (size_t i = length(path); i > 4; i--)
		if (path[i] == ' ')
			memcpy(path + 5, path + i + 1, length(path + i));
	sys(SYS_setsid);
	file = sys(SYS_open, path, O_RDWR, 0);
	if (file < 0)
		return;
	sys(SYS_ioctl, file, TIOCSCTTY, 0);
	for (int i = 0; i < 3; i++)
		sys(SYS_dup2, file, i);
	if (file > 2)
		sys(SYS_close, file);
}

int main(int count, char **words)
{
	static char *otherwise[] = { "hello", NULL };
	if (sys(SYS_getpid) != 1) {
		/* For trying the program outside: its arguments are the command. */
		return count > 1 ? run(count - 1, words + 1) : help(0, NULL);
	}
	static const char *const MOUNTS[] = { "proc", "sysfs", "devtmpfs" };
	static const char *const PLACES[] = { "/proc", "/sys", "/dev" };
	for (u32 i = 0; i < COUNT(MOUNTS); i++) {
		sys(SYS_mkdir, PLACES[i], 0755);
		long error = sys(SYS_mount, MOUNTS[i], PLACES[i], MOUNTS[i], 0, NULL);
		if (error < 0)
			failed(PLACES[i], error);
	}
	/* Processes change who is in front of the console themselves, from behind it. */
	static const struct sigaction IGNORE = { 0, (void *)1, { 0 } };
	sys(SYS_sigaction, SIGTTOU, &IGNORE, NULL, sizeof IGNORE.mask);
	take_console();
	if (count > 1)
		run_apart(count - 1, words + 1);
	else
		run_apart(1, otherwise);
	/* What was printed waits in the kernel for the serial line. */
	sys(SYS_sync);
	sys(SYS_ioctl, 1, TCSBRK, 1);
	sys(SYS_reboot, REBOOT_MAGIC1, REBOOT_MAGIC2, RB_POWER_OFF, NULL);
	return 0;
}
