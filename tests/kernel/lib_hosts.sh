# Sourced by tests of examples: hosts in network namespaces of this test's own, wires between them, servers on them, and
# what a program's maps hold. The hosts' kernels make the traffic and judge what comes back; checksums are complete in the
# packets (no offload), so a wrong one is a packet that never arrives. A test says run_NAME() { … } for each example, and
# ends in `run_examples NAME…`; its arguments are PATH/TO/xdpf [NAME…]. Exit status 77: root or a tool is missing.
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
wanted=("${@:2}")
self=$(realpath "$0")
cd "$(dirname "$self")/../.."
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ping python3 bpftool ethtool nsenter; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

# Interfaces, namespaces and pins go with the last process inside.
if [[ -z ${XDPF_EXAMPLES_INSIDE:-} ]]; then
    XDPF_EXAMPLES_INSIDE=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc bash "$self" "$xdpf" "${wanted[@]}"
fi
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/xdpf
mount -t tmpfs -o mode=700 tmpfs /run/xdpf
scratch=$(mktemp -d)
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() {
    echo "FAILED: $example: $*"
    tail -n 20 "$scratch"/*.err 2>/dev/null || true
    exit 1
}

# ---- A net

namespaces=()
namespace() {
    local name
    for name in "$@"; do
        ip netns add "$name"
        inside "$name" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
        ip -n "$name" link set lo up
        namespaces+=("$name")
    done
}
# Other than `ip netns exec`, this leaves /sys/fs/bpf where it is.
inside() { nsenter --net="/run/netns/$1" "${@:2}"; }
# prepare NAMESPACE INTERFACE MAC [ADDRESS]: up, without offloads; GRO makes a veth take what XDP sends.
prepare() {
    ip -n "$1" link set "$2" address "$3"
    inside "$1" ethtool -K "$2" tx off rx off tso off gso off gro on >/dev/null 2>&1 || fail "no ethtool on $2"
    [[ -z ${4:-} ]] || ip -n "$1" address add "$4" dev "$2"
    ip -n "$1" link set "$2" up
}
# wire NAMESPACE INTERFACE MAC ADDRESS NAMESPACE INTERFACE MAC ADDRESS; "" for no address
wire() {
    ip -n "$1" link add "$2" type veth peer name "$6" netns "$5"
    prepare "${@:1:4}"
    prepare "${@:5:4}"
}

# receiver NAMESPACE INTERFACE: a program, without which a veth leaves what its peer's XDP_TX sends until more comes
# (veth_xdp_flush of drivers/net/veth.c).
receiver() {
    [[ -e $scratch/pass.o ]] || "$xdpf" build -e 'default -> pass' -o "$scratch/pass.o"
    ip -n "$1" link set "$2" xdpdrv obj "$scratch/pass.o" sec xdp
}

# start NAMESPACE INTERFACE ARGUMENTS: xdpf run, waited for until it is attached.
start() {
    local err=$scratch/$2.err
    inside "$1" "$xdpf" run -i "$2" --duration 120s "${@:3}" >"$scratch/$2.out" 2>"$err" &
    started+=($!)
    for _ in {1..500}; do
        grep -qs attached "$err" && return
        kill -0 "${started[-1]}" 2>/dev/null || fail "xdpf run ended at once"
        sleep 0.02
    done
    fail "xdpf run did not attach"
}
# serve NAMESPACE: a Python program from standard input, waited for until it says "ready".
serve() {
    local out=$scratch/serve.$1 pid
    cat >"$out.py"
    : >"$out"
    inside "$1" python3 "$out.py" >"$out" 2>"$out.err" &
    started+=($!)
    for _ in {1..500}; do
        grep -q ready "$out" && return
        kill -0 "${started[-1]}" 2>/dev/null || fail "a server ended at once"
        sleep 0.02
    done
    fail "a server did not start"
}
# ask NAMESPACE: a Python program from standard input, which must end well; $scratch is its folder.
ask() {
    { cat "$scratch/tools.py"; cat; } >"$scratch/ask.py"
    (cd "$scratch" && inside "$1" timeout 120 python3 ask.py 2>ask.err) || fail "see above"
}
finish() {
    local pid name
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    for name in "${namespaces[@]}"; do ip netns del "$name"; done
    started=() namespaces=()
    rm -rf "$scratch"/*.err /sys/fs/bpf/xdpf
    echo "ok: $example"
}

# map_id NAMESPACE INTERFACE MAP: of the program that is attached there; others may have maps of that name.
map_id() {
    local program id
    program=$(ip -n "$1" -d -j link show "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["xdp"]["prog"]["id"])')
    for id in $(bpftool -j prog show id "$program" | python3 -c 'import json, sys; print(*json.load(sys.stdin)["map_ids"])'); do
        [[ $(bpftool -j map show id "$id" | python3 -c 'import json, sys; print(json.load(sys.stdin).get("name"))') != "$3" ]] ||
            { echo "$id"; return; }
    done
    fail "no map $3"
}
# dump NAMESPACE INTERFACE MAP: into the file MAP.json
dump() { bpftool -j map dump id "$(map_id "$@")" >"$scratch/$3.json"; }

cat >"$scratch/tools.py" <<PYTHON
import json, socket, struct, subprocess, sys, time

def xdpf(host, *arguments):
    """What the command says on a host."""
    return subprocess.run(["nsenter", f"--net=/run/netns/{host}", "$xdpf", *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout

def entries(name):
    """What bpftool says is in a map: [(key, value)]"""
    return [(one["formatted"]["key"], one["formatted"].get("value", one["formatted"].get("values")))
            for one in noted(name)]

def note(name, what):
    json.dump(what, open(f"$scratch/{name}.json", "w"))

def noted(name):
    return json.load(open(f"$scratch/{name}.json"))

def udp(port=0):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    out.bind(("0.0.0.0", port))
    out.settimeout(2)
    return out

def stream(to, said, source=None):
    """What is answered to all of it, over TCP."""
    with socket.create_connection(to, 10, source) as one:
        one.sendall(said)
        one.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := one.recv(100_000):
            heard += piece
        return heard

def check(holds, *said):
    if not holds:
        print("not as expected:", *said)
        sys.exit(1)
PYTHON

# What answers on every port that an example uses: who asked, over TCP and UDP.
echo_server() {
    serve "$1" <<PYTHON
import socket, threading
def tcp(port):
    listener = socket.create_server(("0.0.0.0", port), backlog=200)
    while True:
        one, who = listener.accept()
        said = b""
        while piece := one.recv(100_000):
            said += piece
        one.sendall(f"$1 {who[0]} {who[1]} ".encode() + said)
        one.close()
def udp(port):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("0.0.0.0", port))
    while True:
        said, who = one.recvfrom(2000)
        one.sendto(f"$1 {who[0]} {who[1]} ".encode() + said, who)
for port in $2:
    threading.Thread(target=tcp, args=(port,), daemon=True).start()
    threading.Thread(target=udp, args=(port,), daemon=True).start()
import time
time.sleep(0.2)
print("ready", flush=True)
time.sleep(1000)
PYTHON
}

# run_examples NAME…: those that the command line wants, or all.
run_examples() {
    ((${#wanted[@]})) || wanted=("$@")
    for example in "${wanted[@]}"; do
        "run_$example"
        finish
    done
}
