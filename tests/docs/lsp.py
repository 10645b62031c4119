#!/usr/bin/env python3
"""lsp.py XDPF: a conversation with `xdpf lsp` as editors have it; each check has a server and a folder of its own."""

import os
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path

from lsp_client import WAIT, Client

ROOT = Path(__file__).resolve().parents[2]
XDPF = None
RICH = {"textDocument": {"hover": {"contentFormat": ["markdown", "plaintext"]},
                         "publishDiagnostics": {"relatedInformation": True},
                         "documentSymbol": {"hierarchicalDocumentSymbolSupport": True}}}

MAIN = """\
# Größe 𝄞
import "ports"
defmap hits : hash<ipv4.src -> counter>[1024]
defmap sockets : xskmap[8]
param port : u16 = 53 in 1..1024

# Whoever asks too much.
def punish(k) = { count hits[k]; drop }

header market on udp.dport == 26400 {
    version : u8
    flags   : u8 { urgent : u1  reserved : u7 }
    price   : u32le  # in cents
}

match ipv4 and udp.dport == port -> punish(ipv4.src)
match market.flags.urgent and tcp.dport in web -> xsk sockets
match hits[ipv4.src].packets > 5 -> tx

test "asked" {
    packet ethernet / ipv4(src = 10.0.0.1) / udp(dport = 53)
    expect drop
}
"""
PORTS = "# Ports that are ours.\nconst web = {80, 443}\ndef loud = udp.length > 500\n"


def uri_of(path):
    return Path(path).as_uri()


def units(text, utf16=True):
    return len(text.encode("utf-16-le")) // 2 if utf16 else len(text.encode())


def place(text, needle, into=0, utf16=True):
    """The position of the first `needle`, or of the one behind `…` in it, as the protocol counts."""
    before, _, word = needle.rpartition("…")
    at = text.index(word, text.index(before) + len(before) if before else 0) + into
    head = text[:at]
    return {"line": head.count("\n"), "character": units(head[head.rfind("\n") + 1:], utf16)}


def text_in(text, span, utf16=True):
    """What stands between a range's two positions."""
    def offset(position):
        lines = text.split("\n")
        line = lines[position["line"]]
        data = line.encode("utf-16-le" if utf16 else "utf-8")
        head = data[:position["character"] * (2 if utf16 else 1)].decode("utf-16-le" if utf16 else "utf-8")
        return sum(len(one) + 1 for one in lines[:position["line"]]) + len(head)
    return text[offset(span["start"]):offset(span["end"])]


class Session:
    """A server with the files of a folder; the main one is open."""

    def __init__(self, files=None, text=MAIN, capabilities=RICH, name="main.xdpf"):
        self.folder = tempfile.TemporaryDirectory(prefix="xdpf-lsp-")
        for file, content in (files if files is not None else {"ports.xdpf": PORTS}).items():
            (Path(self.folder.name) / file).write_text(content)
        self.client = Client(XDPF, self.folder.name)
        self.capabilities = self.client.initialize(**capabilities)["capabilities"]
        self.utf16 = self.capabilities["positionEncoding"] == "utf-16"
        self.uri = uri_of(Path(self.folder.name) / name)
        self.text, self.version = text, 1
        self.client.open(self.uri, text)

    def uri_of(self, name):
        return uri_of(Path(self.folder.name) / name)

    def diagnostics(self):
        return self.client.diagnostics(self.uri, self.version)

    def change(self, text):
        self.version += 1
        self.text = text
        self.client.change(self.uri, self.version, {"text": text})

    def at(self, method, needle, into=0):
        return self.client.ask(f"textDocument/{method}", textDocument={"uri": self.uri},
                               position=place(self.text, needle, into, self.utf16))

    def hover(self, needle, into=0):
        found = self.at("hover", needle, into)
        return found["contents"]["value"] if found else None

    def completions(self, text):
        """The words offered at the `|` in a text; it becomes the text of the document."""
        before, _, behind = text.partition("|")
        self.change(before + behind)
        line, character = before.count("\n"), units(before[before.rfind("\n") + 1:], self.utf16)
        found = self.client.ask("textDocument/completion", textDocument={"uri": self.uri},
                                position={"line": line, "character": character})
        assert found["isIncomplete"] is False
        typed = re.search(r"\w*$", before)[0]
        for item in found["items"]:
            edit = item["textEdit"]
            assert edit["newText"].startswith(text_in(self.text, edit["range"], self.utf16)), item
            assert edit["range"]["end"] == {"line": line, "character": character}, item
            assert typed == "" or item["label"].startswith(typed) or '"' in before, item
        return {item["label"]: item for item in found["items"]}

    def end(self):
        assert self.client.end() == 0
        self.folder.cleanup()


