#!/usr/bin/env bash
# Rules from files in several programs are replaced in the program that they belong to: one of a source's programs that
# do not know each other, those behind a goto, the parts of one that was split. Usage: tests/kernel/rules_programs.sh
# path/to/xdpf
name=rulesprog number=83 tools="python3 nsenter"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"
cd "$scratch"

# rules FILE PORT: the file has one rule, that drops what goes to the port.
rules() { printf 'src,proto,dport,verdict\n*,udp,%s,drop\n' "$2" >"$1.csv"; }
inside() { nsenter --net="/run/netns/$near" "$@"; }
replace() { inside "$xdpf" rules replace program.xdpf -i veth0 >out 2>err || fail "the rules were not replaced"; }
attach() { inside "$xdpf" attach program.xdpf -i veth0 --replace "$@" >out 2>err || fail "attach $*"; }
send() { # PORT...: five packets to each
    in_far python3 - "$here" "$@" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in sys.argv[2:]:
    for _ in range(5):
        out.sendto(b"12345678", (sys.argv[1], int(port)))
PYTHON
}
count() { inside "$xdpf" status | sed -n 's/.* passed, \([0-9]*\) dropped.*/\1/p'; }
dropped() { # PORT...: all are
    local before wanted=$((5 * $#))
    before=$(count)
    send "$@"
    [[ $(($(count) - before)) == "$wanted" ]] || fail "$(($(count) - before)) of $wanted packets to $* are dropped"
}
passed() { # PORT...: none is dropped
    local before
    before=$(count)
    send "$@"
    [[ $(count) == "$before" ]] || fail "packets to $* are dropped"
}

# ---- two programs that do not know each other ------------------------------------------------------------------------
rules one 6000
rules two 6002
cat >program.xdpf <<'END'
defprogram a { match from "one.csv" }
defprogram b { match from "two.csv" }
END
attach -p b
passed 6000
dropped 6002
rules one 6001
rules two 6003
replace
grep -qx 'veth0: 1 rule in force, generation 2' out || fail "another answer"
passed 6000 6001 6002
dropped 6003

# ---- behind a goto ---------------------------------------------------------------------------------------------------
cat >program.xdpf <<'END'
defprogram a { match udp -> goto b }
defprogram b { match from "two.csv" }
END
attach -p a
dropped 6003
rules two 6004
replace
passed 6003
dropped 6004

sed -i 's/defprogram a/defprogram other/' program.xdpf
inside "$xdpf" rules replace program.xdpf -i veth0 >out 2>err && fail "another program's rules were taken"
grep -q 'the program that runs is another one' err || fail "no reason"

# ---- parts of one that was split -------------------------------------------------------------------------------------
{
    echo 'match from "one.csv"'
    for rule in {1..12000}; do echo "match udp.length == udp.dport + $rule -> drop"; done
    echo 'match from "two.csv"'
} >program.xdpf
"$xdpf" build program.xdpf --explain -o program.o | grep -q 'split into' || fail "it is not split"
rules one 6000
rules two 6002
attach
dropped 6000 6002
rules one 6001
rules two 6003
replace
passed 6000 6002
dropped 6001 6003

inside "$xdpf" detach -i veth0 >out
inside "$xdpf" rules replace program.xdpf -i veth0 >out 2>err && fail "rules of nothing were replaced"
echo "ok"
