#!/usr/bin/env bash
# `xdpf top`: its numbers are exactly what was sent, taken and lost, also while the receiver stands still; programs come
# and go under it; nothing of it keeps a queue busy; the terminal is put back. Usage: tests/kernel/top.sh path/to/xdpf
name=top number=91 tools="python3 tmux"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"

cat >"$scratch/here.xdpf" <<'SOURCE'
defmap seen : hash<udp.sport -> counter>[64]
match udp.dport == 9000 -> xsk
match udp.dport == 9001 -> { count seen[udp.sport]; drop }
match udp.dport == 9002 -> drop
SOURCE
# send COUNT PORT [SOURCE PORT]
send() {
    in_far python3 - "$here" "$@" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if len(sys.argv) > 4:
    out.bind(("0.0.0.0", int(sys.argv[4])))
for _ in range(int(sys.argv[2])):
    out.sendto(bytes(18), (sys.argv[1], int(sys.argv[3])))
PYTHON
}
# look: one look, whose object stays in $scratch/look.
look() { in_near "$xdpf" top --json --count 1 --interval 20ms "$@" >"$scratch/look" 2>"$scratch/err" || fail "top $*"; }
# holds PYTHON: so is the program `p` of the last look, `s` its sockets, `r` its rules, `m` its maps.
holds() {
    python3 - "$scratch/look" "$1" <<'PYTHON'
import json, sys
o = json.load(open(sys.argv[1]))
p = o["programs"][0] if o["programs"] else None
s, r, m = (p[k] for k in ("sockets", "rules", "maps")) if p else ([], [], [])
sys.exit(0 if not o["errors"] and eval(sys.argv[2]) else 1)
PYTHON
}
# becomes PYTHON: after some looks.
becomes() {
    for _ in {1..100}; do
        look
        holds "$1" && return
        sleep 0.02
    done
    fail "not: $1
$(cat "$scratch/look")"
}

look
holds 'o["programs"] == []' || fail "a program where there is none"
in_near "$xdpf" top --count 1 --interval 20ms >"$scratch/text" || fail "top without programs"
grep -q "no programs at work" "$scratch/text" || fail "not said that there are none"
in_near "$xdpf" top -i nowhere >/dev/null 2>"$scratch/err" && fail "an interface that is none"
grep -q "nowhere" "$scratch/err" || fail "the missing interface is not named"
in_near "$xdpf" top --interval 0ms 2>"$scratch/err" && fail "looks without an interval"
[[ $(grep -c 10ms "$scratch/err") == 1 ]] || fail "the least interval is not told"

in_near ethtool -L veth0 rx 2 tx 2 >/dev/null 2>&1 || { echo "skipped: one queue, one processor"; exit 77; }
in_far ethtool -L veth0 rx 2 tx 2 >/dev/null
launch attached "$xdpf" run "$scratch/here.xdpf" -i veth0 --rule-counters --frames 64 --json
first=$runner
for flow in {1..20}; do # over both queues, by the hash of the flow
    send 10 9000 $((20000 + flow))
done
send 30 9001 30001
send 3 9002
becomes 'sum(x["taken"] for x in s) == 200 and p["verdicts"]["dropped"] == 33'
holds '[x["queue"] for x in s] == [0, 1] and all(x["waiting"] == 0 and x["free_frames"] == 64 for x in s)' ||
    fail "queues at rest: $(cat "$scratch/look")"
holds 'all(sum(x["lost"].values()) + sum(x["invalid"].values()) == 0 and x["sent"] is None for x in s)' || fail "losses"
holds '[(x["rule"], x["packets"], x["bytes"], x["line"]) for x in r] == [(1, 200, 12000, 2), (2, 30, 1800, 3), (3, 3, 180, 4)]' ||
    fail "rules: $(cat "$scratch/look")"
holds 'r[1]["text"].startswith("match udp.dport == 9001") and r[1]["file"].endswith("here.xdpf")' || fail "a rule's text"
holds 'p["verdicts"]["redirected"] == 200 and p["mode"] == "native" and p["pid"] == '"$first" || fail "the program"
holds '{"name": "seen", "kind": "hash", "used": 1, "entries": 64} in m' || fail "maps: $(cat "$scratch/look")"
python3 -c 'import json, sys; print(*[x["taken"] for x in json.load(open(sys.argv[1]))["programs"][0]["sockets"]])' \
    "$scratch/look" >"$scratch/taken"
echo "ok: counts"

# The receiver stands still: 64 frames are full, what comes then has none. One flow, so one queue.
kill -STOP "$first"
send 100 9000 20001
becomes 'sum(x["lost"]["no_free_frame"] for x in s) == 36'
holds 'sorted((x["waiting"], x["free_frames"], x["lost"]["no_free_frame"]) for x in s) == [(0, 64, 0), (64, 0, 36)]' ||
    fail "a receiver that stands still: $(cat "$scratch/look")"
holds 'sum(x["taken"] for x in s) == 200' || fail "taken by nobody"
in_near "$xdpf" top --count 1 --interval 20ms >"$scratch/text"
grep -qE "^ +[01] +0 +64 +0 +- +0 +0 +0 +0$" "$scratch/text" || fail "the text: $(cat "$scratch/text")"
grep -qE "^ +0 +200|^ +0 +300  .*here.xdpf:2  match udp.dport == 9000" "$scratch/text" || fail "the rule's line"
kill -CONT "$first"
becomes 'sum(x["taken"] for x in s) == 264 and all(x["waiting"] == 0 and x["free_frames"] == 64 for x in s)'
echo "ok: a receiver that stands still"