def check_lifecycle():
    client = Client(XDPF, "/")
    assert client.request("textDocument/hover")["error"]["code"] == -32002, "a request before initialize"
    client.tell("textDocument/didOpen", textDocument={"uri": "file:///a.xdpf", "version": 1, "text": "match"})
    result = client.initialize()
    assert result["serverInfo"]["name"] == "xdpf" and result["serverInfo"]["version"], result
    for name in ("hoverProvider", "definitionProvider", "documentFormattingProvider", "documentSymbolProvider"):
        assert result["capabilities"][name] is True, name
    assert result["capabilities"]["positionEncoding"] == "utf-16"
    assert "." in result["capabilities"]["completionProvider"]["triggerCharacters"]
    assert client.request("initialize")["error"]["code"] == -32600, "initialize comes once"
    assert client.request("textDocument/unheardOf")["error"]["code"] == -32601
    assert client.request("workspace/symbol", query="a")["error"]["code"] == -32601
    assert client.request("textDocument/hover", textDocument={"uri": "file:///b"})["error"]["code"] == -32602
    client.tell("$/cancelRequest", id=1)
    client.tell("some/notification")
    assert client.request("shutdown")["result"] is None
    assert client.request("textDocument/hover")["error"]["code"] == -32600, "a request behind shutdown"
    client.tell("exit")
    assert client.process.wait(WAIT) == 0
    client = Client(XDPF, "/")
    client.initialize()
    client.tell("exit")
    assert client.process.wait(WAIT) == 1, "exit without shutdown"
    for shut in (False, True):
        client = Client(XDPF, "/")
        client.initialize()
        if shut:
            client.ask("shutdown")
        client.process.stdin.close()
        assert client.process.wait(WAIT) == (0 if shut else 1), "the end of the input"
    client = Client(XDPF, "/")
    client.initialize()
    client.process.stdout.close()
    try:
        for _ in range(1000):
            client.tell("textDocument/didOpen", textDocument={"uri": "file:///a.xdpf", "version": 1, "text": "match"})
            client.send({"jsonrpc": "2.0", "id": 1, "method": "textDocument/documentSymbol", "params": {}})
            time.sleep(0.01)
    except BrokenPipeError:
        pass
    assert client.process.wait(WAIT) == 1, "nobody reads what it says"
    client = Client(XDPF, "/")
    client.raw(b"Content-Length: 100\r\n\r\n{\"jsonrpc\"")
    client.process.stdin.close()
    assert client.process.wait(WAIT) == 1, "the end of the input within a message"


def check_broken_input():
    client = Client(XDPF, "/")
    client.initialize()

    def still_there():
        assert "error" in client.request("no/such/method")

    client.raw(b"Content-Length: 9\r\n\r\nnot json!")
    message = client.read()
    assert message["id"] is None and message["error"]["code"] == -32700, message
    client.raw(b"what is this?\r\n\r\nContent-Length: oh\r\n\r\n")
    still_there()
    client.raw(b"Content-Length: 5\r\n\r\n{\"jsonrpc\":\"2.0\"}")  # too short: the rest is no header
    assert client.read()["error"]["code"] == -32700
    still_there()
    client.raw(b"content-length:2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n[]")
    assert client.read()["error"]["code"] == -32600
    for body in (b"null", b"17", b"{}", b'{"id": {}, "method": "shutdown"}', b'{"id": null, "method": "x"}',
                 b"[" * 100_000, b'{"id": 1, "method": 5}', b"\xff\xfe", b""):
        client.raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        message = client.read()
        assert message["error"]["code"] in (-32700, -32600), (body[:20], message)
    client.send({"jsonrpc": "2.0", "id": 77, "result": None})  # an answer that nobody asked for
    client.raw(b"x" * 100_000 + b"\r\n")
    still_there()
    for parameters in ({}, {"textDocument": 5}, {"textDocument": {"uri": 5}}, {"textDocument": {"uri": "file:///a", "text": 1}}):
        client.tell("textDocument/didOpen", **parameters)
        client.tell("textDocument/didChange", **parameters)
        client.tell("textDocument/didClose", **parameters)
        assert client.request("textDocument/hover", **parameters)["error"]["code"] == -32602
    client.send({"jsonrpc": "2.0", "id": 4, "method": "textDocument/hover", "params": [1, 2]})
    assert client.answer(4)["error"]["code"] == -32602
    client.open("file:///a.xdpf", "match udp -> drop\n")
    for position in ({}, {"line": -1, "character": 0}, {"line": "0", "character": 0}, {"line": 0}, 7):
        answer = client.request("textDocument/hover", textDocument={"uri": "file:///a.xdpf"}, position=position)
        assert answer["error"]["code"] == -32602, answer
    far = client.ask("textDocument/hover", textDocument={"uri": "file:///a.xdpf"}, position={"line": 10**12, "character": 10**12})
    assert far is None
    client.change("file:///a.xdpf", 2, {"range": 5, "text": "x"}, {"text": None}, 7)
    client.change("file:///a.xdpf", 3, {"text": "match tcp -> drop\n"})
    assert client.diagnostics("file:///a.xdpf") == []
    # One piece at a time, and several in one piece.
    body = b'{"jsonrpc":"2.0","id":900,"method":"no/method"}'
    for byte in b"Content-Length: %d\r\n\r\n" % len(body) + body:
        client.raw(bytes([byte]))
    assert client.answer(900)["error"]["code"] == -32601
    client.raw((b"Content-Length: %d\r\n\r\n" % len(body) + body) * 3)
    for _ in range(3):
        assert client.answer(900)["error"]["code"] == -32601
    assert client.end() == 0


