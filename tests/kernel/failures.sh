#!/usr/bin/env bash
# The usual failures of those who begin with AF_XDP, each made for real: what the command that meets it says (where, which
# errno, why), whether its remedy is a command that there is and, where it can be run here, whether it helps. Nothing may
# stay attached. A case is a function case_NAME. Usage: tests/kernel/failures.sh path/to/xdpf [NAME…]
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
shift
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ethtool python3 setpriv bpftool unshare; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-bad-$$-near far=xdpf-bad-$$-far
scratch=$(mktemp -d)
chmod 755 "$scratch"
started=()
stop_all() {
    for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    started=()
}
remove() { for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done; }
group= # of processes, whose memory is limited
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    [[ ! -d $group ]] || rmdir "$group" || true
    remove
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $name: $*"; cat "$scratch"/{out,err} 2>/dev/null || true; exit 1; }

# veth0 in `near`, 10.82.0.2, and veth9 in `far`, 10.82.0.1, of two queues each.
make() {
    for namespace in "$near" "$far"; do
        ip netns add "$namespace"
        ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
    done
    ip -n "$near" link add veth0 numrxqueues 2 numtxqueues 2 type veth peer name veth9 netns "$far" numrxqueues 2 \
        numtxqueues 2
    ip -n "$near" address add 10.82.0.2/24 dev veth0
    ip -n "$far" address add 10.82.0.1/24 dev veth9
    ip -n "$near" link set lo up
    ip -n "$near" link set veth0 up
    ip -n "$far" link set veth9 up
}
here() { ip netns exec "$near" "$@"; }
there() { ip netns exec "$far" "$@"; }
attached() { ip -n "$near" -details link show "${1:-veth0}" 2>/dev/null | grep -q 'prog/xdp'; }

# send COUNT [PORT]: one flow of UDP from `far`.
send() {
    there python3 - "$1" "${2:-9000}" <<'PYTHON'
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("10.82.0.1", 5000))
for _ in range(int(sys.argv[1])):
    out.sendto(b"12345678", ("10.82.0.2", int(sys.argv[2])))
PYTHON
}

# ends STATUS COMMAND...: it ends with that status; what it says goes to out and err.
ends() {
    local expected=$1 status=0
    shift
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    ((status == expected)) || fail "status $status of: $*"
}
# A run of 20 ms on veth0, its error as JSON.
run=("$xdpf" run --duration 20ms --json)
xsk=(-e 'match udp -> xsk')
refused() { ends 1 here "${run[@]}" "$@"; }
works() { ends 0 here "${run[@]}" "$@"; }

