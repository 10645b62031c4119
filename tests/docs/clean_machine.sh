#!/usr/bin/env bash
# clean_machine.sh BUILD SOURCE: our Debian packages on a Debian 12 that has nothing but the minimum. They install with what
# they ask for, the command works there, and programs are built with what xdpf-dev brings. It takes minutes and a mirror of
# Debian's packages, so it runs only with XDPF_CLEAN_MACHINE=1 (XDPF_MIRROR: where, http://deb.debian.org/debian unless said).
set -euo pipefail
skip() { echo "skipped: $*"; exit 77; }
[[ ${XDPF_CLEAN_MACHINE:-} == 1 ]] || skip "wants XDPF_CLEAN_MACHINE=1: it takes minutes and a mirror of Debian's packages"
((EUID == 0)) || skip "needs root"
for tool in debootstrap cpack dpkg-shlibdeps ip nsenter; do
    command -v "$tool" >/dev/null || skip "$tool is missing (apt-get install debootstrap dpkg-dev iproute2)"
done

# What is mounted, and who still runs, goes with the namespaces of the part inside; then the folder can go.
if [[ -z ${XDPF_CLEAN_INSIDE:-} ]]; then
    XDPF_CLEAN_INSIDE=$(mktemp -d)
    export XDPF_CLEAN_INSIDE
    trap 'rm -rf --one-file-system "$XDPF_CLEAN_INSIDE"' EXIT
    status=0
    unshare --mount --pid --fork --kill-child --mount-proc bash "${BASH_SOURCE[0]}" "$@" || status=$?
    exit "$status"
fi
scratch=$XDPF_CLEAN_INSIDE root=$XDPF_CLEAN_INSIDE/root
fail() { echo "FAILED: $*"; tail -n 30 "$scratch/log"; exit 1; }
step() { echo "$* (after $SECONDS s)"; }

cpack --config "$1/CPackConfig.cmake" -B "$scratch/debs" -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip >"$scratch/log" 2>&1 || fail cpack
step "a clean Debian 12"
debootstrap --variant=minbase bookworm "$root" "${XDPF_MIRROR:-http://deb.debian.org/debian}" >"$scratch/log" 2>&1 || fail debootstrap
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$scratch"/debs/*.deb "$root/tmp/"
mount -t proc proc "$root/proc"
there() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
install() { # PACKAGES…: ours as files, by their names up to the version
    there sh -c 'cd /tmp && apt-get install -y --no-install-recommends '"$*" >"$scratch/log" 2>&1 || fail "apt-get install $*"
}
there apt-get update >"$scratch/log" 2>&1 || fail "apt-get update"

step "the command"
install './xdpf_*.deb'
[[ $(there xdpf --version) == "$("$1/bin/xdpf" --version)" ]] || fail "another version"
[[ -z $(there xdpf check -e 'match udp.dport == 53 -> xsk') ]] || fail "xdpf check"
there xdpf build -e 'match udp -> drop' --backend=llvm -o /tmp/llvm.o >"$scratch/log" 2>&1 && fail "LLVM is there unasked"
grep -q 'xdpf-llvm' "$scratch/log" || fail "the package of the second backend is not named"
there sh -c 'timeout 5 xdpf metrics --listen 127.0.0.1:0' >"$scratch/log" 2>&1 && fail "metrics are there unasked"
grep -q 'xdpf-metrics' "$scratch/log" || fail "the package of metrics is not named"
there dpkg -L xdpf | grep -q man1/xdpf-run.1 || fail "no manual page"

# The demo, as the machine has no `ip` of its own: a network namespace from outside, and a sender in another one.
step "packets"
near=xdpf-clean-$$-near far=xdpf-clean-$$-far
clean_up() { for namespace in "$near" "$far"; do ip netns del "$namespace" 2>/dev/null || true; done; }
trap clean_up EXIT
for namespace in "$near" "$far"; do ip netns add "$namespace"; done
ip -n "$near" link add veth0 type veth peer name veth0 netns "$far"
for namespace in "$near" "$far"; do ip -n "$namespace" link set veth0 up; done
at() { nsenter --net="/run/netns/$1" unshare --mount bash -c 'mount -t sysfs sysfs "$0/sys"; mount -t bpf bpf "$0/sys/fs/bpf"
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"' "$root" "${@:2}"; }
at "$near" xdpf doctor veth0 >"$scratch/doctor" || { cp "$scratch/doctor" "$scratch/log"; fail "xdpf doctor finds problems"; }
at "$near" xdpf run -e 'match udp -> xsk' -i veth0 --count 500 --duration 60s --json >"$scratch/summary" 2>"$scratch/log" &
runner=$!
for _ in {1..500}; do grep -q attached "$scratch/log" && break; kill -0 "$runner" 2>/dev/null || fail "xdpf run"; sleep 0.02; done
at "$far" xdpf send 'ethernet / ipv4 / udp(dport = 9000)' 'ethernet / arp' -i veth0 --count 1000 -q
wait "$runner" || fail "xdpf run: status $?"
python3 - "$scratch/summary" <<'PYTHON' || { cp "$scratch/summary" "$scratch/log"; fail "the summary"; }
import json, sys
said = json.load(open(sys.argv[1]))
assert said["packets"] == 500 and said["lost"] == 0 and said["error"] is None, said
PYTHON

step "the other packages"
install './xdpf-llvm_*.deb' './xdpf-metrics_*.deb'
there xdpf build -e 'match udp -> drop' --backend=llvm -o /tmp/llvm.o >"$scratch/log" 2>&1 || fail "--backend=llvm"
there sh -c 'timeout 2 xdpf metrics --listen 127.0.0.1:0' >"$scratch/log" 2>&1 || true
grep -q 'http://127.0.0.1:' "$scratch/log" || fail "xdpf metrics"

step "programs"
install './libxdpf1_*.deb' './xdpf-dev_*.deb' g++ pkg-config
cp "$2"/examples/embed/{receive.c,match.cpp,reply.cpp} "$root/tmp/"
there sh -c 'cd /tmp && gcc -Wall -Werror receive.c -o receive $(pkg-config --cflags --libs xdpf) &&
    g++ -Wall -Wextra -Werror match.cpp -o match $(pkg-config --cflags --libs xdpf-compiler) &&
    g++ -Wall -Wextra -Werror reply.cpp -o reply $(pkg-config --cflags --libs xdpf-compiler xdpf-runtime)' >"$scratch/log" 2>&1 ||
    fail "programs are not built"
for program in receive reply; do
    there "/tmp/$program" nowhere0 >"$scratch/log" 2>&1 && fail "$program"
    grep -q 'no interface of that name' "$scratch/log" || fail "$program"
done
there sh -c 'echo ffffffffffff02000000000188b5 | /tmp/match "match ethernet.type == 0x88b5 -> drop"' | grep -q '^drop: match' ||
    fail match
step "ok: clean machine"