def check_diagnostics():
    session = Session()
    assert session.diagnostics() == [], session.diagnostics()
    session.change(MAIN.replace("udp.dport == port", "udp.dprt == port"))
    (one,) = session.diagnostics()
    assert (one["code"], one["severity"], one["source"]) == ("unknown_field", 1, "xdpf"), one
    assert text_in(session.text, one["range"]) == "dprt", one
    assert "has no field 'dprt'" in one["message"] and "did you mean 'dport'?" in one["message"], one
    assert session.client.published[session.uri]["version"] == session.version
    # A warning, with the other place.
    session.change("match udp -> drop\nmatch udp.dport == 53 -> pass\n")
    (one,) = session.diagnostics()
    assert (one["code"], one["severity"]) == ("shadowed_rule", 2), one
    assert one["range"]["start"]["line"] == 1
    related = one["relatedInformation"]
    assert related[0]["location"]["uri"] == session.uri and related[0]["location"]["range"]["start"]["line"] == 0, one
    # Behind characters that take more than one unit, and in a comment's line.
    session.change('match udp.payload[0:4] == "𝄞" and udp.nope == 1 -> drop # é\n')
    (one,) = session.diagnostics()
    assert text_in(session.text, one["range"]) == "nope" and one["range"]["start"]["character"] == 39, one
    # Errors of syntax.
    session.change("match udp ->\nmatch tcp -> dorp\n")
    first, second = session.diagnostics()
    assert (first["code"], second["code"]) == ("syntax", "unknown_action"), (first, second)
    assert "did you mean 'drop'?" in second["message"]
    session.change("match tcp -> drop\n")
    assert session.diagnostics() == []
    # A module has no rules, and is no program; what is wrong in it is wrong all the same.
    session.change("const a = 1\n")
    assert session.diagnostics() == []
    session.change("const a = b\n")
    assert [one["code"] for one in session.diagnostics()] == ["unknown_name"]
    session.change("")
    assert session.diagnostics() == []
    session.client.published.clear()
    session.client.tell("textDocument/didClose", textDocument={"uri": session.uri})
    assert session.client.diagnostics(session.uri) == []
    session.end()


def check_modules():
    session = Session({"ports.xdpf": "const web = {80, 443}\nconst bad = 300 + x\n"})
    (one,) = session.diagnostics()
    assert text_in(MAIN, one["range"]) == '"ports"' and "ports.xdpf:2:19" in one["message"], one
    assert one["relatedInformation"][0]["location"]["uri"] == session.uri_of("ports.xdpf"), one
    # What the editor holds goes before what the disk holds, also of a file that is not there.
    session.client.published.clear()
    session.client.open(session.uri_of("ports.xdpf"), "const web = {80}\n")
    assert session.diagnostics() == []
    session.client.change(session.uri_of("ports.xdpf"), 2, {"text": "const wob = {80}\n"})
    session.client.published.clear()
    (one,) = session.diagnostics()
    assert one["code"] == "unknown_name" and text_in(MAIN, one["range"]) == "web", one
    session.client.published.clear()
    session.client.tell("textDocument/didClose", textDocument={"uri": session.uri_of("ports.xdpf")})
    (Path(session.folder.name) / "ports.xdpf").write_text(PORTS)
    session.client.tell("textDocument/didSave", textDocument={"uri": session.uri})
    until = time.monotonic() + WAIT
    while session.diagnostics() != []:
        assert time.monotonic() < until
        session.client.published.pop(session.uri)
    # Rules of a file.
    (Path(session.folder.name) / "acl.csv").write_text("src,verdict\n10.0.0.0/8,drop\n10.0.0.0/99,drop\n")
    session.change('match udp -> drop\nmatch from "acl.csv"\n')
    (one,) = [one for one in session.diagnostics() if one["severity"] == 1]
    assert text_in(session.text, one["range"]) == '"acl.csv"' and "acl.csv:3:1:" in one["message"], one
    session.change('import "unsaved"\nmatch udp.dport == number -> drop\n')
    assert [one["code"] for one in session.diagnostics()] == ["import_missing", "unknown_name"]
    session.client.published.clear()
    session.client.open(session.uri_of("unsaved.xdpf"), "const number = 7\n")
    assert session.diagnostics() == []
    session.end()


