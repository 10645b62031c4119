#!/usr/bin/env bash
# `xdpf run` with a program that has parameters, maps, a ring buffer and counted rules: what is printed, as text and as
# JSON, and what is refused. Usage: tests/kernel/run_options.sh path/to/xdpf
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-opt-$$-near far=xdpf-opt-$$-far
scratch=$(mktemp -d)
runner=
clean_up() {
    [[ -z $runner ]] || kill -KILL "$runner" 2>/dev/null || true
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch/out" "$scratch/err" 2>/dev/null || true; exit 1; }

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
done
ip -n "$near" link add veth0 type veth peer name veth0 netns "$far"
ip -n "$near" address add 10.79.0.2/24 dev veth0
ip -n "$far" address add 10.79.0.1/24 dev veth0
ip -n "$near" link set veth0 up
ip -n "$far" link set veth0 up

cat >"$scratch/rules.xdpf" <<'RULES'
param port : u16 = 53 in 1..9500
defmap hits   : percpu_hash<ipv4.src -> counter>[64]
defmap events : ringbuf[65536]
match ipv4 and udp {
    match udp.dport == port -> { count hits[ipv4.src]; emit events {src = ipv4.src, dport = udp.dport}; drop }
    match udp.dport == 9500 -> { sample events[34]; drop }
    match udp.dport == 9600 -> drop
}
RULES

# start ARGUMENTS: in the background, waited for until it is attached.
start() {
    : >"$scratch/err"
    ip netns exec "$near" "$xdpf" run "$scratch/rules.xdpf" -i veth0 "$@" >"$scratch/out" 2>"$scratch/err" &
    runner=$!
    for _ in {1..500}; do
        grep -q attached "$scratch/err" && return
        kill -0 "$runner" 2>/dev/null || fail "xdpf run ended at once"
        sleep 0.02
    done
    fail "xdpf run did not attach"
}
# send PORT COUNT: UDP packets of 42 + 8 bytes.
send() {
    ip netns exec "$far" python3 - "$1" "$2" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    out.sendto(b"12345678", ("10.79.0.2", int(sys.argv[1])))
PYTHON
}
# stop: as Ctrl-C does.
stop() {
    kill -INT "$runner"
    wait "$runner" || fail "status $?"
    runner=
}

start --rule-counters --maps --param port=9000 --mode native
send 9000 3
send 9500 1
send 9600 2
for _ in {1..100}; do [[ $(grep -c ' events ' "$scratch/out") == 4 ]] && break; sleep 0.02; done # while it runs
[[ $(grep -c ' events src = 10.79.0.1, dport = 9000$' "$scratch/out") == 3 ]] || fail "records as text"
grep -qE ' events captured = 34, length = 50, .*: [0-9a-f]{68}$' "$scratch/out" || fail "a sample as text"
stop
grep -qF '  10.79.0.1 -> {packets = 3, bytes = 150}' "$scratch/out" || fail "maps as text"
grep -qE '^ +1 +3 packets +150 bytes  .*rules.xdpf:5 ' "$scratch/out" || fail "rule 1 as text"
grep -qE '^ +3 +2 packets +100 bytes  .*rules.xdpf:7 ' "$scratch/out" || fail "rule 3 as text"
echo "ok: as text"

start --rule-counters --maps --json
send 53 2
send 9600 1
stop
python3 - "$scratch/out" <<'PYTHON' || fail "as JSON"
import json, sys
*records, summary = map(json.loads, open(sys.argv[1]))
assert [r["fields"] for r in records] == [{"src": "10.79.0.1", "dport": 53}] * 2, records
assert summary["records"] == 2, summary
assert summary["maps"]["hits"] == [{"key": "10.79.0.1", "value": {"packets": 2, "bytes": 100}}], summary
assert [(r["rule"], r["packets"], r["line"]) for r in summary["rules"]] == [(1, 2, 5), (2, 0, 6), (3, 1, 7)], summary
PYTHON
echo "ok: as JSON"

start --records none
send 53 2
stop
grep -q ' events ' "$scratch/out" && fail "--records none prints records"
echo "ok: no records"

start --param port=0x2_328 --mode native # 9000
send 9000 1
kill -HUP "$runner"
wait "$runner" || fail "SIGHUP: status $?"
runner=
grep -q '^received ' "$scratch/out" || fail "SIGHUP: no summary"
[[ $(grep -c ' events ' "$scratch/out") == 1 ]] || fail "a parameter in hexadecimal digits"
echo "ok: a summary after SIGHUP"

cat >"$scratch/many.xdpf" <<'MANY'
defmap many : array<u64>[20_000_000] = {5 -> 7}
match udp -> drop
MANY
ip netns exec "$near" "$xdpf" run "$scratch/many.xdpf" -i veth0 -d 50ms -q --maps >"$scratch/out" 2>"$scratch/err"
grep -qx 'map many: 1 of 20000000 entries, the others are 0' "$scratch/out" || fail "zeros are counted, not shown"
sed -i 's/20_000_000/60_000_000/' "$scratch/many.xdpf"
ip netns exec "$near" "$xdpf" run "$scratch/many.xdpf" -i veth0 -d 50ms --maps >"$scratch/out" 2>"$scratch/err" &
runner=$!
for _ in {1..500}; do grep -q attached "$scratch/err" && break; sleep 0.02; done
sleep 0.5
kill -INT "$runner"
wait "$runner" || fail "a signal while maps are read: status $?"
runner=
grep -q 'a signal ended the reading of maps' "$scratch/err" || fail "a signal while maps are read"
grep -q '^received ' "$scratch/out" || fail "no summary after a signal while maps are read"
echo "ok: a signal while maps are read"

# refused WHAT STATUS PATTERN ARGUMENTS
refused() {
    local what=$1 expected=$2 pattern=$3 status=0
    shift 3
    ip netns exec "$near" "$xdpf" run -i veth0 "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    ((status == expected)) || fail "$what: status $status"
    grep -qE -- "$pattern" "$scratch/err" || fail "$what: the message does not have '$pattern'"
    ip -n "$near" -d link show veth0 | grep -q 'prog/xdp' && fail "$what: left attached"
    echo "ok: $what"
}
refused "a parameter out of its bounds" 1 "9501 is out of its bounds" "$scratch/rules.xdpf" --param port=9501
refused "a parameter that is no number" 1 "'dns' is no number" "$scratch/rules.xdpf" --param port=dns
refused "a parameter that does not exist" 1 "there are: port" "$scratch/rules.xdpf" --param prt=53
refused "half a parameter" 2 "NAME=VALUE" "$scratch/rules.xdpf" --param port
# ip netns exec hides the bpffs of the host.
refused "no bpffs for a pinned map" 1 "mount -t bpf bpf /sys/fs/bpf" \
    -e 'defmap kept : array<u64>[1] (pinned)
match udp -> { count kept[0]; drop }'
