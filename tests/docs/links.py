#!/usr/bin/env python3
"""links.py FOLDER: every link of its documents (*.md, outside of build folders) leads to a file or folder that is there,
and its #anchor to a heading of that document, named as GitHub names it. Links into the web are not followed."""

import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
LINK = re.compile(r"\[[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)")
FENCE = re.compile(r"^\s*```")


def prose(document):
    """(line number, line), without what stands in fenced blocks."""
    fenced = False
    for number, line in enumerate(document.read_text().splitlines(), 1):
        fenced ^= bool(FENCE.match(line))
        if not fenced and not FENCE.match(line):
            yield number, line


def anchors(document):
    found, seen = set(), {}
    for _, line in prose(document):
        if heading := re.match(r"#{1,6} +(.*?)(?: +#+)?$", line):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            seen[name] = seen.get(name, -1) + 1
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
    return found


def links(document):
    """(line number, target); a link may be broken over two lines, code is none."""
    lines = list(prose(document))
    text = "\n".join(re.sub(r"`[^`]*`", lambda code: "x" * len(code[0]), line) for _, line in lines)
    for link in LINK.finditer(text):
        yield lines[text.count("\n", 0, link.start())][0], link[1]


documents = [path for path in sorted(root.rglob("*.md"))
             if not any(part.startswith((".", "build")) for part in path.relative_to(root).parts)]
wrong, count = [], 0
for document in documents:
    for line, target in links(document):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        count += 1
        path, _, anchor = target.partition("#")
        leads_to = (document.parent / path).resolve() if path else document
        where = f"{document.relative_to(root)}:{line}"
        if not leads_to.exists():
            wrong.append(f"{where}: there is no {target}")
        elif anchor and (leads_to.suffix != ".md" or anchor not in anchors(leads_to)):
            wrong.append(f"{where}: {target}: there is no such heading")
print("\n".join(wrong) or f"{count} links of {len(documents)} documents")
sys.exit(1 if wrong or count == 0 else 0)
