/*
 * check: runs e2fsck, where the initramfs has it, on the disk; changes nothing.
 */
#include "sys.h"

/* check [<device>]: e2fsck's exit status, 0 for a clean file system. */
int check(int count, char **words)
{
	char *device = count > 1 ? words[1] : "/dev/vda";
	char *arguments[] = { "/sbin/e2fsck", "-f", "-n", device, NULL };
	char *environment[] = { NULL };
	int status = 0;
	long child = sys(SYS_fork);
	if (child == 0) {
		long error = sys(SYS_execve, arguments[0], arguments, environment);
		sys(SYS_exit, failed(arguments[0], error));
	}
	if (child < 0)
		return failed("fork", child);
	while (sys(SYS_waitpid, child, &status, 0) == -EINTR)
		;
	say("check of %s: %s (exit status %d, signal %d)\n", device, status == 0 ? "clean" : "FAILED", status >> 8 & 0xff,
	    status & 0x7f);
	return status == 0 ? 0 : 1;
}
