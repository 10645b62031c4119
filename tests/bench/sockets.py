"""The AF_XDP runtime beside what people use, over a veth pair: receiving, sending, sending back, round trips, the start.

Who receives, forwards or echoes runs on processor 1, who makes the packets on processor 0. On a veth the maker's
processor also runs the XDP program and copies, so that a rate is its rate, too: look at the receiver's CPU time a packet.
"""

import json
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from rig import Pair, Running, SystemCalls, cpu_ns, on_cpu, said_attached, shown, spread

HERE = Path(__file__).resolve().parent
MODES = ("native", "skb")
SIZES = (64, 1400)
COPY = ("--copy", "--json")


def packets_of_json(output):
    return json.loads(output)["packets"]


def packets_of_xdpsock(output):
    """Of the last of its reports, where "rx" and "tx" each have a rate and a sum."""
    return int(re.findall(r"^rx +[\d,]+ +([\d,]+)", output, re.MULTILINE)[-1].replace(",", ""))


def xdpsock_ready(running):
    if not running.pair.has_program(running.end):
        return False
    time.sleep(0.05)  # the socket enters the map after the program is attached
    return running.process.poll() is None


@dataclass
class Rival:
    name: str
    wait: str  # block or spin: with the xdpf row of the same way it is compared
    command: Callable  # of mode and size
    ready: Callable = said_attached
    packets: Callable = packets_of_json
    udp: bool = False  # needs an IP address
    any_mode: bool = False  # without XDP: measured once


class Part:
    """Rows of rivals, in alternation; medians over the rounds, ratios within each."""

    needs = ("ip", "ethtool", "bench_xsk_peer", "bench_packet_peers", "bench_ping", "bench_generate")
    root = True
    rounds = 3
    modes = MODES
    sizes = SIZES

    def run(self, options):
        self.options, results = options, []
        with tempfile.TemporaryDirectory() as folder, Pair() as self.pair:
            self.bin = options.build.resolve() / "bin"
            self.program = Path(folder) / "udp.o"
            subprocess.run([self.bin / "xdpf", "build", HERE / "filters/udp.xdpf", "-o", self.program], check=True,
                           capture_output=True)
            for mode in self.modes:
                for size in self.sizes:
                    rivals = [one for one in self.rivals() if not one.any_mode or mode == self.modes[0]]
                    results += self.compare(rivals, mode, size)
        return results

    def compare(self, rivals, mode, size):
        rounds = []
        for number in range(self.options.rounds or self.rounds):
            order = rivals if number % 2 == 0 else rivals[::-1]
            rounds.append({one.name: self.measured(one, mode, size, False) for one in order})
        counted = {one.name: self.measured(one, mode, size, True).get("calls") for one in rivals} if self.counts else {}
        ours = {one.wait: one.name for one in reversed(rivals) if one.name.startswith("xdpf")}
        rows = []
        for one in rivals:
            row = {"mode": "-" if one.any_mode else mode, "size": size, "who": one.name}
            row |= {what: spread([done[one.name][what] for done in rounds]) for what in rounds[0][one.name]}
            if self.counts:
                row["calls"] = counted[one.name]
            if not one.name.startswith("xdpf"):
                row["beside"] = ours.get(one.wait, rivals[0].name)
                row |= {f"xdpf_{what}_ratio": spread([done[row["beside"]][what] / max(1e-9, done[one.name][what])
                                                      for done in rounds]) for what in self.ratios}
            rows.append(row)
        return rows

    def measured(self, one, mode, size, calls):
        if one.udp:
            self.pair.speak_ip(True)
        try:
            return self.once(one, mode, size, calls)
        finally:
            if one.udp:
                self.pair.speak_ip(False)

    # Rivals that several parts have.
    def xdpf(self, wait, *options):
        run = (self.bin / "xdpf", "run", HERE / "filters/udp.xdpf", "-i", "rx", *COPY, "--wait", wait, *options)
        return Rival(f"xdpf {wait}", wait, lambda mode, size: (*run, "--mode", mode))

    def libxdp(self, what, wait):
        how = {"block": "poll"}.get(wait, wait)
        return Rival(f"libxdp {how}", wait, lambda mode, size: (self.bin / "bench_xsk_peer", what, "rx", mode, how,
                                                                self.program))

    def xdpsock(self, what, wait):
        if self.options.xdpsock is None:
            return []
        flags = (what, "-i", "rx", "-q", "0", "-c", *(("-p",) if wait == "block" else ()))
        flags += () if what == "-r" else ("-Q",)  # its reports take it up to a second at the end
        sleeps = wait == "block" and what == "-r"  # with -l it polls for room to send, too, which there always is
        return [Rival(f"xdpsock {'poll' if wait == 'block' else wait}", "block" if sleeps else "spin",
                      lambda mode, size: (self.options.xdpsock, *flags, {"native": "-N", "skb": "-S"}[mode]),
                      xdpsock_ready, packets_of_xdpsock)]

    def peer(self, name, wait, *command, udp=False):
        return Rival(name, wait, lambda mode, size: (self.bin / "bench_packet_peers", *command), udp=udp, any_mode=True)


