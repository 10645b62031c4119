#!/usr/bin/env bash
# install.sh BUILD SOURCE: installs the build into a prefix, and builds examples/embed against it as a project of its own.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
cp -r "$2/examples/embed" "$scratch/embed"
cmake -S "$scratch/embed" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$scratch/build"
"$scratch/prefix/bin/xdpf" --version
status=0
"$scratch/build/embed_receive" no-such-interface 2>"$scratch/said" || status=$?
cat "$scratch/said"
((status == 1)) && grep -q "no-such-interface" "$scratch/said"
