#!/usr/bin/env bash
# example.sh XDPF FILE: the tests of a file, and in the kernel, too; 77 without root, where the first have passed.
set -euo pipefail
"$1" test "$2"
((EUID == 0)) || { echo "skipped in the kernel: needs root"; exit 77; }
"$1" test --kernel "$2"
