#!/usr/bin/env bash
# Examples that stand in front of a host and leave the rest to its kernel. Usage:
# tests/kernel/examples_filters.sh path/to/xdpf [EXAMPLE…]
source "$(dirname "${BASH_SOURCE[0]}")/lib_hosts.sh"

run_flows() {
    namespace near far
    wire near eth0 02:00:00:00:00:02 10.0.0.2/24 far eth0 02:00:00:00:00:01 10.0.0.1/24
    echo_server near "(8000,)"
    start near eth0 examples/flows.xdpf
    inside far ping -q -c 1 -W 5 10.0.0.2 >/dev/null || fail "no ping"
    ask far <<'PYTHON'
one = udp(4000)
for number in range(5):
    one.sendto(bytes(100), ("10.0.0.2", 8000))
    check(len(one.recv(2000)) > 100, "an echo of", number)
    time.sleep(0.01)
check(stream(("10.0.0.2", 8000), b"hello", ("10.0.0.1", 4001)).endswith(b"hello"), "the stream's echo")
PYTHON
    dump near eth0 flows
    ask far <<'PYTHON'
found = {(key["protocol"], key["sport"], key["dport"]): (key, value) for key, value in entries("flows")}
check(set(found) == {(17, 4000, 8000), (6, 4001, 8000)}, found)
key, value = found[17, 4000, 8000]
check(key["src"] == [0] * 10 + [255, 255, 10, 0, 0, 1], key)
check((value["packets"], value["bytes"]) == (5, 5 * 142), value)
check(value["last"] - value["first"] >= 40_000_000, value)
check(found[6, 4001, 8000][1]["packets"] >= 4, found)
PYTHON
}

run_syn_limiter() {
    namespace near far
    wire near eth0 02:00:00:00:00:02 10.0.0.2/24 far eth0 02:00:00:00:00:01 10.0.0.1/24
    echo_server near "(80,)"
    start near eth0 examples/syn_limiter.xdpf
    ask far <<'PYTHON'
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
frame = bytes.fromhex("020000000002 020000000001 0800 4500 0028 0000 0000 4006 0000 0a000042 0a000002"
                      "1000 0050 00000000 00000000 5002 ffff 0000 0000")
began = time.monotonic()
for _ in range(200):
    wire.send(frame)
note("seconds", time.monotonic() - began)
for _ in range(10):
    check(stream(("10.0.0.2", 80), b"hello").endswith(b"hello"), "others connect meanwhile")
PYTHON
    dump near eth0 dropped
    ask far <<'PYTHON'
(key, value), = entries("dropped")
least = 180 - 10 * noted("seconds") - 1
check(key["src"][10:] == [255, 255, 10, 0, 0, 66] and least <= value["packets"] <= 180, key, value, least)
PYTHON
}

run_dns_policer() {
    namespace near far
    wire near eth0 02:00:00:00:00:02 10.0.0.2/24 far eth0 02:00:00:00:00:01 10.0.0.1/24
    serve near <<'PYTHON'
import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("0.0.0.0", 53))
print("ready", flush=True)
while True:
    said, who = one.recvfrom(2000)
    one.sendto(said[:2] + bytes([0x80 | said[2]]) + said[3:] + b"answer", who)
PYTHON
    receiver far eth0
    start near eth0 examples/dns_policer.xdpf
    ask far <<'PYTHON'
one = udp(4000)
question = bytes.fromhex("0100 0001 0000 0000 0000 076578616d706c65 00 0001 0001")
one.sendto(bytes.fromhex("0000 8180 0001 0000 0000 0000"), ("10.0.0.2", 53)) # an answer: nobody asked
one.sendto(b"no DNS", ("10.0.0.2", 53))
answers, cut, began = 0, 0, time.monotonic()
for number in range(100):
    one.sendto(number.to_bytes(2, "big") + question, ("10.0.0.2", 53))
    said = one.recv(2000)
    check(said[:2] == number.to_bytes(2, "big") and said[2] & 0x80, number, said)
    if said.endswith(b"answer"):
        answers += 1
    else:
        check(said[2] & 0x02 and said[4:] == question[2:], said)
        cut += 1