# The error that `out` holds as JSON, or `err` as text.
field() {
    python3 - "$scratch" "$1" <<'PYTHON'
import json, re, sys
out, err = (open(f"{sys.argv[1]}/{name}").read() for name in ("out", "err"))
if out.strip():
    print(json.loads(out)["error"][sys.argv[2]])
elif sys.argv[2] == "stage":
    print(re.search(r"^error: (.*)", err, re.M)[1])
elif sys.argv[2] == "errno":
    print((re.findall(r"^error: .*\((E[A-Z0-9]+)\)$", err, re.M) or [""])[0])
else:
    print((re.findall(rf"^  {sys.argv[2]}: +(.*)", err, re.M) or [""])[0])
PYTHON
}
# says STAGE ERRNO CAUSE: patterns, of which ERRNO is exact; and the remedy is one.
says() {
    [[ $(field stage) =~ $1 ]] || fail "the stage is '$(field stage)', not '$1'"
    [[ $(field errno) == "$2" ]] || fail "the errno is '$(field errno)', not '$2'"
    [[ $(field cause) =~ $3 ]] || fail "the cause is '$(field cause)', not '$3'"
    remedy=$(field try)
    is_command "$remedy"
}
# The remedy that was said, without what is said about it: a command that there is, or options that there are.
is_command() {
    local text=${1%%   (*} options
    [[ -n $text ]] || fail "no remedy"
    remedy=$text
    if [[ $text =~ ^"the same command with"(out)?" "(.*) ]]; then
        options=${BASH_REMATCH[2]}
        "$xdpf" run --help | grep -qE -- "${options%%[ =;]*}[, ]" || fail "the remedy's option: '$1'"
        remedy=${options%%;*}
        return
    fi
    text=${text#sudo }
    [[ ! $text =~ ^ip\ netns\ exec\ [^\ ]+\ (.*) ]] || text=${BASH_REMATCH[1]}
    if [[ $text == xdpf\ * ]]; then
        local word
        read -r _ word _ <<<"$text"
        "$xdpf" "$word" --help >/dev/null || fail "no such command: '$1'"
    else
        type "${text%% *}" >/dev/null 2>&1 || fail "no such command: '$1'"
    fi
}
# The remedy in the namespace of `near`, or where it says.
do_remedy() {
    case $remedy in
    "ip netns exec"*) bash -c "$remedy" ;;
    *) here bash -c "$remedy" ;;
    esac >/dev/null 2>&1 || fail "'$remedy' failed"
}
# diagnosed ID LEVEL: by the doctor; its remedy becomes the remedy.
diagnosed() {
    here "$xdpf" doctor veth0 --json >"$scratch/doctor" || true
    [[ $(finding "$1" level) == "$2" ]] || fail "$1 is '$(finding "$1" level)', not '$2'"
    is_command "$(finding "$1" remedy)"
}
finding() {
    python3 - "$scratch/doctor" "$@" <<'PYTHON'
import json, sys
print(*[one[sys.argv[3]] for one in json.load(open(sys.argv[1]))["findings"] if one["id"] == sys.argv[2]])
PYTHON
}
# start ARGUMENTS: a run in the background, until it is attached.
start() {
    : >"$scratch/first.err" # what the last one wrote is not this one's
    ip netns exec "$near" "$xdpf" run -i veth0 "$@" >"$scratch/first.out" 2>"$scratch/first.err" &
    started+=("$!")
    for _ in {1..500}; do
        grep -q attached "$scratch/first.err" && return
        kill -0 "$!" 2>/dev/null || { cat "$scratch/first.err"; fail "the first run ended at once"; }
        sleep 0.02
    done
    fail "the first run did not attach"
}
# nobody CAPABILITIES COMMAND...: as a user with no more than these ("+bpf,+net_raw"), or none.
nobody() {
    local capabilities=$1
    shift
    here setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$capabilities" --ambient-caps "$capabilities" "$@"
}
install -m 755 "$xdpf" "$scratch/xdpf"
nobodys=("$scratch/xdpf" run --duration 20ms --json "${xsk[@]}" -i veth0)

# --- rights and limits

case_no_rights() {
    ends 1 nobody -all "${nobodys[@]}"
    says "cannot load 'filter'|cannot make map" EPERM "lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW"
    [[ $remedy == "sudo setcap "*"$scratch/xdpf" ]] || fail "'$remedy'"
}
case_no_cap_net_raw() {
    ends 1 nobody +bpf,+perfmon,+net_admin "${nobodys[@]}"
    says "AF_XDP socket" EPERM "lacks CAP_NET_RAW$"
}
case_no_cap_net_admin() {
    ends 1 nobody +bpf,+perfmon,+net_raw "${nobodys[@]}"
    says "cannot make map 'xsks'" EPERM "lacks CAP_NET_ADMIN$"
}
case_only_cap_bpf() {
    ends 1 nobody +bpf "${nobodys[@]}"
    says "cannot make map 'xsks'" EPERM "lacks CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW$"
}
case_user_namespace() {
    ends 1 nobody -all unshare --user --map-root-user --net "${nobodys[@]//veth0/lo}"
    says "cannot load 'filter'|cannot make map" EPERM "only in a user namespace"
}
case_locked_memory() {
    ends 1 bash -c 'ulimit -l 2048; exec "$@"' _ ip netns exec "$near" setpriv --reuid 65534 --regid 65534 --clear-groups \
        --inh-caps +bpf,+perfmon,+net_admin,+net_raw --ambient-caps +bpf,+perfmon,+net_admin,+net_raw "${nobodys[@]}"
    says "memory of an AF_XDP socket" ENOBUFS "2 sockets .* lock 16384 KiB .* may lock 2048 KiB"
    [[ $remedy == *cap_ipc_lock* ]] || fail "'$remedy'"
}
case_open_files() {
    local files few
    # Without what whoever runs this has open.
    few='for fd in $(ls /proc/$$/fd); do ((fd < 3)) || eval "exec $fd>&-"; done; ulimit -n $0; exec "$@"'
    for files in {6..11}; do # wherever it runs out of them
        ends 1 ip netns exec "$near" bash -c "$few" "$files" "${run[@]}" "${xsk[@]}" -i veth0
        says "cannot " EMFILE "$files files, maps and sockets open, which is all"
    done
    ends 0 bash -c "$remedy"'; exec "$@"' _ ip netns exec "$near" "${run[@]}" "${xsk[@]}" -i veth0
}

