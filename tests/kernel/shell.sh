#!/usr/bin/env bash
# `xdpf shell` from a pipe, with a program at work: what is entered takes its place and keeps maps, counters are exact,
# Ctrl-C ends what runs, every way out leaves nothing attached. Usage: tests/kernel/shell.sh path/to/xdpf
name=shell number=97 tools="python3 setpriv objdump"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"

# send COUNT PORT
send() {
    in_far python3 - "$here" "$@" <<'PYTHON'
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[2])):
    out.sendto(bytes(18), (sys.argv[1], int(sys.argv[3])))
    if number % 50 == 49:
        time.sleep(0.001)
PYTHON
}
# A shell in $near as $shell, which reads what `say` says. Its output goes to $scratch/out.
begin() {
    rm -f "$scratch/in"
    mkfifo "$scratch/in"
    ip netns exec "$near" "$xdpf" shell <"$scratch/in" >"$scratch/out" 2>&1 &
    shell=$!
    started+=("$shell")
    exec 7>"$scratch/in"
    mark=0
}
# Lines to the shell; what comes from then on is looked at.
say() {
    mark=$(wc -c <"$scratch/out")
    printf '%s\n' "$@" >&7
}
since() { tail -c +$((mark + 1)) "$scratch/out"; }
# shows PATTERN: the shell comes to say that, behind the last lines to it.
shows() {
    for _ in {1..500}; do
        since | grep -qE -- "$1" && return
        sleep 0.02
    done
    fail "the shell does not say '$1'"
}
# becomes PATTERN LINE: the line to the shell comes to be answered so.
becomes() {
    for _ in {1..100}; do
        say "$2" ":help quit"
        shows "^:quit"
        since | grep -qE -- "$1" && return
        sleep 0.02
    done
    fail "'$2' does not come to '$1'"
}
# ends STATUS: the shell ends with that, and nothing stays.
ends() {
    local status=0
    exec 7>&-
    timeout 10 tail --pid="$shell" -f /dev/null || fail "the shell does not end"
    wait "$shell" || status=$?
    [[ $status == "$1" ]] || fail "the shell ended with status $status, not $1"
    attached 2>/dev/null && fail "something is still attached"
    grep -lsE "\"pid\": *$shell\b" /run/xdpf/*.json && fail "its description stays"
    return 0
}

begin
say ':detach' ':hits' ':attach nowhere'
shows "^error: nothing is attached: :attach INTERFACE"
shows "^error: cannot attach to 'nowhere': rtnetlink RTM_GETLINK: No such device \(ENODEV\)"
shows "^  try:   ip link show"
say ':attach veth0'
shows "^veth0: attached in native mode, no AF_XDP sockets"
attached || fail "not attached"
say ':attach veth0' 'defmap hits : percpu_hash<ipv4.src -> counter>[64]' 'param least : u16 = 8 in 1..1500' \
    'match udp.dport == 53 -> drop'
shows "^error: attached to veth0 already: :detach"
say ':status'
shows "^veth0: 'shell' \(id [0-9]+\) in native mode, no AF_XDP sockets"
send 5 53
becomes '^ +5 +300  line 8: match udp.dport == 53 -> drop' ':hits'
# Sockets come with the first rule that wants them, and are emptied while the shell waits for a line.
say 'match ipv4 {' '    match udp.dport == 54 -> xsk' '    match udp.dport == 55 and udp.length >= least -> {' \
    '        count hits[ipv4.src]' '        drop' '    }' '}' ':status'
shows "^veth0: replaced; kept what is in: hits"
shows "AF_XDP socket on queue 0"
send 5000 54
becomes '^sockets    5000 packets, 300000 bytes received, 0 lost' ':status'
send 3 53
send 7 55
becomes "^$there -> \{packets = 7, bytes = 420\}" ':map hits'
becomes '^  3 +8  match udp.dport == 53 -> drop' ':show'
since | grep -qE '^ +5000      match udp.dport == 54 -> xsk' || fail "no counts beside the rules of a match"
in_near "$xdpf" status >"$scratch/status" || fail "status"
grep -q "veth0: 'shell' (id .*native mode), by process $shell" "$scratch/status" || fail "status: $(cat "$scratch/status")"
grep -q "socket     queue 0, in xsks" "$scratch/status" || fail "sockets: $(cat "$scratch/status")"
echo "ok: attach, sockets, counts"

say ':map set hits 10.0.0.9 {packets = 3}' ':map get hits 10.0.0.9' ':map delete hits 10.0.0.9' ':map get hits 10.0.0.9'
shows "^10.0.0.9 -> \{packets = 3, bytes = 0\}"
shows "^10.0.0.9 deleted"
shows "^error: there is no entry 10.0.0.9 in 'hits'"
[[ $(in_near "$xdpf" map dump hits) == "$there -> {packets = 7, bytes = 420}" ]] || fail "the kernel's map is another"
say ':map xsks' ':map set xsks 0 1'
shows "^error: cannot look into 'xsks': it is an XSKMAP"
say ':param least 100' ':param'
shows "^least +u16 +100  in 1..1500"
send 2 55
becomes "^verdicts   5000 redirected, [0-9]+ passed, 15 dropped" ':status'
say ':map hits'
shows "packets = 7,"
say ':map watch hits 2' ':param least 8'
for _ in {1..100}; do send 1 55; since | grep -q '^8$' && break; sleep 0.05; done
shows '^8$'
say ':map watch hits'
for _ in {1..100}; do send 1 55; since | grep -qE "^  $there -> \{.*\}   \+[0-9]+ packets, \+[0-9]+ bytes" && break; sleep 0.05; done
shows "packets, "
kill -INT "$shell"
say ':param least'
shows '^8$'
echo "ok: maps, parameters"

# Edits while packets come: each is counted, by one program or the other, into the same map.
say ':edit 1 defmap hits : percpu_hash<ipv4.src -> counter>[128]' 'match tcp -> drop'
shows "^veth0: replaced(; kept what is in: xsks)?$"
total=20000
send $total 55 &
sender=$!
started+=("$sender")
edits=0
while kill -0 "$sender" 2>/dev/null; do
    if ((edits % 2 == 0)); then rule='match icmp -> drop'; else rule='match tcp -> drop'; fi
    say ":edit 5 $rule"
    shows "^veth0: replaced; kept what is in: hits, xsks"
    edits=$((edits + 1))
done
wait "$sender"
((edits >= 3)) || fail "only $edits edits while packets came"
becomes "^$there -> \{packets = $total," ':map hits'
say ':param least 9' ':edit 5 match arp -> pass' ':param'
shows "^least +u16 +9  in"
say ':edit 5 match udp.dprt == 1 -> drop'
shows "^error\[unknown_field\]"
say ':delete 1'
shows "^error\[unknown"
say ':edit 3 match udp.dport == 53 -> abort' ':hits'
shows "^ +0 +0  line [0-9]+: match udp.dport == 53 -> abort"
say ':undo' ':hits'
shows "^ +8 +480  line 8: match udp.dport == 53 -> drop" # what the rule had met before
echo "ok: $edits edits while $total packets came, none lost"

say ':hits watch'
shows "^ +packets +bytes  rule"
kill -INT "$shell"
say '> ethernet / ipv4 / udp(dport = 53)'
shows "^drop, by line 8: match udp.dport == 53 -> drop"
say '> ethernet / ipv4 / udp(dport = 53) times 2000' ':bench'
shows "ns each"
kill -INT "$shell"
say ':detach'
shows "^veth0: detached"
shows "^verdicts   5000 redirected"
attached && fail "attached after :detach"
say ':detach' ':attach veth0 skb'
shows "^veth0: attached in skb mode, AF_XDP socket on queue 0, copy"
send 4 54
becomes '^sockets    4 packets, 240 bytes received, 0 lost' ':status'
ends 1 # there were errors
grep -q "^sockets    4 packets" <(since) || fail "nothing is said at the end"
begin
say 'defmap seen : ringbuf[4096]' 'match udp.dport == 56 -> emit seen {port = udp.sport}' ':attach veth0'
shows "attached in native mode"
say ':records'
shows "^none$"
send 3 56
becomes "^records    3$" ':status'
say ':records' ':records'
shows "^none$"
[[ $(since | grep -c 'port = ') == 3 ]] || fail "the records are not shown"
ends 0
echo "ok: Ctrl-C, :detach, the end of the input, records"

for way in :quit TERM HUP; do
    begin
    say 'match udp.dport == 54 -> xsk' ':attach veth0'
    shows "attached in native mode, AF_XDP socket"
    case $way in
        :quit) say "$way"; ends 0 ;;
        *) kill -"$way" "$shell"; ends 1; grep -q "^error: ended by a signal" "$scratch/out" || fail "$way is not told of" ;;
    esac
done
begin
say ':attach veth0'
shows "attached in native mode"
kill -KILL "$shell"
wait "$shell" 2>/dev/null || true
exec 7>&-
for _ in {1..200}; do attached || break; sleep 0.02; done
attached && fail "the kernel does not detach what was killed"
in_near "$xdpf" status >/dev/null
begin
say 'match udp -> xsk' ':attach veth0'
shows "attached in native mode"
ip -n "$near" link set dev veth0 down
shows "^veth0 is down: nothing arrives until it is up again"
ip -n "$near" link del dev veth0
shows "^error: cannot receive from 'veth0': rtnetlink RTM_DELLINK"
shows "^veth0: detached"
say '> ethernet / ipv4 / udp'
shows "^xsk xsks\[0\]"
ends 1
echo "ok: ways out"

cat >"$scratch/script" <<'SCRIPT'
match udp.dport == 53 -> drop
match ipv4.ttl == 1 -> { set ipv4.ttl = 64; tx }
:bench
> ethernet / ipv4(ttl = 1) / tcp
:bench
:jit
SCRIPT
"$xdpf" shell <"$scratch/script" >"$scratch/out" 2>"$scratch/err" || fail ":bench, :jit"
grep -qE "^ethernet / ipv4 / udp\(dport = 53\) / payload\(18\) +drop +[0-9]+ +\([0-9]+ to [0-9]+\)" "$scratch/out" ||
    fail "usual packets"
grep -qE "^> ethernet / ipv4\(ttl = 1\) / tcp \* +(tx|pass) +[0-9]+ " "$scratch/out" || fail "the packet that was typed"
grep -q "^a program without rules, for comparison" "$scratch/out" || fail "nothing to compare with"
grep -q "^the program, [0-9]* bytes of machine code" "$scratch/out" || fail "no machine code"
grep -q "^; match udp.dport == 53 -> drop" "$scratch/out" || fail "no lines of the source in the machine code"
grep -qE "^ +[0-9a-f]+: [a-z]" "$scratch/out" || fail "no instructions"
for command in :jit :bench ':attach lo'; do
    echo "$command" | setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps -all "$xdpf" shell \
        >"$scratch/out" 2>"$scratch/err" && fail "$command without rights"
    grep -qE "^error: .*\(E(PERM|ACCES)\)" "$scratch/err" || fail "$command without rights: the call"
    grep -q "^  cause: .*CAP_" "$scratch/err" && grep -q "^  try:   sudo setcap" "$scratch/err" ||
        fail "$command without rights: the cause"
done
echo ":jit" | PATH=/nowhere "$xdpf" shell >"$scratch/out" 2>"$scratch/err" && fail ":jit without objdump"
grep -q "^error: cannot disassemble the program's machine code: posix_spawnp(objdump): No such file or directory (ENOENT)" \
    "$scratch/err" || fail ":jit without objdump: the call"
grep -q "^  try:   apt-get install binutils" "$scratch/err" || fail ":jit without objdump: the remedy"
echo "ok: what it costs, machine code, rights"
