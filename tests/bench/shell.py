"""What a person at `xdpf shell` waits for, over a pseudo-terminal: the first prompt, the answer to a rule and to a packet,
and the completion of a word. From the last key to the last byte of the answer, with an access list of some rules entered."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time

from rig import shown, spread

PATIENCE = 10  # seconds
TARGETS = {"first prompt": 30, "a rule": 5, "a packet": 5, "completion": 5}  # ms


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, xdpf, home):
        environment = os.environ | {"TERM": "xterm", "HOME": home, "LC_ALL": "C.UTF-8"}
        started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Here, and not from outside later: a window that changes its size has the prompt drawn twice.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
            os.execve(xdpf, [xdpf, "shell"], environment)
        self.until(b"xdpf> ")
        self.first_prompt = (time.perf_counter() - started) * 1e3

    def until(self, end):
        """What comes, up to `end`, which is its last part."""
        out, limit = b"", time.monotonic() + PATIENCE
        while not out.endswith(end):
            if time.monotonic() > limit or not select.select([self.fd], [], [], PATIENCE)[0]:
                sys.exit(f"bench: the shell does not come to {end!r}: {out!r}")
            out += os.read(self.fd, 65536)
        return out

    def ask(self, keys, end=b"xdpf> "):
        """Milliseconds."""
        started = time.perf_counter()
        os.write(self.fd, keys)
        self.until(end)
        return (time.perf_counter() - started) * 1e3

    def close(self):
        os.write(self.fd, b"\x04")
        limit = time.monotonic() + PATIENCE
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                sys.exit("bench: the shell does not end at Ctrl-D")
            if select.select([self.fd], [], [], 0.01)[0]:
                with contextlib.suppress(OSError):  # the other end is closed
                    os.read(self.fd, 65536)
        os.close(self.fd)


class Shell:
    needs = ()
    root = False
    rounds = 5
    rules = 20

    def run(self, options):
        times = {what: [] for what in TARGETS}
        with tempfile.TemporaryDirectory() as home:
            for _ in range(4 * (options.rounds or self.rounds)):
                self.round(Terminal(str(options.build / "bin/xdpf"), home), times)
        return [{"what": what, "ms": spread(values), "target_ms": TARGETS[what]} for what, values in times.items()]

    def round(self, terminal, times):
        times["first prompt"].append(terminal.first_prompt)
        for port in range(1, self.rules):
            terminal.ask(b"match udp.dport == %d -> drop\n" % port)
        times["a rule"].append(terminal.ask(b"match udp.dport == %d -> drop\n" % self.rules))
        times["a packet"].append(terminal.ask(b"> ethernet/ipv4/udp(dport=%d)\n" % self.rules))
        # A character after the other is echoed; the last one completes the word.
        terminal.ask(b"match ethe", b"match ethe")
        times["completion"].append(terminal.ask(b"\t", b"rnet"))
        terminal.ask(b"\x03")
        terminal.close()

    def show(self, results):
        print(f"xdpf shell at a terminal, ms ({self.rules} rules entered): {'':4}lowest to highest; the aim")
        for row in results:
            print(f"  {row['what']:<16}{shown(row['ms']):>28}{'under ' + str(row['target_ms']):>14}")


PARTS = {"shell": Shell()}
