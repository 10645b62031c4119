#!/usr/bin/env bash
# examples/embed, built beside the command, receives on a veth pair what its filter names and nothing else.
set -euo pipefail
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }
embed=$(dirname "$(realpath "$1")")/embed_receive

# Interfaces and namespaces go with the last process inside.
if [[ -z ${XDPF_EMBED_INSIDE:-} ]]; then
    XDPF_EMBED_INSIDE=1 exec unshare --net --mount --fork --kill-child bash "$0" "$1"
fi
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ip netns add sender
ip link add veth0 type veth peer name veth0 netns sender
ip address add 10.78.0.2/24 dev veth0
ip link set veth0 up
ip -n sender address add 10.78.0.1/24 dev veth0
ip -n sender link set veth0 up

"$embed" veth0 >"$scratch/out" 2>"$scratch/err" &
receiver=$!
for _ in {1..250}; do
    ip -details link show veth0 | grep -q 'prog/xdp' && break
    kill -0 "$receiver" 2>/dev/null || { cat "$scratch/err"; exit 1; }
    sleep 0.02
done
ip netns exec sender bash -c 'for i in {1..20}; do echo $i >/dev/udp/10.78.0.2/4000; echo $i >/dev/udp/10.78.0.2/4001; done' 2>/dev/null
ip netns exec sender ping -q -c 1 -W 2 10.78.0.2 >/dev/null
for _ in {1..100}; do
    (($(wc -l <"$scratch/out") >= 20)) && break
    sleep 0.02
done
kill "$receiver"
wait "$receiver" 2>/dev/null || true
cat "$scratch/out" "$scratch/err"
(($(wc -l <"$scratch/out") == 20))
grep -q '^packet 20 from queue 0: 45 bytes$' "$scratch/out"
! ip -details link show veth0 | grep -q 'prog/xdp' || { echo "the program is still attached"; exit 1; }
