#!/usr/bin/env bash
# Examples that take packets to user space: what arrives in the sockets, what in the stack, what in the files. Usage:
# tests/kernel/examples_sockets.sh path/to/xdpf
name=examples number=84 tools="ping python3 tshark nc"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"

# run_example NAME ARGUMENTS…: at work on veth0 in $near, with a summary in JSON when it ends.
run_example() { launch attached "$xdpf" run "examples/$1.xdpf" -i veth0 --json "${@:2}"; }
count_of() { ip netns exec "$1" cat "/sys/class/net/veth0/statistics/$2"; }
# ended WHAT: ends it by Ctrl-C when all that was sent has come, unless it has ended at its limit.
ended() {
    for _ in {1..250}; do
        (($(count_of "$near" rx_packets) >= $(count_of "$far" tx_packets))) && break
        sleep 0.02
    done
    kill -INT "$runner" 2>/dev/null || true
    wait "$runner" || fail "$1: status $?"
}
# expect WHAT PYTHON: holds for the summary `all`; `maps` has its maps as {name: {key: value}}, keys as text.
expect() {
    python3 - "$scratch/out" "$2" <<'PYTHON' || fail "$1: not $2: $(cat "$scratch/out")"
import json, sys
all = json.load(open(sys.argv[1]))
maps = {name: {str(one["key"]): one["value"] for one in entries} for name, entries in all.get("maps", {}).items()}
sys.exit(0 if eval(sys.argv[2]) else 1)
PYTHON
}
send() { in_far "$xdpf" send -i veth0 -q "$@"; }
to_near="ethernet / ipv4(src = $there, dst = $here)"
from_far() { # PORT: whether UDP to it is answered
    in_far python3 - "$here" "$1" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.settimeout(2)
out.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
try:
    sys.exit(0 if out.recv(100) == b"hello" else 1)
except TimeoutError:
    sys.exit(1)
PYTHON
}
reached() { in_far ping -q -c 1 -W "${1:-2}" "$here" >/dev/null; }

run_example redirect_all --count 30 --duration 20s
send ethernet/arp "ethernet / vlan(id = 7) / ipv6 / tcp(dport = 22)" "hex \"ffffffffffff 020000000001 88b5\"" -c 30
ended redirect_all
expect redirect_all 'all["packets"] == 30 and all["verdicts"]["passed"] == 0 and all["lost"] == 0'
run_example redirect_all
! reached 1 || fail "redirect_all: a ping came through"
ended redirect_all
reached || fail "redirect_all: no ping when it has ended"
echo "ok: redirect_all"

run_example udp_to_xsk --echo
from_far 9000 || fail "udp_to_xsk: no echo"
reached || fail "udp_to_xsk: no ping"
ended udp_to_xsk
expect udp_to_xsk 'all["packets"] == all["sent"] == 1'
echo "ok: udp_to_xsk"

run_example dns_to_user --maps
send "$to_near / udp(sport = 4000, dport = 53) / payload(\"\\x12\\x34\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\")" -c 20
send "$to_near / udp(sport = 53, dport = 53) / payload(\"\\x12\\x34\\x81\\x80\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\")" -c 7
send "$to_near / udp(dport = 54) / payload(12)" -c 5
ip netns exec "$near" python3 -m http.server 53 >/dev/null 2>&1 &
started+=("$!")
disown
asked=no
for _ in {1..250}; do in_far nc -z -w 1 "$here" 53 && asked=yes && break; sleep 0.02; done
[[ $asked == yes ]] || fail "dns_to_user: TCP does not reach the stack"
ended dns_to_user
expect dns_to_user 'all["packets"] == 20 and all["verdicts"]["dropped"] == 7 and maps["asked"]["10.84.0.1"]["packets"] == 20'
echo "ok: dns_to_user"

# market FRONT SEQUENCE [BACK]: a packet of a feed, a byte of two digits each
market() { echo "udp(dport = 26400) / payload(\"$1session 01$(printf '\\x%s' 00 00 00 00 00 00 00 "$2" ${3:-})\")"; }
run_example custom_protocol
send "$to_near / $(market '\x01\x80' 05)" -c 3  # version 1, urgent
send "$to_near / $(market '\x01\x00' 06)" -c 4  # not urgent
send "$to_near / $(market '\x09\x80' 07)" -c 5  # another version
ended custom_protocol
expect custom_protocol 'all["packets"] == 3 and all["verdicts"]["dropped"] == 5 and all["verdicts"]["passed"] >= 4'
echo "ok: custom_protocol"

