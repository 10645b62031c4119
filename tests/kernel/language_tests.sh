#!/usr/bin/env bash
# The tests of tests/golden/language once more, in the kernel: it must agree with the interpreter on every packet.
#
#   language_tests.sh PATH/TO/xdpf
#
# Exit status 77: no root.
set -u

[ $# -eq 1 ] || { echo "usage: $0 PATH/TO/xdpf" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
xdpf=$(realpath -e "$1") || exit 2
cd "$(dirname "$0")/../golden/language" || exit 2

output=$(mktemp)
trap 'rm -f "$output"' EXIT
failures=0
ran=0
# The second backend where it is part of the build: the command says so when it is not.
backends=("" -O0)
"$xdpf" check --backend=llvm -e 'match udp -> drop' > "$output" 2>&1 && backends+=(--backend=llvm)
for options in "${backends[@]}"; do
    files=(*.xdpf)
    [ "$options" = --backend=llvm ] && files+=(../../../examples/*.xdpf)
    for file in "${files[@]}"; do
        # shellcheck disable=SC2086 # no option or one
        if ! timeout 120 "$xdpf" test $options --kernel "$file" > "$output" 2>&1; then
            echo "FAILED: xdpf test $options --kernel tests/golden/language/$file"
            cat "$output"
            failures=$((failures + 1))
        fi
        ran=$((ran + $(grep -c '^test .* \.\.\. ok$' "$output")))
    done
done

# What is wrong for the interpreter must be wrong in the kernel, too, where the kernel can tell: it knows no rules, and
# not where a redirect goes.
timeout 120 "$xdpf" test --kernel ../cli/test_packets.xdpf > "$output" 2> /dev/null
here=$(grep -E '^    [^ ]*:[0-9]+:[0-9]+: ' "$output" | grep -v -e '(kernel)$' -e 'expected rule' -e ', got redirect')
there=$(grep -E '^    [^ ]*:[0-9]+:[0-9]+: .* \(kernel\)$' "$output" | sed 's/ (kernel)$//')
if [ -z "$there" ] || [ "$here" != "$there" ]; then
    echo "FAILED: what is wrong in tests/golden/cli/test_packets.xdpf differs in the kernel"
    diff <(echo "$here") <(echo "$there")
    failures=$((failures + 1))
fi
# What depends on the kernel's own clock is left out of it, and only that.
timeout 120 "$xdpf" test --kernel - > "$output" 2>&1 << 'SOURCE'
defmap ev    : ringbuf[4096]
defmap times : hash<udp.dport -> {seen: u64, packets: u64}>[16]
defprogram a { match udp -> { emit ev {now = now}; drop } }
defprogram b { match udp -> { times[udp.dport] = {seen = now}; times[udp.dport].packets += 1; drop } }
defprogram c { match udp and exceeds(1/s per udp.dport, burst 2) -> drop }
test "a record" for a { packet ethernet / ipv4 / udp  expect emit ev {now = 0} }
test "a value" for b { packet ethernet / ipv4 / udp(dport = 7)  expect times[7] == {seen = 0} }
test "beside it" for b { packet ethernet / ipv4 / udp(dport = 7)  expect drop  expect times[7] == {packets = 1} }
test "a rate" for c { packet ethernet / ipv4 / udp times 2  expect pass  packet ethernet / ipv4 / udp  expect drop }
SOURCE
wanted='test a record ... ok
    not in the kernel: its outcome depends on '"'now'"', and the kernel has its own
test a value ... ok
    not in the kernel: its outcome depends on '"'now'"', and the kernel has its own
test beside it ... ok
test a rate ... ok'
if [ "$(sed -n '2,7p' "$output")" != "$wanted" ]; then
    echo "FAILED: what is left out of the kernel for its clock"
    cat "$output"
    failures=$((failures + 1))
fi
echo "$ran tests passed in the interpreter and in the kernel; $failures files failed"
[ "$failures" = 0 ] && [ "$ran" -gt 0 ]
