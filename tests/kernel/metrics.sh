#!/usr/bin/env bash
# `xdpf metrics`: what a scrape says is exactly what was sent, taken and lost, in Prometheus's text format, read strictly;
# programs come and go; a port that is taken is told. Usage: tests/kernel/metrics.sh path/to/xdpf
name=metrics number=92 tools="python3"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"
[[ -e $(dirname "$xdpf")/libxdpf-metrics.so ]] || { echo "skipped: xdpf was built without prometheus-cpp"; exit 77; }

cat >"$scratch/here.xdpf" <<'SOURCE'
defmap seen : hash<udp.sport -> counter>[64]
match udp.dport == 9000 -> xsk
match udp.dport == 9001 -> { count seen[udp.sport]; drop }
match udp.dport == 9002 -> drop
SOURCE
send() { # COUNT PORT
    in_far python3 - "$here" "$@" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("0.0.0.0", 20001))
for _ in range(int(sys.argv[2])):
    out.sendto(bytes(18), (sys.argv[1], int(sys.argv[3])))
PYTHON
}
# The text format: each sample behind the HELP and TYPE of its family, names and labels as they may be, none twice.
cat >"$scratch/scrape.py" <<'PYTHON'
import json, re, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain"), answer.headers
    text = answer.read().decode("utf-8")
