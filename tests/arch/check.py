#!/usr/bin/env python3
"""Rules about the source tree that no compiler checks: `check.py RULE [ROOT]`, where RULE is

includes   the arrows between folders run one way (README, "How it is built")
protocols  the compiler knows no protocol by name: their facts stand in stdlib/*.xdpf
kinds      every diagnostic kind is provoked by a golden test
folders    the top of the tree holds what it should and nothing else
self       the rules above find what they are there to find
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {".hpp", ".cpp", ".h", ".def", ".in", ".ipp"}

# Part of the tree -> parts that it may include besides itself. "data" are the headers that describe a compiled program,
# "public" those by which commands and other programs use the compiler.
ARROWS = {
    "base": set(),
    "data": {"base"},
    "grammar": {"base"},
    "stdlib": set(),
    "ir": {"base", "data"},
    "passes": {"base", "data", "ir"},
    "bpf": {"base", "data", "ir"},
    "object": {"base", "data"},
    "llvm": {"base", "data", "ir", "bpf"},
    "pcap": set(),
    "sema": {"base", "data", "grammar", "ir", "pcap", "stdlib"},
    "classify": {"base", "data"},
    "lower": {"base", "classify", "data", "ir", "pcap", "sema"},
    "explain": {"base", "data", "pcap", "sema"},
    "public": {"base", "data", "bpf"},
    "compiler": {"base", "data", "public", "grammar", "stdlib", "pcap", "sema", "classify", "lower", "explain", "ir", "passes",
                 "bpf", "object", "llvm"},
    "runtime": {"base", "data"},
    "metrics": {"base", "data", "runtime"},
    "cli": {"base", "data", "public", "runtime", "metrics"},
    "c": {"base", "data", "public", "runtime"},
    "examples": {"base", "data", "public", "runtime"},
}
DATA = {"compiler/maps.hpp", "compiler/maps.cpp", "compiler/image.hpp", "compiler/map_kinds.def",
        "compiler/map_flags.def", "compiler/rule_tables.hpp", "compiler/version.hpp",
        "compiler/map_text.hpp", "compiler/map_text.cpp"}
PUBLIC = {f"compiler/{name}.hpp" for name in ("compile", "explain", "format", "report", "test", "interpret", "session", "instructions", "query")}

# Other people's headers -> parts that may include them.
FOREIGN = {
    "boost/": {"grammar"},
    "bpf/": {"runtime"},
    "xdp/": {"runtime"},
    "llvm/": {"llvm"},
    "llvm-c/": {"llvm"},
    "CLI/": {"cli"},
    "pcap.h": {"pcap", "runtime", "cli"},
    "pcap/": {"pcap", "runtime", "cli"},
    "prometheus/": {"metrics"},
    "histedit.h": {"cli"},
    "editline/": {"cli"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def part_of(path):
    """The part of the tree that a path from the root belongs to; None for tests, which may look everywhere."""
    if path in DATA:
        return "data"
    if path in PUBLIC:
        return "public"
    folders = path.split("/")[:-1]
    if folders[:1] == ["compiler"]:
        return folders[1] if len(folders) > 1 else "compiler"
    if folders[:1] == ["runtime"] and folders[1:] in (["c"], ["cli"], ["metrics"]):
        return folders[1]
    return folders[0] if folders[:1] != ["tests"] else None


def sources(root, *folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                yield path, path.relative_to(root).as_posix()


def includes(file):
    """(line number, line, quote, target) of every include."""
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, line.strip(), *found.groups()


def slow_headers(root):
    """The grammar's headers that bring Boost along, straight or through others."""
    targets = {path: {target for *_, target in includes(file)}
               for file, path in sources(root, "grammar") if not path.endswith(".cpp")}
    slow = set()
    while True:
        more = {path for path, wanted in targets.items()
                if wanted & slow or any(target.startswith("boost/") for target in wanted)}
        if more == slow:
            return slow
        slow = more


def forbidden(root, slow, path, quote, target):
    """Why `path` may not include `target`, or None."""
    part = part_of(path)
    if part is not None and part not in ARROWS:
        return f"{path}: tests/arch/check.py does not know the part '{part}'"
    for prefix, allowed in FOREIGN.items():
        if target.startswith(prefix) and part is not None and part not in allowed:
            return f"only {' and '.join(sorted(allowed))} may include <{target}>"
    if target in slow and part != "grammar":
        return "Boost is slow to compile: its includers stay in grammar"
    if part is None and quote == '"' and "/" not in target and (root / path).with_name(target).is_file():
        return None
    if not (root / target).is_file():
        return "include by the path from the top of the tree" if quote == '"' else None
    to = part_of(target)
    if part is None:
        outside = to == "cli" and not path.startswith("tests/unit/cli/")
        return "nothing but its own tests includes runtime/cli" if outside else None
    if to == part or to in ARROWS[part] or (part == "compiler" and path[:-4] == target[:-4]):
        return None
    return f"'{part}' must not include '{to}'"


