#!/usr/bin/env bash
# `xdpf map` on programs at work: entries by the types of the source, parameters that change what packets meet, files,
# watching, what is refused, and which program is meant. Usage: tests/kernel/map_command.sh path/to/xdpf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip python3; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-map-$$-near far=xdpf-map-$$-far
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
for number in 0 1; do
    ip -n "$near" link add veth$number type veth peer name veth$number netns "$far"
    ip -n "$near" address add 10.79.$number.2/24 dev veth$number
    ip -n "$far" address add 10.79.$number.1/24 dev veth$number
    ip -n "$near" link set veth$number up
    ip -n "$far" link set veth$number up
done

cat >"$scratch/here.xdpf" <<'SOURCE'
param port   : u16 = 9000 in 9000..9009
defmap hits   : percpu_hash<ipv4.src -> counter>[64]
defmap listed : lpm_trie<ipv4.src>[4] = {192.0.2.0/24}
defmap pairs  : hash<(ipv4.src, udp.dport) -> u32>[8]
defmap table  : array<u64>[4]
defmap later  : queue<u32>[4]
match ipv4 / udp {
    match ipv4.src in listed -> drop
    match udp.dport == port  -> { count hits[ipv4.src]; count table[0]; drop }
    match udp.dport == 9999  -> xsk
}
SOURCE
"$xdpf" check "$scratch/here.xdpf" >"$scratch/err" 2>&1 || fail "the source does not compile"

# start NAME ARGUMENTS: xdpf run in the background, waited for until it is attached.
start() {
    local name=$1
    shift
    : >"$scratch/$name"
    ip netns exec "$near" "$xdpf" run "$@" >/dev/null 2>"$scratch/$name" &
    runner=$!
    started+=("$runner")
    for _ in {1..500}; do
        grep -q attached "$scratch/$name" && return
        kill -0 "$runner" 2>/dev/null || { cat "$scratch/$name"; fail "xdpf run ended at once"; }
        sleep 0.02
    done
    fail "xdpf run did not attach"
}
map() { ip netns exec "$near" "$xdpf" map "$@" >"$scratch/out" 2>"$scratch/err"; }
# says TEXT ARGUMENTS: succeeds with exactly that on standard output.
says() {
    local text=$1
    shift
    map "$@" || fail "map $* ended with status $?"
    [[ $(cat "$scratch/out") == "$text" ]] || fail "map $* does not say '$text'"
}
# refused STATUS TEXT ARGUMENTS: fails with that status, and the text is in what it says.
refused() {
    local status=$1 text=$2 got=0
    shift 2
    map "$@" || got=$?
    [[ $got == "$status" ]] || fail "map $* ended with status $got, not $status"
    grep -qF -- "$text" "$scratch/err" || fail "map $* does not say '$text'"
}
# holds PYTHON ARGUMENTS: the JSON object `o` that comes fits the expression.
holds() {
    local expression=$1
    shift
    map "$@" --json || fail "map $* --json ended with status $?"
    python3 -c 'import json, sys; o = json.load(open(sys.argv[1])); assert '"$expression" "$scratch/out" ||
        fail "map $* --json is not: $expression"
}
send() { # COUNT PORT
    ip netns exec "$far" python3 - "$1" "$2" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[1])):
    out.sendto(bytes(18), ("10.79.0.2", int(sys.argv[2])))
PYTHON
}
# counted COUNT: waits until so many packets of the sender were counted.
counted() {
    for _ in {1..200}; do
        if map get hits 10.79.0.1 && [[ $(cat "$scratch/out") == "10.79.0.1 -> {packets = $1, "* ]]; then return; fi
        sleep 0.02
    done
    fail "not $1 packets counted"
}

refused 1 "no program that xdpf put there is at work" list
start first "$scratch/here.xdpf" -i veth0
first=$runner

map list || fail "list"
for line in "hits +percpu_hash +0/64 +ipv4 -> \{packets: u64, bytes: u64\}" "listed +lpm_trie +1/4 +ipv4 prefix$" \
    "pairs +hash +0/8 +\{src: ipv4, dport: u16\} -> u32" "table +array +0/4 +u32 -> u64" "later +queue +-/4 +u32$" \
    "xsks +xskmap +1/64 +u32 -> socket" "port +u16 +9000 +9000\.\.9009"; do
    grep -qE "$line" "$scratch/out" || fail "list does not show: $line"
done
holds 'o["program"] == "here" and o["pid"] == '"$first"' and [m["name"] for m in o["maps"]] == ["hits", "listed",
    "pairs", "table", "later", "xsks"] and o["parameters"][0]["bounds"] == [[9000, 9009]]' list