# --- interfaces

case_no_such_interface() {
    refused "${xsk[@]}" -i eth9
    says "cannot attach to 'eth9'" ENODEV "no interface of that name in this network namespace"
    do_remedy
}
case_long_interface_name() {
    refused "${xsk[@]}" -i enp0s31f6np0d1v007
    says "cannot attach to 'enp0s31f6np0d1v007'" ENODEV "names of interfaces have 1 to 15 bytes, and this one has 18"
}
case_interface_down() {
    ip -n "$near" link set veth0 down
    works "${xsk[@]}" -i veth0 # it may come up
    grep -q "warning: veth0 is down.*: ip link set dev veth0 up" "$scratch/err" || fail "not said"
    diagnosed interface.link problem
    do_remedy
    diagnosed_ok interface.link
}
case_no_carrier() {
    ip -n "$far" link set veth9 down
    works "${xsk[@]}" -i veth0
    grep -q "warning: veth0 has no carrier.*(xdpf doctor veth0)" "$scratch/err" || fail "not said"
    diagnosed interface.link problem
    [[ $remedy == "ip netns exec $far ip link set dev veth9 up" ]] || fail "'$remedy'"
    do_remedy
    diagnosed_ok interface.link
}
diagnosed_ok() {
    here "$xdpf" doctor veth0 --json >"$scratch/doctor" || true
    [[ $(finding "$1" level) == ok || -z $(finding "$1" level) ]] || fail "$1 is '$(finding "$1" level)' afterwards"
}
case_interface_goes() {
    start "${xsk[@]}" --json
    ip -n "$near" link del veth0
    local status=0
    wait "${started[0]}" || status=$?
    started=()
    ((status == 1)) || fail "status $status"
    mv "$scratch/first.out" "$scratch/out" && mv "$scratch/first.err" "$scratch/err"
    python3 -c 'import json, sys; assert json.load(sys.stdin)["packets"] == 0' <"$scratch/out" || fail "no summary"
    : >"$scratch/out"
    says "cannot receive from 'veth0'" ENODEV "removed, or moved to another network namespace"
    make_again
}
make_again() {
    remove
    make
}

# --- who else is there

case_queue_in_use() {
    start "${xsk[@]}"
    refused "${xsk[@]}" -i veth0
    says "queue 0 of 'veth0'" EBUSY "another AF_XDP socket has that queue; .* by process ${started[0]} \(xdpf\)"
    [[ $remedy == "kill ${started[0]}" ]] || remedy=${remedy%, or*}
    do_remedy
    wait "${started[0]}" || true
    started=()
    works "${xsk[@]}" -i veth0
}
case_program_in_native_mode() {
    ip -n "$near" link set veth0 xdpdrv obj "$scratch/other.o" sec xdp
    refused "${xsk[@]}" -i veth0
    says "cannot attach to 'veth0' in native mode" EBUSY "XDP program 'other' \(id [0-9]+, native mode\) is attached"
    do_remedy
    works "${xsk[@]}" -i veth0
}
case_program_in_skb_mode() {
    ip -n "$near" link set veth0 xdpgeneric obj "$scratch/other.o" sec xdp
    refused "${xsk[@]}" -i veth0
    says "cannot attach to 'veth0' in native mode" EEXIST "XDP program 'other' \(id [0-9]+, skb mode\) is attached"
    do_remedy
    works "${xsk[@]}" -i veth0
}
case_program_through_a_pinned_link() {
    here bash -c 'mount -t bpf bpf /sys/fs/bpf && bpftool prog load "$1" /sys/fs/bpf/other &&
        bpftool net attach xdp pinned /sys/fs/bpf/other dev veth0' _ "$scratch/other.o" 2>"$scratch/err"
    refused -e 'match udp -> drop' -i veth0
    says "cannot attach to 'veth0'" "$(field errno)" "XDP program 'other'"
    do_remedy
    works -e 'match udp -> drop' -i veth0
}
case_replace_without_a_program() {
    ends 1 here "$xdpf" rules replace "${xsk[@]}" -i veth0
    says "no program is attached to 'veth0'" "" ""
}

