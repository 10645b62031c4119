#!/usr/bin/env bash
# embedding.sh BUILD SOURCE: each of the two libraries alone, found by pkg-config: the compiler needs neither libbpf nor
# LLVM, the runtime no parser and nothing else of the compiler. Their headers, used as a program's own, give no warnings.
set -euo pipefail
for tool in pkg-config g++ nm ldd; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$scratch/prefix" -name xdpf-compiler.pc)")
export PKG_CONFIG_PATH
# build NAME LIBRARIES…: from $scratch/NAME.cpp
build() {
    g++ -Wall -Wextra -Wpedantic -Wshadow -Werror "$scratch/$1.cpp" -o "$scratch/$1" $(pkg-config --cflags --libs "${@:2}") ||
        fail "$1 does not build with ${*:2}"
}
# needs_not NAME WORDS: among the shared libraries; defines NAME PATTERN: among what was linked
needs_not() {
    ldd "$scratch/$1" >"$scratch/needed"
    ! grep -iE "$2" "$scratch/needed" || fail "$1 needs it"
}
defines() {
    nm -C --defined-only "$scratch/$1" >"$scratch/defined"
    grep -m 1 -E "$2" "$scratch/defined"
}

cp "$2/examples/embed/match.cpp" "$scratch/match.cpp"
build match xdpf-compiler
needs_not match 'libbpf|libxdp|libelf|llvm|boost'
echo ffffffffffff02000000000188b5 | "$scratch/match" 'match ethernet.type == 0x88b5 -> drop' | grep -q '^drop: match' ||
    fail "the compiler alone does not work"
! defines match 'xdpf::runtime::' || fail "the compiler has parts of the runtime"
echo "ok: the compiler alone"

cat >"$scratch/work.cpp" <<'CPP'
#include "runtime/run.hpp"
#include "runtime/wall_clock.hpp"

#include <cstdio>

int main()
{
    const auto session = xdpf::runtime::Session::open(xdpf::Image(), {.interface = "no-such-interface"});
    std::puts(session ? "?" : to_string(session.error()).c_str());
    return session ? 1 : 0;
}
CPP
build work xdpf-runtime
needs_not work 'llvm|boost'
"$scratch/work" | grep -q no-such-interface || fail "the runtime alone does not work"
parts='xdpf::(ast|grammar|parse|sema|ir|lower|passes|classify|bpf|object|stdlib|compile|Compilation|Interpreter)\b'
! defines work "$parts" || fail "the runtime has parts of the compiler"
defines match "$parts" >/dev/null && defines work 'xdpf::runtime::' >/dev/null || fail "nm does not show parts where they are"
echo "ok: the runtime alone"

(cd "$scratch/prefix/include/xdpf" && find . -name '*.hpp' | sed 's|^\./\(.*\)|#include "\1"|' | LC_ALL=C sort) >"$scratch/headers.cpp"
echo 'int main() { return xdpf::version[0] == 0; }' >>"$scratch/headers.cpp"
build headers xdpf-compiler xdpf-runtime
echo "ok: $(grep -c include "$scratch/headers.cpp") headers, without warnings"
