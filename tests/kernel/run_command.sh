#!/usr/bin/env bash
# `xdpf run` as a person uses it: 100,000 packets in both modes while a ping and a TCP connection go through the stack,
# Ctrl-C, kill -9, and what it says when the environment refuses. Usage: tests/kernel/run_command.sh path/to/xdpf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ping nc python3 setpriv bpftool; do
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
assert summary["verdicts"]["redirected"] == 100000 + summary["not_taken"], summary
assert summary["verdicts"]["passed"] >= 10 and summary["verdicts"]["dropped"] == 0, summary # the ping, at least
PYTHON
    attached && fail "$mode: still attached after the end"
    echo "ok: $mode: 100,000 packets, ping and TCP meanwhile"
done

start
send 20
kill -INT "$runner"
wait "$runner" || fail "Ctrl-C: status $?"
attached && fail "Ctrl-C: still attached"
grep -q '^received   20 packets' "$scratch/out" || fail "Ctrl-C: what came before it is not in the summary"
grep -qE '^verdicts   20 redirected, [0-9]+ passed, 0 dropped$' "$scratch/out" || fail "Ctrl-C: no verdicts"
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

start --json --count 7
kill -STOP "$runner" # so that all are there when it looks
send 20
kill -CONT "$runner"
wait "$runner" || fail "--count: status $?"
python3 - "$scratch/out" <<'PYTHON' || fail "--count: $(cat "$scratch/out")"
import json, sys
summary = json.load(open(sys.argv[1]))
assert summary["packets"] == 7 and summary["not_taken"] == 13 and summary["lost"] == 0, summary
assert summary["verdicts"]["redirected"] == 20, summary
PYTHON
echo "ok: --count takes no more, and says what it did not take"

start --no-verdicts --count 1
send 1
wait "$runner" || fail "--no-verdicts: status $?"
grep -q verdicts "$scratch/out" && fail "--no-verdicts: verdicts"
for i in {1..64}; do echo "defmap m$i : array<u64>[1] match udp.dport == $i -> { m$i[0] += 1; drop }"; done >"$scratch/maps.xdpf"
ip netns exec "$near" "$xdpf" run "$scratch/maps.xdpf" -i veth0 -d 10ms --json >"$scratch/out" 2>"$scratch/err" ||
    fail "as many maps as there can be: status $?"
grep -q '"verdicts":{' "$scratch/out" || fail "as many maps as there can be: no verdicts"
echo "match rx_hash == 1 -> tx" >>"$scratch/maps.xdpf" # now it cannot be split
ip netns exec "$near" "$xdpf" run "$scratch/maps.xdpf" -i veth0 -d 10ms --json >"$scratch/out" 2>"$scratch/err" ||
    fail "as many maps as there can be, in one program: status $?"
grep -q 'verdicts are not counted' "$scratch/err" && grep -q '"verdicts":null' "$scratch/out" || fail "no room for verdicts"
start --verbose
grep -q '^loaded .* of which the verifier followed [0-9]' "$scratch/err" || fail "--verbose: nothing of the verifier"
grep -q '^queue 0: a UMEM of 4096 frames' "$scratch/err" || fail "--verbose: nothing of the sockets"
program=$(sed -n "s/^loaded .*: id \([0-9]*\),.*/\1/p" "$scratch/err")
link=$(bpftool -j link show | python3 -c "import json, sys; print(*[l['id'] for l in json.load(sys.stdin) if l['prog_id'] == $program])")
bpftool link detach id "$link"
status=0
wait "$runner" || status=$?
((status == 1)) && grep -q 'no longer attached' "$scratch/err" || fail "detached by others: status $status"
echo "ok: each step is said; who is detached by others says so"

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
some=+bpf,+net_admin,+net_raw
as_nobody() { # CAPABILITIES COMMAND...
    local capabilities=$1
    shift
    setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$capabilities" --ambient-caps "$capabilities" "$@"
}
export -f as_nobody
install -m 755 "$xdpf" "$scratch/nobodys"
chmod 755 "$scratch"
nobody=("$scratch/nobodys" run -e 'match packet[50:2] == 3 and udp.payload[3:1] == 3 -> xsk' -i veth0 -d 10ms)
refused "without CAP_PERFMON" "EACCES" bash -c 'as_nobody "$@"' _ "$some" "${nobody[@]}"
grep -q 'lacks CAP_PERFMON' "$scratch/err" || fail "without CAP_PERFMON: not named"
refused "too little locked memory" "8192 KiB.*4096 KiB|ENOBUFS" \
    bash -c 'ulimit -l 4096; as_nobody "$@"' _ "$some,+perfmon" "${nobody[@]}"
grep -q 'cap_ipc_lock' "$scratch/err" || fail "too little locked memory: no remedy"
for _ in 1 2 3; do # what the last one locked is given back a moment after its end
    ip netns exec "$near" bash -c 'ulimit -l 9000; as_nobody "$@"' _ "$some,+perfmon" "${nobody[@]}" >"$scratch/out" \
        2>"$scratch/err" || fail "enough locked memory: status $?"
done
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
