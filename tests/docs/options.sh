#!/usr/bin/env bash
# options.sh XDPF FILE.md: every option of these commands stands in the document's table of them.
set -euo pipefail
status=0
for command in run send capture attach map; do
    table=$(sed -n "/^| option of \`xdpf $command\`/,/^$/p" "$2")
    while read -r option; do
        grep -qF -- "\`$option" <<< "$table" || { echo "FAILED: $2 does not name $option of xdpf $command"; status=1; }
    done < <(if [[ $command == map ]]; then
        for verb in list get set delete dump watch load; do "$1" map "$verb" --help; done
    else
        "$1" "$command" --help
    fi | grep -oE -- '--[a-z][a-z-]*  ?' | tr -d ' ' | grep -vx -- --help | sort -u)
done
exit "$status"
