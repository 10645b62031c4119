#!/usr/bin/env bash
# `xdpf shell` as a person uses it, at a terminal: type a filter, misspell it, correct it, test a packet, attach, see
# counters move, edit, see the change, leave; nothing is attached afterwards, and the terminal is as it was.
# Usage: tests/kernel/shell_terminal.sh path/to/xdpf
name=term number=98 tools="python3 tmux"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"

send() { # COUNT PORT
    in_far python3 - "$here" "$@" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    out.sendto(bytes(18), (sys.argv[1], int(sys.argv[3])))
PYTHON
}
export TMUX_TMPDIR=$scratch HOME=$scratch LC_ALL=C.UTF-8
unset TMUX NO_COLOR
terminal() { tmux -L "shell$$" "$@"; }
clean_up_terminal() { terminal kill-server 2>/dev/null || true; clean_up; }
trap clean_up_terminal EXIT
screen() { terminal capture-pane -p -t it; }
# shows PATTERN: the screen comes to show it.
shows() {
    for _ in {1..400}; do
        screen | grep -qE -- "$1" && return
        sleep 0.02
    done
    fail "the screen does not show '$1':
$(screen)"
}
keys() { terminal send-keys -t it "$@"; }
# enter TEXT: on an empty screen.
enter() {
    keys C-l
    keys -l -- "$1"
    keys Enter
}
milliseconds() { echo $((($(date +%s%N) - $1) / 1000000)); }

terminal -f /dev/null new-session -d -s it -x 100 -y 30 "ip netns exec $near bash --norc --noprofile"
keys "PS1='prompt> '; stty -a | tail -n +2 >$scratch/before; clear; echo here" Enter
shows '^here'
began=$(date +%s%N)
keys "clear; $xdpf shell" Enter
shows '^xdpf> ?$'
echo "first prompt: $(milliseconds "$began") ms, with tmux and looking at it"
shows '^Rules, declarations, packets; :help says more'

# Misspelt, and corrected in the line that Up brings back.
enter 'match udp.dprt == 53 -> drop'
shows "error\[unknown_field\]: header 'udp' has no field 'dprt'"
shows "= help: did you mean 'dport'\?"
keys C-l Up
shows '^xdpf> match udp.dprt == 53 -> drop'
for _ in {1..16}; do keys Left; done
keys o Enter
shows '^rule$'
shows '^xdpf> match udp.dport == 53 -> drop'
began=$(date +%s%N)
enter '> ethernet/ipv4/udp(dport=53)'
shows '^drop, by line 2: match udp.dport == 53 -> drop'
echo "verdict: $(milliseconds "$began") ms, with tmux and looking at it"
terminal capture-pane -e -p -t it | grep -q $'\033''\[.*34m.*match.*''udp.dport == '$'\033''\[36m53' || fail "no colours: $(terminal capture-pane -e -p -t it)"
enter 'match ipv4 {'
shows '^  \.\.\.'
keys -l '    match udp.dport == 54 -> xsk'
keys Enter
keys '}' Enter
shows '^rule$'
enter 'match nonsense'
keys C-c
enter 'not there'
keys C-c
shows '^xdpf> ?$'
enter '> ethernet / ipv4 / udp(dport = 54)'
shows '^xsk xsks\[0\], by line 5: match udp.dport == 54 -> xsk'
screen | grep -q nonsense && fail "a line that Ctrl-C dropped is still about"
echo "ok: a filter is typed, corrected, tested"

# Completion of commands, interfaces, maps, fields.
keys C-l ':att' Tab
shows '^xdpf> :attach'
keys Space 've' Tab
shows '^xdpf> :attach veth0'
keys Enter
shows '^veth0: attached in native mode, AF_XDP socket on queue 0'
shows '^xdpf veth0> ?$'
attached || fail "not attached"
keys C-l 'match tc' Tab '.fl' Tab
shows '^xdpf veth0> match tcp.flags'
keys C-c
send 3 53
send 2000 54
enter ':hits'
shows '^ +3 +180  line 2: match udp.dport == 53 -> drop'
shows '^ +2000 +120000  line 5: match udp.dport == 54 -> xsk'
enter ':status'
shows '^sockets    2000 packets, 120000 bytes received, 0 lost'
enter ':hits watch'
shows '^ +3 +180  line 2'
send 4 53
shows '^ +7 +420  line 2'
[[ $(screen | grep -c 'line 2: match') == 1 ]] || fail "the counters are not drawn in place: $(screen)"
keys C-c
shows '^xdpf veth0> ?$'
attached || fail "Ctrl-C has detached it"
echo "ok: attached, counters move"

# A rule is changed on the line.
enter ':edit 1'
shows '^xdpf veth0> :edit 1 match udp.dport == 53 -> drop'
keys BSpace BSpace BSpace BSpace
keys pass Enter
shows '^veth0: replaced; kept what is in: xsks'
send 5 53
enter ':show'
shows '^  1 +5  match udp.dport == 53 -> pass'
shows '^ +2000      match udp.dport == 54 -> xsk'
keys C-z
shows 'Stopped'
keys C-l 'fg' Enter
keys Enter
shows '^xdpf veth0> ?$'
terminal resize-window -t it -x 60 -y 20
enter ':status'
shows "^veth0: 'shell' \(id [0-9]+\) in native mode"
ip -n "$near" link set dev veth0 down
shows '^veth0 is down: nothing arrives until it is up again'
ip -n "$near" link set dev veth0 up
shows '^veth0 is up'
shows '^xdpf veth0> ?$'
terminal resize-window -t it -x 100 -y 30
keys C-l
keys C-d
shows '^veth0: detached'
shows '^sockets    2000 packets'
shows '^prompt> ?$'
attached && fail "something is attached after leaving"
keys "clear; stty -a | tail -n +2 | diff - $scratch/before && echo as before" Enter
shows '^as before'
echo "ok: edited, left, nothing attached"

# The next one knows the lines of the last one; and SIGTERM puts everything back.
keys "clear; $xdpf shell" Enter
shows '^xdpf> ?$'
for line in {1..30}; do
    keys Up
    screen | grep -q '^xdpf> > ethernet/ipv4/udp(dport=53)' && break
done
shows '^xdpf> > ethernet/ipv4/udp\(dport=53\)'
keys C-c
enter 'match udp -> xsk'
enter ':attach veth0'
shows '^xdpf veth0> ?$'
kill -TERM "$(pgrep -x xdpf -s "$(ps -o sid= -p "$(terminal display-message -p -t it '#{pane_pid}')" | tr -d ' ')")"
shows '^veth0: detached'
shows '^prompt> ?$'
attached && fail "something is attached after SIGTERM"
keys "clear; stty -a | tail -n +2 | diff - $scratch/before && echo as before" Enter
shows '^as before'
[[ ! -d /run/xdpf ]] || ! grep -ls '"shell"' /run/xdpf/*.json 2>/dev/null || fail "a description stays"
echo "ok: history, SIGTERM"
