#!/usr/bin/env bash
# The C interface, installed: a C program found by pkg-config receives packets, a Python program answers them, and both
# say what is wrong. Usage: tests/kernel/embed_c.sh path/to/xdpf
name=embedc number=83 tools="python3 cc pkg-config cmake"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"

build=$(dirname "$(dirname "$xdpf")")
prefix=$scratch/prefix
cmake --install "$build" --prefix "$prefix" >/dev/null
description=$(find "$prefix" -name xdpf.pc)
PKG_CONFIG_PATH=$(dirname "$description")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(pkg-config --variable=libdir xdpf)
export LD_LIBRARY_PATH
cc -std=c11 -Wall -Wextra -Wpedantic -Werror examples/embed/receive.c -o "$scratch/receive" $(pkg-config --cflags --libs xdpf)
printf '#include <xdpf.h>\nint main() { return xdpf_abi() == XDPF_ABI ? 0 : 1; }\n' >"$scratch/abi.cpp"
c++ -Wall -Werror "$scratch/abi.cpp" -o "$scratch/abi" $(pkg-config --cflags --libs xdpf)
"$scratch/abi" || fail "another ABI than the header's"

send() { # PORT COUNT
    in_far "$xdpf" send "ethernet / ipv4(src = $there, dst = $here) / udp(dport = $1) / payload(8)" -i veth0 -c "$2" -q
}
ip netns exec "$near" "$scratch/receive" veth0 >"$scratch/out" 2>"$scratch/err" &
runner=$!
started+=("$runner")
for _ in {1..250}; do attached && break; sleep 0.02; done
attached || fail "the C program did not attach"
send 4000 100
send 4001 100
for _ in {1..250}; do (($(wc -l <"$scratch/out") >= 100)) && break; sleep 0.02; done
(($(grep -c 'from queue 0: 50 bytes' "$scratch/out") == 100)) || fail "the C program did not get its packets"
(($(wc -l <"$scratch/out") == 100)) || fail "the C program got others"
kill -KILL "$runner"
wait "$runner" 2>/dev/null || true
for _ in {1..50}; do attached || break; sleep 0.02; done
echo "ok: C, by pkg-config"

ip netns exec "$near" python3 examples/embed/receive.py veth0 >"$scratch/out" 2>"$scratch/err" &
runner=$!
started+=("$runner")
for _ in {1..250}; do attached && break; sleep 0.02; done
attached || fail "the Python program did not attach"
in_far python3 - "$here" <<'PYTHON' || fail "Python does not answer"
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.settimeout(2)
for number in range(200):
    out.sendto(number.to_bytes(4, "big"), (sys.argv[1], 4000))
    assert out.recv(100) == number.to_bytes(4, "big")
PYTHON
for _ in {1..50}; do grep -q '^200 packets answered' "$scratch/out" && break; sleep 0.02; done
grep -q '^200 packets answered' "$scratch/out" || fail "Python counts otherwise"
kill -KILL "$runner"
wait "$runner" 2>/dev/null || true
echo "ok: Python"

in_near python3 - <<'PYTHON' || fail "the rest of the interface"
import ctypes, struct
xdpf = ctypes.CDLL("libxdpf.so.1")
for name in ("xdpf_compile", "xdpf_open", "xdpf_map_get"):
    getattr(xdpf, name).restype = ctypes.c_void_p
text = lambda pointer: ctypes.string_at(pointer).decode()
said = ctypes.c_void_p()
assert xdpf.xdpf_compile(b"match udp.dprt == 1 -> drop", b"x", ctypes.byref(said)) is None
assert "did you mean 'dport'" in text(said.value)
xdpf.xdpf_free_text(said)
source = b"param limit : u16 = 5 in 1..10\ndefmap hits : hash<ipv4.src -> counter>[16]\nmatch ipv4.ttl < limit -> drop\nmatch ipv4 -> { count hits[ipv4.src]; pass }"
program = ctypes.c_void_p(xdpf.xdpf_compile(source, b"x", ctypes.byref(said)))
assert program.value and said.value is None
size = ctypes.c_size_t()
xdpf.xdpf_filter_object.restype = ctypes.c_void_p
assert ctypes.string_at(xdpf.xdpf_filter_object(program, ctypes.byref(size)), 4) == b"\x7fELF" and size.value > 500
packet = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 50, 0, 0, 0, 0, 4, 17]) + bytes(40)
line = ctypes.c_uint32(9)
assert xdpf.xdpf_filter_run(program, packet, ctypes.c_size_t(len(packet)), 0, ctypes.byref(line)) == 1 and line.value == 3
assert xdpf.xdpf_filter_run(program, b"", ctypes.c_size_t(0), 0, ctypes.byref(line)) == 2 and line.value == 0
class Options(ctypes.Structure): # of an older, shorter form
    _fields_ = [("size", ctypes.c_size_t), ("interface", ctypes.c_char_p)]
none = Options(ctypes.sizeof(Options), b"nothing0")
assert xdpf.xdpf_open(program, ctypes.byref(none), ctypes.byref(said)) is None and "ENODEV" in text(said.value)
options = Options(ctypes.sizeof(Options), b"veth0")
session = ctypes.c_void_p(xdpf.xdpf_open(program, ctypes.byref(options), ctypes.byref(said)))
assert session.value, text(said.value)
xdpf.xdpf_filter_free(program)
error = ctypes.byref(said)
assert xdpf.xdpf_map_get(session, b"hits", b"10.0.0.1", error) is None and said.value is None
assert xdpf.xdpf_map_set(session, b"hits", b"10.0.0.1", b"{packets = 3}", error) == 0
assert text(xdpf.xdpf_map_get(session, b"hits", b"10.0.0.1", error)) == "{packets = 3, bytes = 0}"
assert xdpf.xdpf_map_delete(session, b"hits", b"10.0.0.1", error) == 0
assert xdpf.xdpf_map_set(session, b"hits", b"10.0.0", b"{packets = 3}", error) == -1 and "10.0.0" in text(said.value)
assert xdpf.xdpf_set_parameter(session, b"limit", b"9", error) == 0
assert xdpf.xdpf_set_parameter(session, b"limit", b"11", error) == -1 and "10" in text(said.value)
assert xdpf.xdpf_wait(session, 10, error) == 0 and xdpf.xdpf_fd(session) >= 0
assert xdpf.xdpf_close(session, error) == 0
PYTHON
attached && fail "left attached"
echo "ok: messages, interpreter, maps, parameters"