class Flood(Part):
    """A finite number of frames that the kernel makes; what becomes of them."""

    times = 1  # so many of options.packets
    counts = True
    ratios = ("rate", "cpu_ns")

    def once(self, one, mode, size, calls):
        packets = self.times * self.options.packets // (4 if calls else 1)
        with Running(self.pair, 0, one.command(mode, size), 1, one.ready) as running:
            time.sleep(0.05)
            counter = SystemCalls(running.pid) if calls else None
            before, back = cpu_ns(running.pid), self.pair.counters(1)["rx"]["packets"]
            generate = [*self.pair.inside(1), self.bin / "bench_generate", "tx", str(size), str(packets)]
            seconds = float(subprocess.run(generate, check=True, capture_output=True, text=True,
                                           preexec_fn=on_cpu(0)).stdout)
            time.sleep(0.1)
            spent = cpu_ns(running.pid) - before
            back = self.pair.counters(1)["rx"]["packets"] - back
            made = counter.count() if calls else None
            if calls:
                counter.close()
            running.interrupt()
            if one.packets is packets_of_xdpsock:  # looks whether it shall end only after a packet
                subprocess.run([*generate[:-1], "1"], check=True, capture_output=True)
            done = self.done(one, running.output(), back)
        figures = {"rate": done / seconds, "cpu_ns": spent / max(1, done), "lost": 1 - done / packets}
        return figures | ({"calls": None if made is None else made / max(1, done)} if calls else {})

    def show(self, results):
        print(f"{self.title}: packets/s in thousands, CPU ns (spinning counts, before and after, too) and system calls a"
              " packet, share lost; xdpf's rate and CPU time over theirs")
        for row in results:
            show_row(row)


def show_row(row):
    calls = "-" if row["calls"] is None else f"{row['calls']:.3f}"
    ratios = "".join(f"{shown(row[f'xdpf_{what}_ratio']):>20}" for what in ("rate", "cpu_ns")
                     if f"xdpf_{what}_ratio" in row)
    scaled = {key: value / 1e3 for key, value in row["rate"].items()}
    print(f"  {row['mode']:<7}{row['size']:>5} bytes  {row['who']:<14}{shown(scaled, '{:.0f}'):>19}"
          f"{shown(row['cpu_ns'], '{:.0f}'):>19}{calls:>8}{row['lost']['median']:>7.1%}{ratios}")


class Rxdrop(Flood):
    title = "Receiving and dropping"

    def rivals(self):
        return [self.xdpf("block"), self.libxdp("rxdrop", "block"), *self.xdpsock("-r", "block"),
                self.xdpf("spin"), self.libxdp("rxdrop", "spin"), *self.xdpsock("-r", "spin"),
                self.peer("TPACKET_V3", "block", "tpacket", "rx"),
                self.peer("UDP recvmmsg", "block", "recvmmsg", udp=True)]

    @staticmethod
    def done(one, output, _):
        return one.packets(output)


class L2fwd(Flood):
    """xdpf exchanges IP addresses and ports, too. What comes back is dropped by a native program."""

    title = "Sending back"
    times = 2

    def rivals(self):
        return [self.xdpf("block", "--echo"), self.libxdp("l2fwd", "block"), *self.xdpsock("-l", "block"),
                self.xdpf("spin", "--echo"), self.libxdp("l2fwd", "spin"), *self.xdpsock("-l", "spin")]

    @staticmethod
    def done(_, __, back):
        return back