most = 40 + 20 * (time.monotonic() - began) + 1
check(40 <= answers <= most and answers + cut == 100, answers, cut, most)
note("cut", cut)
PYTHON
    dump near eth0 refused
    dump near eth0 slipped
    ask far <<'PYTHON'
check(sum(one["value"]["packets"] for one in entries("refused")[0][1]) == 2, entries("refused"))
(_, value), = entries("slipped")
check(value["packets"] == noted("cut"), value)
PYTHON
}

run_blocklist() {
    namespace near far
    wire near eth0 02:00:00:00:00:02 10.0.0.2/24 far eth0 02:00:00:00:00:01 10.0.0.1/24
    echo_server near "(8000,)"
    inside near "$xdpf" attach examples/blocklist.xdpf -i eth0 >/dev/null 2>"$scratch/attach.err" || fail "xdpf attach"
    ask far <<'PYTHON'
one = udp(4000)
one.settimeout(0.3)
def passes():
    one.sendto(b"hello", ("10.0.0.2", 8000))
    try:
        return one.recv(2000).endswith(b"hello")
    except TimeoutError:
        return False
def listed():
    return set(xdpf("near", "map", "dump", "blocklist").split())
check(listed() == {"192.0.2.0/24", "203.0.113.64/26"}, "what examples/blocklist.txt has", listed())
check(passes(), "blocked without being on the list")
xdpf("near", "map", "set", "blocklist", "10.0.0.1/32")
check(not passes() and not passes(), "set: not blocked")
xdpf("near", "map", "delete", "blocklist", "10.0.0.1/32")
check(passes(), "deleted: still blocked")
with open("new.txt", "w") as new:
    new.write("10.0.0.0/28 # all of them\n198.51.100.0/24\n")
xdpf("near", "map", "load", "blocklist", "new.txt", "--replace")
check(listed() == {"10.0.0.0/28", "198.51.100.0/24"}, listed())
check(not passes(), "loaded: not blocked")
dropped = json.loads(xdpf("near", "map", "dump", "dropped", "--json"))["entries"]
check(dropped == [{"key": "10.0.0.1", "value": {"packets": 3, "bytes": 3 * 47}}], dropped)
PYTHON
    inside near "$xdpf" detach -i eth0 >/dev/null
}

run_hardening() {
    namespace near far
    wire near eth0 02:00:00:00:00:02 10.0.0.2/24 far eth0 02:00:00:00:00:01 10.0.0.1/24
    echo_server near "(22, 80)"
    ip -n far address add 192.168.0.1/24 dev eth0
    ip -n near route add 192.168.0.0/24 dev eth0
    start near eth0 examples/hardening.xdpf
    ask far <<'PYTHON'
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
def tcp(flags, tags=""):
    wire.send(bytes.fromhex(f"020000000002 020000000001 {tags} 0800 4500 0028 0000 0000 4006 0000 0a000042 0a000002"
                            f"1000 0050 00000000 00000000 50{flags:02x} ffff 0000 0000"))
for _ in range(5):
    tcp(0x03)
for _ in range(4):
    tcp(0x28)
for _ in range(2):
    tcp(0x10, "88a8 0007 8100 0096")
check(stream(("10.0.0.2", 22), b"hello", ("10.0.0.1", 0)).endswith(b"hello"), "management from inside")
check(stream(("10.0.0.2", 80), b"hello", ("192.168.0.1", 0)).endswith(b"hello"), "the service from outside")
try:
    socket.create_connection(("10.0.0.2", 22), 0.3, ("192.168.0.1", 0))
    check(False, "management from outside")
except TimeoutError:
    pass
reasons = {one["key"]: one["value"]["packets"] for one in json.loads(xdpf("near", "map", "dump", "reasons", "--json"))["entries"]}
check(reasons[0] == 5 and reasons[1] == 4 and reasons[2] >= 1 and reasons[3] == 2, reasons)
PYTHON
}

run_examples flows syn_limiter dns_policer blocklist hardening
