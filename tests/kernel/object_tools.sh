#!/bin/bash
# Other people's tools take our objects unchanged: bpftool, xdp-loader, ip link.
#
#   object_tools.sh FILE.o         tries that object
#   object_tools.sh PATH/TO/xdpf   builds an object with the command first
#
# Works in a network and mount namespace of its own. Exit status 77: a tool or root is missing.
set -u

skip() { echo "skipped: $*"; exit 77; }

[ $# -eq 1 ] || { echo "usage: $0 FILE.o | PATH/TO/xdpf" >&2; exit 2; }
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in bpftool xdp-loader ip python3 unshare; do
    command -v "$tool" > /dev/null || skip "no $tool"
done

# The namespaces go away with the last process in them, and the veth pair with its namespace.
if [ -z "${XDPF_OBJECT_TOOLS_INSIDE:-}" ]; then
    XDPF_OBJECT_TOOLS_INSIDE=1 exec unshare --net --mount bash "$0" "$(realpath "$1")"
fi

work=$(mktemp -d)
device=xobj0
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mount -t bpf bpf /sys/fs/bpf || skip "no bpffs"
ip link add $device type veth peer name xobj1 || skip "no veth"
ip link set $device up
ip link set xobj1 up

case $1 in
*.o) object=$1 ;;
*)
    object=$work/tools.o
    cat > "$work/tools.xdpf" << 'SOURCE'
defmap xsks    : xskmap[64]
defmap senders : hash<ipv4.src -> counter>[1024]
defmap ports   : percpu_array<counter>[4]
defmap blocked : lpm_trie<ipv4.src>[16]

defprogram tools {
    match ipv4.src in blocked -> drop
    match udp -> { count senders[ipv4.src]; count ports[1]; xsk xsks }
    default -> pass
}
SOURCE
    "$1" build "$work/tools.xdpf" -o "$object" || { echo "FAILED: xdpf build"; exit 1; }
    ;;
esac

failures=0
# check WHAT COMMAND…: the command succeeds and libbpf warns of nothing. Into a file, not a pipe: xdp-loader that dies
# of SIGPIPE leaves its lock behind.
check() {
    local what=$1
    shift
    if "$@" > "$work/out" 2>&1 && ! grep -q '^ *libbpf:' "$work/out"; then
        echo "ok: $what"
    else
        echo "FAILED: $what: $*"
        sed 's/^/    /' "$work/out"
        failures=$((failures + 1))
    fi
}
# attached MODE PROGRAM: that the device carries the program in this mode.
attached() {
    ip -j link show $device | python3 -c '
import json, sys
link = json.load(sys.stdin)[0].get("xdp", {})
modes = {1: "native", 2: "skb"}
sys.exit(0 if (modes.get(link.get("mode")), link.get("prog", {}).get("name")) == (sys.argv[1], sys.argv[2]) else
         "device has %s" % link)' "$1" "$2"
}
detached() { ! ip link show $device | grep -q prog/xdp; }

# ---- bpftool --------------------------------------------------------------------------------------------------------
pins=/sys/fs/bpf/object_tools
check "bpftool prog load" bpftool prog load "$object" /sys/fs/bpf/first
check "bpftool prog loadall" bpftool prog loadall "$object" $pins
[ -d $pins ] || { echo "nothing loaded, nothing more to try"; exit 1; }

first=$(bpftool -j prog show pinned /sys/fs/bpf/first | python3 -c 'import json, sys; print(json.load(sys.stdin)["name"])')
for pin in $pins/*; do
    name=${pin##*/}
    # Every program shows its own prototype and the lines of its source file.
    check "bpftool prog dump xlated $name" bpftool prog dump xlated pinned "$pin" linum
    bpftool prog dump xlated pinned "$pin" linum > "$work/dump" 2>&1
    check "    has function" grep -q "^int $name(struct xdp_md \* ctx):" "$work/dump"
    check "    has source lines" grep -Eq '^; .*\[file:.+ line_num:[0-9]+ line_col:[0-9]+\]' "$work/dump"
done

# Puts an entry of zeroes into every map that can be dumped, and compares the field names of the dump with the BTF. Data
# is dumped as it is, by its variables.
cat > "$work/maps.py" << 'PYTHON'
import json, subprocess, sys