echo "ok: list"

send 20 9000
counted 20
holds 'o["value"]["packets"] == 20 and o["value"]["bytes"] == 20 * 60' get hits 10.79.0.1
holds 'o["entries"] == [{"key": "10.79.0.1", "value": {"packets": 20, "bytes": 1200}}]' dump hits
says "10.79.0.1 -> {packets = 5, bytes = 0}" set hits 10.79.0.1 '{packets = 5}' # the sum of all processors
counted 5
send 2 9000
counted 7
says "10.79.0.1 deleted" delete hits 10.79.0.1
refused 1 "no entry 10.79.0.1 in 'hits'" get hits 10.79.0.1
refused 1 "no entry 10.79.0.1 in 'hits'" delete hits 10.79.0.1
says "{src = 10.0.0.1, dport = 53} -> 7" set pairs '(10.0.0.1, 53)' 7
says "{src = 10.0.0.1, dport = 53} -> 7" dump pairs
says "{src = 10.0.0.1, dport = 53} deleted" delete pairs '{dport = 53, src = 10.0.0.1}'
says "2 -> 7" set table 2 7
says "2 is 0 now, entries of an array stay" delete table 2
says "2 -> 0" get table 2
says "9" set later 9
says "9" get later
says "9" delete later
refused 1 "'later' is empty" delete later
echo "ok: get, set, delete, dump"

send 3 9001
says "9001" set port 9001 # while packets come
send 4 9001
counted 4
send 5 9000
says "9001" get port
refused 1 "8999 is out of its bounds" set port 8999
says "9001" get port
send 1 9001
counted 5
says "10.79.0.0/24" set listed 10.79.0.0/24
send 6 9001
says "10.79.0.0/24 deleted" delete listed 10.79.0.0/24
send 1 9001
counted 6
echo "ok: what is changed is in force at once"

printf '# some networks\n10.1.0.0/16\n\n10.2.0.0/16 # the second\n"10.3.0.0/16"\n' >"$scratch/list"
says "listed: 3 entries loaded" load listed "$scratch/list"
says $'10.1.0.0/16\n10.2.0.0/16\n10.3.0.0/16\n192.0.2.0/24' dump listed
printf '10.1.0.0/16\n10.4.0.0/16\n10.5.0.0/16\n10.6.0.0/16\n' >"$scratch/list" # room for 4: the old go first
says "listed: 4 entries loaded, 3 deleted" load listed "$scratch/list" --replace
says $'10.1.0.0/16\n10.4.0.0/16\n10.5.0.0/16\n10.6.0.0/16' dump listed
printf '10.7.0.0/16\n10.2.0/99\n10.7.0.0/16\n' >"$scratch/list"
refused 1 "list:2: the length of '10.2.0/99' is no number from 0 to 32" load listed "$scratch/list" --replace
grep -q "list:3: line 1 has this key already" "$scratch/err" || fail "the second mistake is not told"
says $'10.1.0.0/16\n10.4.0.0/16\n10.5.0.0/16\n10.6.0.0/16' dump listed
printf '10.%d.0.0/16\n' 1 2 3 4 5 >"$scratch/list"
refused 1 "5 entries, and room for 4" load listed "$scratch/list" --replace
refused 1 "No such file" load listed "$scratch/nothing"
printf '10.0.0.1, 53, 1\n10.0.0.2, 0x35, 2\n' >"$scratch/list"
says "{src = 10.0.0.3, dport = 53} -> 7" set pairs '(10.0.0.3, 53)' 7
holds 'o["loaded"] == 2 and o["deleted"] == 1' load pairs "$scratch/list" --replace
says $'{src = 10.0.0.1, dport = 53} -> 1\n{src = 10.0.0.2, dport = 53} -> 2' dump pairs
printf '5\n6\n' >"$scratch/list"
says "table: 2 entries loaded" load table "$scratch/list"
says $'0 -> 5\n1 -> 6' dump table
echo "ok: load"

ip netns exec "$near" "$xdpf" map watch hits --interval 50ms >"$scratch/watched" 2>&1 &
watcher=$!
started+=("$watcher")
for _ in {1..500}; do # its first look may come behind some of these packets
    send 1 9001
    grep -q '^  10.79.0.1 -> {packets = .*+[0-9]* packets, +[0-9]* bytes$' "$scratch/watched" && break
    sleep 0.02
