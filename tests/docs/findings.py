#!/usr/bin/env python3
"""findings.py FOLDER: the reference names every finding of `xdpf doctor` by its id, and none that there is not. In it,
`.drops` behind `interface.link` is `interface.drops`."""

import re
import sys
from pathlib import Path

root = Path(sys.argv[1])
GROUPS = "flow|interface|kernel|program|queues|redirect|rights|rules|sockets"
reference = root / "runtime/reference.md"
text = "".join(path.read_text() for path in sorted((root / "runtime").glob("*.cpp")))
# In the source an id may end in a number or a name that is put in there: "flow.queue_{}".
there = {name.rstrip("_") for name in re.findall(rf'"((?:{GROUPS})\.[a-z_]+)(?:"|\{{)', text)}
there -= {"redirect.socket"}

told = {}
for number, line in enumerate(reference.read_text().splitlines(), 1):
    group = ""
    for name in re.findall(r"`([a-z]*\.[a-z_]+)(?:_N)?`", line.split("|")[1] if line.startswith("| `") else line):
        group = name.partition(".")[0] or group
        if re.fullmatch(GROUPS, group):
            told[f"{group}.{name.partition('.')[2]}"] = number
    for cell in line.split("|")[2:] if line.startswith("|") else []:
        told.update((name, number) for name in re.findall(rf"`((?:{GROUPS})\.[a-z_]+)`", cell))

wrong = [f"{reference.name}:{number}: there is no finding {name}" for name, number in told.items() if name not in there]
wrong += [f"{reference.name} does not name the finding {name}" for name in sorted(there - told.keys())]
print("\n".join(wrong) or f"{len(there)} findings")
sys.exit(1 if wrong or not there else 0)