def check_hover():
    session = Session()
    session.diagnostics()
    field = session.hover("udp.dport == port", 5)
    for part in ("```xdpf\nudp.dport : u16 = 5678", "16 bits (2 bytes), from bit 16 of the header on: byte 2", "Most significant byte first"):
        assert part in field, (part, field)
    span = session.at("hover", "udp.dport == port", 5)["range"]
    assert text_in(MAIN, span) == "dport", span
    flag = session.hover("market.flags.urgent", 14)
    assert "market.flags.urgent : u1" in flag and "1 bit, from bit 8 of the header on: byte 1, bit 0" in flag, flag
    price = session.hover("price", 1)
    assert "u32le" in price and "Least significant byte first" in price and "in cents" in price, price
    assert "32 bits (4 bytes), from bit 16 of the header on: byte 2" in price
    assert "urgent" in session.hover("urgent : u1", 2)
    header = session.hover("market.flags", 1)
    assert "header market on udp.dport == 26400" in header and "6 bytes" in header and "behind `udp`" in header, header
    assert "| 8 | 1 | `flags.urgent` | u1 |" in header and "| 16 | 32 | `price` | u32le | in cents |" in header, header
    ipv4 = session.hover("(ipv4.src)", 2)
    assert "header ipv4" in ipv4 and "At least 20 bytes; its size is `ihl * 4`" in ipv4 and "`ethernet`" in ipv4, ipv4
    assert "RFC 791" in ipv4, "the comment that its file begins with"
    assert "| 96 | 32 | `src` | ipv4_address |" in ipv4, ipv4
    hits = session.hover("count hits", 7)
    for part in ("defmap hits : hash<ipv4.src -> counter>[1024]", "Key: 4 bytes", "Value: 16 bytes", "`packets` (8 bytes at 0)", "1024 entries"):
        assert part in hits, (part, hits)
    assert "8 bytes at byte 0 of the value of `hits`" in session.hover("hits[ipv4.src].packets", 16)
    assert "param port : u16 = 53 in 1..1024" in session.hover("== port", 4)
    punish = session.hover("-> punish", 4)
    assert "def punish(k)" in punish and "Whoever asks too much." in punish, punish
    assert "A parameter of this definition" in session.hover("hits[k]", 5)
    assert "const web = {80, 443}" in session.hover("in web", 4)
    assert "Ports that are ours." in session.hover('"ports"', 3) and "`web`" in session.hover('"ports"', 3)
    assert "AF_XDP" in session.hover("-> xsk", 4)
    assert "16 bits" in session.hover("udp(dport = 53)", 6), "a field that a layer is given"
    assert session.hover("Größe", 1) is None and session.hover("26400", 1) is None and session.hover("== port", 0) is None
    session.change('import "tunnel/vxlan"\nimport "gre"\nmatch vxlan.inner.udp.dport == 53 and hash(ipv4.src) & 1 == 0 and now > 5 -> drop\n'
                   "match ethernet.protocol == 5 and gre.key == 7 and ip.src == 10.0.0.1 and tcp.option.mss.value < 5 -> pass\n")
    assert "udp.dport" in session.hover("inner.udp.dport", 12)
    assert "RFC 7348" in session.hover('"tunnel/vxlan"', 5) and "`vxlan_gpe`" in session.hover('"tunnel/vxlan"', 5)
    assert "32 bits that depends" in session.hover("hash(", 1) and "CLOCK_MONOTONIC" in session.hover("now", 1)
    assert "chain" in session.hover("ethernet.protocol", 11)
    key = session.hover("gre.key", 5)
    assert "32 bits at byte `4 + 4 * c` of the header; absent unless `k`" in key, key
    assert "ip.src : ipv4.src or ipv6.src" in session.hover("ip.src", 3)
    assert "tcp.option.mss.value : u16" in session.hover("mss.value", 5)
    # All the same where the file does not parse.
    session.change("match udp.dport ==\nmatch tcp.flags.syn == { -> drop\n")
    assert "16 bits" in session.hover("udp.dport", 5) and "tcp.flags.syn" in session.hover("flags.syn", 7)
    session.end()
    plain = Session(capabilities={})
    plain.diagnostics()
    found = plain.at("hover", "udp.dport == port", 5)
    assert found["contents"]["kind"] == "plaintext" and "```" not in found["contents"]["value"], found
    plain.end()