# --- modes

case_forced_zero_copy() {
    refused "${xsk[@]}" -i veth0 --zero-copy
    says "queue 0 of 'veth0'" EOPNOTSUPP "the driver of veth0 offers no zero-copy"
    works "${xsk[@]}" -i veth0 "$remedy"
}
case_forced_native() {
    refused "${xsk[@]}" -i lo --mode native
    says "cannot attach to 'lo' in native mode" EOPNOTSUPP "does not support XDP in native mode|has no native XDP"
    [[ $(field try) == *"attach with --mode=skb"* ]] || fail "no other mode is named"
    works "${xsk[@]}" -i lo --mode=skb
    attached lo && fail "left attached"
    works "${xsk[@]}" -i lo # and auto falls back, which is said
    grep -q "warning: attached in skb mode, which is slower: native mode was refused" "$scratch/err" || fail "auto: not said"
}
case_zero_copy_in_skb_mode() {
    refused "${xsk[@]}" -i veth0 --mode skb --zero-copy
    says "cannot receive from 'veth0' without copying" "" "socket buffers already"
    works "${xsk[@]}" -i veth0 --mode skb "$remedy"
}
case_offload() {
    refused "${xsk[@]}" -i veth0 --mode offload
    says "cannot load 'filter'" EINVAL "only a few cards run BPF programs themselves"
    works "${xsk[@]}" -i veth0 "$remedy"
}
case_large_mtu() {
    ip -n "$near" link set veth0 mtu 9000
    ip -n "$far" link set veth9 mtu 9000
    refused "${xsk[@]}" -i veth0 --mode native
    says "cannot attach to 'veth0' in native mode" ERANGE "MTU of veth0 or of its peer \(9000 here\) does not fit"
    do_remedy
    there bash -c "${remedy/veth0/veth9}"
    works "${xsk[@]}" -i veth0 --mode native
}
case_peer_with_more_queues() {
    here ethtool -L veth0 rx 1
    refused -e 'match udp -> drop' -i veth0 --mode native
    says "cannot attach to 'veth0' in native mode" ENOSPC "number of rx queues .* peer tx queues"
    diagnosed interface.native warning
    do_remedy
    works -e 'match udp -> drop' -i veth0 --mode native
}

# --- queues

case_no_such_queue() {
    refused "${xsk[@]}" -i veth0 --queues 5
    says "cannot use queue 5 of 'veth0'" EINVAL "2 receive queues are active"
    do_remedy
}
case_map_of_fewer_sockets() {
    refused -e 'defmap few : xskmap[1] match udp -> xsk few' -i veth0
    says "socket of queue 1 into 'few'" E2BIG "the map has 1 entry, and queue 1 wants entry 1"
    # shellcheck disable=SC2086 # an option and its value
    works -e 'defmap few : xskmap[1] match udp -> xsk few' -i veth0 $remedy
}
case_all_on_one_queue() {
    start -e 'match udp -> drop'
    send 500
    for _ in {1..100}; do
        here "$xdpf" doctor veth0 --json >"$scratch/doctor" || true
        [[ -z $(finding interface.one_queue level) ]] || break
        sleep 0.05
    done
    diagnosed interface.one_queue warning
    do_remedy
}
case_frames_not_a_power_of_two() {
    ends 2 here "${run[@]}" "${xsk[@]}" -i veth0 --frames 1000
    grep -q -- '--frames: 1000 is no power of two' "$scratch/err" || fail "not said"
    is_command "$(sed -n 's/^  try: //p' "$scratch/err")"
}
case_frames_without_memory() {
    refused "${xsk[@]}" -i veth0 --frames 2147483648
    says "memory of an AF_XDP socket" ENOMEM "2147483648 frames of 2048 bytes"
    do_remedy
}

# --- maps and parameters

