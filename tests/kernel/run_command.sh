#!/usr/bin/env bash
# `xdpf run` as a person uses it: 100,000 packets in both modes while a ping and a TCP connection go through the stack,
# Ctrl-C, kill -9, and what it says when the environment refuses. Usage: tests/kernel/run_command.sh path/to/xdpf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ping nc python3 setpriv; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-run-$$-near far=xdpf-run-$$-far
scratch=$(mktemp -d)
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch"/err 2>/dev/null || true; exit 1; }

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
done
ip -n "$near" link add veth0 type veth peer name veth0 netns "$far"
ip -n "$near" address add 10.78.0.2/24 dev veth0
ip -n "$far" address add 10.78.0.1/24 dev veth0
ip -n "$near" link set veth0 up
ip -n "$far" link set veth0 up

# start ARGUMENTS: xdpf run in the background, waited for until it is attached.
start() {
    : >"$scratch/err" # what the last one wrote is not this one's
    ip netns exec "$near" "$xdpf" run examples/udp_to_xsk.xdpf -i veth0 "$@" >"$scratch/out" 2>"$scratch/err" &
    runner=$!
    started+=("$runner")
    for _ in {1..200}; do
        grep -q attached "$scratch/err" && return
        kill -0 "$runner" 2>/dev/null || fail "xdpf run ended at once"
        sleep 0.02
    done
    fail "xdpf run did not attach"
}
attached() { ip -n "$near" -d link show veth0 | grep -q 'prog/xdp'; }
# send COUNT: UDP packets with a number each, in portions that the rings hold.
send() {
    ip netns exec "$far" python3 - "$1" <<'PYTHON'
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[1])):
    out.sendto(number.to_bytes(4, "big") * 8, ("10.78.0.2", 9000))
    if number % 500 == 499:
        time.sleep(0.001)
PYTHON
}

for mode in native skb; do
    start --mode "$mode" --json --count 100000 --duration 60s
    ip netns exec "$near" nc -l -N 10.78.0.2 7777 >"$scratch/tcp" </dev/null &
    listener=$!
    started+=("$listener")
    ip netns exec "$far" ping -q -i 0.05 -c 10 10.78.0.2 >"$scratch/ping" &
    pinger=$!
    send 100000 &
    sender=$!
    for _ in {1..100}; do # the listener may not listen yet
        echo "over TCP" | ip netns exec "$far" nc -N -w 5 10.78.0.2 7777 && break
        sleep 0.05
    done
    wait "$pinger" || fail "$mode: ping lost packets: $(cat "$scratch/ping")"
    wait "$sender" "$listener" || true
    wait "$runner" || fail "$mode: xdpf run ended with status $?"
    [[ $(cat "$scratch/tcp") == "over TCP" ]] || fail "$mode: TCP brought '$(cat "$scratch/tcp")'"
    python3 - "$scratch/out" <<'PYTHON' || fail "$mode: $(cat "$scratch/out")"
import json, sys
summary = json.load(open(sys.argv[1]))
assert summary["packets"] == 100000 and summary["lost"] == 0, summary
PYTHON
    attached && fail "$mode: still attached after the end"
    echo "ok: $mode: 100,000 packets, ping and TCP meanwhile"
done

start
kill -INT "$runner"
wait "$runner" || fail "Ctrl-C: status $?"
attached && fail "Ctrl-C: still attached"
grep -q received "$scratch/out" || fail "Ctrl-C: no summary"
echo "ok: Ctrl-C detaches and sums up"

start
kill -KILL "$runner"
wait "$runner" 2>/dev/null || true
for _ in {1..50}; do attached || break; sleep 0.02; done
attached && fail "kill -9: still attached"
ip netns exec "$near" timeout 5 nc -u -l -W 1 10.78.0.2 9000 >"$scratch/udp" &
listener=$!
started+=("$listener")
for _ in {1..50}; do
    send 1
    kill -0 "$listener" 2>/dev/null || break
    sleep 0.05
done
wait "$listener" || fail "kill -9: UDP does not reach the stack"
start --json --count 10
send 10
wait "$runner" || fail "no restart after kill -9"
echo "ok: kill -9 gives the traffic back; a restart at once works"

# refused WHAT PATTERN ARGUMENTS: status 1, the pattern, a cause and a remedy in the message, nothing attached.
refused() {
    local what=$1 pattern=$2 status=0
    shift 2
    ip netns exec "$near" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    ((status == 1)) || fail "$what: status $status"
    grep -qE "$pattern" "$scratch/err" || fail "$what: the message does not have '$pattern'"
    grep -q 'cause:' "$scratch/err" && grep -q 'try:' "$scratch/err" || fail "$what: no cause or no remedy"
    attached && fail "$what: left attached"
    echo "ok: $what"
}
run=("$xdpf" run -e 'match udp -> xsk')
refused "missing interface" "eth9.*ENODEV|eth9" "${run[@]}" -i eth9
refused "wrong queue" "queue 5" "${run[@]}" -i veth0 --queues 5
refused "without root" "EPERM" setpriv --reuid 65534 --regid 65534 --clear-groups "${run[@]}" -i veth0
refused "forced zero-copy" "EOPNOTSUPP|zero" "${run[@]}" -i veth0 --zero-copy
for namespace in "$near" "$far"; do ip -n "$namespace" link set veth0 mtu 9000; done
refused "MTU 9000 in native mode" "ERANGE|MTU" "${run[@]}" -i veth0 --mode native
for namespace in "$near" "$far"; do ip -n "$namespace" link set veth0 mtu 1500; done

"$xdpf" build examples/udp_to_xsk.xdpf -o "$scratch/other.o"
ip -n "$near" link set veth0 xdpgeneric obj "$scratch/other.o" sec xdp
status=0
ip netns exec "$near" "${run[@]}" -i veth0 >"$scratch/out" 2>"$scratch/err" || status=$?
ip -n "$near" link set veth0 xdpgeneric off
((status == 1)) && grep -q 'try:' "$scratch/err" || fail "another program: status $status"
echo "ok: another program"

ip -n "$near" link set veth0 down
ip netns exec "$near" "${run[@]}" -i veth0 --duration 100ms >"$scratch/out" 2>"$scratch/err" || fail "interface down: status $?"
grep -qi 'down' "$scratch/err" || fail "interface down: not said"
echo "ok: interface down is said"