def check_completion():
    session = Session()
    session.diagnostics()

    def offered(text, *words, without=()):
        found = session.completions(text)
        for word in words:
            assert word in found, (text, word, sorted(found))
        for word in without:
            assert word not in found, (text, word, sorted(found))
        return found

    udp = offered("match udp.|", "sport", "dport", "length", "checksum", "payload", without=("match", "udp", "seq"))
    assert udp["dport"]["detail"] == "u16" and udp["dport"]["kind"] == 5, udp["dport"]
    assert set(offered("match udp.dp| == 53 -> drop\n")) == {"dport"}
    offered("match tcp.flags.|", "syn", "ack", without=("flags", "seq"))
    offered("match tcp.option.|", "mss", "sack")
    offered("match tcp.|", "option", "flags")
    offered('import "tunnel/vxlan"\nmatch vxlan.|', "vni", "inner")
    offered('import "tunnel/vxlan"\nmatch vxlan.inner.|', "udp", "ip")
    offered("match packet.|", "length")
    offered("match ip.|", "src", "dst")
    offered(MAIN + "match hits[ipv4.src].|", "packets", "bytes")
    offered(MAIN + "match |", "udp", "market", "hits", "port", "web", "loud", "ip", "not", "any", "hash", "now", "rx_queue",
            without=("drop", "punish", "sockets"))
    offered(MAIN + "match ma|", "market", without=("udp",))
    offered(MAIN + "match ipv4.src in h|", "hits")
    offered(MAIN + "match udp.dport == |", "port")
    offered(MAIN + "match udp -> |", "drop", "pass", "xsk", "xsk sockets", "redirect", "count", "punish", "hits",
            without=("udp", "match", "loud"))
    offered(MAIN + "match udp → |", "drop", "xsk sockets")
    offered(MAIN + "match udp -> xsk |", "sockets", without=("hits",))
    offered(MAIN + "match udp -> { count |", "hits", without=("sockets", "drop"))
    offered(MAIN + "match udp -> { count hits[ipv4.src]; |", "drop", "count", "if", "let")
    offered(MAIN + "match udp -> { let quiet = now; if |", "quiet", "udp")
    offered(MAIN + "defmap ring : ringbuf[4096]\nmatch udp -> emit |", "ring", without=("hits",))
    offered(MAIN + "defprogram other {\n}\nmatch udp -> goto |", "other", without=("hits",))
    offered(MAIN + "|", "match", "defmap", "test", "default", "import")
    offered("defmap a : |", "hash", "xskmap", "lpm_trie", "ringbuf", without=("u16", "match"))
    offered("defmap a : hash<|", "u32", "ipv4_address", "counter", "ipv4", without=("hash", "u16le"))
    offered("defmap a : hash<ipv4.|", "src")
    offered("defmap a : hash<ipv4.src -> |", "counter", "u64", without=("drop",))
    offered("defmap a : hash<u8 -> u8>[4] (|", "pinned", "flags")
    offered("param a : |", "u16", "ipv4")
    offered("header a {\n    f : |", "u8", "u16le", "mac_address", "bytes", "end", without=("counter",))
    offered("header a on |", "udp", "ethernet")
    offered("header a on udp.dport == 5 |", "where", "size", "then", "inner", "payload")
    offered("header a on udp.dport == 5\n    where |\n{\n    version : u8\n}\n", "version")
    offered("header a on udp.dport == 5 {\n    f : u16 = |", "checksum", "payload_size")
    offered('test "a" {\n    |', "packet", "with", "expect")
    offered('test "a" {\n    packet |', "ethernet", "hex", "pcap")
    offered('test "a" {\n    packet ethernet / ipv4(ttl = 5) / |', "udp", "payload")
    offered('test "a" {\n    packet ethernet / ipv4(|', "ttl", "src")
    offered('test "a" {\n    packet ethernet / tcp(sport = 1, |', "syn", "dport")
    offered(MAIN + 'test "a" {\n    with |', "rx_queue", "hits", "port")
    offered(MAIN + 'test "a" {\n    packet ethernet\n    expect |', "drop", "xsk", "rule", "udp", "hits")
    offered('import "|"', "dns", "tunnel/vxlan", "ports", without=("prelude", "main"))
    offered('import "tunnel/|', "tunnel/vxlan", without=("dns",))
    offered("def loud(a) = |", "a", "udp", "drop")
    assert session.completions("match udp # comment |") == {}
    assert session.completions('match udp.payload[0:2] == "a |"') == {}
    assert session.completions("match udp.dport == 5|") == {}
    assert session.completions("\0|") == {}
    # Every word of the language is offered somewhere.
    lexis = (ROOT / "grammar/lexis.cpp").read_text()
    words = set(re.findall(r'"(\w+)"', "".join(re.findall(r"(?:reserved|other)_words\{(.*?)\};", lexis, re.S))))
    places = ["|", "match |", "match udp |", "match udp -> |", "match udp -> { |", "match udp -> xsk |", "match udp -> xsk m |",
              "header a on udp |", "header a {\n f : u8 |", "header a {\n f : |", 'test "a" {\n |', 'test "a" {\n packet |',
              'test "a" {\n packet ethernet / |', 'test "a" {\n packet ethernet |', 'test "a" {\n expect |', 'test "a" |',
              "match udp -> { add 1 |", "match exceeds(1/s |", "match exceeds(1/s, |", "match udp -> redirect m[* |",
              "header a in tcp |", "header a in tcp at |", "defprogram a |", "defmap a : hash<u8>[3] = |", "match in |"]
    missing = words - set().union(*(session.completions(text) for text in places))
    assert not missing, missing
    session.end()


