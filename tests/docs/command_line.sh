#!/usr/bin/env bash
# command_line.sh XDPF: manual pages are free of mistakes and name every option; shells complete commands, options and
# words with what `xdpf completion` gives them.
set -euo pipefail
xdpf=$(realpath -e "${1:?the path of xdpf}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "FAILED: $*"; exit 1; }
PATH=$(dirname "$xdpf"):$PATH

"$xdpf" manual --all "$scratch"
mapfile -t commands < <("$xdpf" --help | sed -n '/^Subcommands:/,$s/^  \([a-z]*\) .*/\1/p')
((${#commands[@]} > 10)) || fail "no commands in the help text"
for command in "${commands[@]}"; do
    page=$scratch/xdpf-$command.1
    [[ -s $page ]] || fail "no page for $command"
    grep -q "xdpf $command\|xdpf\\\\-$command" "$scratch/xdpf.1" || fail "xdpf.1 does not name $command"
    while read -r option; do
        grep -qF -- "${option//-/\\-}" "$page" || fail "xdpf-$command.1 does not name $option"
    done < <("$xdpf" "$command" --help | grep -oE -- '^  (-[a-zA-Z],)?--[a-z][a-z-]*' | grep -oE -- '--.*')
done
if command -v mandoc >/dev/null; then
    for page in "$scratch"/*.1; do # pages have no date, so that a build makes the same ones tomorrow
        found=$(mandoc -T lint -W warning "$page" | grep -v 'missing date' || true)
        [[ -z $found ]] || fail "$found"
    done
else
    echo "mandoc is missing: pages are not checked"
fi
"$xdpf" manual run >"$scratch/one"
cmp "$scratch/one" "$scratch/xdpf-run.1" || fail "one page is not as all are"
echo "ok: ${#commands[@]} manual pages"

# completes WORDS... EXPECTED: with the last word being completed, EXPECTED is among what is offered.
source <("$xdpf" completion bash)
completes() {
    COMP_WORDS=(xdpf "${@:1:$#-1}")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _xdpf || true
    printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "${!#}" || fail "bash: '${COMP_WORDS[*]}': not ${!#}: ${COMPREPLY[*]}"
}
completes ru run
completes ru rules
completes run --mo --mode
completes run --mode nat native
completes run -i l lo
completes map ge get
completes map get --js --json
completes map w watch
completes rules replace --ru --rule-counters
COMPREPLY=()
if command -v fish >/dev/null; then
    "$xdpf" completion fish >"$scratch/xdpf.fish"
    offers() { HOME=$scratch fish -c "source $scratch/xdpf.fish; complete -C '$1'" | grep -q "^$2" || fail "fish: '$1': not $2"; }
    offers "xdpf ru" run
    offers "xdpf run --mo" --mode
    offers "xdpf run --mode " native
    offers "xdpf map ge" get
    offers "xdpf map get --js" --json
    offers "xdpf run -i " lo
fi
if command -v zsh >/dev/null; then
    "$xdpf" completion zsh >"$scratch/_xdpf"
    zsh -n "$scratch/_xdpf" || fail "zsh: not its language"
    zsh -fc "autoload -U compinit; fpath=($scratch \$fpath); compinit -D -d $scratch/dump; autoload +X _xdpf; whence -w _xdpf" |
        grep -q function || fail "zsh: no function"
fi
echo "ok: completions"
