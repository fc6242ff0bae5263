#!/bin/sh
# libpcap 1.10.3 (Debian's libpcap0.8 1.10.3-1, with tcpdump 4.99.3-1): `%` in a filter expression binds more loosely than `+` and `*`.
#
# The manual page calls them the normal binary operators, as in C. There `7 % 4 + 1` is 4 and `7 % 4 * 3` is 9. Seen on 1 December 2026, the constant that
# the packet's length is compared with:
#
#   7 % 4 + 1    0x2, as 7 % (4 + 1)
#   7 % 4 * 3    0x7, as 7 % (4 * 3)
#   (7 % 4) + 1  0x4
#
# Prints what it saw; the exit code is 1 if that changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq -o APT::Sandbox::User=root tcpdump=4.99.3-1 libpcap0.8=1.10.3-1 2> apt.log || { cat apt.log >&2; exit 2; }
for package in *.deb; do dpkg -x "$package" tools; done
library=$(dirname "$(find tools -name 'libpcap.so.0.8' | head -1)")
tcpdump() { LD_LIBRARY_PATH="$library" "tools/usr/bin/tcpdump" "$@"; }
tcpdump --version 2>&1 | head -2
# A capture without packets: its header says Ethernet.
printf '\324\303\262\241\002\000\004\000\000\000\000\000\000\000\000\000\000\000\004\000\001\000\000\000' > empty.pcap

status=0
shows() {
  constant=$(tcpdump -r empty.pcap -d "len = $1" 2> errors | awk '$2 == "jeq" { print $3 }')
  if [ -z "$constant" ]; then cat errors >&2; exit 2; fi
  echo "$1: $constant"
  [ "$constant" = "$2" ] || status=1
}
shows '7 % 4 + 1' '#0x2'
shows '7 % 4 * 3' '#0x7'
shows '(7 % 4) + 1' '#0x4'
exit $status