def check_includes(root):
    slow = slow_headers(root)
    for file, path in sources(root, "compiler", "grammar", "runtime", "stdlib", "examples", "tests"):
        for number, line, quote, target in includes(file):
            reason = forbidden(root, slow, path, quote, target)
            if reason:
                yield f"{path}:{number}: {line}: {reason}"


COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"((?:\\.|[^"\\\n])*)"', re.S)
PROTOCOL_FREE = ("sema", "classify", "lower", "explain", "ir", "passes", "bpf", "llvm")
ADDRESSES = {"ipv4", "ipv6"}  # also names of address types, so identifiers may have them
# What a driver tells of a packet is called as the kernel calls it: bpf_xdp_metadata_rx_vlan_tag.
RECEIVED = re.compile(r"rx_vlan\w*")
RECEIVERS = ("compiler/ir/", "compiler/bpf/", "compiler/llvm/", "compiler/lower/outside.cpp")


def is_received(path, word):
    return RECEIVED.fullmatch(word) or (word.lower() == "vlan" and path.startswith(RECEIVERS))


def check_protocols(root):
    names = set()
    for module in (root / "stdlib").rglob("*.xdpf"):
        names |= set(re.findall(r"^\s*header\s+(\w+)", module.read_text(), re.M))
    if not names:
        yield "stdlib: no header found; has the syntax changed?"
    for file, path in sources(root, *(f"compiler/{part}" for part in PROTOCOL_FREE)):
        text = "\n".join("" if INCLUDE.match(line) else line for line in file.read_text().splitlines())
        found = []
        for quoted in COMMENT_OR_STRING.finditer(text):  # a name or a path of names; prose may give examples
            name = quoted[1] or ""
            if re.fullmatch(r"[\w./]+", name) and names & set(re.split(r"[./]", name)) and not is_received(path, name):
                found.append((text.count("\n", 0, quoted.start()) + 1, quoted[0]))
        code = COMMENT_OR_STRING.sub(lambda m: "\n" * m[0].count("\n"), text)
        for number, line in enumerate(code.splitlines(), 1):
            words = re.findall(r"\w+", line)
            found += [(number, word) for word in words
                      if (names - ADDRESSES) & set(word.lower().split("_")) and not is_received(path, word)]
        for number, word in sorted(found):
            yield f"{path}:{number}: {word} names a protocol: say it in stdlib/*.xdpf"


def check_kinds(root):
    table = (root / "compiler/base/diagnostics.def").read_text()
    kinds = re.findall(r"^XDPF_DIAGNOSTIC\((\w+), *(\w+),", table, re.M)
    if not kinds:
        yield "compiler/base/diagnostics.def: no kind found; has the table's form changed?"
    shown = set()
    for expected in (root / "tests/golden").rglob("*.expected"):
        shown |= set(re.findall(r"\b((?:error|warning)\[\w+\])", expected.read_text(errors="replace")))
    for name, severity in kinds:
        if f"{severity}[{name}]" not in shown:
            yield f"no tests/golden/*.expected shows {severity}[{name}]: add a file that provokes it"
    users = "".join(file.read_text() for file, _ in sources(root, "compiler", "grammar", "runtime"))
    for name, _ in kinds:
        if not re.search(rf"\bKind::{name}\b", users):
            yield f"compiler/base/diagnostics.def: nothing reports '{name}'"


TOP = {"CMakeLists.txt", "compiler", "runtime", "grammar", "stdlib", "examples", "tests", "README.md", "LICENSE"}


def check_folders(root):
    there = {entry.name for entry in root.iterdir() if not entry.name.startswith((".", "build"))}
    yield from (f"{name}: does not belong at the top of the tree" for name in sorted(there - TOP))
    yield from (f"{name}: missing" for name in sorted(TOP - there))


