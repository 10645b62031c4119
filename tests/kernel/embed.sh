#!/usr/bin/env bash
# examples/embed: each C++ program with real packets. Usage: tests/kernel/embed.sh path/to/xdpf [FOLDER]
# The programs are those of FOLDER, or those that stand beside the command.
name=embed number=85 tools="ping python3 bpftool"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"
programs=$(realpath "${2:-$(dirname "$xdpf")}")

# start NAME ARGUMENTS…: in $near as $runner, waited for until it has attached its program.
start() {
    launch "" "$programs/embed_$1" "${@:2}"
    until_attached "$1"
}
until_attached() {
    for _ in {1..500}; do
        attached && return
        kill -0 "$runner" 2>/dev/null || fail "$1: ended at once"
        sleep 0.02
    done
    fail "$1: did not attach"
}
# ended NAME: killed, it leaves nothing.
ended() {
    kill "$runner"
    wait "$runner" 2>/dev/null || true
    for _ in {1..100}; do attached || break; sleep 0.02; done
    ! attached || fail "$1: the program is still attached"
    echo "ok: $1"
}
# prints LINE: the program's last line is this, sooner or later.
prints() {
    for _ in {1..500}; do [[ $(tail -n 1 "$scratch/out") == "$1" ]] && return; sleep 0.02; done
    fail "not '$1'"
}
says() { for _ in {1..500}; do grep -qxF -- "$1" "$scratch/out" && return; sleep 0.02; done; fail "not '$1'"; }
send() { in_far "$xdpf" send -i veth0 -q "$@"; }
to_near="ethernet / ipv4(src = $there, dst = $here)"
reached() { in_far ping -q -c 1 -W 5 "$here" >/dev/null || fail "$1: no ping"; }
# answered PORT [COUNT]: whether UDP to it is answered with what was sent.
answered() {
    in_far python3 - "$here" "$1" "${2:-1}" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.settimeout(0.5)
try:
    for number in range(int(sys.argv[3])):
        out.sendto(number.to_bytes(4, "big") * (1 + number % 300), (sys.argv[1], int(sys.argv[2])))
        assert out.recv(2000) == number.to_bytes(4, "big") * (1 + number % 300), number
except TimeoutError:
    sys.exit(1)
PYTHON
}

status=0
"$programs/embed_diagnostics" 'match udp.dprt == 53 -> xsk' >"$scratch/out" || status=$?
((status == 1)) || fail "diagnostics: status $status"
for line in "error, kind unknown_field" "  where: rules:1:11, 'dprt'" "  what:  header 'udp' has no field 'dprt'" \
    "  help:  did you mean 'dport'?"; do
    grep -qxF -- "$line" "$scratch/out" || fail "diagnostics: not '$line'"
done
[[ -z $("$programs/embed_diagnostics" 'match udp.dport == 53 -> xsk') ]] || fail "diagnostics: of a filter without mistakes"
echo "ok: diagnostics"

# Packets from the wire, as a packet socket has them.
ip netns exec "$near" python3 -u -c '
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("veth0", 0))
print("ready", flush=True)
seen = 0
while seen < 5:
    frame = wire.recv(2000)
    if frame[12:14] == b"\x08\0" and frame[23] == 17:
        print(frame.hex(), flush=True)
        seen += 1' >"$scratch/frames" &
reader=$!
started+=("$reader")
for _ in {1..500}; do grep -q ready "$scratch/frames" && break; sleep 0.02; done
send "$to_near / udp(dport = 53)" -c 3
send "ethernet / ipv4(src = $there, dst = $here) / udp(sport = 53)" -c 2
wait "$reader" || fail "match: no packets to ask about"
sed 1d "$scratch/frames" | "$programs/embed_match" $'match tcp -> pass\nmatch udp.dport == 53 -> drop' >"$scratch/out"
for _ in 1 2 3; do echo 'drop: match udp.dport == 53 -> drop'; done >"$scratch/wanted"
for _ in 1 2; do echo 'pass: no rule matches'; done >>"$scratch/wanted"
cmp -s "$scratch/wanted" "$scratch/out" || fail "match: other verdicts"
echo "ok: match"

