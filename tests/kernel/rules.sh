#!/usr/bin/env bash
# Rules from a file, replaced while packets arrive: each packet is decided by the old ones or by the new ones, and what
# cannot be replaced is refused. Usage: tests/kernel/rules.sh path/to/xdpf
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-rules-$$-near far=xdpf-rules-$$-far
scratch=$(mktemp -d)
runner=
clean_up() {
    [[ -z $runner ]] || kill -KILL "$runner" 2>/dev/null || true
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch/out" "$scratch/err" "$scratch/replaced" 2>/dev/null || true; exit 1; }

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
done
ip -n "$near" link add veth0 type veth peer name veth0 netns "$far"
ip -n "$near" address add 10.80.0.2/24 dev veth0
ip -n "$far" address add 10.80.0.1/24 dev veth0
ip -n "$near" link set veth0 up
ip -n "$far" link set veth0 up

head='rule,src,dst,proto,sport,dport,verdict'
# rules LINE...: the file of rules.
rules() { printf '%s\n' "$head" "$@" >"$scratch/acl.csv"; }
replace() { ip netns exec "$near" "$xdpf" rules replace "$scratch/acl.xdpf" -i veth0 "$@" >"$scratch/replaced" 2>&1; }
# send PORT COUNT
send() {
    ip netns exec "$far" python3 - "$1" "$2" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    out.sendto(b"12345678", ("10.80.0.2", int(sys.argv[1])))
PYTHON
}

# The rules in front of those from the file become a table beside theirs, which stays what it is.
for i in {1..12}; do echo "match udp.dport in $((5000 + 10 * i))..$((5005 + 10 * i)) -> drop"; done >"$scratch/acl.xdpf"
echo 'match from "acl.csv"' >>"$scratch/acl.xdpf"
rules '1,10.80.0.1,*,udp,*,4000,xsk'
: >"$scratch/err"
ip netns exec "$near" "$xdpf" run "$scratch/acl.xdpf" -i veth0 --json >"$scratch/out" 2>"$scratch/err" &
runner=$!
for _ in {1..500}; do
    grep -q attached "$scratch/err" && break
    kill -0 "$runner" 2>/dev/null || fail "xdpf run ended at once"
    sleep 0.02
done

send 4000 5
send 4001 7
rules '1,10.80.0.0/24,*,udp,*,4001,xsk' '2,1.0.0.0/8,*,*,*,*,drop' '3,*,*,icmp,*,*,drop'
replace || fail "the rules were not replaced"
grep -qx 'veth0: 15 rules in force, generation 2' "$scratch/replaced" || fail "another answer: $(cat "$scratch/replaced")"
send 4000 11
send 4001 13
# More rules fit where one was.
rules $(for i in {1..40}; do echo "$i,10.$i.0.0/16,*,tcp,*,$i,drop"; done)
replace || fail "forty rules were refused"
rules '1,*,*,udp,*,4000|4001|5012|5019,xsk'
replace --json || fail "the rules were not replaced again"
python3 -c "import json, sys; said = json.load(open(sys.argv[1])); assert said['generation'] == 4 and said['rules'] == 13, said" \
    "$scratch/replaced" || fail "another answer"
send 4000 17
send 5012 23
send 5019 29

# What is refused leaves the rules in force.
rules '1,*,*,upd,*,4000,xsk'
replace && fail "a mistake in the file was not noticed"
grep -q "did you mean 'udp'" "$scratch/replaced" || fail "no help: $(cat "$scratch/replaced")"
json() { ip netns exec "$near" "$xdpf" "$@" --json 2>/dev/null | python3 -c 'import json, sys; said = json.load(sys.stdin)
print(said["error"]["stage"], said["error"]["message"], len(said["diagnostics"]))'; }
for command in "rules replace" attach run; do
    [[ $(json $command "$scratch/acl.xdpf" -i veth0) == "cannot compile 1 error 1" ]] || fail "$command: JSON of a mistake"
done
printf 'match udp.dport == 7 -> drop\nmatch from "acl.csv"\n' >"$scratch/acl.xdpf"
rules '1,*,*,udp,*,4000,drop'
replace && fail "another program's rules were taken"
grep -q 'the program that runs is another one' "$scratch/replaced" || fail "no reason: $(cat "$scratch/replaced")"
send 4001 19

sleep 0.2
kill -INT "$runner"
wait "$runner" || fail "status $?"
runner=
python3 -c "import json, sys; said = json.load(open(sys.argv[1])); assert said['packets'] == 5 + 13 + 17 + 19 + 29, said" "$scratch/out" ||
    fail "other packets arrived"
replace && fail "rules of nothing were replaced"
grep -q "no program is attached to 'veth0'" "$scratch/replaced" || fail "no reason: $(cat "$scratch/replaced")"
echo "ok"
