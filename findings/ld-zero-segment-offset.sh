#!/bin/sh
# GNU ld 2.40 (Debian's binutils-mipsel-linux-gnu 2.40-2cross2): a program whose writable data are zeros alone gets a PT_LOAD segment
# with p_filesz 0 whose p_offset lies behind the end of the file.
#
# A loader that checks p_offset + p_filesz against the file's size for every segment refuses a program that Linux runs: with no
# bytes to read, the offset says nothing. Seen on 30 November 2026 (numbers of bytes; the file has less than 4096):
#
#   segment of zeros: offset 4096, 0 bytes in the file
#   the offset lies behind the end of the file: yes
#
# Prints what it saw; the exit code is 1 if that changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root binutils-mipsel-linux-gnu=2.40-2cross2 2> apt.log || { cat apt.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" tools; done
library=$(dirname "$(find tools -name 'libbfd-*-mipsel.so' | head -1)")
run() { program=$1; shift; LD_LIBRARY_PATH="$library" "tools/usr/bin/mipsel-linux-gnu-$program" "$@"; }

cat > zeros.s <<'S'
  .text
  .globl __start
__start:
  lui $4, %hi(zeros)
  sw $0, %lo(zeros)($4)
  jr $31
  nop
  .local zeros
  .comm zeros, 65536, 4
S
run as -march=mips1 -o zeros.o zeros.s
run ld -o zeros zeros.o
run ld --version | head -1
size=$(wc -c < zeros)
run readelf -lW zeros | awk '$1 == "LOAD" && $5 ~ /^0x0+$/ { print $2 }' > offsets
offset=$(head -1 offsets)
if [ -z "$offset" ]; then
  echo 'no segment of zeros'
  run readelf -lW zeros
  exit 1
fi
offset=$((offset))
echo "segment of zeros: offset $offset, 0 bytes in the file"
if [ "$offset" -gt "$size" ]; then echo 'the offset lies behind the end of the file: yes'; else
  echo "the offset lies behind the end of the file: no, the file has $size bytes"
  exit 1
fi