start receive veth0
send "$to_near / udp(dport = 4000) / payload(8)" -c 20
send "$to_near / udp(dport = 4001) / payload(8)" -c 20
reached receive
prints "packet 20 from queue 0: 50 bytes"
(($(wc -l <"$scratch/out") == 20)) || fail "receive: not 20 packets"
ended receive

start reply veth0
answered 4000 300 || fail "reply: no answer"
in_far ethtool -K veth0 tx on >/dev/null # the far end leaves its checksums to be completed
answered 4000 300 || fail "reply: no answer where checksums are not complete"
in_far ethtool -K veth0 tx off >/dev/null
! answered 4001 || fail "reply: to another port"
reached reply
ended reply

start instructions veth0
send "$to_near / udp(dport = 9)" "$to_near / tcp(dport = 9)" "ethernet / vlan(id = 7) / ipv4 / udp" -c 60
reached instructions
prints "20 packets"
ended instructions

ip netns exec "$near" python3 -c '
import select, socket
ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for number, end in enumerate(ends):
    end.bind(("0.0.0.0", 5000 + number))
while True:
    for end in select.select(ends, [], [])[0]:
        said, who = end.recvfrom(2000)
        end.sendto(said, who)' &
started+=("$!")
disown
for _ in {1..100}; do answered 5000 && break; done
counting='defmap seen : array<counter>[1]  match udp.dport == PORT -> { count seen; drop }'
mkfifo "$scratch/filters"
ip netns exec "$near" "$programs/embed_swap" veth0 <"$scratch/filters" >"$scratch/out" 2>"$scratch/err" &
runner=$!
started+=("$runner")
exec 7>"$scratch/filters"
echo "${counting/PORT/5000}" >&7
prints attached
! answered 5000 && answered 5001 || fail "swap: the first filter is not at work"
echo "${counting/PORT/5001}" >&7
prints "replaced, kept: seen"
answered 5000 && ! answered 5001 || fail "swap: the second filter is not at work"
echo "match udp.dprt == 5000 -> drop" >&7
for _ in {1..500}; do grep -q "did you mean 'dport'" "$scratch/err" && break; sleep 0.02; done
answered 5000 && ! answered 5001 || fail "swap: what does not compile changed something"
exec 7>&-
wait "$runner" || fail "swap: status $?"
echo "ok: swap"

start counters veth0
send "$to_near / udp(dport = 4000)" -c 7
says 'verdict{is="drop"} 7'
says 'rule{number="2"} 7'
send "ethernet / ipv4(src = 192.0.2.9, dst = $here) / udp(dport = 4001)" -c 5
says 'sender{address="192.0.2.9"} 5'
says "sender{address=\"$there\"} 7"
ended counters

# Three VLANs with sockets, one without; the second tag of two does not count, and what has no tag is the kernel's.
start vlan_demux examples/vlan_demux.xdpf veth0 10 20 30
program=$(ip -n "$near" -j -d link show veth0 | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["xdp"]["prog"]["id"])')
for burst in 1 2 3 4 5; do
    send "ethernet / vlan(id = 10) / ipv4 / udp" "ethernet / vlan(id = 10) / arp" "ethernet / vlan(id = 20) / vlan(id = 30) / arp" -c 600
    send "ethernet / vlan(id = 30) / ipv6 / tcp" "ethernet / vlan(id = 40) / ipv4 / udp" -c 20
done
prints "2000 1000 50"
reached vlan_demux
bpftool -j prog show id "$program" | python3 -c '
import json, subprocess, sys
ask = lambda *words: json.loads(subprocess.run(["bpftool", "-j", "map", *words], stdout=subprocess.PIPE).stdout)
for id in json.load(sys.stdin)["map_ids"]:
    if ask("show", "id", str(id)).get("name") == "tagged":
        one = ask("lookup", "id", str(id), "key", "40", "0", "0", "0")
        sys.exit(0 if sum(each["value"]["packets"] for each in one["formatted"]["values"]) == 50 else str(one))
sys.exit("no map")' || fail "vlan_demux: VLAN 40 is not counted"
ended vlan_demux
