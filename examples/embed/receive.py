#!/usr/bin/env python3
"""receive.py INTERFACE: answers UDP to port 4000 from user space, and counts it; the rest stays with the kernel."""
import ctypes
import sys


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("interface", ctypes.c_char_p), ("program", ctypes.c_char_p),
                ("mode", ctypes.c_int), ("frames", ctypes.c_uint32), ("sends", ctypes.c_int)]


class Packet(ctypes.Structure):
    _fields_ = [("data", ctypes.POINTER(ctypes.c_uint8)), ("size", ctypes.c_uint32), ("queue", ctypes.c_uint32)]


xdpf = ctypes.CDLL("libxdpf.so.1")
xdpf.xdpf_compile.restype = xdpf.xdpf_open.restype = ctypes.c_void_p
said = ctypes.c_char_p()
swapped = b"match udp.dport == 4000 -> { swap ethernet.src, ethernet.dst; swap ip.src, ip.dst; swap udp.sport, udp.dport; xsk }"
program = xdpf.xdpf_compile(swapped, b"receive.py", ctypes.byref(said))
options = Options(size=ctypes.sizeof(Options), interface=sys.argv[1].encode(), sends=1)
session = program and xdpf.xdpf_open(ctypes.c_void_p(program), ctypes.byref(options), ctypes.byref(said))
packets, count = (Packet * 64)(), 0
while session and xdpf.xdpf_wait(ctypes.c_void_p(session), -1, ctypes.byref(said)) >= 0:
    for index in range(xdpf.xdpf_receive(ctypes.c_void_p(session), packets, ctypes.c_size_t(64))):
        count += 1
        xdpf.xdpf_send_back(ctypes.c_void_p(session), ctypes.c_size_t(index))
    xdpf.xdpf_flush(ctypes.c_void_p(session), ctypes.byref(said))
    print(f"{count} packets answered", flush=True)
sys.exit((said.value or b"").decode())
