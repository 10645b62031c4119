"""What the measurements over a veth pair share: the pair, processes in it, and what they cost."""

import ctypes
import json
import os
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median


def spread(values):
    return {"median": median(values), "lowest": min(values), "highest": max(values)}


def shown(figures, form="{:.2f}"):
    return f"{form} [{form} {form}]".format(figures["median"], figures["lowest"], figures["highest"])


class Pair:
    """Two network namespaces and a veth pair between them, "rx" and "tx". Only "rx" is whom generate and ping write to."""

    macs = ("02:00:00:00:00:01", "02:00:00:00:00:02")
    addresses = ("10.9.0.1", "10.9.0.2")

    def __enter__(self):
        self.spaces = [f"xdpfbench{os.getpid()}{end}" for end in "rt"]
        self.ours = []
        try:
            for space in self.spaces:
                subprocess.run(["ip", "netns", "add", space], check=True)
                self.ours.append(space)
                quiet = "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true"
                subprocess.run(["ip", "netns", "exec", space, "sh", "-c", quiet], check=True)
            subprocess.run(["ip", "link", "add", "rx", "netns", self.spaces[0], "type", "veth", "peer", "name", "tx",
                            "netns", self.spaces[1]], check=True)
            self.ip(0, "link", "set", "dev", "rx", "address", self.macs[0])
            for end, name in enumerate(("rx", "tx")):
                self.ip(end, "link", "set", "dev", name, "up")
            # With GRO veth takes frames without a program in native mode, too.
            subprocess.run([*self.inside(0), "ethtool", "-K", "rx", "gro", "on"], check=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for space in self.ours:
            subprocess.run(["ip", "netns", "del", space], check=False)

    def inside(self, end):
        return ["ip", "netns", "exec", self.spaces[end]]

    def ip(self, end, *words):
        return subprocess.run(["ip", "-n", self.spaces[end], *words], check=True, capture_output=True, text=True).stdout

    def counters(self, end):
        """The interface's own: rx and tx, with packets and dropped."""
        return json.loads(self.ip(end, "-j", "-s", "link", "show", "dev", ("rx", "tx")[end]))[0]["stats64"]

    def has_program(self, end):
        return "xdp" in json.loads(self.ip(end, "-j", "link", "show", "dev", ("rx", "tx")[end]))[0]

    def speak_ip(self, on):
        """Gives "rx" an address, which UDP sockets need. Without one its stack drops packets early."""
        if on:
            self.ip(0, "address", "add", f"{self.addresses[0]}/24", "dev", "rx")
            self.ip(0, "neighbour", "add", self.addresses[1], "lladdr", self.macs[1], "dev", "rx", "nud", "permanent")
        else:
            self.ip(0, "address", "flush", "dev", "rx")


def on_cpu(cpu):
    return lambda: os.sched_setaffinity(0, {cpu % os.cpu_count()})


class Running:
    """A process at an end of a pair. Until the block ends; output() says what it wrote, to its end."""

    def __init__(self, pair, end, command, cpu, ready):
        """`ready` is asked, with this object, whether the process does its work now."""
        self.pair, self.end, self.cpu, self.ready = pair, end, cpu, ready
        self.command = [*pair.inside(end), *map(str, command)]

    def __enter__(self):
        # The kernel frees a queue a moment after its last socket is closed, so there are several tries.
        for _ in range(20):
            self.said = tempfile.TemporaryFile("w+")
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.said, text=True,
                                            preexec_fn=on_cpu(self.cpu), env=os.environ | {"LC_ALL": "C"})
            try:
                if self.wait_until_ready():
                    return self
            except BaseException:
                self.__exit__()
                raise
            time.sleep(0.1)
        sys.exit(f"bench: this does not run: {' '.join(self.command)}: {self.errors().strip()}")

    def wait_until_ready(self):
        until = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < until:
            if self.ready(self):
                return True
            time.sleep(0.005)
        self.__exit__()
        return False

    def errors(self):
        self.said.seek(0)
        return self.said.read()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.interrupt()
            try:
                self.process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.communicate()

    @property
    def pid(self):
        return self.process.pid

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def output(self):
        return self.process.communicate(timeout=20)[0]


def said_attached(running):
    return "attached" in running.errors()


def cpu_ns(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


class SystemCalls:
    """How many system calls a process makes: perf_event_open(2) on raw_syscalls:sys_enter. Slows all system calls of
    the machine a little, so it has runs of its own."""

    event = Path("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id")
    number = {"x86_64": 298, "aarch64": 241}.get(platform.machine())

    def __init__(self, pid):
        self.fds = []
        if self.number is None or not self.event.exists():
            return
        tracepoint, size = 2, 64
        attributes = struct.pack("=IIQQQQQIIQ", tracepoint, size, int(self.event.read_text()), 0, 0, 0, 0, 0, 0, 0)
        call = ctypes.CDLL(None, use_errno=True).syscall
        for task in Path(f"/proc/{pid}/task").iterdir():
            fd = call(self.number, attributes, int(task.name), -1, -1, 8)  # PERF_FLAG_FD_CLOEXEC
            if fd < 0:
                self.close()
                return
            self.fds.append(fd)

    def count(self):
        """None: this kernel does not tell."""
        if not self.fds:
            return None
        return sum(struct.unpack("=Q", os.read(fd, 8))[0] for fd in self.fds)

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
