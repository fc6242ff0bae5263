#!/bin/sh
# Builds e2fsck for MIPS I: build-e2fsck.sh <folder of musl and e2fsprogs> <folder of this repository's sources> <work folder>
#
# Debian's own C library and libgcc are for MIPS32, so musl takes the place of the one and e2fsck/runtime.c that of the
# other. musl's startup code reads registers in the slot after their load, which MIPS I has no interlock for; e2fsck/start.S
# stands in for it. musl's ll, sc and rdhwr are emulated by the kernel. Leaves <work folder>/e2fsck.
set -e
sources=$1 ours=$2 work=$3
flags='-march=mips1 -mabi=32 -mhard-float -mfp32 -fno-pic -fno-stack-protector -O2'
jobs=-j$(nproc)
cc=mipsel-linux-gnu-gcc

mkdir -p "$work/lib" "$work/e2fsprogs"
$cc $flags -ffreestanding -c "$ours/runtime.c" -o "$work/lib/runtime.o"
$cc $flags -c "$ours/start.S" -o "$work/lib/start.o"
mipsel-linux-gnu-ar rcs "$work/lib/libruntime.a" "$work/lib/runtime.o"

cd "$sources"/musl-*/
CROSS_COMPILE=mipsel-linux-gnu- CC="$cc $flags" CFLAGS=-O2 LIBCC="$work/lib/libruntime.a" \
	./configure --target=mipsel-linux-musl --disable-shared --prefix="$work/musl"
make $jobs
make install

# A compiler that knows musl and nothing else.
cat > "$work/cc" <<END
#!/bin/sh
common='$flags -nostdinc -isystem $work/musl/include -isystem $($cc -print-file-name=include)'
for word; do
	case \$word in -c | -E | -S) exec $cc \$common "\$@" ;; esac
done
exec $cc \$common -static -nostdlib -Wl,-z,noexecstack -Wl,--build-id=none -Wl,-e,exok_start $work/lib/start.o \
	$work/musl/lib/crt1.o $work/musl/lib/crti.o -L$work/musl/lib -L$work/lib "\$@" -lc -lruntime $work/musl/lib/crtn.o
END
chmod +x "$work/cc"

cd "$work/e2fsprogs"
"$sources"/e2fsprogs-*/configure --host=mipsel-linux-musl CC="$work/cc" CFLAGS= BUILD_CC=gcc --without-pthread \
	--disable-nls --disable-elf-shlibs --disable-debugfs --disable-imager --disable-resizer --disable-defrag \
	--disable-uuidd --disable-fuse2fs --disable-tdb --disable-testio-debug --disable-backtrace --disable-mmp
make $jobs subs
for library in et/libcom_err ss/libss e2p/libe2p uuid/libuuid blkid/libblkid ext2fs/libext2fs support/libsupport; do
	make $jobs -C "lib/${library%/*}" "${library#*/}.a"
done
make $jobs -C e2fsck e2fsck
mipsel-linux-gnu-strip e2fsck/e2fsck -o "$work/e2fsck"