def bpftool(*arguments):
    run = subprocess.run(["bpftool", "-j", *arguments], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit("bpftool %s: %s%s" % (" ".join(arguments), run.stdout, run.stderr))
    return json.loads(run.stdout) if run.stdout.strip() else None

program = bpftool("prog", "show", "pinned", sys.argv[1])
for map_id in program.get("map_ids", []):
    info = bpftool("map", "show", "id", str(map_id))
    kind, name = info["type"], info["name"]
    # The kernel does not let anybody read the first, and the others have no entries to put in or to list.
    if kind in ("xskmap", "devmap", "devmap_hash", "cpumap", "prog_array", "bloom_filter", "queue", "stack", "ringbuf"):
        print("    %s: %s, no entries to show" % (name, kind))
        continue
    if "btf_id" not in info:
        sys.exit("map %s has no BTF" % name)
    types = {t["id"]: t for t in bpftool("btf", "dump", "id", str(info["btf_id"]))["types"]}
    if name.endswith(".data"):
        variables = next(t for t in types.values() if t["kind"] == "DATASEC" and t["name"] == ".data")["vars"]
        names = [types[v["type_id"]]["name"] for v in variables]
        shown = bpftool("map", "dump", "id", str(map_id))[0]["formatted"]["value"][".data"]
        if [n for variable in shown for n in variable] != names:
            sys.exit("%s: shown as %s, its variables are %s" % (name, shown, names))
        print("    %s: %s" % (name, shown))
        continue
    def fields(member):  # of the map's definition in C: the names in its key or value; None for a plain one
        variable = next(t for t in types.values() if t["kind"] == "VAR" and t["name"] == name)
        pointer = next(m for m in types[variable["type_id"]]["members"] if m["name"] == member)["type_id"]
        target = types[types[pointer]["type_id"]]
        return [m["name"] for m in target["members"]] if target["kind"] == "STRUCT" else None
    zeroes = lambda size: ["0"] * size
    bpftool("map", "update", "id", str(map_id), "key", *zeroes(info["bytes_key"]),
            "value", *zeroes(info["bytes_value"]))
    entries = bpftool("map", "dump", "id", str(map_id))
    if not entries:
        sys.exit("map %s: nothing dumped" % name)
    shown = entries[0]["formatted"]
    value = shown["values"][0]["value"] if "percpu" in kind else shown["value"]
    for part, got in (("key", shown["key"]), ("value", value)):
        want = fields(part)
        names = list(got) if isinstance(got, dict) else None
        if names != want:
            sys.exit("map %s: %s shown with %s, its type has %s" % (name, part, names, want))
    print("    %s: %s, key %s, value %s" % (name, kind, fields("key"), fields("value")))
PYTHON
for pin in $pins/*; do
    check "bpftool map dump, maps of ${pin##*/}" python3 "$work/maps.py" "$pin"
    cat "$work/out"
done

# ---- xdp-loader: without a dispatcher where the kernel refuses one ---------------------------------------------------
for mode in skb native; do
    check "xdp-loader load -m $mode" xdp-loader load -m $mode $device "$object"
    # Through the dispatcher the device carries xdp_dispatcher, which has ours in it.
    attached $mode xdp_dispatcher 2> /dev/null || check "    is attached" attached $mode "$first"
    check "    unload" xdp-loader unload -a $device
    check "    is gone" detached
done

# ---- ip link --------------------------------------------------------------------------------------------------------
for how in xdpgeneric:skb xdpdrv:native xdp:native; do
    check "ip link set ${how%:*} obj sec xdp" ip link set dev $device "${how%:*}" obj "$object" sec xdp
    check "    is attached" attached "${how#*:}" "$first"
    check "    off" ip link set dev $device "${how%:*}" off
    check "    is gone" detached
done
for pin in $pins/*; do
    name=${pin##*/}
    if ip link set dev $device xdpgeneric obj "$object" program "$name" 2>&1 | grep -q 'MAP programs can not be attached'
    then
        echo "ok: $name is for entries of maps"
        continue
    fi
    ip link set dev $device xdpgeneric off
    check "ip link set xdpgeneric obj program $name" ip link set dev $device xdpgeneric obj "$object" program "$name"
    check "    is attached" attached skb "$name"
    check "    off" ip link set dev $device xdpgeneric off
done

[ $failures -eq 0 ] || { echo "$failures failed"; exit 1; }
echo "all tools take $(basename "$object")"
