#!/usr/bin/env bash
# Programs that the compiler has split: as another loader sees them, attached by xdpf, and refused to the dispatcher.
# Usage: tests/kernel/split.sh path/to/xdpf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip bpftool python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done
mountpoint -q /sys/fs/bpf || { echo "skipped: no bpffs at /sys/fs/bpf"; exit 77; }

namespace=xdpf-split-$$ pins=/sys/fs/bpf/xdpf_split_$$
scratch=$(mktemp -d)
clean_up() {
    ip netns del "$namespace" 2>/dev/null || true
    if [ -d "$pins" ]; then find "$pins" -type f -delete; find "$pins" -depth -type d -exec rmdir {} \;; fi
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch"/out 2>/dev/null || true; exit 1; }

rules=12000
for rule in $(seq $rules); do
    echo "match udp.sport == udp.dport + $rule -> $( ((rule % 2)) && echo drop || echo tx)"
done >"$scratch/long.xdpf"

# ---- another loader: libbpf fills the table of programs --------------------------------------------------------------
"$xdpf" build "$scratch/long.xdpf" -o "$scratch/long.o"
bpftool prog loadall "$scratch/long.o" "$pins" pinmaps "$pins/maps" >"$scratch/out" 2>&1 || fail "bpftool prog loadall"
! grep -q "Error in" "$scratch/out" || fail "libbpf has something to say"
[ -e "$pins/long__2" ] || fail "there is no second part"
# verdict_of SOURCE: what the kernel makes of a UDP packet from this port to port 100.
verdict_of() {
    python3 - "$1" >"$scratch/packet" <<'PYTHON'
import struct, sys
header = bytes(12) + b"\x08\x00" + bytes.fromhex("4500001c00010000401100000a0000010a000002")
sys.stdout.buffer.write(header + struct.pack(">HHHH", int(sys.argv[1]), 100, 8, 0) + bytes(18))
PYTHON
    bpftool -j prog run pinned "$pins/long" data_in "$scratch/packet" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["retval"])'
}
expect() { # SOURCE VERDICT
    local got
    got=$(verdict_of "$1")
    [ "$got" = "$2" ] || fail "a packet from port $1 comes to $got, not $2"
}
expect 101 1          # the first rule
expect 102 3
expect 6100 3         # around the cut
expect 6101 1
expect 12099 1        # the last rules
expect 12100 3
expect 12101 2        # none
# Without what holds it, the kernel empties the table: then nothing passes that was not decided about.
rm "$pins/maps/programs"
for _ in {1..100}; do
    [ "$(verdict_of 12101)" = 2 ] || break
    sleep 0.05
done
expect 12101 0
expect 101 1

# ---- xdpf ------------------------------------------------------------------------------------------------------------
ip netns add "$namespace"
inside() { ip netns exec "$namespace" "$@"; }
inside ip link add veth0 type veth peer name veth1
inside ip link set veth0 up
! inside "$xdpf" run "$scratch/long.xdpf" -i veth0 --dispatcher --duration 1s >"$scratch/out" 2>&1 || fail "the dispatcher took it"
# Kernels that let no program extend another say so first.
grep -qE "too large in one piece and the dispatcher do not go together|cannot use the dispatcher" "$scratch/out" ||
    fail "why the dispatcher does not take it"
! inside "$xdpf" run "$scratch/long.xdpf" -i veth0 -p long__2 --duration 1s >"$scratch/out" 2>&1 || fail "a part was attached"
grep -q "there is no program of that name" "$scratch/out" || fail "parts are no programs of their own"
inside "$xdpf" run "$scratch/long.xdpf" -i veth0 --mode skb --duration 1s >"$scratch/out" 2>&1 || fail "xdpf run"
echo "split programs: ok"
