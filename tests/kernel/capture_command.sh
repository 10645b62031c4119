#!/usr/bin/env bash
# `xdpf capture` as a person uses it: what is captured is what was sent, byte for byte, by tcpdump's and tshark's reading,
# while the stack gets it, too (and does not, with --steal); rotation, pipes, cut packets, losses to the packet, and the
# ends: Ctrl-C, kill -9, a full disk, an interface that goes. Usage: tests/kernel/capture_command.sh path/to/xdpf
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ping python3 tcpdump tshark capinfos; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-cap-$$-near far=xdpf-cap-$$-far
scratch=$(mktemp -d)
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    umount "$scratch/small" 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; cat "$scratch"/err 2>/dev/null || true; exit 1; }

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
done
for number in 0 1; do
    ip -n "$near" link add "veth$number" type veth peer name "veth$number" netns "$far"
    ip -n "$near" address add "10.7$number.0.2/24" dev "veth$number"
    ip -n "$far" address add "10.7$number.0.1/24" dev "veth$number"
    ip -n "$near" link set "veth$number" up
    ip -n "$far" link set "veth$number" up
done

# A sender of made packets, and a reader of pcapng that knows nothing of libpcap.
cat >"$scratch/tools.py" <<'PYTHON'
import random, socket, struct, sys

def mac(namespace_text):
    return bytes.fromhex(namespace_text.strip().replace(":", ""))

