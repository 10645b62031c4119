#!/usr/bin/env bash
# `xdpf doctor`: what it finds is so, and what it tells to type helps: a fault is made, found, its remedy is run as it
# stands, and the fault is gone. Usage: tests/kernel/doctor.sh path/to/xdpf
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ethtool python3 setpriv bpftool; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-doc-$$-near far=xdpf-doc-$$-far
scratch=$(mktemp -d)
runner=
clean_up() {
    [[ -z $runner ]] || kill -KILL "$runner" 2>/dev/null || true
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch/json" "$scratch/err" 2>/dev/null || true; exit 1; }

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
done
ip -n "$near" link add veth0 numrxqueues 2 numtxqueues 2 type veth peer name veth9 netns "$far" numrxqueues 2 numtxqueues 2
ip -n "$near" address add 10.81.0.2/24 dev veth0
ip -n "$far" address add 10.81.0.1/24 dev veth9
ip -n "$near" link set veth0 up
ip -n "$far" link set veth9 up

# The command that the rest of the line begins with; a command's status stays in `status`.
doctor() {
    status=0
    "$@" >"$scratch/json" 2>"$scratch/err" || status=$?
    [[ ! -s $scratch/err ]] || fail "something on standard error"
    python3 - "$scratch/json" "$status" <<'PYTHON' || fail "not what --json should be"
import json, sys
lines = open(sys.argv[1]).read().splitlines()
assert len(lines) == 1, lines
report = json.loads(lines[0])
findings = report["findings"]
ids = [one["id"] for one in findings]
assert len(set(ids)) == len(ids), ids
for one in findings:
    assert list(one) == ["id", "level", "what", "why", "remedy"], one
    assert one["level"] in ("ok", "note", "warning", "problem"), one
    assert one["what"] and (one["level"] == "ok" or one["why"]), one
    assert one["level"] in ("ok", "note") or one["remedy"], one
problems = [one for one in findings if one["level"] == "problem"]
assert report["healthy"] == (not problems) == (sys.argv[2] == "0"), (sys.argv[2], problems)
PYTHON
}
here() { doctor ip netns exec "$near" "$xdpf" doctor "${at:-veth0}" --json; }
field() { # ID FIELD: of the finding; "absent" if there is none
    python3 - "$scratch/json" "$1" "$2" <<'PYTHON'
import json, sys
found = [one for one in json.load(open(sys.argv[1]))["findings"] if one["id"] == sys.argv[2]]
print(found[0][sys.argv[3]] if found else "absent")
PYTHON
}
level() { # ID LEVELS
    local found
    found=$(field "$1" level)
    [[ $found =~ ^($2)$ ]] || fail "$1 is '$found' and not '$2': $(field "$1" what)"
}
# helps ID LEVEL: it is found; what it tells to type is run in the namespace of `near`; then it is not found any more.
helps() {
    local remedy
    here
    level "$1" "$2"
    remedy=$(field "$1" remedy)
    remedy=${remedy%%   (*}
    [[ $remedy == "ip netns exec"* ]] || remedy="ip netns exec $near $remedy"
    bash -c "$remedy" >/dev/null 2>&1 || fail "$1: '$remedy' failed"
    for _ in {1..50}; do # a process that is killed takes a moment
        here
        [[ ! $(field "$1" level) =~ ^(ok|note|absent)$ ]] || break
        sleep 0.05
    done
    level "$1" "ok|note|absent"
    echo "ok: $1: $remedy"
}

doctor "$xdpf" doctor --json
((status == 0)) || fail "this system is not well"
for id in kernel.version kernel.bpf kernel.jit kernel.maps kernel.helpers kernel.loops kernel.broadcast kernel.live_frames kernel.link sockets.af_xdp \
    sockets.bind sockets.need_wakeup rights.capabilities rights.locked_memory interfaces.lo; do
    level "$id" ok
done
field interfaces.lo what | grep -q '^lo: loopback, .*no native XDP, 1 queue' || fail "the loopback: $(field interfaces.lo what)"
field kernel.version what | grep -qF "$(uname -r)" || fail "the kernel's version"
ls /sys/class/net | grep -q xdpf && fail "interfaces are left behind"
echo "ok: the kernel, a line for each interface"

here
((status == 0)) || fail "a sound interface: status $status"
for id in link native attached mtu queues drops; do level "interface.$id" ok; done
level interface.spread note
field interface.native what | grep -q '^native XDP: redirect' || fail "veth has native XDP"
field interface.queues what | grep -q '^2 receive queues' || fail "queues"
helps interface.peer_checksum warning
[[ $(ip netns exec "$far" ethtool -k veth9 | grep ^tx-checksumming) == *off ]] || fail "which end?"
helps interface.peer_vlan note
helps interface.peer_napi warning

ip -n "$near" link set veth0 down
helps interface.link problem
ip -n "$far" link set veth9 down
here
((status == 1)) || fail "no carrier: status $status"
field interface.link why | grep -q 'other end' || fail "no carrier: why"
helps interface.link problem

ip -n "$near" link set veth0 mtu 9000
helps interface.mtu warning
"$xdpf" build -e 'match udp -> drop' -o "$scratch/other.o"
for flavour in xdpdrv xdpgeneric; do
    ip -n "$near" link set veth0 "$flavour" obj "$scratch/other.o" sec xdp
    helps interface.attached warning
done

ip netns exec "$near" "$xdpf" run -e 'match udp -> drop' -i veth0 >"$scratch/out" 2>"$scratch/run" &
runner=$!
for _ in {1..500}; do grep -q attached "$scratch/run" && break; sleep 0.02; done
for _ in {1..50}; do
    ip netns exec "$far" python3 - <<'PYTHON'
import socket
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("10.81.0.1", 5000)) # one flow
for _ in range(200):
    out.sendto(b"12345678", ("10.81.0.2", 9))
PYTHON
    here
    [[ $(field interface.one_queue level) == absent ]] || break
    sleep 0.05
done
level interface.one_queue warning
field interface.attached what | grep -qF "by process $runner (xdpf)" || fail "who attached: $(field interface.attached what)"
helps interface.attached warning
wait "$runner" || true
runner=
echo "ok: one flow, one queue; who has the interface"

for rx in 1 2; do # more of them to be had, or not
    ip -n "$near" link add narrow numrxqueues $rx type veth peer name wide numtxqueues 2
    ip -n "$near" link set narrow up
    ip -n "$near" link set wide up
    ip netns exec "$near" ethtool -L narrow rx 1
    ip netns exec "$near" ethtool -L wide tx 2
    at=narrow helps interface.native warning
    at=narrow helps interface.peer_checksum warning
    ip -n "$near" link del narrow
done
doctor ip netns exec "$near" "$xdpf" doctor lo --json
level interface.native note
doctor ip netns exec "$near" "$xdpf" doctor eth9 --json
((status == 1)) || fail "no interface: status $status"
level interface.exists problem
echo "ok: drivers without native XDP; no such interface"

doctor ip netns exec "$near" bash -c 'mount -t bpf bpf /sys/fs/bpf && exec "$@"' _ "$xdpf" doctor --json
level rights.bpffs ok
doctor ip netns exec "$near" "$xdpf" doctor --json
level rights.bpffs warning
doctor bash -c 'ulimit -n 100; exec "$@"' _ "$xdpf" doctor --json
level rights.files warning
echo "ok: bpffs, files"

install -m 755 "$xdpf" "$scratch/nobodys"
chmod 755 "$scratch"
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
doctor ip netns exec "$near" "${nobody[@]}" "$scratch/nobodys" doctor veth0 --json
((status == 1)) || fail "nobody: status $status"
level rights.capabilities problem
level kernel.bpf note
level sockets.af_xdp note
level interface.native ok
doctor ip netns exec "$near" bash -c 'ulimit -l 8192; exec "$@"' _ "${nobody[@]}" "$scratch/nobodys" doctor veth0 --json
level rights.locked_memory note
level interface.locked_memory problem # two queues
doctor bash -c 'ulimit -l 4096; exec "$@"' _ "${nobody[@]}" "$scratch/nobodys" doctor --json
level rights.locked_memory problem
doctor "${nobody[@]}" --inh-caps +bpf,+net_admin,+net_raw,+perfmon --ambient-caps +bpf,+net_admin,+net_raw,+perfmon \
    "$scratch/nobodys" doctor --json
level rights.capabilities ok
level kernel.maps ok
level kernel.link note # network namespaces are root's
doctor "${nobody[@]}" unshare --user --map-root-user --net "$scratch/nobodys" doctor lo --json
((status == 1)) || fail "root of a user namespace: status $status"
level kernel.bpf problem
field kernel.bpf why | grep -q 'only in a user namespace' || fail "root of a user namespace: $(field kernel.bpf why)"
echo "ok: without rights"

status=0
ip netns exec "$near" "$xdpf" doctor eth9 >"$scratch/json" 2>&1 || status=$?
((status == 1)) || fail "text: status $status"
grep -q $'\x1b' "$scratch/json" && fail "colour in a file"
grep -qx 'kernel' "$scratch/json" && grep -qE '^1 problem, [0-9]+ warnings?$' "$scratch/json" || fail "text: layout"
[[ $(sed -n '/^1 problem/,$p' "$scratch/json" | sed -n 2p) == "  problem  there is no interface 'eth9'" ]] || fail "text: problems first"
grep -qx '           try: ip link show' "$scratch/json" || fail "text: no remedy"
(($(wc -L <"$scratch/json") <= 140)) || fail "text: lines are too long"
echo "ok: text"
