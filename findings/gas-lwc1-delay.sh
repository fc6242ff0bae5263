#!/bin/sh
# GNU as 2.40 (Debian's binutils-mipsel-linux-gnu 2.40-2cross2), -march=mips1, with `.set reorder` (the default):
# it fills the load delay of MIPS I with a nop behind `lw` and behind `mtc1`, but not behind `lwc1` (nor `l.d`, which is two of them).
#
#   lw   then addu  of its register: a nop between
#   mtc1 then mov.s of its register: a nop between
#   lwc1 then mov.s of its register: none
#
# The R2000's manual gives lwc1 a delay slot as well [KANE92 §7]. A machine that takes the manual at its word reads the old register in
# compiled hard-float programs; one that waits runs them. Seen on 30 November 2026:
#
#   lw, nop, addu: yes
#   mtc1, nop, mov.s: yes
#   lwc1, mov.s: yes
#
# Prints what it saw; the exit code is 1 if that changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root binutils-mipsel-linux-gnu=2.40-2cross2 libctf0=2.40-2 libsframe0=2.40-2 2> apt.log ||
  apt-get download -qq -o APT::Sandbox::User=root binutils-mipsel-linux-gnu=2.40-2cross2 2> apt.log || { cat apt.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" tools; done
library=$(dirname "$(find tools -name 'libbfd-*-mipsel.so' | head -1)")
run() { program=$1; shift; LD_LIBRARY_PATH="$library" "tools/usr/bin/mipsel-linux-gnu-$program" "$@"; }

cat > loads.s <<'S'
  .text
  .globl f
f:
  lw $8, 0($4)
  addu $2, $8, $8
  mtc1 $5, $f2
  mov.s $f0, $f2
  lwc1 $f4, 4($4)
  mov.s $f6, $f4
  addu $3, $2, $2
  jr $31
S
run as -march=mips1 -o loads.o loads.s
run objdump -d loads.o > listing
row() { awk -v a="$1" 'found && NF > 2 { print $3; exit } $3 == a { found = 1 }' listing; }
failed=0
expect() {
  seen=$(row "$1")
  if [ "$seen" = "$2" ]; then echo "$3: yes"; else echo "$3: no, $1 is followed by $seen"; failed=1; fi
}
run as --version | head -1
expect lw nop 'lw, nop, addu'
expect mtc1 nop 'mtc1, nop, mov.s'
expect lwc1 mov.s 'lwc1, mov.s'
exit $failed