pinned='(pinned) match udp -> { kept[0] += 1; drop }'
case_no_bpffs() {
    refused -e "defmap kept : array<u64>[1] $pinned" -i veth0
    says "cannot load 'filter'" "" "what is pinned outlives its process .* ip netns exec hides it"
    ends 0 here bash -c "$remedy"'; exec "$@"' _ "${run[@]}" -e "defmap kept : array<u64>[1] $pinned" -i veth0
}
case_pinned_map_of_another_layout() {
    # In one mount namespace: a bpffs of its own, which goes with it.
    cat >"$scratch/pins" <<'BASH'
set -eu
mount -t bpf bpf /sys/fs/bpf
"$@" -e "defmap kept : array<u64>[1] $pinned" >/dev/null
status=0
"$@" -e "defmap kept : array<u32>[1] $pinned" >"$scratch/out.json" || status=$?
[[ $status == 1 ]]
remedy=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["error"]["try"])' "$scratch/out.json")
eval "${remedy%%   (*}"
"$@" -e "defmap kept : array<u32>[1] $pinned"
BASH
    pinned=$pinned scratch=$scratch ends 0 here bash "$scratch/pins" "${run[@]}" -i veth0
    mv "$scratch/out.json" "$scratch/out"
    says "cannot load 'filter'" EINVAL "/sys/fs/bpf/xdpf/kept is a map of another kind or other sizes"
}
# limited BYTES COMMAND...: as in a container that may have so much memory.
limited() {
    local bytes=$1 limit=memory.max
    shift
    group=/sys/fs/cgroup/xdpf-bad-$$
    [[ -f /sys/fs/cgroup/cgroup.procs ]] || { group=/sys/fs/cgroup/memory/xdpf-bad-$$ limit=memory.limit_in_bytes; }
    mkdir "$group" && [[ -f $group/$limit ]] || return 77
    echo "$bytes" >"$group/$limit"
    bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
}
case_map_without_memory() {
    limited 200000000 true || { echo "(memory cannot be limited here)"; rmdir "$group"; return; }
    rmdir "$group"
    ends 1 limited 200000000 ip netns exec "$near" "${run[@]}" -i veth0 \
        -e 'defmap huge : array<u64>[100_000_000] match udp -> { huge[0] += 1; drop }'
    rmdir "$group"
    says "cannot make map 'huge'" ENOMEM "takes one with fewer entries; this one wants 800 MB"
    works -i veth0 -e 'defmap huge : array<u64>[1_000_000] match udp -> { huge[0] += 1; drop }'
}
case_map_larger_than_any() {
    ends 1 here "$xdpf" run -i veth0 -e 'defmap huge : hash<u64 -> u64>[1_000_000_000] match udp -> drop'
    grep -q "error\[bad_map\]: map 'huge': it can have 1 to 268435456 entries" "$scratch/err" || fail "not said"
}
case_redirect_to_no_interface() {
    refused -e 'defmap ports : devmap[4] = {0 -> "eth77"} match udp -> redirect ports[0]' -i veth0
    says "cannot fill map 'ports'" ENODEV "its entry 0 leads to 'eth77', and there is no interface of that name"
    do_remedy
}
case_no_such_program() {
    refused -e 'defprogram one { match udp -> drop } defprogram two { match tcp -> drop }' -i veth0 --program three
    says "cannot load 'three'" "" "has: one, two"
    # shellcheck disable=SC2086
    works -e 'defprogram one { match udp -> drop } defprogram two { match tcp -> drop }' -i veth0 $remedy
}
bounded=(-e 'param port : u16 = 53 in 1..100 match udp.dport == port -> drop')
case_parameter_out_of_bounds() {
    refused "${bounded[@]}" -i veth0 --param port=101
    says "cannot set parameter 'port'" "" "declares it in 1..100"
    works "${bounded[@]}" -i veth0
}
case_no_such_parameter() {
    refused "${bounded[@]}" -i veth0 --param prt=53
    says "cannot set parameter 'prt'" "" "there are: port"
    [[ $remedy == "--param port=VALUE" ]] || fail "'$remedy'"
    # shellcheck disable=SC2086
    works "${bounded[@]}" -i veth0 ${remedy/VALUE/54}
}

# --- packets that are lost or look wrong