# UDP to port 4321 (an odd one: every tenth to 4322), valid down to the IP checksum, with random bytes behind the header.
def packets(count, seed, largest, to, source):
    rng = random.Random(seed)
    for number in range(count):
        size = rng.choice([42, 43, 60, 128, 129, 512, 513, largest, rng.randrange(42, largest + 1)])
        port = 4322 if number % 10 == 9 else 4321
        udp = struct.pack("!HHHH", 1000 + number % 5000, port, size - 34, 0) + rng.randbytes(size - 42)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size - 14, number & 0xffff, 0, 64, 17, 0,
                         socket.inet_aton("10.70.0.1"), socket.inet_aton("10.70.0.2"))
        total = sum(struct.unpack("!10H", ip))
        total = (total & 0xffff) + (total >> 16)
        ip = ip[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + ip[12:]
        yield to + source + b"\x08\x00" + ip + udp

def blocks(path):
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and length >= 12 and at + length <= len(data), f"{path}: a block of {length} bytes at {at}"
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length, f"{path}: lengths differ at {at}"
        yield kind, data[at + 8:at + length - 4]
        at += length

def options(body, at):
    found = {}
    while True:
        code, length = struct.unpack_from("<HH", body, at)
        if code == 0:
            return found
        found[code] = body[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4

# [(interface, ns, bytes, length, queue, verdict)], [(interface, {code: number})]
def read(path):
    packets, statistics = [], []
    for kind, body in blocks(path):
        if kind == 6:
            interface, high, low, captured, length = struct.unpack_from("<5I", body)
            more = options(body, 20 + (captured + 3) // 4 * 4)
            packets.append((interface, high << 32 | low, body[20:20 + captured], length,
                            struct.unpack("<I", more[6])[0], more[7]))
        if kind == 5:
            more = options(body, 12)
            statistics.append((struct.unpack_from("<I", body)[0],
                               {code: struct.unpack("<Q", value)[0] for code, value in more.items()}))
    return packets, statistics

# Of a pcap file, as tcpdump and tshark write it.
def read_pcap(path):
    data, at, found = open(path, "rb").read(), 24, []
    while at < len(data):
        captured, length = struct.unpack_from("<II", data, at + 8)
        found.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return found
PYTHON
cat >"$scratch/send.py" <<'PYTHON'
import socket, sys, time
sys.path.insert(0, sys.argv[1])
import tools
count, seed, largest, to, source, interface = int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:8]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((interface, 0))
for number, packet in enumerate(tools.packets(count, seed, largest, tools.mac(to), tools.mac(source))):
    out.send(packet)
    if number % 200 == 199:
        time.sleep(0.002)
PYTHON
address() { ip netns exec "$1" cat "/sys/class/net/$2/address"; }
# send COUNT SEED [LARGEST [INTERFACE]]
send() {
    local interface=${4:-veth0}
    ip netns exec "$far" python3 "$scratch/send.py" "$scratch" "$1" "$2" "${3:-1514}" \
        "$(address "$near" "$interface")" "$(address "$far" "$interface")" "$interface"
}
# check FILE SEED COUNT PYTHON: `packets` and `statistics` of the file, `sent` as send made it.
check() {
    python3 - "$scratch" "$@" "$(address "$near" veth0)" "$(address "$far" veth0)" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[1])
import tools
from tools import read_pcap
path, seed, count, code, to, source = sys.argv[2:]
largest = 1514
sent = list(tools.packets(int(count), int(seed), largest, tools.mac(to), tools.mac(source)))
packets, statistics = tools.read(path)
scratch = sys.argv[1]
exec(code)
PYTHON
}
attached() { ip -n "$near" -d link show "${1:-veth0}" | grep -q 'prog/xdp'; }
# wait_for WHAT COMMAND…: until the command succeeds, 20 seconds at most.
wait_for() {
    local what=$1
    shift
    for _ in {1..1000}; do
        "$@" && return
        sleep 0.02
    done
    fail "$what"
}
begun() { grep -q ': capturing\|^attached' "$scratch/err" || ! kill -0 "$capturer" 2>/dev/null; }
# start ARGUMENTS: a capture on veth0 in the background, waited for until it is there.
start() {
    : >"$scratch/err" # what the last one wrote is not this one's
    rm -f "$scratch"/f.pcapng*
    ip netns exec "$near" "$xdpf" capture -i veth0 "$@" >"$scratch/out" 2>"$scratch/err" &
    capturer=$!
    started+=("$capturer")
    wait_for "xdpf capture $*: did not begin" begun
    kill -0 "$capturer" 2>/dev/null || fail "xdpf capture $*: ended at once"
}
# ended STATUS WHAT
ended() {
    local status=0
    wait "$capturer" || status=$?
    ((status == $1)) || fail "$2: status $status"
}
# How many UDP packets the near stack has got.
in_stack() { ip netns exec "$near" awk '/^Udp: [0-9]/ { print $2 + $3 }' /proc/net/snmp; }
summary() { # PYTHON about `all` and `tap`
    python3 -c 'import json, sys
all = json.load(open(sys.argv[1])); tap = all["interfaces"][0]
assert eval(sys.argv[2]), all' "$scratch/out" "$1" || fail "$2"
}

for mode in native skb; do
    before=$(in_stack)
    start --mode "$mode" 'udp.dport == 4321' -w "$scratch/f.pcapng" -c 900 --duration 60s --json
    send 1000 1
    ended 0 "$mode"
    (($(in_stack) == before + 1000)) || fail "$mode: of 1000 packets $(($(in_stack) - before)) came to the stack"
    attached && fail "$mode: still attached"
    check "$scratch/f.pcapng" 1 1000 '
wanted = [one for one in sent if one[36:38] == (4321).to_bytes(2, "big")]
assert [one[2] for one in packets] == wanted, f"{len(packets)} packets, not the {len(wanted)} that were sent"
assert all(one[0] == 0 and one[3] == len(one[2]) and one[4] == 0 and one[5] == b"\x02\x02" + bytes(7) for one in packets)
import time
assert all(time.time_ns() - 60e9 < one[1] <= time.time_ns() for one in packets), "the times are not now"
assert [one[1] for one in packets] == sorted(one[1] for one in packets)
assert len(statistics) == 1 and statistics[0][1][5] == 0 and statistics[0][1][6] == 900 and statistics[0][1][8] == 900, statistics
' || fail "$mode: the file is not what was sent"
    summary 'all["packets"] == tap["captured"] == 900 and tap["lost"] == 0 and all["error"] is None' "$mode: $(cat "$scratch/out")"
done
tcpdump -r "$scratch/f.pcapng" -w "$scratch/by-tcpdump.pcap" 2>"$scratch/said" || fail "tcpdump: $(cat "$scratch/said")"
tshark -r "$scratch/f.pcapng" -F pcap -w "$scratch/by-tshark.pcap" 2>"$scratch/said" || fail "tshark: $(cat "$scratch/said")"
check "$scratch/f.pcapng" 1 1000 '
for reader in "tcpdump", "tshark":
    assert read_pcap(f"{scratch}/by-{reader}.pcap") == [one[2] for one in packets], reader
' || fail "tcpdump or tshark read other bytes"
tshark -r "$scratch/f.pcapng" -V -c 1 2>/dev/null >"$scratch/said"
for text in 'Verdict: eBPF_XDP\|eBPF_XDP' 'Interface queue: 0' 'Interface name: veth0'; do
    grep -q -- "$text" "$scratch/said" || fail "tshark does not show: $text: $(head -40 "$scratch/said")"
done
capinfos "$scratch/f.pcapng" >"$scratch/said" 2>&1 || fail "capinfos: $(cat "$scratch/said")"
for text in 'Number of packets: *900' 'Capture application: *xdpf ' 'Name = veth0' 'Filter string = udp.dport == 4321' \
    'Time precision = nanoseconds' 'Number of packets dropped *= 0\|Number of stat entries = 1'; do
    grep -q -- "$text" "$scratch/said" || fail "capinfos does not say: $text: $(cat "$scratch/said")"
done
echo "ok: 900 packets as they were sent, in both modes; the stack has got them; tcpdump, tshark and capinfos read them"

start -w "$scratch/f.pcapng"
ip netns exec "$far" ping -q -i 0.05 -c 10 10.70.0.2 >"$scratch/ping" || fail "ping: $(cat "$scratch/ping")"
send 50 2
kill -INT "$capturer"
ended 0 "Ctrl-C"
attached && fail "Ctrl-C: still attached"
grep -qE '^captured   [0-9]+ packets, .*f.pcapng$' "$scratch/err" || fail "Ctrl-C: no summary"
check "$scratch/f.pcapng" 2 50 '
assert [one[2] for one in packets if one[2][23] == 17] == sent, "UDP is not as it was sent"
assert sum(one[2][12:14] == b"\x08\x00" and one[2][23] == 1 for one in packets) == 10, "no ten pings"
assert len(statistics) == 1
' || fail "Ctrl-C: the file"
echo "ok: without a predicate everything is captured; Ctrl-C seals the file; ping goes on meanwhile"

before=$(in_stack)
start --steal 'udp.dport == 4321' -w "$scratch/f.pcapng" -c 900 --duration 60s --json
send 1000 3
ended 0 "--steal"
(($(in_stack) == before + 100)) || fail "--steal: $(($(in_stack) - before)) packets came to the stack, not the 100 others"
check "$scratch/f.pcapng" 3 1000 '
assert [one[2] for one in packets] == [one for one in sent if one[36:38] == (4321).to_bytes(2, "big")]
assert all(one[4] == 0 and one[5] == b"\x02\x04" + bytes(7) for one in packets)
' || fail "--steal: the file is not what was sent"
summary 'tap["captured"] == tap["matched"] == 900 and tap["lost"] == 0 and all["steal"]' "--steal: $(cat "$scratch/out")"
echo "ok: --steal captures what no longer reaches the stack"

start 'udp.dport in {4321, 4322}' -s 96 -w "$scratch/f.pcapng" -c 300 -q --duration 60s -v
send 300 4
ended 0 "-s"
check "$scratch/f.pcapng" 4 300 '
assert [one[2] for one in packets] == [one[:96] for one in sent]
assert [one[3] for one in packets] == [len(one) for one in sent]
' || fail "-s: the packets"
start --steal udp -s 50 -w "$scratch/f.pcapng" -c 300 --duration 60s
send 300 5
ended 0 "--steal -s"
check "$scratch/f.pcapng" 5 300 'assert [(one[2], one[3]) for one in packets] == [(one[:50], len(one)) for one in sent]' ||
    fail "--steal -s: the packets"
echo "ok: the snap length cuts packets and leaves their length"

start 'pcap "udp and port 4321"' -w "$scratch/f.pcapng" --ring-size 64K -s 2000 --json
kill -STOP "$capturer"
send 2000 6
kill -CONT "$capturer"
kill -INT "$capturer"
ended 0 "losses"
summary 'tap["matched"] == 1800 == tap["captured"] + tap["lost"] and tap["lost"] > 1000 and tap["captured"] > 50' "losses"
check "$scratch/f.pcapng" 6 2000 '
wanted = [one for one in sent if one[36:38] == (4321).to_bytes(2, "big")]
left = iter(wanted)
assert all(any(one[2] == other for other in left) for one in packets), "not in order what was sent"
counts = statistics[0][1]
assert counts[5] == 1800 - len(packets) and counts[6] == 1800 and counts[8] == len(packets), counts
' || fail "losses: the file"
start udp -w "$scratch/f.pcapng" --json
kill -STOP "$capturer"
send 12000 18 128
kill -INT "$capturer" # is waiting when it goes on
kill -CONT "$capturer"
ended 0 "a full ring at the end"
summary 'all["packets"] == tap["matched"] == 12000 and tap["lost"] == 0' "a full ring at the end: $(cat "$scratch/out")"
start udp -w "$scratch/f.pcapng" -c 10 --json
kill -STOP "$capturer"
send 100 7
kill -CONT "$capturer"
ended 0 "behind the count"
summary 'all["packets"] == 10 and tap["not_taken"] == 90 and tap["lost"] == 0 and tap["matched"] == 100' "behind the count"
echo "ok: what the ring did not hold is counted to the packet, and so is what came behind --count"

start udp -w "$scratch/f.pcapng" -C 0.1 -W 3 -c 1000 --duration 60s
send 1000 8
ended 0 "-C -W"
[[ $(cd "$scratch" && echo f.pcapng*) == "f.pcapng0 f.pcapng1 f.pcapng2" ]] || fail "-C -W: $(cd "$scratch" && echo f.pcapng*)"
for file in "$scratch"/f.pcapng?; do
    tcpdump -r "$file" >/dev/null 2>"$scratch/said" || fail "tcpdump: $(cat "$scratch/said")"
    (($(stat -c %s "$file") < 103000)) || fail "-C: $file has $(stat -c %s "$file") bytes"
done
rm "$scratch"/f.pcapng?
start udp -w "$scratch/f.pcapng" -C 0.1 -c 1000 --duration 60s
send 1000 8
ended 0 "-C"
python3 - "$scratch" "$(address "$near" veth0)" "$(address "$far" veth0)" <<'PYTHON' || fail "-C: the files together are not what was sent"
import glob, sys
sys.path.insert(0, sys.argv[1])
import tools
names = sorted(glob.glob(f"{sys.argv[1]}/f.pcapng*"), key=lambda name: int(name.rsplit("pcapng", 1)[1] or 0))
assert len(names) > 4 and names[1].endswith("pcapng1"), names
got = [one[2] for name in names for one in tools.read(name)[0]]
assert got == list(tools.packets(1000, 8, 1514, tools.mac(sys.argv[2]), tools.mac(sys.argv[3])))
PYTHON
rm "$scratch"/f.pcapng*
start udp -w "$scratch/f-%s.pcapng" -G 1 -W 2 --duration 60s
more() { send 5 9; sleep 0.1; ! kill -0 "$capturer" 2>/dev/null; }
wait_for "-G -W does not end" more
ended 0 "-G -W"
(($(find "$scratch" -name 'f-*.pcapng' | wc -l) == 2)) || fail "-G -W: $(ls "$scratch")"
echo "ok: new files by size and by time, in turn or one after the other"

# piped FILE COMMAND: a capture to FILE (none: as text) into the command; the capture's status is 0.
piped() {
    local file=(${1:+-w "$1"})
    shift
    rm -f "$scratch/status"
    : >"$scratch/err"
    {
        status=0
        ip netns exec "$near" "$xdpf" capture -i veth0 udp "${file[@]}" 2>"$scratch/err" || status=$?
        echo "$status" >"$scratch/status"
    } | "$@" >"$scratch/out" 2>"$scratch/said" &
    local pipe=$!
    started+=("$pipe")
    wait_for "into $1: does not begin" grep -q ': capturing' "$scratch/err"
    send 50 10
    wait "$pipe" || fail "into $1: $(cat "$scratch/said")"
    wait_for "into $1: xdpf does not end" test -s "$scratch/status"
    [[ $(cat "$scratch/status") == 0 ]] || fail "into $1: status $(cat "$scratch/status")"
    grep -qi error "$scratch/err" && fail "into $1: a complaint"
    attached && fail "into $1: still attached"
    return 0
}
piped - tshark -r - -c 20 -T fields -e udp.dstport
(($(grep -c '^432[12]$' "$scratch/out") == 20)) || fail "into tshark: $(cat "$scratch/out" "$scratch/said")"
piped - head -c 100
piped "" head -n 3
(($(wc -l <"$scratch/out") == 3)) || fail "into head: $(cat "$scratch/out")"
echo "ok: a pipe into tshark; when its reader ends, so does the capture, with status 0"

start udp -c 3
send 3 11
ended 0 "text"
(($(grep -cE '^[0-9]+\.[0-9]{9} capture_ring captured = [0-9]+, length = [0-9]+, rx_queue = 0, iface = [0-9]+: [0-9a-f]+$' "$scratch/out") == 3)) ||
    fail "text: $(cat "$scratch/out")"
start -i veth1 udp -w "$scratch/f.pcapng" -c 60 --duration 60s --json
send 30 12
send 30 13 1514 veth1
ended 0 "two interfaces"
summary '[one["captured"] for one in all["interfaces"]] == [30, 30] and [one["interface"] for one in all["interfaces"]] == ["veth0", "veth1"]' "two interfaces"
check "$scratch/f.pcapng" 12 30 '
assert [one[2] for one in packets if one[0] == 0] == sent and sum(one[0] == 1 for one in packets) == 30
assert [one[1][8] for one in statistics] == [30, 30]
' || fail "two interfaces: the file"
echo "ok: lines of text; two interfaces in one file"

start udp -w "$scratch/f.pcapng" -U
send 20 14
wait_for "-U: the packets are not in the file" eval '[[ $(tcpdump -r "$scratch/f.pcapng" 2>/dev/null | wc -l) == 20 ]]'
status=0
ip netns exec "$near" "$xdpf" capture -i veth0 -w "$scratch/other.pcapng" >"$scratch/out" 2>"$scratch/said" || status=$?
((status == 1)) && grep -q 'attached' "$scratch/said" || fail "a second program: status $status: $(cat "$scratch/said")"
[[ ! -e $scratch/other.pcapng ]] || fail "a capture that did not begin made a file"
kill -KILL "$capturer"
wait "$capturer" 2>/dev/null || true
gone() { ! attached; }
wait_for "kill -9: still attached" gone
tcpdump -r "$scratch/f.pcapng" >/dev/null 2>"$scratch/said" || fail "kill -9: $(cat "$scratch/said")"
echo "ok: a second program is refused; kill -9 detaches, and what was flushed can be read"

mkdir "$scratch/small"
mount -t tmpfs -o size=128k "xdpf-$$" "$scratch/small"
start udp -w "$scratch/small/f.pcapng" -U --json
send 1000 15
ended 1 "a full disk"
grep -q "cannot write '$scratch/small/f.pcapng'.*ENOSPC" "$scratch/err" || fail "a full disk: the message"
tcpdump -r "$scratch/small/f.pcapng" >/dev/null 2>"$scratch/said" || fail "a full disk: $(cat "$scratch/said")"
summary 'all["error"]["errno"] == "ENOSPC" and 50 < all["packets"] < 1000' "a full disk: $(cat "$scratch/out")"
attached && fail "a full disk: still attached"
umount "$scratch/small"
echo "ok: a full disk is said, and leaves a file of whole packets"

ip -n "$near" link set veth1 mtu 9000
ip -n "$far" link set veth1 mtu 9000
rm -f "$scratch"/f.pcapng
: >"$scratch/err"
ip netns exec "$near" "$xdpf" capture -i veth1 udp -w "$scratch/f.pcapng" -c 50 --duration 60s 2>"$scratch/err" &
capturer=$!
started+=("$capturer")
wait_for "a large MTU: does not begin" begun
send 50 16 8000 veth1
ended 0 "a large MTU"
check "$scratch/f.pcapng" 16 50 '
sent = list(tools.packets(50, 16, 8000, bytes(6), bytes(6)))
assert [one[2][12:] for one in packets] == [one[12:] for one in sent]
' || fail "a large MTU: the packets"
echo "ok: packets that are longer than a page"

start udp -w "$scratch/f.pcapng"
send 25 17
ip -n "$near" link del veth0
ended 1 "an interface that goes"
grep -q 'interface was removed' "$scratch/err" || fail "an interface that goes: the message"
python3 - "$scratch" <<'PYTHON' || fail "an interface that goes: the file is not whole"
import sys
sys.path.insert(0, sys.argv[1])
import tools
packets, statistics = tools.read(f"{sys.argv[1]}/f.pcapng")
assert len(packets) == 25 and len(statistics) == 1, (len(packets), statistics)
PYTHON
echo "ok: an interface that goes ends the capture with a message; the file is whole"

# refused STATUS PATTERN ARGUMENTS
refused() {
    local wanted=$1 pattern=$2 status=0
    shift 2
    ip netns exec "$near" "$xdpf" capture "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    ((status == wanted)) && grep -q -- "$pattern" "$scratch/err" || fail "xdpf capture $*: status $status"
}
refused 1 '<command line>:1:5' -i lo 'udp.dprt == 53'
refused 1 '^ 1 | udp.dport ==$' -i lo 'udp.dport =='
refused 1 'more than a predicate' -i lo 'udp) -> drop match (tcp'
refused 1 "--import tunnel/vxlan" -i lo vxlan
refused 1 'there is no such folder' -i lo -w "$scratch/no/such.pcapng" --import tunnel/vxlan vxlan
refused 1 '^error' -i lo --json 'udp.dport == x'
python3 -c 'import json, sys; all = json.load(open(sys.argv[1])); assert all["diagnostics"][0]["column"] == 14 and all["error"]' \
    "$scratch/out" || fail "--json of a mistake: $(cat "$scratch/out")"
refused 2 "'lo' is named twice" -i lo -i lo
refused 2 '--steal needs a file' -i lo --steal
refused 2 'new files need a name' -i lo -C 1
refused 2 'standard output is one file' -i lo -w - -G 1
refused 2 'neither' -i lo -w "$scratch/f.pcapng" -W 2
refused 2 'no power of two' -i lo --ring-size 5000
refused 2 'no room for packets of 65535; a larger --ring-size, or -s 65488' -i lo --ring-size 64K
refused 2 'both go to standard output' -i lo -w - --json
refused 2 'both go to standard output' -i lo -w - --format json
echo "ok: mistakes are shown in what was typed"
