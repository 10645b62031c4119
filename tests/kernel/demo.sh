#!/usr/bin/env bash
# The demo with the command of this build: all UDP in the sockets, the rest in the stack; nothing left behind, also not
# after a signal in its middle.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
((EUID == 0)) || { echo "skipped: needs root"; exit 77; }

./examples/demo --xdpf "$1" # its status says whether everything arrived

for signal in INT TERM; do
    said=$(mktemp)
    # A job of a script ignores SIGINT unless it says otherwise.
    python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' \
        examples/demo --xdpf "$1" >"$said" 2>&1 &
    demo=$!
    until grep -q attached "$said" || ! kill -0 "$demo" 2>/dev/null; do sleep 0.02; done
    kill -"$signal" "$demo"
    status=0
    wait "$demo" || status=$?
    rm -f "$said"
    left=$(ip netns list | grep "xdpf-demo-$demo-" || true)
    echo "SIG$signal: status $status, namespaces left: ${left:-none}"
    ((status > 128)) && [[ -z $left ]]
    ! pgrep -f "xdpf-demo-$demo-" >/dev/null
done
