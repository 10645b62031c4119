#!/usr/bin/env bash
# What `xdpf run` does with packets: echo, forward, several interfaces, ways of waiting; killed at every stage it leaves
# nothing behind. Usage: tests/kernel/consumers.sh path/to/xdpf
name=consume number=82 tools="python3 ping tcpdump tshark"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"
ethtool_full() { for namespace in "$near" "$far"; do ip netns exec "$namespace" ethtool -K veth0 tx on >/dev/null; done; }

# ask COUNT: sends that many UDP packets from $far and wants each back.
ask() {
    in_far python3 - "$here" "$1" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.settimeout(2)
for number in range(int(sys.argv[2])):
    text = number.to_bytes(4, "big") * (1 + number % 300)
    out.sendto(text, (sys.argv[1], 9000))
    assert out.recv(4096) == text, number
PYTHON
}

ethtool_full # checksums are left to the hardware that is not there: the echo completes them
for mode in native skb; do
    launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --mode $mode --echo --json
    ask 500 || fail "$mode: no echo"
    in_far ping -q -c 2 -i 0.05 "$here" >/dev/null || fail "$mode: ping"
    kill -INT "$runner"
    wait "$runner" || fail "$mode: --echo: status $?"
    python3 - "$scratch/out" <<'PYTHON' || fail "$mode: --echo: $(cat "$scratch/out")"
import json, sys
said = json.load(open(sys.argv[1]))
queue = said["queues"][0]
assert said["packets"] == said["sent"] == queue["completed"] == 500 and said["lost"] == 0, said
PYTHON
    echo "ok: $mode: --echo answers a UDP socket"
done

for waiting in block spin adaptive; do
    launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --echo --wait $waiting --cpus 0
    ask 200 || fail "--wait $waiting: no echo"
    kill -INT "$runner"
    wait "$runner" || fail "--wait $waiting: status $?"
done
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --echo --unaligned --frame-size 3000 --headroom 100 \
    --no-need-wakeup --frames 512 -v
grep -q '512 frames of 3000 bytes, headroom 100' "$scratch/err" || fail "--unaligned: not said"
ask 200 || fail "--unaligned: no echo"
kill -INT "$runner"
wait "$runner" || fail "--unaligned: status $?"
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --echo --huge-pages try -v
grep -qE 'in huge pages' "$scratch/err" || fail "--huge-pages: not said"
ask 20 || fail "--huge-pages: no echo"
kill -INT "$runner"
wait "$runner" || fail "--huge-pages: status $?"
echo "ok: ways of waiting, kinds of memory"