def check_definition():
    session = Session()
    session.diagnostics()

    def goes_to(needle, into, name, word):
        found = session.at("definition", needle, into)
        assert found is not None, needle
        assert found["uri"] == session.uri_of(name), found
        text = MAIN if name == "main.xdpf" else PORTS
        assert text_in(text, found["range"]) == word, (needle, found)
        return found["range"]["start"]["line"]

    assert goes_to("count hits", 7, "main.xdpf", "hits") == 2
    assert goes_to("== port", 4, "main.xdpf", "port") == 4
    assert goes_to("-> punish", 5, "main.xdpf", "punish") == 7
    goes_to("hits[k]", 5, "main.xdpf", "k")
    goes_to("match market", 8, "main.xdpf", "market")
    goes_to("market.flags.urgent", 15, "main.xdpf", "urgent")
    goes_to("xsk sockets", 5, "main.xdpf", "sockets")
    assert goes_to("in web", 4, "ports.xdpf", "web") == 1
    assert goes_to('"ports"', 2, "ports.xdpf", "") == 0
    for inside in ("udp.dport == port", "ipv4.src)"):
        assert session.at("definition", inside, 1) is None, "the standard library is no file"
    assert session.at("definition", "-> xsk", 4) is None
    session.change("defprogram front {\n    match udp -> goto second\n}\ndefprogram second {\n    match tcp -> drop\n}\n"
                   'test "a" for front {\n    packet ethernet\n    expect pass\n}\n')
    assert session.at("definition", "goto second", 7)["range"]["start"]["line"] == 3
    assert session.at("definition", "for front", 5)["range"]["start"]["line"] == 0
    session.change("match udp -> {\n    let quiet = now\n    if quiet > 5 { drop }\n}\n")
    found = session.at("definition", "if quiet", 4)["range"]
    assert found["start"] == {"line": 1, "character": 8}, found
    session.end()


def check_formatting():
    session = Session()

    def format_document():
        return session.client.ask("textDocument/formatting", textDocument={"uri": session.uri},
                                  options={"tabSize": 4, "insertSpaces": True})

    def apply(edits):
        text = session.text
        for edit in edits:
            piece = edit["range"]
            lines = text.split("\n")
            begin = sum(len(line) + 1 for line in lines[:piece["start"]["line"]])
            end = sum(len(line) + 1 for line in lines[:piece["end"]["line"]])
            assert piece["start"]["character"] == 0, edit
            end += piece["end"]["character"]
            text = text[:begin] + edit["newText"] + text[end:]
        return text

    for ugly, pretty in (("match udp->xsk # all of it\nmatch tcp.dport in{22,80}->{count hits;drop;}\n",
                          "match udp                   -> xsk  # all of it\nmatch tcp.dport in {22, 80} -> { count hits; drop }\n"),
                         ("match udp->xsk", "match udp -> xsk\n"),
                         ("match udp -> xsk\n\n\n\nmatch tcp->drop", "match udp -> xsk\n\nmatch tcp -> drop\n"),
                         ("# é\nmatch udp -> xsk\n\n\n", "# é\nmatch udp -> xsk\n"),
                         ("\n\nmatch udp -> xsk\n", "match udp -> xsk\n")):
        session.change(ugly)
        assert apply(format_document()) == pretty, (ugly, format_document())
        session.change(pretty)
        assert format_document() == []
    session.change("match udp->\nmatch tcp->drop\n")
    assert format_document() == [], "what does not parse is left alone"
    assert session.diagnostics()
    session.end()