def plant(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def check_self(_):
    """Small trees with one fault a line; what is found must be exactly the lines marked BAD."""
    header = "#pragma once\n"
    headers = ["compiler/base/id.hpp", "compiler/maps.hpp", "compiler/ir/ir.hpp", "compiler/sema/types.hpp",
               "compiler/bpf/emit.hpp", "compiler/compile.hpp", "compiler/stages.hpp", "grammar/parse.hpp",
               "runtime/load.hpp", "runtime/cli/shell.hpp"]
    trees = {
        "compiler/base/a.cpp": ["<vector>", '"compiler/base/id.hpp"', '"compiler/maps.hpp" BAD'],
        "grammar/a.cpp": ["<boost/spirit/home/x3.hpp>", '"compiler/base/id.hpp"', '"compiler/ir/ir.hpp" BAD'],
        "grammar/tokens.hpp": ["<boost/spirit/home/x3.hpp>"],
        "grammar/rules.hpp": ['"grammar/tokens.hpp"'],
        "grammar/b.cpp": ['"grammar/rules.hpp"'],
        "compiler/ir/a.cpp": ['"compiler/maps.hpp"', '"grammar/parse.hpp" BAD', '"compiler/bpf/emit.hpp" BAD',
                              '"compiler/sema/types.hpp" BAD', "<compiler/sema/types.hpp> BAD", '"ir.hpp" BAD'],
        "compiler/bpf/a.cpp": ['"compiler/ir/ir.hpp"', '"compiler/sema/types.hpp" BAD', '"grammar/parse.hpp" BAD',
                               "<llvm/IR/Module.h> BAD", "<llvm-c/Core.h> BAD"],
        "compiler/sema/a.cpp": ['"grammar/parse.hpp"', "<bpf/libbpf.h> BAD", "<xdp/xsk.h> BAD",
                                "<linux/bpf.h>", "<boost/regex.hpp> BAD", '"runtime/load.hpp" BAD', "<llvm/IR/Module.h> BAD"],
        "compiler/compile.cpp": ['"compiler/compile.hpp"', '"grammar/rules.hpp" BAD', '"grammar/parse.hpp"',
                                 "<llvm/IR/Module.h> BAD"],
        "compiler/llvm/a.cpp": ["<llvm/IR/Module.h>", '"compiler/ir/ir.hpp"', '"compiler/bpf/emit.hpp"',
                                '"compiler/sema/types.hpp" BAD'],
        "runtime/a.cpp": ['"compiler/maps.hpp"', "<xdp/xsk.h>", '"compiler/ir/ir.hpp" BAD',
                          '"compiler/compile.hpp" BAD', '"runtime/cli/shell.hpp" BAD'],
        "runtime/cli/a.cpp": ['"compiler/compile.hpp"', '"runtime/load.hpp"', "<CLI/CLI.hpp>", "<bpf/bpf.h> BAD",
                              '"compiler/stages.hpp" BAD', '"grammar/parse.hpp" BAD'],
        "tests/unit/cli/a.cpp": ['"runtime/cli/shell.hpp"', '"compiler/ir/ir.hpp"', "<bpf/bpf.h>"],
        "compiler/lower/a.cpp": ['"compiler/sema/types.hpp"', '"compiler/bpf/emit.hpp" BAD', '"grammar/parse.hpp" BAD'],
        "tests/unit/ir/build.hpp": [],
        "tests/unit/ir/a.cpp": ['"build.hpp"', '"../cli/a.hpp" BAD', '"runtime/cli/shell.hpp" BAD',
                                 "<boost/spirit/home/x3.hpp>"],
        "examples/embed/a.cpp": ['"compiler/compile.hpp"', '"compiler/stages.hpp" BAD'],
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plant(root, dict.fromkeys(headers, header))
        plant(root, {path: "\n".join(f"#include {line}" for line in lines) for path, lines in trees.items()})
        wanted = {f"{path}:{number}" for path, lines in trees.items()
                  for number, line in enumerate(lines, 1) if line.endswith("BAD")}
        found = {":".join(problem.split(":")[:2]) for problem in check_includes(root)}
        yield from (f"includes: {place} was not found" for place in sorted(wanted - found))
        yield from (f"includes: {place} is allowed but was refused" for place in sorted(found - wanted))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plant(root, {
            "stdlib/ip.xdpf": "header ipv4 on ethernet.type == 0x800 {\n}\nheader udp on ipv4.protocol == 17 {\n}\n",
            "compiler/sema/a.cpp": '// udp\nipv4_address a; Ipv4Prefix p;\nif (name == "udp")\nint udp_offset;\n'
                                   'help("try udp.dport == 53");\nparent("ipv4");\n',
            "compiler/base/diagnostics.def": 'XDPF_DIAGNOSTIC(shown, error, "")\nXDPF_DIAGNOSTIC(unseen, error, "")\n'
                                             'XDPF_DIAGNOSTIC(wrong, warning, "")\n',
            "compiler/sema/b.cpp": "Kind::shown Kind::unseen\n",
            "tests/golden/a.expected": "error[shown]: a\nerror[wrong]: b\n",
        })
        lines = [problem.split(":")[1] for problem in check_protocols(root)]
        if lines != ["3", "4", "6"]:
            yield f"protocols: lines 3, 4 and 6 should have been found, not {lines}"
        kinds = " ".join(check_kinds(root))
        for part, there in (("error[shown]", False), ("error[unseen]", True), ("warning[wrong]", True),
                            ("'wrong'", True), ("'unseen'", False)):
            if (part in kinds) != there:
                yield f"kinds: {part} should {'' if there else 'not '}have been named"
        folders = " ".join(check_folders(root))
        if "LICENSE: missing" not in folders or "stdlib" in folders:
            yield f"folders: {folders}"
        (root / "misc").mkdir()
        if "misc: does not belong" not in " ".join(check_folders(root)):
            yield "folders: a foreign folder was not found"


def main():
    rules = {name.removeprefix("check_"): rule for name, rule in globals().items() if name.startswith("check_")}
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in rules:
        sys.exit(__doc__)
    problems = list(rules[sys.argv[1]](Path(sys.argv[2]) if len(sys.argv) == 3 else ROOT))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
