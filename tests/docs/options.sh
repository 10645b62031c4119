#!/usr/bin/env bash
# options.sh XDPF FILE.md: every option of `xdpf run` stands in the document's table of them.
set -euo pipefail
table=$(sed -n '/^| option of `xdpf run`/,/^$/p' "$2")
status=0
while read -r option; do
    grep -qF -- "\`$option" <<< "$table" || { echo "FAILED: $2 does not name $option"; status=1; }
done < <("$1" run --help | grep -oE -- '--[a-z][a-z-]*  ?' | tr -d ' ' | grep -vx -- --help | sort -u)
exit "$status"
