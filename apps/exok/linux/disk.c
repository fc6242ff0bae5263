/*
 * disk: mounts the virtio disk, prints every file with its size and CRC-32, writes one, and unmounts.
 */
#include "sys.h"

enum { PATH_BYTES = 256, MAX_DEPTH = 16 };

static u32 files, folders, bytes;

/* The CRC-32 of a file, or -1 in `*error`. */
static u32 sum(const char *path, long *error)
{
	static u8 buffer[4096];
	u32 crc = 0;
	long n, file = sys(SYS_open, path, O_RDONLY, 0);
	*error = file;
	if (file < 0)
		return 0;
	while ((n = sys(SYS_read, file, buffer, sizeof buffer)) > 0)
		crc = crc32(crc, buffer, (size_t)n);
	sys(SYS_close, file);
	*error = n;
	return crc;
}

/* Prints what is in the folder `path`, which has room for PATH_BYTES; `skip` is how much of it is the mount point. */
static int walk(char *path, size_t skip, int depth)
{
	u8 entries[1024];
	int errors = 0;
	size_t end = length(path);
	long n, folder = sys(SYS_open, path, O_RDONLY | O_DIRECTORY, 0);
	if (folder < 0)
		return failed(path, folder);
	folders++;
	while ((n = sys(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (void *)(entries + at);
			struct stat64 stat;
			size_t name = length(entry->name);
			at += entry->reclen;
			if (same(entry->name, ".") || same(entry->name, "..") || end + name + 2 > PATH_BYTES)
				continue;
			path[end] = '/';
			memcpy(path + end + 1, entry->name, name + 1);
			long error = sys(SYS_lstat64, path, &stat);
			if (error < 0) {
				errors += failed(path, error);
			} else if ((stat.mode & S_IFMT) == S_IFDIR) {
				if (depth < MAX_DEPTH)
					errors += walk(path, skip, depth + 1);
			} else if ((stat.mode & S_IFMT) == S_IFREG) {
				u32 crc = sum(path, &error);
				if (error < 0)
					errors += failed(path, error);
				else
					say("%08x %u %s\n", crc, (u32)stat.size, path + skip);
				files++;
				bytes += (u32)stat.size;
			}
			path[end] = '\0';
		}
	}
	sys(SYS_close, folder);
	return errors;
}

/* Writes a file and waits until it is on the disk. */
static long write_file(const char *path, const char *text)
{
	long file = sys(SYS_open, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (file < 0)
		return file;
	long error = sys(SYS_write, file, text, length(text));
	if (error >= 0)
		error = sys(SYS_fsync, file);
	sys(SYS_close, file);
	return error;
}

/* disk [check]: with `check`, before it is mounted and after it is unmounted. */
int disk(int count, char **words)
{
	char path[PATH_BYTES] = "/mnt";
	int errors = 0;
	char *device[] = { "check", "/dev/vda", NULL };
	int wants_check = count > 1 && same(words[1], "check");
	if (wants_check && check(2, device) != 0)
		return 1;
	sys(SYS_mkdir, path, 0755);
	long error = sys(SYS_mount, "/dev/vda", path, "ext2", 0, NULL);
	if (error < 0)
		return failed("mount /dev/vda", error);
	errors += walk(path, length(path), 0);
	say("%u files, %u bytes, %u folders\n", files, bytes, folders);
	error = write_file("/mnt/written-by-linux", "Linux was here.\n");
	if (error < 0)
		errors += failed("/mnt/written-by-linux", error);
	sys(SYS_sync);
	error = sys(SYS_umount2, path, 0);
	if (error < 0)
		return failed("unmount", error);
	if (wants_check)
		errors += check(2, device);
	say("unmounted, %d errors\n", errors);
	return errors == 0 ? 0 : 1;
}
