#!/usr/bin/env bash
# packages.sh BUILD: the Debian packages that cpack makes have what they should, ask for what they need, and their
# command works from where they put it.
set -euo pipefail
command -v dpkg-shlibdeps >/dev/null || { echo "skipped: dpkg-shlibdeps is missing (dpkg-dev)"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

cpack --config "$1/CPackConfig.cmake" -B "$scratch" -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; fail "cpack"; }
for package in xdpf xdpf-dev libxdpf1; do # xdpf-llvm and xdpf-metrics go with parts of the build
    deb=$(echo "$scratch/${package}"_*.deb)
    [[ -f $deb ]] || fail "no package $package"
    dpkg -x "$deb" "$scratch/root"
done
depends=$(dpkg -f "$scratch"/xdpf_*.deb Depends)
for library in libbpf1 libxdp1 libpcap0.8 libedit2; do
    [[ $depends == *"$library"* ]] || fail "xdpf does not ask for $library: $depends"
done
[[ $depends != *llvm* && $depends != *prometheus* ]] || fail "xdpf asks for what is optional: $depends"
for file in bin/xdpf share/man/man1/xdpf-run.1 share/bash-completion/completions/xdpf \
    share/xdpf/grammar/xdpf.tmLanguage.json share/xdpf/grammar/tree-sitter/queries/highlights.scm \
    include/xdpf/compiler/query.hpp include/xdpf/runtime/session.hpp include/xdpf/compiler/version.hpp include/xdpf.h \
    lib/libxdpf.so.1 lib/pkgconfig/xdpf-runtime.pc; do
    [[ -s $scratch/root/usr/$file ]] || fail "no $file"
done
"$scratch/root/usr/bin/xdpf" check -e 'match udp -> xsk' || fail "the packaged command does not work"
echo "ok: packages"