assert text.endswith("\n")
NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
helped, typed, samples, family = set(), {}, {}, None
for line in text.splitlines():
    if found := re.fullmatch(rf"# HELP ({NAME}) (.*)", line):
        family = found[1]
        assert family not in helped and found[2], line
        helped.add(family)
    elif found := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|summary|histogram)", line):
        assert found[1] == family and family not in typed, line
        typed[family] = found[2]
    else:
        found = re.fullmatch(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([-+.0-9eE]+|[+-]Inf|NaN)", line)
        assert found, f"no sample: {line!r}"
        suffixes = ["", "_sum", "_count", "_bucket"] if typed.get(family) in ("summary", "histogram") else [""]
        assert found[1] in [family + suffix for suffix in suffixes], line
        labels = dict(part.split("=", 1) for part in re.findall(LABEL, found[2] or ""))
        key = found[1] + json.dumps({name: json.loads(value) for name, value in sorted(labels.items())}, sort_keys=True)
        assert key not in samples, f"twice: {line}"
        samples[key] = float(found[3])
for family, kind in typed.items():
    if family.startswith("xdpf_"):
        assert (kind == "counter") == family.endswith("_total"), family

def of(name, **labels):
    """The sum of a family's samples that have these labels; None: there are none."""
    values = [value for key, value in samples.items() if key.startswith(name + "{") and
              {k: str(v) for k, v in labels.items()}.items() <= json.loads(key[len(name):]).items()]
    return sum(values) if values else None
if not eval(f"({sys.argv[2]})"):
    print(text)
    sys.exit(1)
PYTHON
scrape() { in_near python3 "$scratch/scrape.py" "$url" "$1" >"$scratch/scraped" 2>&1; }
becomes() {
    for _ in {1..100}; do
        scrape "$1" && return
        sleep 0.02
    done
    fail "not: $1
$(cat "$scratch/scraped")"
}

in_near "$xdpf" metrics --listen nowhere 2>"$scratch/err" && fail "an address that is none"
grep -q "'nowhere' is no address and port" "$scratch/err" || fail "the address is not spoken of"
in_near "$xdpf" metrics --listen 203.0.113.9:9477 2>"$scratch/err" && fail "an address of somebody else"
grep -q "no such address" "$scratch/err" || fail "the missing address is not told"

: >"$scratch/where"
ip netns exec "$near" "$xdpf" metrics --listen 127.0.0.1:0 >"$scratch/where" 2>"$scratch/server.err" &
server=$!
started+=("$server")
for _ in {1..500}; do grep -q metrics "$scratch/where" && break; sleep 0.02; done
url=$(sed 's/,.*//' "$scratch/where")
becomes 'of("xdpf_up") == 1 and of("xdpf_errors") == 0 and of("xdpf_program_info") is None'
port=${url##*:} port=${port%%/*}
in_near "$xdpf" metrics --listen "127.0.0.1:$port" 2>"$scratch/err" && fail "two on one port"
grep -q "Address already in use" "$scratch/err" && grep -q "ss -ltnp" "$scratch/err" || fail "a port that is taken"
echo "ok: an endpoint without programs"

in_near ethtool -L veth0 rx 2 tx 2 >/dev/null 2>&1 || { echo "skipped: one queue, one processor"; exit 77; }
in_far ethtool -L veth0 rx 2 tx 2 >/dev/null
launch attached "$xdpf" run "$scratch/here.xdpf" -i veth0 --rule-counters --frames 64
send 40 9000
send 30 9001
send 3 9002
P='interface="veth0", program="here"'
becomes "of('xdpf_socket_received_packets_total', $P) == 40 and of('xdpf_verdicts_total', $P, verdict='drop') == 33"
for expression in \
    "of('xdpf_program_info', $P, mode='native', source='$scratch/here.xdpf') == 1" \
    "of('xdpf_program_start_time_seconds', $P) > 1.6e9" \
    "of('xdpf_verdicts_total', $P, verdict='redirect') == 40 and of('xdpf_verdicts_total', $P, verdict='abort') == 0" \
    "of('xdpf_rule_packets_total', $P, rule=1, line=2) == 40 and of('xdpf_rule_bytes_total', $P, rule=1) == 2400" \
    "of('xdpf_rule_packets_total', $P, rule=2, file='$scratch/here.xdpf', line=3) == 30" \
    "of('xdpf_rule_packets_total', $P, rule=3) == 3 and of('xdpf_rule_bytes_total', $P, rule=3) == 180" \
    "of('xdpf_map_entries', $P, map='seen') == 1 and of('xdpf_map_max_entries', $P, map='seen') == 64" \
    "of('xdpf_map_entries', $P, map='xsks') == 2" \
    "of('xdpf_socket_lost_packets_total', $P) == 0 and of('xdpf_socket_invalid_descriptors_total', $P) == 0" \
    "of('xdpf_socket_free_frames', queue=0) == 64 and of('xdpf_socket_free_frames', queue=1) == 64" \
    "of('xdpf_socket_waiting_packets', $P) == 0 and of('xdpf_socket_sent_packets_total') is None" \
    "of('xdpf_interface_received_packets_total', interface='veth0') >= 73"; do
    scrape "$expression" || fail "not: $expression
$(cat "$scratch/scraped")"
done
kill -STOP "$runner"
send 100 9000
becomes "of('xdpf_socket_lost_packets_total', $P, reason='no_free_frame') == 36"
scrape "of('xdpf_socket_waiting_packets') == 64 and of('xdpf_socket_free_frames') == 64 and
    of('xdpf_socket_received_packets_total') == 40 and of('xdpf_socket_lost_packets_total') == 36 and
    of('xdpf_verdicts_total', verdict='redirect') == 140" || fail "a receiver that stands still: $(cat "$scratch/scraped")"
kill -CONT "$runner"
becomes "of('xdpf_socket_received_packets_total') == 104 and of('xdpf_socket_waiting_packets') == 0"
echo "ok: counts"

kill -KILL "$runner"
wait "$runner" 2>/dev/null || true
becomes 'of("xdpf_program_info") is None and of("xdpf_up") == 1 and of("xdpf_errors") == 0'
launch attached "$xdpf" run -e 'match udp -> xsk' -i veth0 --frames 64 --mode skb
becomes 'of("xdpf_program_info", mode="skb") == 1 and of("xdpf_rule_packets_total") is None'
kill -INT "$server"
timeout 10 tail --pid="$server" -f /dev/null || fail "Ctrl-C: metrics does not end"
wait "$server" || fail "Ctrl-C: status $?"
: >"$scratch/server.err"
ip netns exec "$near" "$xdpf" metrics --listen 0.0.0.0:0 >"$scratch/where" 2>"$scratch/server.err" &
server=$!
started+=("$server")
for _ in {1..500}; do grep -q warning "$scratch/server.err" && break; sleep 0.02; done
grep -q "whoever reaches 0.0.0.0 can read them" "$scratch/server.err" || fail "not told that others can read"
kill -TERM "$server"
timeout 10 tail --pid="$server" -f /dev/null || fail "SIGTERM: metrics does not end"
wait "$server" || fail "SIGTERM: status $?"
echo "ok: programs that come and go, and the end"
