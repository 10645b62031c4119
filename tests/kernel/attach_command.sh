#!/usr/bin/env bash
# `xdpf attach`, `detach` and `status`: a program outlives the command, is replaced while packets flow with none lost,
# and what killed processes and removed links leave behind is cleaned up.
# Usage: tests/kernel/attach_command.sh path/to/xdpf
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip python3 bpftool nsenter unshare; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done
# With mounts of its own: a bpffs and a registry that nobody else sees.
if [[ ${XDPF_OWN_MOUNTS:-} != $PPID ]]; then
    XDPF_OWN_MOUNTS=$$ unshare --mount --propagation private bash "$(realpath "$0")" "$xdpf"
    exit $?
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/xdpf
mount -t tmpfs -o mode=700 tmpfs /run/xdpf

near=xdpf-attach-$$-near far=xdpf-attach-$$-far
scratch=$(mktemp -d)
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch"/out "$scratch"/err 2>/dev/null || true; exit 1; }

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
done
for name in veth0 veth.1; do # names of bpffs have no dots
    ip -n "$near" link add "$name" type veth peer name "$name" netns "$far"
    ip -n "$near" link set "$name" up
    ip -n "$far" link set "$name" up
done
ip -n "$near" address add 10.80.0.2/24 dev veth0
ip -n "$far" address add 10.80.0.1/24 dev veth0

# In the namespace, with the mounts of this script.
x() { nsenter --net="/run/netns/$near" "$xdpf" "$@" >"$scratch/out" 2>"$scratch/err"; }
succeeds() { x "$@" || fail "$1 ended with status $?"; }
refused() { # TEXT ARGUMENTS
    local text=$1
    shift
    x "$@" && fail "$* is not refused"
    grep -qF -- "$text" "$scratch/err" || fail "$* does not say '$text'"
}
says() { grep -qE -- "$1" "$scratch/out" "$scratch/err" || fail "it does not say '$1'"; }
attached() { ip -n "$near" -d link show dev veth0 2>/dev/null | grep -q 'prog/xdp'; }
pins() { ls /sys/fs/bpf/xdpf 2>/dev/null | wc -l; }
packets() { # that the map counted
    succeeds map get hits "${1:-10.80.0.1}" --json -i veth0
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["value"]["packets"])' "$scratch/out"
}

# Both count what they drop; the second one also passes UDP to port 7, and has another `listed`.
cat >"$scratch/one.xdpf" <<'SOURCE'
param least : u16 = 8 in 8..1500
defmap hits   : percpu_hash<ipv4.src -> counter>[64]
defmap listed : lpm_trie<ipv4.src>[4] = {192.0.2.0/24}
match ipv4 / udp {
    match ipv4.src in listed    -> drop
    match udp.length >= least   -> { count hits[ipv4.src]; drop }
}
SOURCE
sed -e 's/\[4\]/[8]/' -e 's/^match ipv4.*/match udp.dport == 7 -> pass\n&/' "$scratch/one.xdpf" >"$scratch/two.xdpf"
cat >"$scratch/goto.xdpf" <<'SOURCE'
defmap hits : percpu_hash<ipv4.src -> counter>[64]
defprogram gate { match ipv4 / udp -> goto counter_of_udp }
defprogram counter_of_udp { match ipv4 / udp -> { count hits[ipv4.src]; drop } }
SOURCE

send() { # COUNT
    ip netns exec "$far" python3 - "$1" <<'PYTHON'
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[1])):
    out.sendto(bytes(18), ("10.80.0.2", 9000))
    if number % 50 == 49:
        time.sleep(0.001)
PYTHON
}
counts() { # COUNT: waits for it
    for _ in {1..200}; do
        x map get hits 10.80.0.1 -i veth0 && grep -q "packets = $1," "$scratch/out" && return
        sleep 0.02
    done
    fail "not $1 packets counted"
}

succeeds attach "$scratch/one.xdpf" -i veth0
says "veth0: 'one' \(id [0-9]+\) attached in native mode, until: xdpf detach -i veth0"
attached || fail "not attached after xdpf attach has ended"
send 100
counts 100
succeeds status
says "veth0: 'one' \(id [0-9]+, native mode\), by xdpf attach"
says "source     $scratch/one.xdpf, 'one', since 20"
says "verdicts   0 redirected, [0-9]+ passed, 100 dropped"
succeeds map set hits 10.0.0.9 '{packets = 3}'
succeeds map set least 9
refused "try:   xdpf detach -i veth0" attach "$scratch/two.xdpf" -i veth0
refused "try:   xdpf detach -i veth0" run "$scratch/two.xdpf" -i veth0
refused "it is attached in native mode, not skb" attach "$scratch/two.xdpf" -i veth0 --replace --mode skb
refused "there is no program of that name" attach "$scratch/one.xdpf" -i veth0 --replace --program other
attached || fail "a refused replacement has detached it"
echo "ok: attach"

