#!/usr/bin/env python3
"""The grammars for editors, held against the language: `editors.py TEST`, where TEST is

words        the keywords of grammar/lexis.cpp are those of both grammars, of their highlighting and of compiler/words.def
textmate     grammar/xdpf.tmLanguage.json gives each token of every source in the tree the scope of its class
tree-sitter  every source in the tree is in the language of grammar/tree-sitter/grammar.js; what is broken is not

There is no TextMate engine and no generator of tree-sitter among Debian's packages. The first is small enough to stand
here, for what the grammar uses. For the second, `node` evaluates the grammar and a general parser (Earley's) reads with
what comes out, cutting tokens as tree-sitter does; conflicts between rules it cannot find. Status 77: there is no node.
"""

import json
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GRAMMAR = ROOT / "grammar"


def sources():
    """(name, text) of all xdpf that the tree shows and that is without mistakes."""
    for folder in ("examples", "stdlib", "tests/golden/language", "tests/golden/stages"):
        for path in sorted((ROOT / folder).rglob("*.xdpf")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()
    for document in ("README.md", "grammar/reference.md", "runtime/reference.md"):
        for number, block in enumerate(re.findall(r"^```xdpf[^\n]*\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)):
            yield f"{document}, block {number + 1}", block


def table(name):
    """One of the word tables of grammar/lexis.cpp."""
    text = (GRAMMAR / "lexis.cpp").read_text()
    body = re.search(rf"\b{name}\{{(.*?)\}};", text, re.S)
    words = re.findall(r'"(\w+)"', body[1])
    assert len(words) > 10, f"no table {name} in grammar/lexis.cpp"
    return words


# ---- A TextMate engine: match, begin/end, captures, include --------------------------------------------------------


class TextMate:
    def __init__(self, grammar):
        self.grammar = grammar

    @lru_cache(maxsize=None)
    def compiled(self, pattern):
        return re.compile(pattern)

    def rules(self, patterns):
        """Those that can match, includes followed."""
        for rule in patterns:
            include = rule.get("include", "")
            if include:
                named = self.grammar["repository"][include.removeprefix("#")]
                yield from self.rules([named] if "match" in named or "begin" in named else named["patterns"])
            else:
                yield rule

    def line(self, text, stack):
        """(begin, end, scopes) of each piece of a line; `stack` holds the open begin/end rules, and is changed."""
        pieces = []

        def emit(begin, end, *names):
            scopes = tuple(rule["name"] for rule in stack if "name" in rule) + tuple(name for name in names if name)
            if end > begin:
                pieces.append((begin, end, scopes))

        def emit_match(found, name, captures):
            at = found.start()
            for number in sorted(captures, key=lambda n: (found.start(int(n)), int(n))):
                begin, end = found.span(int(number))
                if begin < at or end == begin:
                    continue
                emit(at, begin, name)
                emit(begin, end, name, captures[number]["name"])
                at = end
            emit(at, found.end(), name)

        at = 0
        while at <= len(text):
            best = None
            candidates = ([(None, stack[-1]["end"])] if stack else []) + [
                (rule, rule.get("match") or rule["begin"])
                for rule in self.rules(stack[-1].get("patterns", []) if stack else self.grammar["patterns"])]
            for rule, pattern in candidates:
                found = self.compiled(pattern).search(text, at)
                if found and (best is None or found.start() < best[1].start()):
                    best = (rule, found)
            if best is None:
                emit(at, len(text))
                break
            rule, found = best
            emit(at, found.start())
            if rule is None:
                emit_match(found, None, stack[-1].get("endCaptures", {}))
                stack.pop()
            elif "match" in rule:
                emit_match(found, rule.get("name"), rule.get("captures", {}))
            else:
                stack.append(rule)
                emit_match(found, None, rule.get("beginCaptures", {}))
            if found.end() == found.start() and at == found.end():
                at += 1  # nothing was used up
            else:
                at = found.end()
        return pieces

    def scopes(self, text):
        """The innermost scope of each character."""
        out, stack = [], []
        for line in text.split("\n"):
            scopes = [""] * (len(line) + 1)
            for begin, end, names in self.line(line, stack):
                scopes[begin:end] = [names[-1] if names else ""] * (end - begin)
            out += scopes
        return out


def textmate():
    return TextMate(json.loads((GRAMMAR / "xdpf.tmLanguage.json").read_text()))


# ---- The language's tokens -----------------------------------------------------------------------------------------

HEX = "[0-9A-Fa-f]"
TOKENS = [(kind, re.compile(pattern)) for kind, pattern in (
    ("blank", r"[\s\ufeff]+"),
    ("comment", r"#[^\n]*"),
    ("string", r'"(?:[^"\\\n]|\\.)*"'),
    ("mac", rf"{HEX}{{2}}(?::{HEX}{{2}}){{5}}(?![\w:])"),
    ("ipv6", rf"(?={HEX}*(?::{HEX}*){{0,7}}::|(?:{HEX}{{1,4}}:){{6}})[0-9A-Fa-f:]+:(?:\d+(?:\.\d+){{3}}|{HEX}*)(?:/\d+)?"
             rf"|::{HEX}*(?:/\d+)?"),
    ("ipv4", r"\d+(?:\.\d+)+(?:/\d+)?\b"),
    ("quantity", rf"(?:0[xX]{HEX}[0-9A-Fa-f_]*|0[bB][01][01_]*|\d[\d_]*)(?:/s|ns|us|ms|s)\b"),
    ("integer", rf"(?:0[xX]{HEX}[0-9A-Fa-f_]*|0[bB][01][01_]*|\d[\d_]*)\b"),
    ("word", r"[A-Za-z_]\w*"),
    ("operator", r"->|→|==|!=|<=|>=|<<|>>|\+=|-=|\.\.|[-+*/%&|^~<>=.,;:(){}\[\]]"),
)]
SCOPES = {"comment": "comment.line", "string": "string.quoted", "mac": "constant.numeric.address.mac",
          "ipv6": "constant.numeric.address.ipv6", "ipv4": "constant.numeric.address.ipv4",
          "quantity": "constant.numeric.quantity", "integer": "constant.numeric.integer"}


def tokens(text):
    """(kind, text, offset); what stands in `asm { … }` is one token of the kind assembly."""
    at, assembly = 0, False
    while at < len(text):
        for kind, pattern in TOKENS:
            found = pattern.match(text, at)
            if found:
                break
        else:
            raise AssertionError(f"no token: {text[at:at + 20]!r}")
        if kind not in ("blank", "comment"):
            yield kind, found[0], at
            if assembly and found[0] == "{":
                depth, end = 1, found.end()
                while depth:
                    piece = re.compile(r"#[^\n]*|[^{}#]+|[{}]").match(text, end)
                    depth += {"{": 1, "}": -1}.get(piece[0], 0)
                    end = piece.end()
                yield "assembly", text[found.end():end - 1], found.end()
                yield "operator", "}", end - 1
                at, assembly = end, False
                continue
            assembly = found[0] == "asm"
        elif kind == "comment":
            yield kind, found[0], at
        at = found.end()


# Each word that is a keyword in its place only, in such a place and, behind the bar, where it is a name.
PLACES = {
    "add": "default -> { add 1 to seen } | match add.x == 1",
    "at": "header a { f : u8 at 4 } | match x.at == 1",
    "burst": "match exceeds(1/s, burst 2) -> drop | match x.burst == 1",
    "end": "header a in b at most 4 end when f == 0 { } | match x.end == 1",
    "exceeds": "match exceeds(1/s) -> drop | match x.exceeds == 1",
    "except": "default -> redirect m[* except iface] | match x.except == 1",
    "for": 'test "a" for front { } | match x.for == 1',
    "from": 'match from "acl.csv" | match x.from == 1',
    "header": "header a { } | match x.header == 1",
    "hex": 'test "a" { packet hex "00" } | match x.hex == 1',
    "inner": "header a inner ipv4 { } | match x.inner.y == 1",
    "metadata": "default -> metadata {mark = 1} | match x.metadata == 1",
    "most": "header a in b at most 4 { } | match x.most == 1",
    "of": "header a { p : end of f at most 2 } | match x.of == 1",
    "on": "header a on b.c == 1 { } | match x.on == 1",
    "packet": 'test "a" { packet ethernet } | match x.packet == 1',
    "pad": "header a in b at most 4 pad when f == 1 { } | match x.pad == 1",
    "payload": "header a payload when f == 0 { } | match x.payload == 1",
    "pcap": 'match pcap "udp" -> drop | match x.pcap == 1',
    "per": "match exceeds(1/s per ipv4.src) -> drop | match x.per == 1",
    "rule": 'test "a" { expect rule 2 } | match x.rule == 1',
    "size": "header a\n    size = 4 { } | match x.size == 1",
    "then": "header a on b.c == 1 then f { } | match x.then == 1",
    "times": 'test "a" { packet ethernet times 3 } | match x.times == 1',
    "to": "default -> { add 1 to seen } | match x.to == 1",
    "when": "header a payload when f == 0 { } | match x.when == 1",
    "where": "header a where f == 0 { } | match x.where == 1",
}


def find_word(text, word):
    return re.search(rf"\b{word}\b", text).start()


def is_keyword(scope):
    return scope.startswith("keyword.") or scope == "support.function.xdpf"


def check_textmate():
    engine = textmate()
    reserved = set(table("reserved_words"))
    seen = set()
    for name, text in sources():
        scopes = engine.scopes(text)
        assert len(scopes) == len(text) + 1
        before, listed = "", [token for token in tokens(text)]
        for number, (kind, token, at) in enumerate(listed):
            behind = listed[number + 1][1] if number + 1 < len(listed) else ""
            scope = scopes[at]
            wanted = SCOPES.get(kind)
            if kind == "string" or kind == "comment":
                ok = all(s.startswith((wanted, "punctuation.definition", "constant.character.escape"))
                         for s in scopes[at:at + len(token)])
            elif wanted:
                ok = all(s.startswith((wanted, "keyword.other.unit")) for s in scopes[at:at + len(token)])
            elif kind == "word" and token in reserved and before != "." and behind not in (":", "="):
                ok = is_keyword(scope)
            elif kind == "word":
                ok = token in PLACES or scope.startswith(
                    ("variable.", "entity.name.", "support.", "storage.type"))
            elif kind == "operator":
                ok = scope.startswith(("keyword.operator", "punctuation.")) or (token, scope) == (".", "entity.name.type.protocol.xdpf")
            else:
                ok = True
            seen.add(kind)
            if not ok:
                yield f"{name}: line {text.count(chr(10), 0, at) + 1}: {kind} {token!r} has the scope {scope!r}"
            if kind != "comment":
                before = token
    missing = {kind for kind, _ in TOKENS} - {"blank"} - seen
    if missing:
        yield f"no source has a token of the kinds {sorted(missing)}"
    for word, places in PLACES.items():
        keyword, name = places.split(" | ")
        for text, wanted in ((keyword, True), (name, False)):
            scope = engine.scopes(text)[find_word(text, word)]
            if is_keyword(scope) != wanted:
                yield f"{word} in {text!r} has the scope {scope!r}"
    instructions = engine.scopes("default -> asm { r1 = map xsks\n call bpf_redirect_map # }\n exit } match")
    if not any(s.startswith("variable.language.register") for s in instructions) or \
            not instructions[-2].startswith("keyword.control.rule"):
        yield "asm: its instructions, or what stands behind them, are not seen"


# ---- tree-sitter ---------------------------------------------------------------------------------------------------

# What `tree-sitter generate` offers a grammar.js, as far as ours asks for it.
DSL = """
const rule = x => typeof x === 'string' ? {type: 'STRING', value: x}
    : x instanceof RegExp ? {type: 'PATTERN', value: x.source} : x;
const all = xs => xs.map(rule);
const weighted = type => Object.assign((n, x) => x === undefined ? rule(n) : rule(x), {});
Object.assign(globalThis, {
    seq: (...xs) => ({type: 'SEQ', members: all(xs)}), choice: (...xs) => ({type: 'CHOICE', members: all(xs)}),
    optional: x => ({type: 'CHOICE', members: [rule(x), {type: 'BLANK'}]}),
    repeat: x => ({type: 'REPEAT', content: rule(x)}), repeat1: x => ({type: 'REPEAT1', content: rule(x)}),
    field: (name, x) => rule(x), alias: (x, name) => rule(x),
    prec: Object.assign(weighted(), {left: weighted(), right: weighted(), dynamic: weighted()}),
    token: Object.assign(x => ({type: 'TOKEN', content: rule(x)}),
                         {immediate: x => ({type: 'IMMEDIATE', content: rule(x)})}),
    grammar: g => {
        const $ = new Proxy({}, {get: (_, name) => {
            if (!(name in g.rules)) throw new Error(`there is no rule ${name}`);
            return {type: 'SYMBOL', name};
        }});
        const rules = Object.fromEntries(Object.entries(g.rules).map(([name, f]) => [name, rule(f($))]));
        g.conflicts($); g.word($);
        return {name: g.name, rules, extras: all(g.extras($))};
    }});
console.log(JSON.stringify(require(process.argv[1])));
"""


def tree_sitter():
    if shutil.which("node") is None:
        print("there is no node, which evaluates grammar.js: apt-get install nodejs")
        sys.exit(77)
    ran = subprocess.run(["node", "-e", DSL, GRAMMAR / "tree-sitter/grammar.js"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def regex_of(rule):
    kind = rule["type"]
    if kind == "STRING":
        return re.escape(rule["value"])
    if kind == "PATTERN":
        return f"(?:{rule['value']})"
    if kind == "SEQ":
        return "".join(map(regex_of, rule["members"]))
    if kind == "CHOICE":
        return "(?:" + "|".join(map(regex_of, rule["members"])) + ")"
    if kind == "BLANK":
        return ""
    return {"REPEAT": "(?:{})*", "REPEAT1": "(?:{})+"}.get(kind, "{}").format(regex_of(rule["content"]))


class Earley:
    """Reads texts by a grammar's rules, all readings at once. Terminals are (regex, immediate, is it a keyword)."""

    def __init__(self, grammar):
        self.rules, self.count = {}, 0
        self.extras = re.compile("(?:" + "|".join(
            regex_of(grammar["rules"][e["name"]] if e["type"] == "SYMBOL" else e) for e in grammar["extras"]) + ")*")
        self.names = grammar["rules"]
        for name, rule in grammar["rules"].items():
            self.rules[name] = [tuple(right) for right in self.expand(rule)]
        self.nullable = set()
        while True:
            more = {name for name, rights in self.rules.items()
                    if any(all(isinstance(s, str) and s in self.nullable for s in right) for right in rights)}
            if more == self.nullable:
                break
            self.nullable = more

    def helper(self, rule):
        self.count += 1
        name = f"${self.count}"
        self.rules[name] = []
        self.rules[name] = [tuple(right) for right in self.expand(rule)]
        return name

    def symbol(self, rule):
        """A nonterminal's name or a terminal."""
        kind = rule["type"]
        if kind == "SYMBOL":
            return rule["name"]
        if kind in ("STRING", "PATTERN", "TOKEN", "IMMEDIATE"):
            text = regex_of(rule)
            # As with tree-sitter's keywords: a word is a word as a whole.
            if kind == "STRING" and re.fullmatch(r"\w+", rule["value"]):
                text += r"(?!\w)"
            return (re.compile(text), kind == "IMMEDIATE")
        return self.helper(rule)

    def expand(self, rule):
        kind = rule["type"]
        if kind == "SEQ":
            return [[self.symbol(member) for member in rule["members"]]]
        if kind == "CHOICE":
            return [right for member in rule["members"] for right in self.expand(member)]
        if kind == "BLANK":
            return [[]]
        if kind in ("REPEAT", "REPEAT1"):
            self.count += 1
            name = f"${self.count}"
            body = self.symbol(rule["content"])
            self.rules[name] = [(body,), (name, body)]
            return [[name]] if kind == "REPEAT1" else [[name], []]
        return [[self.symbol(rule)]]

    def accepts(self, text):
        """None, or the offset up to which the text could be read."""
        start = ("", 0, 0, 0)  # of the file: rule, which of its right sides, the place in that, where it begins
        chart = {}

        def right_of(item):
            return (("source_file",),) if item[0] == "" else self.rules[item[0]]

        pending, farthest = {0: {start: None}}, 0
        while pending:
            at = min(pending)
            agenda = list(pending.pop(at))
            known, waiting, terminals = set(agenda), {}, {}
            chart[at] = waiting

            def add(item):
                if item not in known:
                    known.add(item)
                    agenda.append(item)

            while agenda:
                item = agenda.pop()
                name, number, dot, origin = item
                right = right_of(item)[number]
                if dot == len(right):
                    for waiter in list(chart[origin].get(name, ())):
                        add((waiter[0], waiter[1], waiter[2] + 1, waiter[3]))
                    continue
                symbol = right[dot]
                if isinstance(symbol, str):
                    waiting.setdefault(symbol, []).append(item)
                    for i in range(len(self.rules[symbol])):
                        add((symbol, i, 0, at))
                    if symbol in self.nullable:
                        add((name, number, dot + 1, origin))
                else:
                    terminals.setdefault(symbol, []).append(item)
            behind = self.extras.match(text, at).end()
            if behind == len(text) and ("", 0, 1, 0) in known:
                return None
            # The longest token that may stand here; of several as long all.
            longest, matched = 0, []
            for (pattern, immediate), items in terminals.items():
                found = pattern.match(text, at if immediate else behind)
                if not found or found.end() == found.start():
                    continue
                length = found.end() - at
                if length > longest:
                    longest, matched = length, []
                if length == longest:
                    matched += items
            if not matched:
                farthest = max(farthest, behind)
                continue
            moved = pending.setdefault(at + longest, {})
            moved.update(dict.fromkeys((name, number, dot + 1, origin) for name, number, dot, origin in matched))
        return farthest


BROKEN = ["match udp ->", "match udp drop", "defmap a", "match udp && tcp -> drop", "header { }", "def f( = 1",
          "match a == 1 == 2 -> drop", "test { }", "match in {1} -> drop", "match udp -> drop }",
          "packet ethernet", "default -> asm { exit"]


def check_tree_sitter():
    parser = Earley(tree_sitter())
    for name, text in sources():
        farthest = parser.accepts(text)
        if farthest is not None:
            yield f"{name}:{text.count(chr(10), 0, farthest) + 1}: not in the grammar: {text[farthest:farthest + 30]!r}"
    yield from (f"taken, but broken: {text}" for text in BROKEN if parser.accepts(text) is None)


# ---- Words ---------------------------------------------------------------------------------------------------------


def strings_of(rule):
    if isinstance(rule, dict):
        if rule.get("type") == "STRING":
            yield rule["value"]
        for value in rule.values():
            yield from strings_of(value)
    elif isinstance(rule, list):
        for value in rule:
            yield from strings_of(value)


def differences(what, found, wanted):
    for word in sorted(wanted - found):
        yield f"{what}: '{word}' is missing"
    for word in sorted(found - wanted):
        yield f"{what}: '{word}' is no keyword"


def check_words():
    reserved, contextual = table("reserved_words"), table("other_words")
    known = set(reserved) | set(contextual)
    yield from differences("the places of tests/docs/editors.py", set(PLACES), set(contextual))

    described = set(re.findall(r"^XDPF_WORD\((?:keyword|action), (\w+),", (ROOT / "compiler/words.def").read_text(), re.M))
    described.add("exceeds")  # it has a syntax of its own, and is described as a function
    yield from differences("compiler/words.def", described, known)
    kinds = set(re.findall(r"^XDPF_MAP_KIND\((\w+),", (ROOT / "compiler/map_kinds.def").read_text(), re.M)) - {"prog_array"}
    described = set(re.findall(r"^XDPF_WORD\(map_kind, (\w+),", (ROOT / "compiler/words.def").read_text(), re.M))
    yield from differences("compiler/words.def, kinds of maps", described, kinds)

    engine = textmate()
    for word in reserved:
        if not is_keyword(engine.scopes(f"{word} x")[0]):
            yield f"xdpf.tmLanguage.json: '{word}' is missing"
    text = json.dumps(engine.grammar["repository"]["keyword"]) + json.dumps(engine.grammar["repository"]["declaration"])
    listed = {word for group in re.findall(r"\((?:\?:)?([a-z|]+)\)", text) for word in group.split("|") if len(word) > 1}
    values = set(re.findall(r"^XDPF_WORD\(\w*value, (\w+),", (ROOT / "compiler/words.def").read_text(), re.M))
    yield from (f"xdpf.tmLanguage.json: '{word}' is no keyword" for word in sorted(listed - known - values))
    protocols = {name for path in (ROOT / "stdlib").rglob("*.xdpf")
                 for name in re.findall(r"^(?:header|union) (\w+)", path.read_text(), re.M)}
    support = next(rule for rule in engine.grammar["repository"]["name"]["patterns"]
                   if rule["name"] == "support.class.protocol.xdpf")
    listed = set(re.search(r"\(\?:([\w|]+)\)", support["match"])[1].split("|"))
    yield from differences("xdpf.tmLanguage.json, protocols", listed, protocols)

    manifest = json.loads((GRAMMAR / "package.json").read_text())["contributes"]
    for path in (manifest["languages"][0]["configuration"], manifest["grammars"][0]["path"]):
        json.loads((GRAMMAR / path).read_text())
    if manifest["grammars"][0]["scopeName"] != engine.grammar["scopeName"]:
        yield "grammar/package.json names another scope than the grammar"

    grammar = tree_sitter()
    names_of_words = ("_word", "_field_name", "_name", "_primary", "_place", "quantity")
    used = {word for name, rule in grammar["rules"].items() if name not in names_of_words
            for word in strings_of(rule) if word.isidentifier()}
    yield from differences("grammar.js", used, known)
    names = set(strings_of(grammar["rules"]["_word"])) | set(strings_of(grammar["rules"]["_name"]))
    yield from differences("grammar.js, words behind a dot", names - {"."}, known)
    queries = (GRAMMAR / "tree-sitter/queries/highlights.scm").read_text()
    highlighted = {word for word in re.findall(r'"([a-z]+)"', queries)} | {"pass", "drop", "abort", "tx", "continue"}
    yield from differences("highlights.scm", highlighted, known)


def main():
    tests = {"words": check_words, "textmate": check_textmate, "tree-sitter": check_tree_sitter}
    if len(sys.argv) != 2 or sys.argv[1] not in tests:
        sys.exit(__doc__)
    problems = list(tests[sys.argv[1]]())
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