# Three flows of 20 packets, a hundred resets and ten failures; what is written is what tshark finds in the file.
run_example selective_capture -w "$scratch/chosen.pcapng"
for port in 4001 4002 4003; do send "$to_near / udp(sport = $port, dport = 9000) / payload(30)" -c 20; done
send "$to_near / tcp(sport = 5000, dport = 80, rst = 1)" -c 100
send "$to_near / udp(sport = 53, dport = 4000) / payload(\"\\x12\\x34\\x81\\x83\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\")" -c 10
ended selective_capture
expect selective_capture 'all["packets"] == 125 and all["lost"] == 0'
found() { tshark -r "$scratch/chosen.pcapng" -Y "$1" 2>/dev/null | wc -l; }
(($(found 'udp.dstport == 9000') == 15)) || fail "selective_capture: not five packets of each flow"
(($(found 'udp.srcport == 4002') == 5)) || fail "selective_capture: not five packets of the second flow"
(($(found 'tcp.flags.reset == 1') == 100)) || fail "selective_capture: not all resets"
(($(found 'dns.flags.rcode == 3') == 10)) || fail "selective_capture: not all failures"
launch capturing "$xdpf" capture 'tcp.flags.rst or dns.rcode != 0' --import dns -i veth0 -w "$scratch/chosen.pcapng" -c 20
send "$to_near / tcp(rst = 1)" "$to_near / udp" -c 40
wait "$runner" || fail "selective_capture, as a predicate: status $?"
(($(found 'tcp.flags.reset == 1') == 20)) || fail "selective_capture, as a predicate: not all resets"
echo "ok: selective_capture"

# Two groups; in the first one messages 3 and 6 to 8 go missing, and 7 comes late.
message() { # GROUP SEQUENCE MESSAGES
    market '' "$2" "00 $3" | sed "s|^|ethernet(dst = 01:00:5e:36:0c:0$1) / ipv4(src = $there, dst = 233.54.12.$1) / |"
}
run_example market_data --wait spin --cpus 0 --maps
packets=()
for sequence in 01 02 04 05 09 07 0a; do packets+=("$(message 1 "$sequence" 01)"); done
for sequence in 01 04 07; do packets+=("$(message 2 "$sequence" 03)"); done
send "${packets[@]}"
for _ in {1..250}; do in_near "$xdpf" map get feeds 233.54.12.2 2>/dev/null | grep -q 'packets = 3' && break; sleep 0.02; done
ended market_data
expect market_data 'all["packets"] == 10 and all["lost"] == 0'
expect market_data 'maps["feeds"]["233.54.12.1"] == {"next": 11, "packets": 7, "gaps": 2, "missing": 4, "late": 1}'
expect market_data 'maps["feeds"]["233.54.12.2"] == {"next": 10, "packets": 3, "gaps": 0, "missing": 0, "late": 0}'
echo "ok: market_data"

# The far end of a second pair is the other side of the wire: two hosts that only the forwarder joins.
other=xdpf-$name-$$-other
ip netns add "$other"
clean_up_all() { ip netns del "$other" 2>/dev/null || true; clean_up; }
trap clean_up_all EXIT
ip -n "$near" link add veth1 type veth peer name veth0 netns "$other"
ip -n "$near" address flush dev veth0
ip -n "$other" address add "10.$number.0.3/24" dev veth0
for end in "$near veth1" "$other veth0"; do
    ip -n ${end% *} link set ${end#* } up
    ip netns exec ${end% *} ethtool -K ${end#* } tx off gro on >/dev/null
done
ip netns exec "$other" python3 -c '
import socket
for port in 23, 80:
    globals()[f"on_{port}"] = socket.create_server(("0.0.0.0", port))
while True:
    one, _ = on_80.accept()
    while piece := one.recv(100_000):
        one.sendall(piece)
    one.close()' &
started+=("$!")
disown
! in_far ping -q -c 1 -W 1 "10.$number.0.3" >/dev/null || fail "forward: they are joined without it"
launch 'veth1.*attached' "$xdpf" run examples/forward.xdpf -i veth0 --forward veth1 --json --maps
in_far ping -q -c 5 -i 0.05 -W 5 "10.$number.0.3" >/dev/null || fail "forward: no ping"
in_far python3 - "10.$number.0.3" <<'PYTHON' || fail "forward: TCP"
import socket, sys, threading
with socket.create_connection((sys.argv[1], 80), 10) as one:
    said, heard = bytes(range(256)) * 2000, b""
    threading.Thread(target=lambda: (one.sendall(said), one.shutdown(socket.SHUT_WR))).start()
    while piece := one.recv(100_000):
        heard += piece
    assert heard == said, len(heard)
try:
    socket.create_connection((sys.argv[1], 23), 0.5)
    sys.exit("what is closed is open")
except TimeoutError:
    pass
PYTHON
ended forward
expect forward 'len(all["interfaces"]) == 2 and all["interfaces"][0]["maps"]["refused"][0]["value"]["packets"] >= 1'
echo "ok: forward"