total=20000
send $total &
sender=$!
started+=("$sender")
replacements=0
while kill -0 "$sender" 2>/dev/null; do
    if ((replacements % 2 == 0)); then source=two; else source=one; fi
    succeeds attach "$scratch/$source.xdpf" -i veth0 --replace
    says "kept what is in: hits$"
    replacements=$((replacements + 1))
done
wait "$sender"
((replacements >= 3)) || fail "only $replacements replacements while packets came"
counts $((total + 100))
[[ $(packets 10.0.0.9) == 3 ]] || fail "what was in the map is gone"
succeeds attach "$scratch/one.xdpf" -i veth0 --replace
succeeds attach "$scratch/two.xdpf" -i veth0 --replace --param least=10 --json
python3 - "$scratch/out" <<'PYTHON' || fail "attach --json"
import json, sys
o = json.load(open(sys.argv[1]))
assert o["program"] == "two" and o["kept"] == ["hits"] and len(o["pins"]) == 1 and o["error"] is None, o
PYTHON
succeeds map get least
[[ $(cat "$scratch/out") == 10 ]] || fail "--param was not heard"
[[ $(pins) == 1 && $(ls -A /run/xdpf | wc -l) == 1 ]] ||
    fail "replacing has left something behind: $(ls /sys/fs/bpf/xdpf /run/xdpf)"
echo "ok: $replacements replacements while $total packets came, none lost"

succeeds detach -i veth0
says "veth0: 'two' \(id [0-9]+\) is detached"
attached && fail "still attached after xdpf detach"
[[ $(pins) == 0 && -z $(ls -A /run/xdpf) ]] || fail "detach leaves something: $(ls -A /sys/fs/bpf/xdpf /run/xdpf)"
refused "no program is attached there" detach -i veth0
succeeds attach "$scratch/one.xdpf" -i veth0 --replace # nothing there: as without
succeeds detach -i veth0
refused "there is no interface of that name" detach -i veth9
succeeds attach "$scratch/one.xdpf" -i veth.1 --mode skb
succeeds status -i veth.1
says "veth.1: 'one' \(id [0-9]+, skb mode\), by xdpf attach"
succeeds detach -i veth.1
echo "ok: detach"

succeeds attach "$scratch/goto.xdpf" -i veth0 --program gate
send 10
counts 10 # the kernel would have emptied the table of programs with the process
succeeds attach "$scratch/goto.xdpf" -i veth0 --program gate --replace
send 10
counts 20
[[ $(pins) == 2 ]] || fail "pins: $(ls /sys/fs/bpf/xdpf)"
succeeds detach -i veth0
[[ $(pins) == 0 ]] || fail "pins stay: $(ls /sys/fs/bpf/xdpf)"
succeeds attach -e 'match udp -> xsk else drop' -i veth0
says "'xsks' has no sockets"
succeeds detach -i veth0
echo "ok: goto, XSKMAP"

# Others' programs, killed processes, detached links, other namespaces.
nsenter --net="/run/netns/$near" "$xdpf" run -e 'match udp -> xsk' -i veth0 >/dev/null 2>"$scratch/run" &
runner=$!
started+=("$runner")
for _ in {1..500}; do grep -q attached "$scratch/run" && break; sleep 0.02; done
succeeds status --json
python3 - "$scratch/out" "$runner" <<'PYTHON' || fail "status --json"
import json, sys
o = json.load(open(sys.argv[1]))
[one] = o["interfaces"]
assert one["interface"] == "veth0" and one["program"]["pid"] == int(sys.argv[2]) == one["xdpf"][0]["pid"], one
assert one["xdpf"][0]["source"] == "<command line>" and one["xdpf"][0]["attached"], one
[socket] = one["xdpf"][0]["sockets"]
assert socket["queue"] == 0 and socket["maps"] == ["xsks"] and socket["frames"] == 4096, socket
assert o["errors"] == []
PYTHON
refused "try:   kill $runner" detach -i veth0
nsenter --net="/run/netns/$far" "$xdpf" status >"$scratch/out" 2>"$scratch/err"
says "no XDP program is attached in this network namespace"
kill -KILL "$runner"
wait "$runner" 2>/dev/null || true
succeeds status
says "cleaned up: 'filter' on veth0: process $runner was killed"
succeeds status
says "^no XDP program is attached in this network namespace$"