class Txonly(Part):
    """Senders run as fast as they go; for a while it is counted what the other end gets, where a program drops it."""

    counts = True
    ratios = ("rate", "cpu_ns")
    modes = ("-",)  # nothing is received
    window = 0.4

    def rivals(self):
        def sends(running):
            return self.arrived() - self.at_first > 1000

        def xdpf(name, *more):
            def command(_, size):
                payload = f"ethernet / ipv4 / udp / payload({size - 42})"
                return (self.bin / "xdpf", "send", payload, "-i", "rx", "-d", "1h", "--json", *more)
            return Rival(name, name, command, sends)

        def peer(name, command, udp=False):
            return Rival(name, "xdpf send", command, sends, udp=udp)
        rows = [xdpf("xdpf send", "--copy"),
                peer("libxdp", lambda _, size: (self.bin / "bench_xsk_peer", "txonly", "rx", size)),
                peer("AF_PACKET", lambda _, size: (self.bin / "bench_packet_peers", "packet", "rx", size)),
                peer("UDP sendmmsg", lambda _, size: (self.bin / "bench_packet_peers", "sendmmsg", size), udp=True),
                xdpf("xdpf --live", "--live")]
        if self.options.xdpsock is not None:
            rows.insert(2, peer("xdpsock", lambda _, size: (self.options.xdpsock, "-t", "-i", "rx", "-q", "0", "-c", "-Q",
                                                            "-N", "-s", size)))
        return rows

    def arrived(self):
        return self.pair.counters(1)["rx"]["packets"]

    def once(self, one, mode, size, calls):
        drops = (self.bin / "xdpf", "run", "-e", "match ethernet -> drop", "-i", "tx", "--mode", "native", "--no-verdicts")
        with Running(self.pair, 1, drops, 0, said_attached):
            self.at_first = self.arrived()
            with Running(self.pair, 0, one.command(mode, size), 1, one.ready) as running:
                counter = SystemCalls(running.pid) if calls else None
                started, before, spent = time.monotonic(), self.pair.counters(0)["tx"], cpu_ns(running.pid)
                arrived = self.arrived()
                time.sleep(self.window)
                seconds, spent = time.monotonic() - started, cpu_ns(running.pid) - spent
                arrived = self.arrived() - arrived
                after = self.pair.counters(0)["tx"]
                made = counter.count() if calls else None
                if calls:
                    counter.close()
        dropped = after["dropped"] - before["dropped"]
        figures = {"rate": arrived / seconds, "cpu_ns": spent / max(1, arrived),
                   "lost": dropped / max(1, dropped + after["packets"] - before["packets"])}
        return figures | ({"calls": None if made is None else made / max(1, arrived)} if calls else {})

    def show(self, results):
        print("Sending: packets/s in thousands, CPU ns and system calls a packet, share lost; xdpf send's rate and CPU"
              " time over theirs")
        for row in results:
            show_row(row)


class Echo(Part):
    """A raw socket sends, waits for the answer, spinning, and sends the next."""

    counts = False
    ratios = ("p50", "p99")
    sizes = (64,)
    pings = 10_000

    def rivals(self):
        return [self.xdpf("block", "--echo"), self.libxdp("l2fwd", "block"), *self.xdpsock("-l", "block"),
                self.peer("UDP block", "block", "echo", "block", udp=True),
                self.xdpf("spin", "--echo"), self.libxdp("l2fwd", "spin"), *self.xdpsock("-l", "spin"),
                self.peer("UDP spin", "spin", "echo", "spin", udp=True)]

    def once(self, one, mode, size, _):
        with Running(self.pair, 0, one.command(mode, size), 1, one.ready) as running:
            ping = [*self.pair.inside(1), self.bin / "bench_ping", "tx", str(size), str(self.pings)]
            output = subprocess.run(ping, check=True, capture_output=True, text=True, preexec_fn=on_cpu(0)).stdout
        figures = json.loads(output)
        return {"p50": figures["p50"], "p99": figures["p99"], "lost": figures["lost"]}

    def show(self, results):
        print(f"Round trips, {self.pings}: p50 and p99 in microseconds, lost; xdpf's over theirs (xdpsock never sleeps)")
        for row in results:
            ratios = "".join(f"{shown(row[f'xdpf_{what}_ratio']):>24}" for what in self.ratios
                             if f"xdpf_{what}_ratio" in row)
            print(f"  {row['mode']:<7}{row['size']:>5} bytes  {row['who']:<14}{shown(row['p50']):>22}"
                  f"{shown(row['p99'], '{:.1f}'):>24}{row['lost']['median']:>5.0f}{ratios}")


class Start(Part):
    """From the process's start until the first packet comes back from it, one being sent each 100 microseconds."""

    counts = False
    ratios = ("ms",)
    rounds = 7
    sizes = (64,)

    def rivals(self):
        return [self.xdpf("block", "--echo"), self.libxdp("l2fwd", "block"), *self.xdpsock("-l", "block")]

    def once(self, one, mode, size, _):
        time.sleep(0.2)  # the last one's queue is free again
        stamped = ["bash", "-c", 'echo "$EPOCHREALTIME attached" >&2; exec "$@"', "start"]
        command = [self.bin / "bench_ping", "tx", str(size), "first"]
        with Running(self.pair, 1, command, 0, said_attached) as ping:
            with Running(self.pair, 0, [*stamped, *one.command(mode, size)], 1, said_attached) as running:
                came = float(ping.process.communicate(timeout=10)[0])
                started = float(running.errors().split()[0])
        return {"ms": (came - started) * 1e3}

    def show(self, results):
        print("Start, to the first packet that comes back: milliseconds; xdpf's over theirs")
        for row in results:
            ratio = f"{shown(row['xdpf_ms_ratio']):>20}" if "xdpf_ms_ratio" in row else ""
            print(f"  {row['mode']:<7}{row['who']:<14}{shown(row['ms'], '{:.1f}'):>22}{ratio}")


PARTS = {"rxdrop": Rxdrop(), "txonly": Txonly(), "l2fwd": L2fwd(), "echo": Echo(), "start": Start()}