done
map set hits 10.0.0.9 '{packets = 1}'
for _ in {1..200}; do grep -q '^+ 10.0.0.9' "$scratch/watched" && break; sleep 0.02; done
map delete hits 10.0.0.9
for _ in {1..200}; do grep -q '^- 10.0.0.9' "$scratch/watched" && break; sleep 0.02; done
kill -INT "$watcher"
wait "$watcher" || fail "Ctrl-C: watch ended with status $?"
for line in '^  10.79.0.1' '^+ 10.0.0.9' '^- 10.0.0.9'; do
    grep -q -- "$line" "$scratch/watched" || fail "watch did not show $line: $(cat "$scratch/watched")"
done
holds 'o["round"] == 1 and o["changes"] == []' watch pairs --interval 10ms --count 1
echo "ok: watch"

holds 'o["entries"][0]["key"] == 0 and o["entries"][0]["value"]["pid"] == '"$first" dump xsks
fd=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["entries"][0]["value"]["fd"])' "$scratch/out")
[[ $(readlink "/proc/$first/fd/$fd") == socket:* ]] || fail "descriptor $fd of xdpf run is no socket"
says "0 -> socket of queue 0 (descriptor $fd of process $first, copy)" dump xsks
refused 1 "its entries are AF_XDP sockets" set xsks 0 1
refused 1 "its entries are AF_XDP sockets" delete xsks 0
refused 1 "no entry 3 in 'xsks'" get xsks 3
refused 1 "did you mean 'hits'?" dump hitz
refused 1 "did you mean 'port'?" set prt 9001
refused 1 "'10.0.0' is no IPv4 address" get hits 10.0.0
refused 1 "its indices go from 0 to 3" get table 4
refused 1 "its indices go from 0 to 3" set table 4 1
refused 1 "what is in it comes out one by one" dump later
refused 2 "there is no 'dumb'; did you mean 'dump'?" dumb hits
refused 2 "one of: list, get, set, delete, dump, watch, load"
refused 2 "which value?" set hits 10.0.0.1
refused 2 "has keys only" set listed 10.0.0.0/8 1
refused 2 "is a parameter" delete port
refused 1 "no program 'nobody' is at work" list -p nobody
map get nothing --json && fail "there is no 'nothing'"
python3 -c 'import json, sys; assert "no map" in json.load(open(sys.argv[1]))["error"]["message"]' "$scratch/out" ||
    fail "an error with --json is no object"
echo "ok: what is refused"

start second "$scratch/here.xdpf" -i veth1
refused 1 "several are at work" list
grep -q "'here' on veth0, 'here' on veth1" "$scratch/err" || fail "the two are not named"
says "9000" get port -i veth1
says "9001" get port -i veth0
refused 1 "did you mean 'veth" list -i vet0
ip -n "$near" link set veth1 down
ip -n "$near" link set veth1 name other
says "9000" get port -i other
ip -n "$near" link set other name veth1
ip -n "$near" link set veth1 up
ip netns exec "$far" "$xdpf" map list 2>"$scratch/err" && fail "another namespace's program was found"
grep -q "other network namespaces" "$scratch/err" || fail "the other namespace is not spoken of"
kill -KILL "$first"
wait "$first" 2>/dev/null || true
says "9000" get port # the only one now: a killed process is none
[[ $(stat -c %a /run/xdpf) == 700 ]] || fail "/run/xdpf is $(stat -c %a /run/xdpf)"
kill -INT "$runner"
wait "$runner" || fail "xdpf run ended with status $?"
refused 1 "no program that xdpf put there is at work" list
echo "ok: which program"

cat >"$scratch/ports.xdpf" <<'SOURCE'
defmap ports : devmap[4] = {0 -> "veth1"}
defprogram front {
    match udp -> redirect ports[0]
}
defprogram leaving on devmap {
    match udp.dport == 7 -> drop
}
SOURCE
start third "$scratch/ports.xdpf" -i veth0
index() { ip netns exec "$near" cat "/sys/class/net/$1/ifindex"; }
holds 'o["entries"][0]["value"]["ifindex"] == '"$(index veth1)"' and o["entries"][0]["value"]["program"] > 0' dump ports
program=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["entries"][0]["value"]["program"])' "$scratch/out")
says "1 -> {ifindex = $(index veth0), program = $program}" set ports 1 veth0
says "0 -> {ifindex = $(index veth0), program = $program}" set ports 0 "$(index veth0)"
refused 1 "interface 999999 does not exist" set ports 0 999999
refused 1 "'veth7' is no interface" set ports 0 veth7
printf '2, "veth1"\n0, veth1\n' >"$scratch/list"
says "ports: 2 entries loaded, 1 deleted" load ports "$scratch/list" --replace
says "0 -> {ifindex = $(index veth1), program = $program}
2 -> {ifindex = $(index veth1), program = $program}" dump ports
kill -INT "$runner"
wait "$runner" || fail "xdpf run ended with status $?"
echo "ok: devmaps"
