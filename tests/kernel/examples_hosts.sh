#!/usr/bin/env bash
# Examples that join networks: translation, tunnels and load balancing between several hosts. Usage:
# tests/kernel/examples_hosts.sh path/to/xdpf [EXAMPLE…]
source "$(dirname "${BASH_SOURCE[0]}")/lib_hosts.sh"

# Interfaces vlan10, vlan20 and vlan30, whose frames go over eth0 with a tag. Not every kernel has tagged interfaces.
tagged_host() {
    serve "$1" <<'PYTHON'
import fcntl, os, select, socket, struct
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("eth0", 3))
wire.setsockopt(263, 8, 1) # SOL_PACKET, PACKET_AUXDATA: the kernel takes the tag out of the frame
taps = {}
for vlan in (10, 20, 30):
    taps[vlan] = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(taps[vlan], 0x400454ca, struct.pack("16sH22x", f"vlan{vlan}".encode(), 0x1002)) # TUNSETIFF, a tap
print("ready", flush=True)
while True:
    for ready in select.select([wire, *taps.values()], [], [])[0]:
        if ready is wire:
            frame, extra, _, who = wire.recvmsg(4000, 100)
            vlan = struct.unpack_from("HH", extra[0][2], 16)[0] & 0xfff if extra else 0
            if who[2] != socket.PACKET_OUTGOING and vlan in taps:
                os.write(taps[vlan], frame)
        else:
            vlan = next(vlan for vlan in taps if taps[vlan] == ready)
            frame = os.read(ready, 4000)
            wire.send(frame[:12] + struct.pack(">HH", 0x8100, vlan) + frame[12:])
PYTHON
}

run_nat() {
    namespace home box world
    wire home eth0 02:00:00:00:00:01 10.0.0.2/24 box lan0 02:00:00:00:00:02 10.0.0.1/24
    wire world eth0 02:00:00:00:01:01 192.0.2.2/24 box wan0 02:00:00:00:01:02 192.0.2.1/24
    ip -n home route add default via 10.0.0.1
    ip -n world route add 198.51.100.1 via 192.0.2.1 # and none to 10.0.0.0/8
    inside box sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; for one in all default lan0 wan0; do
        echo 0 >/proc/sys/net/ipv4/conf/$one/rp_filter; done'
    echo_server world "(8000,)"
    start box lan0 examples/nat.xdpf
    start box wan0 examples/nat.xdpf
    ask home <<'PYTHON'
ports = set()
for number in range(20):
    with udp(4000 + number) as one:
        for word in (b"", b"odd", bytes(1000)):
            one.sendto(word, ("192.0.2.2", 8000))
            who, address, port, said = one.recv(2000).split(b" ", 3)
            check(address == b"198.51.100.1" and int(port) >= 1024 and said == word, address, port)
            ports.add(port)
check(len(ports) == 20, "20 sockets, and outside", ports)
for number in range(20):
    word = bytes([number]) * 50_000
    who, address, port, said = stream(("192.0.2.2", 8000), word).split(b" ", 3)
    check(address == b"198.51.100.1" and said == word, address, port, len(said))
PYTHON
    ask world <<'PYTHON'
one = udp(4000)
for port in range(1, 1024): # nobody has drawn these
    one.sendto(b"unasked", ("198.51.100.1", port))
PYTHON
    dump box wan0 hosts
    dump box lan0 ports
    ask home <<'PYTHON'
hosts, ports = entries("hosts"), entries("ports")
check(len(hosts) == len(ports) == 40, len(hosts), len(ports))
check(all(value["address"] == [10, 0, 0, 2] for _, value in hosts), hosts)
check({value["port"] for _, value in hosts} >= set(range(4000, 4020)), hosts)
PYTHON
}