def check_code_actions():
    session = Session()

    def actions(needle, into=0):
        at = place(session.text, needle, into)
        return session.client.ask("textDocument/codeAction", textDocument={"uri": session.uri},
                                  range={"start": at, "end": at}, context={"diagnostics": []})

    def replaced(text, needle, into=0):
        session.change(text)
        (action,) = actions(needle, into)
        assert action["kind"] == "quickfix" and action["diagnostics"][0]["message"], action
        (edit,) = action["edit"]["changes"][session.uri]
        lines = session.text.split("\n")
        start, end = edit["range"]["start"], edit["range"]["end"]
        assert start["line"] == end["line"]
        line = lines[start["line"]]
        lines[start["line"]] = line[:start["character"]] + edit["newText"] + line[end["character"]:]
        return "\n".join(lines), action["title"]

    text, title = replaced("match udp.dprt == 53 -> drop\n", "dprt", 1)
    assert text == "match udp.dport == 53 -> drop\n" and title == "Replace dprt with dport", (text, title)
    assert replaced("match udp -> dorp\n", "dorp")[0] == "match udp -> drop\n"
    assert replaced("mach udp -> drop\n", "mach")[0] == "match udp -> drop\n"
    assert replaced("defmap hits : hash<u8 -> u8>[4]\nmatch udp -> count hots[1]\n", "hots")[0].endswith("count hits[1]\n")
    assert replaced('import "dsn"\nmatch udp -> drop\n', "dsn")[0].startswith('import "dns"\n')
    assert replaced("# About.\nmatch dns.qr == 1 -> drop\n", "dns")[0] == '# About.\nimport "dns"\n\nmatch dns.qr == 1 -> drop\n'
    assert replaced('import "gre"\nmatch dns.qr == 1 -> drop\n', "dns")[0] == 'import "gre"\nimport "dns"\nmatch dns.qr == 1 -> drop\n'
    session.change("match udp.dprt == 53 -> drop\nmatch tcp -> drop\n")
    assert actions("tcp") == [], "nothing is wrong there"
    session.change("match udp.frobnicate == 53 -> drop\n")
    assert actions("frobnicate") == [], "nothing near"
    session.end()


def check_symbols():
    session = Session()

    def ask():
        return session.client.ask("textDocument/documentSymbol", textDocument={"uri": session.uri})

    symbols = ask()
    names = [one["name"] for one in symbols]
    assert names == ["ports", "hits", "sockets", "port", "punish", "market", "match ipv4 and udp.dport == port",
                     "match market.flags.urgent and tcp.dport in web", "match hits[ipv4.src].packets > 5", "asked"], names
    for one in symbols:
        assert text_in(MAIN, one["selectionRange"]) in text_in(MAIN, one["range"]), one
    market = symbols[names.index("market")]
    assert [one["name"] for one in market["children"]] == ["version", "flags", "price"], market
    session.change("defprogram a {\n    match udp -> drop\n    match tcp {\n        default -> pass\n    }\n}\n")
    (program,) = ask()
    assert [one["name"] for one in program["children"]] == ["match udp", "match tcp"], program
    assert program["children"][1]["children"][0]["name"] == "default"
    session.end()
    flat = Session(capabilities={})
    found = flat.client.ask("textDocument/documentSymbol", textDocument={"uri": flat.uri})
    assert {"version", "hits"} <= {one["name"] for one in found} and found[0]["location"]["uri"] == flat.uri, found
    flat.end()


def check_positions():
    text = 'match udp.payload[0:6] == "𝄞é" and udp.nope == 1 -> drop\n'
    for encodings, utf16 in ((["utf-8", "utf-16"], False), (["utf-16"], True), (["utf-32"], True)):
        session = Session(text=text, capabilities={**RICH, "general": {"positionEncodings": encodings}})
        assert session.utf16 == utf16, encodings
        (one,) = session.diagnostics()
        assert text_in(text, one["range"], utf16) == "nope", (encodings, one)
        assert "4 bytes" in session.hover("udp.payload", 1) or "header udp" in session.hover("udp.payload", 1)
        assert "sport" in session.completions('match udp.payload[0:6] == "𝄞é" and udp.|')
        # Changes of a piece of the text: a character of two units is replaced.
        session.change(text)
        edit = {"range": {"start": place(text, "𝄞", 0, utf16), "end": place(text, "𝄞", 1, utf16)}, "text": "abcd"}
        again = text.replace("𝄞", "abcd")
        second = {"range": {"start": place(again, "nope", 0, utf16), "end": place(again, "nope", 4, utf16)}, "text": "dport"}
        session.version = 9
        session.client.change(session.uri, 9, edit, second)
        assert session.diagnostics() == [], session.diagnostics()
        session.text = again.replace("nope", "dport")
        assert "16 bits" in session.hover("udp.dport", 5)
        session.end()
    session = Session(text="match udp -> drop\r\nmatch udp.nope == 1 -> drop\r\n")
    assert any(text_in(session.text, one["range"]) == "nope" for one in session.diagnostics())
    session.end()
    odd = "a b#ü%.xdpf"  # a name that a URI spells otherwise
    session = Session({"ports.xdpf": PORTS}, name=odd)
    assert session.diagnostics() == [], "the module beside it is found"
    session.end()
    untitled = Session(text="", name="a.xdpf")
    untitled.client.open("untitled:Untitled-1", "match udp.nope == 1 -> drop\n")
    assert untitled.client.diagnostics("untitled:Untitled-1")[0]["code"] == "unknown_field"
    untitled.end()


