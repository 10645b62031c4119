# Sourced by tests: needs root and tools, two network namespaces $near and $far that a veth pair joins (veth0 in both,
# 10.N.0.2 and 10.N.0.1), a folder $scratch, and a clean end. Beforehand: name=WORD number=N tools="ip python3 …".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
xdpf=$(realpath -e "${1:?the path of xdpf}")
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
for tool in ip ethtool $tools; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done

near=xdpf-$name-$$-near far=xdpf-$name-$$-far
here=10.$number.0.2 there=10.$number.0.1
scratch=$(mktemp -d)
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAILED: $*"; tail -n 40 "$scratch"/out "$scratch"/err 2>/dev/null || true; exit 1; }
in_near() { ip netns exec "$near" "$@"; }
in_far() { ip netns exec "$far" "$@"; }
attached() { ip -n "$near" -d link show "${1:-veth0}" 2>/dev/null | grep -q 'prog/xdp'; }

# launch PATTERN COMMAND...: in the background in $near as $runner, its output in $scratch/out and err, waited for until
# the pattern stands in err.
launch() {
    local pattern=$1
    shift
    : >"$scratch/err"
    ip netns exec "$near" "$@" >"$scratch/out" 2>"$scratch/err" &
    runner=$!
    started+=("$runner")
    for _ in {1..500}; do
        [[ -z $pattern ]] && return
        grep -q "$pattern" "$scratch/err" && return
        kill -0 "$runner" 2>/dev/null || fail "ended at once: $*"
        sleep 0.02
    done
    fail "not '$pattern': $*"
}

for namespace in "$near" "$far"; do
    ip netns add "$namespace"
    ip netns exec "$namespace" sh -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
    ip -n "$namespace" link set dev lo up
done
ip -n "$near" link add veth0 type veth peer name veth0 netns "$far"
ip -n "$near" address add "$here/24" dev veth0
ip -n "$far" address add "$there/24" dev veth0
for namespace in "$near" "$far"; do
    ip -n "$namespace" link set dev veth0 up
done
for namespace in "$near" "$far"; do # full checksums; NAPI on both ends, which takes effect on links that are up
    ip netns exec "$namespace" ethtool -K veth0 tx off gro on >/dev/null
done