# Forwarding: two pairs, and an address on the far side of each.
ip -n "$near" link add veth1 type veth peer name veth1 netns "$far"
for namespace in "$near" "$far"; do ip -n "$namespace" link set dev veth1 up; done
in_far ethtool -K veth1 tx off gro on >/dev/null
in_far ethtool -K veth0 tx off >/dev/null
launch 'veth1.*attached' "$xdpf" run -e 'match ethernet -> xsk' -i veth0 --forward veth1 --json
in_far python3 - <<'PYTHON' || fail "--forward: packets are missing"
import socket
def end(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((name, 0))
    sock.settimeout(2)
    return sock
ends = [end("veth0"), end("veth1")]
for number in range(1000):
    here, there = ends[number % 2], ends[1 - number % 2]
    frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5" + number.to_bytes(4, "big") * (12 + number % 300)
    here.send(frame)
    while True:
        got, address = there.recvfrom(4096)
        if got[12:14] == b"\x88\xb5" and address[2] != socket.PACKET_OUTGOING:
            assert got == frame, number
            break
PYTHON
kill -INT "$runner"
wait "$runner" || fail "--forward: status $?"
python3 - "$scratch/out" <<'PYTHON' || fail "--forward: $(cat "$scratch/out")"
import json, sys
said = json.load(open(sys.argv[1]))["interfaces"]
assert [one["interface"] for one in said] == ["veth0", "veth1"], said
assert all(one["packets"] >= 500 and one["lost"] == 0 for one in said), said
PYTHON
attached veth0 && fail "--forward: veth0 is still attached"
attached veth1 && fail "--forward: veth1 is still attached"
echo "ok: --forward, both ways"

launch 'veth1.*attached' "$xdpf" run -e 'match udp -> xsk' -i veth0 -i veth1 --count 20
ask 1 2>/dev/null && fail "two interfaces: an echo"
for interface in veth0 veth1; do
    in_far "$xdpf" send "ethernet / ipv4(src = $there, dst = $here) / udp" -i $interface -c 10 -q
done
wait "$runner" || fail "two interfaces: status $?"
grep -q '^veth0$' "$scratch/out" && grep -q '^veth1$' "$scratch/out" || fail "two interfaces: not both are named"
echo "ok: two interfaces at once"

# Killed at any moment: nothing is left attached, and the next one starts at once.
for delay in 0.001 0.002 0.004 0.006 0.008 0.010 0.012 0.015 0.02 0.03 0.05 0.1; do
    ip netns exec "$near" "$xdpf" run -e 'match udp -> xsk' -i veth0 --echo -q 2>/dev/null &
    victim=$!
    sleep $delay
    kill -KILL $victim 2>/dev/null || true
    wait $victim 2>/dev/null || true
    for _ in {1..50}; do attached || break; sleep 0.02; done
    attached && fail "killed after $delay s: still attached"
done
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --echo
ask 10 || fail "after kills: no echo"
kill -INT "$runner"
wait "$runner" || fail "after kills: status $?"
echo "ok: killed at every stage"

# Usage errors.
for arguments in "--echo --forward veth1" "--wait sleep" "--cpus 0-" "--frames 1000" "--huge-pages all"; do
    status=0
    in_near "$xdpf" run -e 'match udp -> xsk' -i veth0 $arguments 2>"$scratch/err" || status=$?
    ((status == 2)) || fail "$arguments: status $status"
done
status=0
in_near "$xdpf" run -e 'match udp -> xsk' -i veth0 --cpus 4000 2>"$scratch/err" || status=$?
((status == 1)) && grep -q 'processor 4000' "$scratch/err" || fail "--cpus 4000: status $status"
in_near "$xdpf" run -e 'match udp -> xsk' -i veth0 --cpus auto 2>"$scratch/err" && fail "--cpus auto on veth"
grep -q 'no interrupt is known' "$scratch/err" || fail "--cpus auto: no reason"
status=0
in_near "$xdpf" run -e 'match udp -> xsk' -i veth0 --huge-pages require 2>"$scratch/err" -d 10ms || status=$?
((status == 0)) || grep -q 'vm.nr_hugepages' "$scratch/err" || fail "--huge-pages require: status $status"
echo "ok: what is refused"

# Written packets are those that were sent, in files that tcpdump reads.
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 -w "$scratch/got.pcapng" --count 300
in_far "$xdpf" send "ethernet / ipv4(src = $there, dst = $here) / udp(dport = 7) / payload(30)" \
    "ethernet / ipv4(src = $there, dst = $here) / udp(dport = 8) / payload(900)" -i veth0 -c 300 -q
wait "$runner" || fail "--write: status $?"
(($(tcpdump -r "$scratch/got.pcapng" 2>/dev/null | wc -l) == 300)) || fail "--write: not 300 packets"
(($(tcpdump -r "$scratch/got.pcapng" 'udp dst port 8 and len == 942' 2>/dev/null | wc -l) == 150)) || fail "--write: other sizes"
tshark -r "$scratch/got.pcapng" -T fields -e frame.interface_name -e frame.packet_id -e frame.len 2>"$scratch/err" |
    grep -c '^veth0' | grep -qx 300 || fail "--write: tshark does not see veth0"
ip netns exec "$near" "$xdpf" run -e 'match udp -> xsk' -i veth0 -w - --count 20 2>"$scratch/err" | tcpdump -r - \
    >"$scratch/out" 2>/dev/null &
runner=$!
for _ in {1..250}; do grep -q attached "$scratch/err" && break; sleep 0.02; done
in_far "$xdpf" send "ethernet / ipv4(src = $there, dst = $here) / udp(dport = 7)" -i veth0 -c 20 -q
wait "$runner" || fail "--write -: status $?"
(($(wc -l <"$scratch/out") == 20)) || fail "--write -: not 20 packets"
grep -q '^received   20 packets' "$scratch/err" || fail "--write -: no summary beside the packets"
status=0
in_near "$xdpf" run -e 'match udp -> xsk' -i veth0 -w /nowhere/x.pcapng 2>"$scratch/err" || status=$?
((status == 1)) && grep -q ENOENT "$scratch/err" || fail "--write into no folder: status $status"
attached && fail "--write into no folder: left attached"
echo "ok: --write"

# Saved sources replace the program; what maps hold stays; what does not compile changes nothing.
write() { # RULES: as an editor does it, with a new file in place of the old one
    printf 'defmap seen : percpu_hash<udp.dport -> counter>[64]\n%s\n' "$1" >"$scratch/part"
    mv "$scratch/part" "$scratch/live.xdpf"
}
until_said() { # PATTERN COUNT
    for _ in {1..500}; do (($(grep -c "$1" "$scratch/err") >= $2)) && return; sleep 0.02; done
    fail "--watch: not '$1' for the time no. $2"
}
burst() { in_far "$xdpf" send "ethernet / ipv4(src = $there, dst = $here) / udp(dport = $1)" -i veth0 -c 10 -q; }
write 'match udp.dport == 7 -> { count seen[udp.dport]; xsk }'
launch attached "$xdpf" run "$scratch/live.xdpf" -i veth0 --watch --maps --json
burst 7
write 'match udp.dport == 7 -> { count seen[udp.dprt]; drop }'
until_said "goes on" 1
grep -q "did you mean 'dport'" "$scratch/err" || fail "--watch: no diagnostic"
burst 7
write 'match udp.dport == 7 -> { count seen[udp.dport]; drop } match udp.dport == 8 -> { count seen[udp.dport]; xsk }'
until_said "kept what is in: .*seen" 1
burst 7
burst 8
in_near "$xdpf" status -i veth0 | grep -q "seen" || fail "--watch: status does not see the new program"
kill -INT "$runner"
wait "$runner" || fail "--watch: status $?"
python3 - "$scratch/out" <<'PYTHON' || fail "--watch: $(cat "$scratch/out")"
import json, sys
said = json.load(open(sys.argv[1]))
assert {one["key"]: one["value"]["packets"] for one in said["maps"]["seen"]} == {7: 30, 8: 10}, said["maps"]
assert said["packets"] == 30 and said["verdicts"]["redirected"] == 30 and said["verdicts"]["dropped"] == 10, said
PYTHON
attached && fail "--watch: left attached"
status=0
in_near "$xdpf" run -e 'match udp -> xsk' -i veth0 --watch 2>"$scratch/err" || status=$?
((status == 2)) || fail "--watch without a file: status $status"
echo "ok: --watch"
