#!/usr/bin/env bash
# `xdpf trace --kernel`: the kernel's verdicts on captures are the interpreter's, packets that the kernel cannot run are
# counted and said, and whoever may not load programs is told what is missing. XDPF_PCAPS names a folder of more captures.
# Usage: tests/kernel/trace.sh path/to/xdpf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
command -v python3 >/dev/null || { echo "skipped: python3 is missing"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*"; cat "$scratch/err" 2>/dev/null || true; exit 1; }

rules=$scratch/rules.xdpf
cat >"$rules" <<'RULES'
defmap sources : hash<ipv4.src -> u64>[1024]
match udp.dport == 53 -> xsk
match tcp.flags.syn or any vlan.id > 1 -> drop
match ipv4 -> { count sources[ipv4.src] }
match ipv6 -> tx
match arp -> abort
RULES

# compare CAPTURE: the same verdict and the same rule for each packet that the kernel runs.
compare() {
    "$xdpf" trace --json --packets "$rules" "$1" >"$scratch/interpreted" 2>"$scratch/err" || fail "$1"
    "$xdpf" trace --kernel --json --packets "$rules" "$1" >"$scratch/kernel" 2>"$scratch/err" || fail "$1 in the kernel"
    python3 - "$1" "$scratch" <<'PYTHON' || fail "$1"
import json, sys
capture, scratch = sys.argv[1:]
interpreted, kernel = (json.load(open(f"{scratch}/{name}")) for name in ("interpreted", "kernel"))
ran = [(a, b) for a, b in zip(interpreted["trace"], kernel["trace"]) if "skipped" not in b]
for a, b in ran:
    if (a["verdict"], a["rule"]) != (b["verdict"], b["rule"]):
        sys.exit(f"{capture}: the interpreter says {a}, the kernel {b}")
skipped = len(interpreted["trace"]) - len(ran)
if (kernel["packets"], kernel["skipped"], kernel["unknown"]) != (len(ran), skipped, 0):
    sys.exit(f"{capture}: {len(ran)} packets ran and {skipped} did not, and the totals say {kernel}")
print(f"{capture}: {len(ran)} packets agree, {skipped} skipped")
PYTHON
}

mixed=tests/golden/captures/mixed.pcap
compare "$mixed"
if [[ -n ${XDPF_PCAPS:-} ]]; then
    for capture in "$XDPF_PCAPS"/*.pcap; do
        "$xdpf" trace --summary "$rules" "$capture" >/dev/null 2>&1 || continue # other links, damaged files
        compare "$capture"
    done
fi

"$xdpf" trace --kernel "$rules" "$mixed" >"$scratch/out" 2>"$scratch/err" || fail "text"
grep -q "not run: 4 bytes: the kernel runs packets of at least 14" "$scratch/out" || fail "a packet of 4 bytes is not named"
grep -q "note: 1 packet did not run in the kernel" "$scratch/err" || fail "skipped packets are not counted"

if command -v setpriv >/dev/null; then
    cp "$mixed" "$scratch/mixed.pcap"
    chmod -R a+rX "$scratch"
    drop=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
    "${drop[@]}" "$xdpf" trace --summary "$rules" "$scratch/mixed.pcap" >"$scratch/out" 2>"$scratch/err" ||
        fail "without root and without --kernel"
    if "${drop[@]}" "$xdpf" trace --kernel "$rules" "$scratch/mixed.pcap" >"$scratch/out" 2>"$scratch/err"; then
        fail "an ordinary user could load a program"
    fi
    grep -q "CAP_BPF" "$scratch/err" || fail "the missing capability is not named"
fi
echo "trace: ok"
