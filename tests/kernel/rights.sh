#!/usr/bin/env bash
# Which capabilities commands need, as the table "Rights" of the reference has it: each works as nobody with those, and
# with one less it fails and says why. Usage: tests/kernel/rights.sh path/to/xdpf
name=rights number=95 tools="python3 setpriv bpftool"
source "$(dirname "${BASH_SOURCE[0]}")/lib_veth.sh"
reference=$PWD/runtime/reference.md

install -m 755 "$xdpf" "$scratch/xdpf"
chmod 755 "$scratch"
cat >"$scratch/rules.csv" <<'RULES'
src,verdict
10.0.0.1,drop
RULES
cat >"$scratch/all.xdpf" <<'SOURCE'
defmap seen : array<u64>[4]
param port : u16 = 53
match from "rules.csv"
match udp.dport == port -> xsk
SOURCE
printf 'match udp -> drop\ntest "it is dropped" {\n    packet ethernet / ipv4 / udp\n    expect drop\n}\n' >"$scratch/drop.xdpf"
python3 - "$scratch/one.pcap" <<'PYTHON'
import struct, sys
packet = bytes(12) + b"\x08\x00" + bytes(46)
open(sys.argv[1], "wb").write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) +
                              struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)
PYTHON

# All in one mount namespace: a bpffs and a /run of its own, both root's, as everywhere.
cat >"$scratch/session" <<'BASH'
set -euo pipefail
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 700 /run/xdpf
cd "$scratch"
fail() { echo "FAILED: $*"; cat out err; exit 1; }
# nobody CAPABILITIES COMMAND...: as a user who has these, "bpf net_raw", and no more.
nobody() {
    local these=-all status
    [[ -z $1 ]] || these=+${1// /,+}
    shift
    for _ in {1..100}; do # memory that others of this user have locked is given back a moment later
        status=0
        setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$these" --ambient-caps "$these" \
            timeout 30 "$@" >out 2>err </dev/null || status=$?
        grep -q ENOBUFS err || break
        sleep 0.1
    done
    return "$status"
}
before() { :; } # what is done in front of each try
# row LABEL COMMAND...: the table's row that begins so tells what the command needs.
row() {
    local label=$1 cell all one rest status
    shift
    cell=$(sed -n '/^## Rights/,/^## [^R]/p' "$reference" | grep -F "| $label |" | cut -d '|' -f 3)
    [[ -n $cell ]] || { echo "FAILED: the reference has no row '$label'"; exit 1; }
    all=$(grep -o 'CAP_[A-Z_]*' <<<"$cell" | sed 's/^CAP_//' | tr 'A-Z\n' 'a-z ' | sed 's/ $//' || true)
    before
    nobody "$all" "$@" || fail "$label: not enough: $all"
    for one in $all; do
        rest=$(tr ' ' '\n' <<<"$all" | grep -vx "$one" | tr '\n' ' ' | sed 's/ $//' || true)
        before
        status=0
        nobody "$rest" "$@" || status=$?
        ((status == 1)) || fail "$label: status $status without $one"
        grep -qE 'error:|warning:|problem' err out || fail "$label: nothing is said without $one"
    done
    echo "ok: $label: ${all:-nothing}"
}
filter=(-e 'match udp -> drop')
sockets=(-e 'match udp -> xsk')
brief=(-i veth0 --duration 10ms -q)
row '`xdpf check`, `build`, `test`, `trace`, `fmt`, `shell`' ./xdpf test drop.xdpf
row '`xdpf test --kernel`, `trace --kernel`' ./xdpf test --kernel drop.xdpf
row '`xdpf test --kernel`, `trace --kernel`' ./xdpf trace --kernel drop.xdpf one.pcap
row '`xdpf run` without sockets' ./xdpf run "${filter[@]}" "${brief[@]}"
row '`xdpf run` with sockets, `capture --steal`' ./xdpf run "${sockets[@]}" "${brief[@]}"
row '`xdpf run` with sockets, `capture --steal`' ./xdpf run "${sockets[@]}" "${brief[@]}" --busy-poll
row '`xdpf run` with sockets, `capture --steal`' ./xdpf capture --steal -w /dev/null udp "${brief[@]}"
row '`xdpf capture`' ./xdpf capture -w /dev/null udp "${brief[@]}"
row '`xdpf send`' ./xdpf send 'ethernet / ipv4 / udp' -i veth0 -q
row '`xdpf send --live`' ./xdpf send 'ethernet / ipv4 / udp' -i veth0 -q --live
row '`xdpf doctor`' ./xdpf doctor veth0

before() { "$xdpf" detach -i veth0 >/dev/null 2>&1 || true; }
row '`xdpf attach`' ./xdpf attach "${filter[@]}" -i veth0
before() { "$xdpf" attach "${filter[@]}" -i veth0 >/dev/null 2>&1 || true; }
row '`xdpf detach`, `attach --replace`' ./xdpf detach -i veth0
row '`xdpf detach`, `attach --replace`' ./xdpf attach --replace "${filter[@]}" -i veth0
"$xdpf" detach -i veth0 >/dev/null

before() { :; }
"$xdpf" run all.xdpf -i veth0 -q --duration 200s >/dev/null 2>running &
trap "kill $!" EXIT
for _ in {1..500}; do [[ -n $(ls -A /run/xdpf) ]] && break; sleep 0.02; done
row '`xdpf status`, `map`, `rules replace`' ./xdpf status
row '`xdpf status`, `map`, `rules replace`' ./xdpf map set seen 1 2
row '`xdpf status`, `map`, `rules replace`' ./xdpf map dump seen
before() { rm -f /run/xdpf-rules.lock; } # or it is theirs who made it
row '`xdpf status`, `map`, `rules replace`' ./xdpf rules replace all.xdpf -i veth0
# Without the sockets the rest is shown; what is missing is said, and is no failure.
for command in "top --count 1 --interval 10ms" "doctor --why --duration 20ms"; do
    nobody "sys_admin dac_override sys_ptrace" ./xdpf $command || fail "$command"
    ! grep -q 'cannot look' out err || fail "$command: the sockets are not seen"
    nobody "sys_admin dac_override" ./xdpf $command || fail "$command"
    grep -q 'cannot look at the sockets' out err || fail "$command: it is not said that the sockets are not seen"
    nobody "dac_override" ./xdpf $command && [[ $command == doctor* ]] && fail "$command: without CAP_SYS_ADMIN"
    grep -q 'error: cannot open map' out err || fail "$command: it is not said that CAP_SYS_ADMIN is missing"
    ! grep -q "no programs at work" out || fail "$command: there is one"
done
echo "ok: top, doctor --why"

# What is not to be seen is not said to be otherwise.
nobody "bpf perfmon net_admin net_raw dac_override" ./xdpf status && fail "status: without CAP_SYS_ADMIN"
grep -qE '^veth0: a program \(id [0-9]+, native mode\); the rest is only for CAP_SYS_ADMIN$' out || fail "status: whose it is"
nobody "bpf perfmon net_admin net_raw" ./xdpf run "${sockets[@]}" "${brief[@]}" && fail "two programs"
grep -q 'whose it is, only CAP_SYS_ADMIN sees' err && grep -q 'sudo xdpf status -i veth0' err || fail "run: whose it is"
for command in "rules replace all.xdpf -i veth0" "map list"; do
    nobody "bpf perfmon net_admin net_raw dac_override" ./xdpf $command && fail "$command: without CAP_SYS_ADMIN"
    grep -q 'what other processes loaded is only for CAP_SYS_ADMIN' err || fail "$command: the cause"
done
echo "ok: what others loaded"
BASH
reference=$reference scratch=$scratch xdpf=$xdpf in_near bash "$scratch/session"