run_vxlan_gateway() {
    namespace host box far
    wire host eth0 02:00:00:00:01:01 "" box access 02:00:00:00:01:02 ""
    wire far eth0 02:00:00:00:02:02 192.0.2.2/24 box underlay 02:00:00:00:02:01 192.0.2.1/24
    tagged_host host
    local id
    for id in 10 20 30; do
        prepare host "vlan$id" "02:00:00:00:0a:$id" "10.0.$id.1/24"
        ip -n host link set "vlan$id" mtu 1400
    done
    for id in 10 20; do
        ip -n far link add "vxlan$id" type vxlan id $((7000 + id / 10)) local 192.0.2.2 remote 192.0.2.1 dstport 4789
        prepare far "vxlan$id" "02:00:00:00:0b:$id" "10.0.$id.2/24"
        ip -n far link set "vxlan$id" mtu 1400
    done
    echo_server far "(8000,)"
    start box access examples/vxlan_gateway.xdpf
    start box underlay examples/vxlan_gateway.xdpf
    for id in 10 20; do
        inside host ping -q -c 2 -i 0.1 -W 5 "10.0.$id.2" >/dev/null || fail "no ping in VLAN $id"
    done
    ask host <<'PYTHON'
for vlan in (10, 20):
    with udp() as one:
        one.sendto(b"hello", (f"10.0.{vlan}.2", 8000))
        check(one.recv(2000).startswith(f"far 10.0.{vlan}.1 ".encode()), "UDP in VLAN", vlan)
    said = stream((f"10.0.{vlan}.2", 8000), bytes(50_000))
    check(said.startswith(f"far 10.0.{vlan}.1 ".encode()) and said.endswith(bytes(50_000)), "TCP in VLAN", vlan)
PYTHON
    # A VLAN that has no segment stays outside.
    ! inside host ping -q -c 1 -W 1 10.0.30.2 >/dev/null || fail "VLAN 30 went through"
}

run_load_balancer() {
    namespace client box one two three
    namespace switch
    ip -n switch link add bridge type bridge
    ip -n switch link set bridge up
    local name mac
    for name in client:02:00:00:00:00:01 box:02:00:00:00:00:02 one:02:00:00:00:03:01 two:02:00:00:00:03:02 three:02:00:00:00:03:03; do
        mac=${name#*:} name=${name%%:*}
        wire "$name" eth0 "$mac" "" switch "$name" "02:00:00:00:ff${mac:14}" ""
        ip -n switch link set "$name" master bridge
    done
    ip -n client address add 203.0.113.1/24 dev eth0
    ip -n client neighbour add 203.0.113.80 lladdr 02:00:00:00:00:02 dev eth0
    for name in one two three; do
        ip -n "$name" address add 203.0.113.80/32 dev lo
        ip -n "$name" route add 203.0.113.0/24 dev eth0 src 203.0.113.80
        echo_server "$name" "(80, 443)"
    done
    receiver switch box
    start box eth0 examples/load_balancer.xdpf
    ask client <<'PYTHON'
SERVICE = "203.0.113.80"
def asked(port):
    with udp(port) as one:
        one.sendto(b"", (SERVICE, 80))
        return one.recv(2000).split()[0].decode()

before = {port: asked(port) for port in range(20000, 20060)}
check(set(before.values()) == {"one", "two", "three"}, before)
check(before == {port: asked(port) for port in before}, "another server the second time")
for number in range(30):
    check(stream((SERVICE, 443), b"hello").endswith(b"hello"), "connection", number)

# Connections that are open while "two" is drained, some of them with it.
open_ones = {port: socket.create_connection((SERVICE, 443), 10, ("0.0.0.0", port)) for port in range(21000, 21020)}
for one in open_ones.values():
    one.sendall(b"before ")
for slot, server in ((1, 0), (4, 2), (7, 0), (10, 2)):
    xdpf("box", "map", "set", "slots", str(slot), str(server))
check("1" not in {line.split()[-1] for line in xdpf("box", "map", "dump", "slots").splitlines()}, "server 1 has slots")
heard = {}
for port, one in open_ones.items():
    one.sendall(b"after")
    one.shutdown(socket.SHUT_WR)
    said = b"".join(iter(lambda: one.recv(2000), b""))
    check(said.endswith(b"before after"), port, said)
    heard[port] = said.split()[0].decode()
check("two" in heard.values(), "no open connection was with the drained server", heard)
check(before == {port: asked(port) for port in before}, "a flow has moved")
check({asked(port) for port in range(22000, 22040)} == {"one", "three"}, "new flows go to the drained server, or to one only")
for number in range(30):
    check(not stream((SERVICE, 443), b"").startswith(b"two"), "a new connection with the drained server", number)

# Healthy again.
with open("healthy.txt", "w") as slots:
    slots.write("\n".join("012012012012"))
xdpf("box", "map", "load", "slots", "healthy.txt")
check({asked(port) for port in range(23000, 23040)} == {"one", "two", "three"}, "nobody comes back")
PYTHON
}

run_examples nat vxlan_gateway load_balancer
