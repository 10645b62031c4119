#!/usr/bin/env python3
"""options.py XDPF FILE.md: every option of every command stands in the document, and nothing else does.

Tables that begin with `| option of `xdpf X`, … |` describe the options of these commands; `xdpf map` stands for all of
its verbs. A row is about all commands of its table, unless it begins with the last words of those that it is about: "of
`top`: between two looks".
"""

import re
import subprocess
import sys
from pathlib import Path

xdpf, document = sys.argv[1], Path(sys.argv[2])
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
HELP = {"-h", "--help"}


def help_of(*command):
    return subprocess.run([xdpf, *command, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout


def part(text, title):
    """The first words of the lines of a part of a help text; what they mean is in a column of its own."""
    lines = re.search(rf"^{title}:\n((?:  .*\n)*)", text, re.M)
    return re.findall(r"^  (\S.*?)(?:  |$)", lines[1], re.M) if lines else []


def commands(*above):
    """{name: its options} of all commands without verbs."""
    text = help_of(*above)
    verbs = part(text, "Subcommands")
    if not verbs:
        names = [re.split(r" (?:Excludes|Needs):", line)[0] for line in part(text, "Options")]
        return {" ".join(above): {option for line in names for option in OPTION.findall(line)} - HELP}
    return {name: options for verb in verbs for name, options in commands(*above, verb).items()}


def described(all_commands):
    """(line number, command, option) that a table tells of."""
    about = []
    for number, line in enumerate(document.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            about = []
        elif cells[0].startswith("option of "):
            named = re.findall(r"`xdpf ([^`]+)`", cells[0])
            about = [name for name in all_commands if any(name == one or name.startswith(one + " ") for one in named)]
            if len(about) < len(named):
                yield number, " or ".join(named), "(a command that there is not)"
        elif about and not set(cells[0]) <= set("-: "):
            only = re.match(r"of ((?:`[^`]+`(?:, )?)+):", cells[1])
            words = re.findall(r"`([^`]+)`", only[1]) if only else []
            for name in about:
                if not words or name.split()[-1] in words:
                    yield from ((number, name, option) for text in re.findall(r"`([^`]*)`", cells[0])
                                for option in OPTION.findall(text))


real = commands()
told = list(described(real))
wrong = [f"{document.name}:{line}: xdpf {command} has no option {option}" for line, command, option in told
         if option not in real.get(command, set())]
for command, options in real.items():
    missing = sorted(options - {option for _, name, option in told if name == command})
    if missing:
        wrong.append(f"{document.name}: no table '| option of `xdpf {command}` |' has {', '.join(missing)}")
print("\n".join(wrong) or f"{len(told)} options of {len(real)} commands")
sys.exit(1 if wrong else 0)