def check_large():
    rules = "".join(f"match ipv4.src == 10.{i // 250}.{i % 250}.1 and udp.dport == {i + 1} -> drop\n" for i in range(3000))
    session = Session(text=rules)
    assert session.diagnostics() == []
    session.change(rules + "match udp.|".replace("|", ""))
    begin = time.monotonic()
    assert "dport" in session.completions(rules + "match udp.|")
    assert time.monotonic() - begin < WAIT
    # Twenty changes in a row: only the last has to be looked at.
    for i in range(20):
        session.change(rules + f"match udp.dprt{i} == 1 -> drop\n")
    while session.client.published.get(session.uri, {}).get("version") != session.version:
        session.client.read()
    assert "dprt19" in session.client.published[session.uri]["diagnostics"][0]["message"]
    session.change("#" * (17 << 20))
    (one,) = session.diagnostics()
    assert one["code"] == "file_too_large", one
    assert session.client.ask("textDocument/hover", textDocument={"uri": session.uri}, position={"line": 0, "character": 5}) is None
    assert session.client.ask("textDocument/completion", textDocument={"uri": session.uri},
                              position={"line": 0, "character": 5})["items"] == []
    # What is shown of what is long is short.
    long = "const a = {" + ", ".join(map(str, range(100_000))) + "}\n" + "# é\n" * 300_000
    session.change(long + "defmap m : hash<u8 -> u8>[4]\nmatch udp.sport in a and m[1] == 1 -> drop\n")
    assert len(session.hover("in a", 3)) < 5000 and "…" in session.hover("in a", 3)
    assert "é é" in session.hover("defmap m", 7) and len(session.hover("defmap m", 7)) < 5000
    session.change("match udp.sport in {" + ", ".join(map(str, range(60_000))) + "} -> drop\n")
    (rule,) = session.client.ask("textDocument/documentSymbol", textDocument={"uri": session.uri})
    assert len(rule["name"]) < 200, rule["name"]
    for name in ("a" + ".a" * 300_000, "vxlan" + ".inner" * 60 + ".udp", "a" + "[a" * 50_000, "a" + "[1]" * 100_000):
        session.change(f"match {name} == 1 -> drop\n")
        for at in (7, len(name) // 2, len(name) + 4):
            for method in ("hover", "completion"):
                session.client.ask(f"textDocument/{method}", textDocument={"uri": session.uri},
                                   position={"line": 0, "character": at})
    session.change("match " + "(" * 100_000)
    assert session.diagnostics()[0]["code"] == "nesting_too_deep"
    session.change("match udp -> drop\n")
    assert session.diagnostics() == []
    session.end()


def check_everything_answers():
    """Every question at every place of real sources, also of such that end there: nothing stops the server."""
    for path in ("examples/flows.xdpf", "examples/custom_protocol.xdpf", "tests/golden/stages/syntax.xdpf"):
        text = (ROOT / path).read_text()
        session = Session({}, text=text)
        session.diagnostics()
        for at in range(0, len(text), 7):
            head = text[:at]
            position = {"line": head.count("\n"), "character": units(head[head.rfind("\n") + 1:])}
            for method in ("hover", "definition", "completion"):
                session.client.ask(f"textDocument/{method}", textDocument={"uri": session.uri}, position=position)
        for at in range(0, len(text), 101):
            session.change(text[:at])
            position = {"line": text[:at].count("\n"), "character": units(text[:at][text[:at].rfind("\n") + 1:])}
            for method in ("hover", "completion"):
                session.client.ask(f"textDocument/{method}", textDocument={"uri": session.uri}, position=position)
            session.client.ask("textDocument/documentSymbol", textDocument={"uri": session.uri})
        session.end()


def main():
    global XDPF
    XDPF = os.path.realpath(sys.argv[1])
    wanted = sys.argv[2:]
    failed = 0
    for name, check in list(globals().items()):
        if not name.startswith("check_") or (wanted and name.removeprefix("check_") not in wanted):
            continue
        begin = time.monotonic()
        try:
            check()
            word = "ok"
        except Exception:  # what it says is printed, and the next one runs
            traceback.print_exc(file=sys.stdout)
            failed += 1
            word = "FAILED"
        print(f"{name.removeprefix('check_').replace('_', ' ')} ... {word} ({time.monotonic() - begin:.1f} s)", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
