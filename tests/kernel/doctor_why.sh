#!/usr/bin/env bash
# `xdpf doctor --why`: packets are lost for one cause after the other, each is named with how many, and what it tells to
# type helps. Usage: tests/kernel/doctor_why.sh path/to/xdpf
name=why number=87 tools="python3 bpftool tcpdump"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"
udp="ethernet / ipv4(src = $there, dst = $here) / udp(dport = 7) / payload(30)"

# traffic [INTERFACE [OPTIONS]]: from $far until `quiet`, 2000 packets a second.
traffic() {
    ip netns exec "$far" "$xdpf" send "$udp" -i "${1:-veth0}" --rate 2000 -d 60s -q "${@:2}" >"$scratch/sent" 2>&1 &
    sender=$!
    started+=("$sender")
}
quiet() {
    kill -INT "$sender" 2>/dev/null || true
    wait "$sender" || grep -q ENETDOWN "$scratch/sent" || fail "the sender: $(cat "$scratch/sent")"
}
# why [INTERFACE [OPTIONS]]: the report is in $scratch/json, the status in $status.
why() {
    status=0
    in_near "$xdpf" doctor --why "${1:-veth0}" --duration 800ms --json "${@:2}" >"$scratch/json" 2>"$scratch/why" ||
        status=$?
    [[ ! -s $scratch/why ]] || fail "something on standard error: $(cat "$scratch/why")"
    python3 - "$scratch/json" "$status" <<'PYTHON' || fail "not what --json should be: $(cat "$scratch/json")"
import json, sys
lines = open(sys.argv[1]).read().splitlines()
assert len(lines) == 1, lines
report = json.loads(lines[0])
ids = [one["id"] for one in report["findings"]]
assert len(set(ids)) == len(ids), ids
for one in report["findings"]:
    assert list(one) == ["id", "level", "what", "why", "remedy", "numbers"], one
    assert one["level"] == "ok" or one["why"] and one["remedy"], one
problems = [one for one in report["findings"] if one["level"] == "problem"]
assert report["healthy"] == (not problems) == (sys.argv[2] == "0"), problems
PYTHON
}
field() { # ID FIELD [NUMBER]: of the finding; "absent" if there is none
    python3 - "$scratch/json" "$@" <<'PYTHON'
import json, sys
found = [one for one in json.load(open(sys.argv[1]))["findings"] if one["id"] == sys.argv[2]]
value = found[0][sys.argv[3]] if found else "absent"
print(value[sys.argv[4]] if len(sys.argv) > 4 and found else value)
PYTHON
}
found() { # ID LEVEL [NUMBER: is not 0]
    [[ $(field "$1" level) == "$2" ]] || fail "$1 is not a $2: $(cat "$scratch/json")"
    [[ -z ${3:-} ]] || (($(field "$1" numbers "$3") > 0)) || fail "$1: $3 is 0: $(cat "$scratch/json")"
}
absent() { [[ $(field "$1" level) == absent ]] || fail "$1 is still there: $(field "$1" what)"; }
# remedy ID: what it tells to type, run in $near where it does not say where.
remedy() {
    local text
    text=$(field "$1" remedy)
    text=${text%%   (*}
    echo "ok: $1: $text"
    [[ $text == "ip netns exec"* ]] || text="ip netns exec $near bash -c '$text'"
    (cd "$scratch" && PATH=$(dirname "$xdpf"):$PATH bash -c "$text") >"$scratch/remedy" 2>&1 ||
        fail "$1: '$text' failed: $(cat "$scratch/remedy")"
}
# eventually_absent ID INTERFACE: packets that were on their way are through in a moment.
eventually_absent() {
    for _ in {1..5}; do
        why "${2:-veth0}"
        [[ $(field "$1" level) == absent ]] && return
    done
    fail "$1: the remedy did not help: $(field "$1" what)"
}
end_run() {
    kill -INT "$runner"
    wait "$runner" || fail "xdpf run: status $?"
}

status=0
in_near "$xdpf" doctor --why veth0 --json >"$scratch/json" 2>"$scratch/err" || status=$?
((status == 1)) && grep -q 'no program that xdpf put there is at work' "$scratch/err" || fail "nothing at work"

# All is well.
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0
traffic
why
((status == 0)) || fail "all is well: status $status: $(cat "$scratch/json")"
found flow.verdicts ok redirected
found flow.queue_0 ok taken
[[ $(field flow.tracepoints level) == absent ]] || echo "note: $(field flow.tracepoints why)"
python3 - "$scratch/json" <<'PYTHON' || fail "all is well: rates"
import json, sys
report = json.load(open(sys.argv[1]))
numbers = {one["id"]: one["numbers"] for one in report["findings"]}
assert 1000 < numbers["flow.verdicts"]["redirected"] / report["seconds"] < 3000, report
assert [one for one in report["findings"] if one["level"] != "ok" and one["id"] != "flow.tracepoints"] == [], report
PYTHON
in_near "$xdpf" doctor --why --duration 300ms >"$scratch/out" || fail "text: status $?"
grep -qE "^'filter' on veth0, by process $runner, watched for 0.[3-9] s: no problems, no warnings$" "$scratch/out" ||
    fail "text: the first line"
grep -qE '^  ok       [0-9]+ packets in 0.[3-9] s: [0-9]+ redirected \([0-9]+/s\)' "$scratch/out" || fail "text: the flow"
quiet
echo "ok: all is well"

# Nothing comes here, but elsewhere.
ip -n "$near" link add idle type veth peer name other netns "$far"
for one in "$near idle" "$far other"; do ip -n ${one% *} link set dev ${one#* } up; done
traffic other
why
found interface.no_traffic warning elsewhere
field interface.no_traffic why | grep -q '^idle received' || fail "no traffic: where it goes"
quiet
traffic
eventually_absent interface.no_traffic
echo "ok: interface.no_traffic"

# The interface is down.
ip -n "$far" link set dev veth0 down
why
found interface.link problem
remedy interface.link
quiet
traffic
eventually_absent interface.link
end_run

# The reader is stopped, and then reads again.
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --frames 64
kill -STOP "$runner"
why
found sockets.stopped problem no_frame
found sockets.stopped problem waiting
remedy sockets.stopped
eventually_absent sockets.stopped
# Stopped for a moment only: it is too slow at times.
(sleep 0.2; kill -STOP "$runner"; sleep 0.2; kill -CONT "$runner") &
why
found sockets.slow warning no_frame
field sockets.slow what | grep -qE 'took [0-9.]+(/s| k/s) from queue 0, and [0-9]+ packets lost' || fail "slow: $(field sockets.slow what)"
eventually_absent sockets.slow
echo "ok: sockets.slow"

# Somebody empties its slot; its process puts the socket back, and cannot while it is stopped.
program=$(in_near "$xdpf" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["interfaces"][0]["program"]["id"])')
for id in $(bpftool prog show id "$program" --json | python3 -c 'import json, sys; print(*json.load(sys.stdin)["map_ids"])'); do
    [[ $(bpftool map show id "$id") != *xskmap* ]] || map_id=$id
done
kill -STOP "$runner"
bpftool map delete id "$map_id" key 0 0 0 0
why
found sockets.empty_slot_0 problem empty
[[ $(field sockets.empty_slot_0 numbers empty) == "$(field sockets.empty_slot_0 numbers looks)" ]] || fail "the slot: looks"
found flow.verdicts ok passed
remedy sockets.empty_slot_0
eventually_absent sockets.empty_slot_0
end_run
quiet

# Packets do not fit into frames, which is not the reader's fault.
for namespace in "$near" "$far"; do ip -n "$namespace" link set dev veth0 mtu 3000; done
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --frame-size 2048
udp="${udp/payload(30)/payload(2500)}"
traffic
why
found sockets.too_long warning packets
absent sockets.not_reading
end_run
quiet
udp="${udp/payload(2500)/payload(30)}"
for namespace in "$near" "$far"; do ip -n "$namespace" link set dev veth0 mtu 1500; done
echo "ok: sockets.too_long"

# It reads nothing, since nobody reads what it writes.
mkfifo "$scratch/pipe"
exec 7<>"$scratch/pipe"
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --frames 64 -w "$scratch/pipe"
traffic
for _ in {1..10}; do
    why
    [[ $(field sockets.not_reading level) == problem ]] && break
done
found sockets.not_reading problem waiting
cat <&7 >/dev/null &
started+=($!)
eventually_absent sockets.not_reading
end_run
exec 7>&-
quiet
echo "ok: sockets.not_reading"

# Two queues, a socket on one of them, packets on the other.
ip -n "$near" link add wide numrxqueues 2 numtxqueues 2 type veth peer name wide numrxqueues 2 numtxqueues 2 netns "$far"
for namespace in "$near" "$far"; do
    ip -n "$namespace" link set dev wide up
    ip netns exec "$namespace" ethtool -K wide gro on >/dev/null
done
launch attached "$xdpf" run -e 'match udp -> xsk' -i wide --queues 0
traffic wide --queue 1
why wide
found queues.no_socket warning packets
field queues.no_socket what | grep -q 'on queue 1,' || fail "the wrong queue: $(field queues.no_socket what)"
field queues.no_socket remedy | grep -q -- '--queues all' || fail "the wrong queue: $(field queues.no_socket remedy)"
end_run
launch attached "$xdpf" run -e 'match udp -> xsk' -i wide --queues all
eventually_absent queues.no_socket wide
found flow.queue_1 ok taken
end_run
quiet
echo "ok: queues.no_socket"

# Redirects to an interface: its peer has no NAPI, it is down, its MTU is small.
ip -n "$near" link add out type veth peer name out netns "$far"
for namespace in "$near" "$far"; do ip -n "$namespace" link set dev out up; done
launch attached "$xdpf" run -e 'defmap ports : devmap[4] = {2 -> "out"} match udp -> redirect ports[2]' -i veth0
in_far ethtool -K out gro off
traffic
why
found redirect.no_napi problem packets
field redirect.no_napi what | grep -qF "'ports' slot 2 (out)" || fail "no NAPI: where: $(field redirect.no_napi what)"
remedy redirect.no_napi
eventually_absent redirect.no_napi
found flow.verdicts ok redirected
ip -n "$near" link set dev out down
why
found redirect.down problem packets
remedy redirect.down
eventually_absent redirect.down
quiet
udp="${udp/payload(30)/payload(600)}"
ip -n "$near" link set dev out mtu 500
traffic
why
found redirect.too_long problem packets
remedy redirect.too_long
eventually_absent redirect.too_long
quiet
udp="${udp/payload(600)/payload(30)}"
in_near "$xdpf" map delete ports 2 -i veth0 >/dev/null
end_run

# To a processor whose queue takes one packet.
launch attached "$xdpf" run -e 'defmap cpus : cpumap[2] = {0 -> 1} match udp -> redirect cpus[0]' -i veth0
ip netns exec "$far" "$xdpf" send "$udp" -i veth0 --burst 2048 -d 60s -q >"$scratch/sent" 2>&1 &
sender=$!
started+=("$sender")
why
found redirect.processor_busy problem packets
quiet
field redirect.processor_busy remedy | grep -qx 'xdpf map set cpus 0 4096 -i veth0' || fail "cpumap: remedy"
remedy redirect.processor_busy
traffic
eventually_absent redirect.processor_busy
end_run

# Packets that the program aborts.
launch attached "$xdpf" run -e 'match udp -> abort' -i veth0 --no-verdicts
why
found rules.aborted warning packets
found flow.verdicts note packets
end_run
quiet
echo "ok: rules.aborted"

# xdpf attach has no sockets.
if [[ $(stat -f -c %T /sys/fs/bpf) == bpf_fs ]]; then
    enter() { nsenter --net="/run/netns/$near" "$xdpf" "$@"; } # with this bpffs
    echo 'match udp -> xsk' >"$scratch/pinned.xdpf"
    enter attach "$scratch/pinned.xdpf" -i veth0 >/dev/null
    traffic
    why
    found sockets.none warning packets
    [[ $(field sockets.none remedy) == "xdpf detach -i veth0; xdpf run $scratch/pinned.xdpf -i veth0" ]] ||
        fail "no sockets: $(field sockets.none remedy)"
    enter detach -i veth0 >/dev/null
    launch attached "$xdpf" run "$scratch/pinned.xdpf" -i veth0
    eventually_absent sockets.none
    end_run
    quiet
    echo "ok: sockets.none"
fi

# No rule matches; detached and replaced by somebody; ended.
echo 'match udp.dport == 9 -> xsk' >"$scratch/pinned.xdpf"
launch attached "$xdpf" run "$scratch/pinned.xdpf" -i veth0
traffic
why
found rules.all_pass warning packets
remedy rules.all_pass
grep -q 'pass' "$scratch/remedy" || fail "xdpf trace: $(cat "$scratch/remedy")"
end_run
launch attached "$xdpf" run -e 'match udp.dport == 7 -> drop' -i veth0
eventually_absent rules.all_pass
kill -STOP "$runner" # or it would end by itself
link=$(in_near "$xdpf" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["interfaces"][0]["program"]["link_id"])')
bpftool link detach id "$link"
why
found program.detached problem packets
"$xdpf" build -e 'match udp -> pass' -o "$scratch/other.o" >/dev/null
ip -n "$near" link set veth0 xdpdrv obj "$scratch/other.o" sec xdp
why
found program.replaced problem packets
field program.replaced remedy | grep -q '^ip link set dev veth0 xdpdrv off; then xdpf run' || fail "replaced: remedy"
ip -n "$near" link set veth0 xdpdrv off
kill -CONT "$runner"
wait "$runner" && fail "detached: xdpf run goes on"
launch attached "$xdpf" run -e 'match udp.dport == 7 -> drop' -i veth0
eventually_absent program.detached
(sleep 0.2; kill -INT "$runner") &
why
found program.ended problem
quiet
wait "$runner" || fail "ended: status $?"
echo "ok: program.detached, program.replaced, program.ended"