# While somebody looks without pause: what ends is gone, and its queue is free.
ip netns exec "$near" "$xdpf" top --json --interval 10ms >"$scratch/stream" 2>"$scratch/stream.err" &
stream=$!
started+=("$stream")
for _ in {1..200}; do [[ $(wc -l <"$scratch/stream") -gt 3 ]] && break; sleep 0.02; done
kill -INT "$first"
wait "$first" || fail "xdpf run ended with status $?"
python3 - "$scratch/out" "$scratch/taken" <<'PYTHON' || fail "xdpf run counted otherwise: $(cat "$scratch/out")"
import json, sys
o = json.loads(open(sys.argv[1]).read().splitlines()[-1])
by_queue = [q["packets"] for q in sorted(o["queues"], key=lambda q: q["queue"])]
before = [int(n) for n in open(sys.argv[2]).read().split()]
assert sum(by_queue) == 264 and o["lost"] == 36
assert sorted(a - b for a, b in zip(by_queue, before)) == [0, 64]
PYTHON
launch attached "$xdpf" run "$scratch/here.xdpf" -i veth0 --frames 64 # EBUSY, if a copy kept the queue
second=$runner
size=$(wc -l <"$scratch/stream")
for _ in {1..200}; do [[ $(wc -l <"$scratch/stream") -gt $((size + 5)) ]] && break; sleep 0.02; done
kill -KILL "$second"
wait "$second" 2>/dev/null || true
size=$(wc -l <"$scratch/stream")
for _ in {1..200}; do [[ $(wc -l <"$scratch/stream") -gt $((size + 5)) ]] && break; sleep 0.02; done
kill -INT "$stream"
timeout 10 tail --pid="$stream" -f /dev/null || fail "Ctrl-C: top does not end"
wait "$stream" || fail "Ctrl-C: top ended with status $?"
python3 - "$scratch/stream" "$first" "$second" <<'PYTHON' || fail "coming and going: $(tail -n 3 "$scratch/stream")"
import itertools, json, sys
looks = [json.loads(line) for line in open(sys.argv[1])]
pids = [p["programs"][0]["pid"] if p["programs"] else None for p in looks]
order = [pid for pid, _ in itertools.groupby(pids)]
assert [pid for pid in order if pid] == [int(sys.argv[2]), int(sys.argv[3])] and order[-1] is None, order
assert not any(p["errors"] for p in looks)
PYTHON
launch attached "$xdpf" run "$scratch/here.xdpf" -i veth0 --frames 64 --echo --count 50
send 20 9000
becomes 'sum(x["taken"] for x in s) == 20 and sum(x["sent"] for x in s) == 20'
holds 'all(x["to_send"] == 0 and x["tx_outstanding"] == 0 and x["free_frames"] == 64 for x in s)' ||
    fail "packets sent back: $(cat "$scratch/look")"
send 30 9000
wait "$runner" || fail "xdpf run --echo ended with status $?"
echo "ok: what is sent"
launch attached "$xdpf" run "$scratch/here.xdpf" -i veth0 --frames 64 --no-verdicts --queues 0
becomes 's[0]["queue"] == 0 and p["verdicts"] is None and r == []'
echo "ok: programs that come and go"

# The terminal: drawn in place, followed when the window changes, put back.
export TMUX_TMPDIR=$scratch
unset TMUX
terminal() { tmux -L top "$@"; }
clean_up_terminal() { terminal kill-server 2>/dev/null || true; clean_up; }
trap clean_up_terminal EXIT
screen() { terminal capture-pane -p -t it; }
# shows PATTERN: the screen comes to show it.
shows() {
    for _ in {1..200}; do
        screen | grep -qE "$1" && return
        sleep 0.05
    done
    fail "the screen does not show '$1':
$(screen)"
}
type_in() { terminal send-keys -t it "$@"; }
NO_COLOR=1 terminal -f /dev/null new-session -d -s it -x 100 -y 30 "ip netns exec $near bash --norc --noprofile"
type_in "PS1='prompt> '; stty -a | md5sum >$scratch/before; echo here" Enter
shows '^here'
type_in "$xdpf top --interval 100ms" Enter
shows "^veth0: 'here' in native mode, up 0:00:"
shows "^  verdicts   are not counted"
shows "^ +0 +0 +0 +64 +- +0 +0 +0 +0$"
screen | grep -q prompt && fail "it is not a screen of its own"
terminal resize-window -t it -x 40 -y 4
shows "^… [0-9]+ more lines"
terminal resize-window -t it -x 100 -y 30
shows "^  maps       seen 0/64, xsks 1/64"
type_in C-z
shows "Stopped"
screen | grep -q "^here" || fail "Ctrl-Z does not give the screen back"
type_in "fg" Enter
shows "^veth0: 'here'"
type_in q
shows "^prompt> ?$"
type_in "stty -a | md5sum | cmp - $scratch/before && echo as before" Enter
shows "^as before"
for key in C-c 'C-\'; do
    type_in "clear; $xdpf top" Enter
    shows "^veth0: 'here'"
    type_in "$key"
    shows "^prompt> ?$"
    type_in "echo status \$?; stty -a | md5sum | cmp - $scratch/before && echo as before" Enter
    shows "^status 0"
    shows "^as before"
done
type_in "clear; $xdpf top" Enter
shows "^veth0: 'here'"
kill "$(pgrep -x xdpf -s "$(ps -o sid= -p "$(terminal display-message -p -t it '#{pane_pid}')" | tr -d ' ')" | head -1)"
shows "^prompt> ?$"
type_in "stty -a | md5sum | cmp - $scratch/before && echo as before" Enter
shows "^as before"
terminal kill-server
echo "ok: the terminal"
