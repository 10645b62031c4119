#!/usr/bin/env bash
# `xdpf send`: what is written or captured goes out as it is, as often and as fast as it should; and what is refused.
# Usage: tests/kernel/send_command.sh path/to/xdpf
name=send number=81 tools="python3 tcpdump"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"

packet="ethernet / ipv4(src = $here, dst = $there) / udp(dport = 4000) / payload(18)"
# listen COUNT: writes what arrives in $far into $scratch/got.pcap, until there are so many.
listen() {
    rm -f "$scratch/got.pcap"
    in_far tcpdump -i veth0 -Q in -U -c "$1" -w "$scratch/got.pcap" "${2:-udp port 4000}" >/dev/null 2>"$scratch/listen" &
    listener=$!
    started+=("$listener")
    for _ in {1..250}; do grep -q listening "$scratch/listen" && return; sleep 0.02; done
    fail "tcpdump does not listen"
}

for how in "" --live; do
    listen 1000
    in_near "$xdpf" send "$packet" -i veth0 -c 1000 --burst 32 $how --json >"$scratch/out" 2>"$scratch/err" ||
        fail "send $how: status $?"
    wait "$listener" || fail "send $how: not all arrived"
    python3 - "$scratch/out" <<'PYTHON' || fail "send $how: wrong counts"
import json, sys
said = json.load(open(sys.argv[1]))
assert said["packets"] == said["completed"] == 1000 and said["bytes"] == 60000 and said["refused"] == 0, said
PYTHON
    echo "ok: 1000 packets, completed and arrived ${how:-by a socket}"
done

in_near "$xdpf" send "$packet" -i veth0 -d 400ms --rate 500 --json >"$scratch/out" || fail "--rate: status $?"
python3 - "$scratch/out" <<'PYTHON' || fail "--rate: $(cat "$scratch/out")"
import json, sys
said = json.load(open(sys.argv[1]))
assert 100 <= said["packets"] <= 202, said # fewer on a busy machine, more never
PYTHON
echo "ok: no faster than --rate"

# A capture comes out byte for byte, and its packets as far apart as they came.
python3 - "$scratch/in.pcap" <<'PYTHON'
import struct, sys
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
    for number in range(50):
        body = bytes.fromhex("020000000001020000000002") + b"\x08\x00" + bytes([0x45, 0]) + (36 + number).to_bytes(2, "big")
        body += bytes([0, number, 0, 0, 64, 17, 0, 0, 10, 81, 0, 2, 10, 81, 0, 1]) + (4000).to_bytes(2, "big") * 2
        body += (16 + number).to_bytes(2, "big") + b"\0\0" + bytes(range(8 + number))
        out.write(struct.pack("<IIII", 1000, number * 4_000_000, len(body), len(body)) + body)
PYTHON
listen 50
in_near "$xdpf" send -r "$scratch/in.pcap" -i veth0 --timed --json >"$scratch/out" || fail "--read: status $?"
wait "$listener" || fail "--read: not all arrived"
python3 - "$scratch" <<'PYTHON' || fail "--read: other bytes, or not as far apart"
import json, struct, sys
def packets(name):
    data, at, found = open(f"{sys.argv[1]}/{name}", "rb").read(), 24, []
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found
assert packets("in.pcap") == packets("got.pcap")
assert json.load(open(f"{sys.argv[1]}/out"))["seconds"] >= 49 * 0.004
PYTHON
echo "ok: a capture, byte for byte, at its own pace"

# refused WHAT PATTERN ARGUMENTS
refused() {
    local what=$1 pattern=$2 status=0
    shift 2
    in_near "$xdpf" send "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    ((status == 1)) && grep -qE "$pattern" "$scratch/err" || fail "$what: status $status"
    echo "ok: $what"
}
refused "a misspelt field" "did you mean 'dport'" 'ethernet / ipv4 / udp(dprt = 53)' -i veth0
refused "a missing interface" "ENODEV" "$packet" -i eth9
refused "a packet that is too long" "ip link set dev veth0 mtu 2020" 'ethernet / ipv4 / payload(2000)' -i veth0
refused "a queue that is not there" "EINVAL" "$packet" -i veth0 --queue 7
refused "a file that is no capture" "cannot" -r "${BASH_SOURCE[0]}" -i veth0
ip -n "$near" link set dev veth0 down
refused "an interface that is down" "ip link set dev veth0 up" "$packet" -i veth0
ip -n "$near" link set dev veth0 up

in_far ethtool -K veth0 gro off >/dev/null
status=0
in_near "$xdpf" send "$packet" -i veth0 -c 100 --live >"$scratch/out" 2>"$scratch/err" || status=$?
((status == 1)) && grep -q '100 of 100 packets were not sent' "$scratch/err" && grep -q 'gro on' "$scratch/err" ||
    fail "--live to a peer without NAPI: status $status"
echo "ok: frames that the interface does not take are missed"

launch "" "$xdpf" send "$packet" -i veth0 -d 60s --rate 1000 --json
sleep 0.3
kill -INT "$runner"
wait "$runner" || fail "Ctrl-C: status $?"
grep -q '"packets":' "$scratch/out" || fail "Ctrl-C: no summary"
echo "ok: Ctrl-C sums up"
