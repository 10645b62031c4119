#!/usr/bin/env bash
# install.sh BUILD SOURCE: installs the build into a prefix, and builds examples/embed against it as a project of its own,
# without a warning; as root its programs are run, too. The version is the same wherever it is asked for.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
cp -r "$2/examples/embed" "$scratch/embed"
sed -i 's/find_package(xdpf REQUIRED)/&\n    message(STATUS "version ${xdpf_VERSION}")/' "$scratch/embed/CMakeLists.txt"
cmake -S "$scratch/embed" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_CXX_FLAGS=-Werror >"$scratch/configured"
cmake --build "$scratch/build" >"$scratch/built" || { cat "$scratch/built"; fail "examples/embed does not build"; }

version=$("$scratch/prefix/bin/xdpf" --version)
grep -q "version ${version#xdpf }$" "$scratch/configured" || fail "find_package gives another version than $version"
grep -E '#define XDPF_VERSION_(MAJOR|MINOR|PATCH)' "$scratch/prefix/include/xdpf/compiler/version.hpp" | sed 's/.* //' |
    paste -sd . | grep -qx "${version#xdpf }" || fail "compiler/version.hpp has another version than $version"
for description in xdpf xdpf-compiler xdpf-runtime; do
    grep -qx "Version: ${version#xdpf }" "$scratch"/prefix/lib*/{.,*}/pkgconfig/$description.pc 2>/dev/null || fail "$description.pc has another version than $version"
done

status=0
"$scratch/build/embed_receive" no-such-interface 2>"$scratch/said" || status=$?
((status == 1)) && grep -q "no-such-interface" "$scratch/said" || fail "embed_receive: status $status: $(cat "$scratch/said")"
((EUID == 0)) || { echo "the programs are not run: needs root"; exit 0; }
bash "$2/tests/kernel/embed.sh" "$scratch/prefix/bin/xdpf" "$scratch/build" || { (($? == 77)) || fail "installed programs"; }
