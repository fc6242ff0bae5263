/*
 * Linux/MIPS (o32) system calls, structures and constants, as far as these programs use them; no C library.
 *
 * Every call returns the kernel's value, or minus its error number. Text goes through `say` (text.c). The layouts are
 * those of the kernel's user interface; facts only.
 */
#ifndef SYS_H
#define SYS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long size_t;
#define NULL ((void *)0)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Numbers of system calls. */
enum {
	SYS_exit = 4001, SYS_fork, SYS_read, SYS_write, SYS_open, SYS_close, SYS_waitpid,
	SYS_execve = 4011, SYS_lseek = 4019, SYS_getpid, SYS_mount, SYS_sync = 4036, SYS_kill, SYS_mkdir = 4039, SYS_pipe = 4042,
	SYS_umount2 = 4052, SYS_ioctl = 4054, SYS_setpgid = 4057, SYS_dup2 = 4063, SYS_setsid = 4066,
	SYS_gettimeofday = 4078, SYS_reboot = 4088, SYS_mmap = 4090, SYS_munmap, SYS_fsync = 4118, SYS_uname = 4122,
	SYS_mprotect = 4125, SYS_llseek = 4140, SYS_sysmips = 4149, SYS_sched_yield = 4162, SYS_nanosleep = 4166,
	SYS_bind = 4169, SYS_connect, SYS_recvfrom = 4176, SYS_sendto = 4180, SYS_setsockopt, SYS_socket = 4183,
	SYS_sigaction = 4194, SYS_sigprocmask, SYS_sigsuspend = 4199, SYS_lstat64 = 4214, SYS_getdents64 = 4219, SYS_pipe2 = 4328,
};

/* start.S: a system call; the numbers above or any other. Unused arguments may be anything. */
long sys(long number, ...);
/* start.S: marks a point in the machine's time; see bench.c. */
void mark(void);

enum { O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x100, O_TRUNC = 0x200, O_DIRECTORY = 0x10000 };
enum { S_IFMT = 0170000, S_IFDIR = 0040000, S_IFREG = 0100000, S_IFLNK = 0120000 };
enum { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x800 };
enum { SIGINT = 2, SIGILL = 4, SIGFPE = 8, SIGBUS = 10, SIGSEGV = 11, SIGKILL = 9, SIGUSR1 = 16, SIGTTOU = 27 };
enum { SA_SIGINFO = 8, SA_NODEFER = 0x40000000, SIG_BLOCK = 1 };
enum { TCSBRK = 0x5405, TIOCSCTTY = 0x5480, TIOCSPGRP = (int)0x80047476 };
enum { AF_INET = 2, SOCK_DGRAM = 1, SOCK_RAW = 3, IPPROTO_ICMP = 1 };
enum { SOL_SOCKET = 0xffff, SO_RCVTIMEO = 0x1006 };
enum { MIPS_FIXADE = 7 };
enum { RB_POWER_OFF = 0x4321fedc, REBOOT_MAGIC1 = (int)0xfee1dead, REBOOT_MAGIC2 = 672274793 };
enum { EINTR = 4, EAGAIN = 11 };

struct stat64 {
	u32 dev, pad0[3];
	u64 ino;
	u32 mode, nlink, uid, gid, rdev, pad1[3];
	long long size;
	u32 times[6], blksize, pad2;
	long long blocks;
};

struct dirent64 {
	u64 ino, off;
	u16 reclen;
	u8 type;
	char name[];
};

struct utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct timeval {
	long sec, usec;
};

struct sockaddr_in {
	u16 family, port; /* the port in network order */
	u32 addr;         /* in network order */
	u8 zero[8];
};

/* What a signal handler gets. */
struct siginfo {
	int signo, code, error;
	void *addr;
};
struct ucontext {
	u32 flags, link, stack[3], pad, regmask, status;
	u64 pc, regs[32];
};
struct sigaction {
	u32 flags;
	void (*handler)(int, struct siginfo *, struct ucontext *);
	u32 mask[4];
};

/* The host's byte order is little, the network's big. */
static inline u16 htons(u16 x) { return (u16)(x << 8 | x >> 8); }
static inline u32 htonl(u32 x) { return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24; }

/* text.c */
size_t length(const char *text);
int same(const char *a, const char *b);
u32 number(const char *text);
u32 crc32(u32 crc, const void *data, size_t n);
/* Prints %s %c %d %u %x and %08x-like widths (zeros only) to standard output. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints what failed and with which error number; returns 1, the exit status. */
int failed(const char *what, long error);
void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);

/* The commands. Each returns its exit status, 0 if all is well; `words[0]` is its name. */
int ping(int count, char **words);
int udp_echo(int count, char **words);
int disk(int count, char **words);
int check(int count, char **words);
int bench(int count, char **words);
/* ping.c: an IPv4 address in network order, or 0 if the text is none. */
u32 address(const char *text);

#endif