# The UDP checksum of a packet that a program sampled must be "right" or "wrong".
checksum_is() {
    start -e 'defmap seen : ringbuf[65536] match udp.dport == 9000 -> { sample seen[64]; drop }' --count 1
    for _ in {1..100}; do
        send 1
        grep -q ' seen ' "$scratch/first.out" && break
        sleep 0.05
    done
    stop_all
    local found
    found=$(python3 - "$scratch/first.out" <<'PYTHON'
import re, sys
packet = bytes.fromhex(re.search(r" seen .*: ([0-9a-f]+)$", open(sys.argv[1]).read(), re.M)[1])
udp = packet[34:34 + int.from_bytes(packet[38:40], "big")]
words = packet[26:34] + bytes([0, 17]) + udp[4:6] + udp + b"\0" * (len(udp) % 2)
total = sum(int.from_bytes(words[i:i + 2], "big") for i in range(0, len(words), 2))
while total >> 16:
    total = (total & 0xffff) + (total >> 16)
print("right" if total == 0xffff else "wrong")
PYTHON
    )
    [[ $found == "$1" ]] || fail "the checksum is $found"
}
case_unfinished_checksums() {
    checksum_is wrong
    diagnosed interface.peer_checksum warning
    do_remedy
    checksum_is right
    diagnosed_ok interface.peer_checksum
}
# Packets to port 9000 that leave veth0 for veth9, by a program on another pair: how many veth9 received.
redirected() {
    local before after
    before=$(there cat /sys/class/net/veth9/statistics/rx_packets)
    there python3 - <<'PYTHON'
import socket
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("other9", 0))
udp = bytes.fromhex("138823280010000031323334353637 38".replace(" ", ""))
ip = bytes.fromhex("4500002400004000401100000a5200010a520002")
for _ in range(20):
    out.send(b"\2" * 12 + b"\x08\x00" + ip + udp)
PYTHON
    after=$before
    for _ in {1..25}; do
        after=$(there cat /sys/class/net/veth9/statistics/rx_packets)
        ((after - before >= 20)) && break
        sleep 0.02
    done
    echo $((after - before))
}
case_redirect_without_napi() {
    ip -n "$near" link add other0 type veth peer name other9 netns "$far"
    ip -n "$near" link set other0 up
    ip -n "$far" link set other9 up
    : >"$scratch/first.err"
    ip netns exec "$near" "$xdpf" run -i other0 --mode native \
        -e 'defmap ports : devmap[1] = {0 -> "veth0"} match udp -> redirect ports[0]' >"$scratch/first.out" 2>"$scratch/first.err" &
    started+=("$!")
    for _ in {1..500}; do grep -q attached "$scratch/first.err" && break; sleep 0.02; done
    [[ $(redirected) == 0 ]] || fail "redirected packets arrive"
    diagnosed interface.peer_napi warning
    do_remedy
    (($(redirected) >= 20)) || fail "the remedy does not help"
    diagnosed_ok interface.peer_napi
}

# --- output

case_full_output() {
    ends 1 here bash -c '"$@" >/dev/full' _ "${run[@]}" -e 'match udp -> drop' -i veth0
    grep -q 'error: cannot write to standard output: No space left on device' "$scratch/err" || fail "not said"
    is_command "$(field try)"
}
case_closed_output() {
    ends 1 here bash -c '"$@" >&-' _ "${run[@]}" -e 'match udp -> drop' -i veth0
    grep -q 'error: cannot write to standard output: Bad file descriptor' "$scratch/err" || fail "not said"
}
case_object_that_cannot_be_written() {
    ends 1 "$xdpf" build -e 'match udp -> drop' -o /dev/full
    grep -q "error: cannot write '/dev/full': No space left on device" "$scratch/err" || fail "not said"
    grep -q '^  try:   another place with -o FILE$' "$scratch/err" || fail "no remedy"
}

echo 'match udp -> drop' >"$scratch/other.xdpf"
"$xdpf" build "$scratch/other.xdpf" -o "$scratch/other.o"
number=0
for name in $(if (($# > 0)); then printf '%s\n' "$@"; else compgen -A function case_ | sed 's/^case_//'; fi); do
    remove
    make
    "case_$name"
    stop_all
    attached && fail "left attached"
    number=$((number + 1))
    echo "ok: ${name//_/ }"
done
echo "$number failures"
(($# > 0)) || ((number >= 25)) || { echo "FAILED: fewer than 25"; exit 1; }
