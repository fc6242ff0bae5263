#!/bin/sh
# qemu-mipsel 7.2 (Debian's qemu-user-static 1:7.2+dfsg-7+deb12u18+b3): an operation on a quiet NaN gives QEMU's default NaN, not the operand.
# The payload and the sign are lost, in `add.s` as in `cvt.d.s`. Linux's emulator of the unit (arch/mips/math-emu) gives the operand back. So
# the two do not agree bit for bit in programs that carry NaNs, though both keep IEEE 754. NaNs are those of MIPS before 2008: quiet if the highest
# bit of the fraction is 0. Seen on 30 November 2026:
#
#   cvt.d.s of 7f812345: 7ff7ffffffffffff
#   add.s of 7f812345 and 1: 7fbfffff
#
# Prints what it saw; the exit code is 1 if that changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in binutils-mipsel-linux-gnu=2.40-2cross2 'qemu-user-static=1:7.2+dfsg-7+deb12u18+b3'; do
  apt-get download -qq -o APT::Sandbox::User=root "$package" 2> apt.log || { cat apt.log >&2; exit 2; }
done
for package in *.deb; do dpkg -x "$package" tools; done
library=$(dirname "$(find tools -name 'libbfd-*-mipsel.so' | head -1)")
run() { program=$1; shift; LD_LIBRARY_PATH="$library" "tools/usr/bin/mipsel-linux-gnu-$program" "$@"; }

cat > nan.s <<'S'
  .set noreorder
  .text
  .globl __start
__start:
  li $8, 0x7f812345
  mtc1 $8, $f2
  nop
  cvt.d.s $f4, $f2
  li $8, 0x3f800000
  mtc1 $8, $f6
  nop
  add.s $f8, $f2, $f6
  lui $9, %hi(result)
  addiu $9, $9, %lo(result)
  swc1 $f4, 0($9)
  swc1 $f5, 4($9)
  swc1 $f8, 8($9)
  li $4, 1
  move $5, $9
  li $6, 12
  li $2, 4004
  syscall
  li $4, 0
  li $2, 4001
  syscall
  nop
  .bss
  .align 3
result:
  .space 16
S
run as -march=mips1 -o nan.o nan.s
run ld -o nan nan.o
tools/usr/bin/qemu-mipsel-static --version | head -1
tools/usr/bin/qemu-mipsel-static ./nan > bytes
set -- $(od -An -v -tx4 bytes)
echo "cvt.d.s of 7f812345: $2$1"
echo "add.s of 7f812345 and 1: $3"
[ "$2$1" = 7ff7ffffffffffff ] && [ "$3" = 7fbfffff ]