succeeds attach "$scratch/one.xdpf" -i veth0
nsenter --net="/run/netns/$near" bpftool link detach pinned "$(echo /sys/fs/bpf/xdpf/link-*)"
succeeds status
says "cleaned up: 'one' on veth0: its interface is gone, or somebody detached its link"
[[ $(pins) == 0 ]] || fail "the pin of a detached link stays"
succeeds attach "$scratch/one.xdpf" -i veth0
rm /sys/fs/bpf/xdpf/link-*
attached && fail "attached without a pin"
succeeds attach "$scratch/one.xdpf" -i veth0
says "cleaned up: 'one' on veth0: somebody removed the pin of its link"
succeeds detach -i veth0

# With another bpffs the pin is not seen: it is told of until it can be removed.
succeeds attach "$scratch/one.xdpf" -i veth0
link=$(echo /sys/fs/bpf/xdpf/link-*)
nsenter --net="/run/netns/$near" bpftool link detach pinned "$link"
ip netns exec "$near" bash -c 'mount -t bpf bpf /sys/fs/bpf; "$0" status' "$xdpf" >"$scratch/out" 2>"$scratch/err"
says "cleaned up: .*; its pin stays, $link is not in this mount namespace"
[[ $(pins) == 1 ]] || fail "pins: $(ls /sys/fs/bpf/xdpf)"
succeeds status
says "cleaned up: 'one' on veth0: its interface is gone, or somebody detached its link$"
succeeds attach "$scratch/one.xdpf" -i veth0
ip netns exec "$near" "$xdpf" detach -i veth0 >"$scratch/out" 2>"$scratch/err" && fail "a pin stays and nobody says so"
says "detached from 'veth0', but a pin of it stays"
attached && fail "not detached"
succeeds status
says "cleaned up: 'one' on veth0: its interface is gone, or somebody detached its link$"
[[ $(pins) == 0 && -z $(ls -A /run/xdpf) ]] || fail "left: $(ls /sys/fs/bpf/xdpf /run/xdpf)"

"$xdpf" build "$scratch/one.xdpf" -o "$scratch/one.o"
ip -n "$near" link set dev veth0 xdp obj "$scratch/one.o" sec xdp
succeeds status
says "veth0: 'one' \(id [0-9]+, native mode\), attached without a link"
refused "try:   ip link set dev veth0 xdpdrv off" detach -i veth0
refused "try:   ip link set dev veth0 xdpdrv off" attach "$scratch/one.xdpf" -i veth0 --replace
[[ $(pins) == 0 ]] || fail "a failed attach leaves pins: $(ls /sys/fs/bpf/xdpf)"
ip -n "$near" link set dev veth0 xdpdrv off

succeeds attach "$scratch/one.xdpf" -i veth0
file=$(echo /run/xdpf/*.json)
cp "$file" "$scratch/good.json"
echo nonsense >"$file"
x status && fail "an unreadable file is no error"
says "error: cannot read '$file'"
cp "$scratch/good.json" "$file"
succeeds detach -i veth0

# Where nobody can be told of a program, one that needs no process is not put to work, and not replaced.
succeeds attach "$scratch/one.xdpf" -i veth0
mount -o remount,ro /run/xdpf
refused "Read-only file system" attach "$scratch/two.xdpf" -i veth0 --replace
succeeds status
says "veth0: 'one'"
mount -o remount,rw /run/xdpf
succeeds detach -i veth0
mount -o remount,ro /run/xdpf
refused "Read-only file system" attach "$scratch/one.xdpf" -i veth0
attached && fail "attached without anybody being told"
[[ $(pins) == 0 ]] || fail "pins stay: $(ls /sys/fs/bpf/xdpf)"
succeeds run "$scratch/one.xdpf" -i veth0 --duration 10ms
says "warning: xdpf map and status will not see this program: open: Read-only file system"
mount -o remount,rw /run/xdpf

ip netns exec "$near" "$xdpf" attach "$scratch/one.xdpf" -i veth0 >"$scratch/out" 2>"$scratch/err" &&
    fail "attached without a bpffs"
says "there is no bpffs at /sys/fs/bpf"
says "try:   mount -t bpf bpf /sys/fs/bpf"
echo "ok: others' programs, and what is left behind"
