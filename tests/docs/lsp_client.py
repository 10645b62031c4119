"""A small client of the Language Server Protocol: starts `xdpf lsp` and waits for each answer, for a time."""

import json
import os
import select
import subprocess
import time

WAIT = 60  # seconds, for one message; machines may be busy


class Client:
    def __init__(self, xdpf, folder, **options):
        self.process = subprocess.Popen([xdpf, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder,
                                        bufsize=0, **options)
        self.folder = folder
        self.buffer = b""
        self.published = {}  # uri -> the last diagnostics with their version
        self.next = 1

    # Bytes

    def raw(self, data):
        self.process.stdin.write(data)

    def send(self, message):
        body = json.dumps(message, ensure_ascii=False).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def fill(self, until):
        ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
        if not ready:
            raise TimeoutError(f"no message within {WAIT} s; so far {self.buffer[:200]!r}")
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        if not data:
            raise EOFError("the server ended")
        self.buffer += data

    def read(self):
        until = time.monotonic() + WAIT
        while b"\r\n\r\n" not in self.buffer:
            self.fill(until)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = int(head.split(b":")[1])
        while len(self.buffer) < length:
            self.fill(until)
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        message = json.loads(body)
        assert message["jsonrpc"] == "2.0", message
        if message.get("method") == "textDocument/publishDiagnostics":
            self.published[message["params"]["uri"]] = message["params"]
        return message

    # Messages

    def answer(self, identity):
        while True:
            message = self.read()
            if "method" not in message and message["id"] == identity:
                return message

    def request(self, method, **parameters):
        identity = self.next
        self.next += 1
        self.send({"jsonrpc": "2.0", "id": identity, "method": method, "params": parameters})
        return self.answer(identity)

    def ask(self, method, **parameters):
        message = self.request(method, **parameters)
        assert "error" not in message, message
        return message["result"]

    def tell(self, method, **parameters):
        self.send({"jsonrpc": "2.0", "method": method, "params": parameters})

    def initialize(self, **capabilities):
        result = self.ask("initialize", processId=os.getpid(), rootUri=None, capabilities=capabilities)
        self.tell("initialized")
        return result

    def end(self):
        """Shuts down, and returns the exit status."""
        self.ask("shutdown")
        self.tell("exit")
        return self.process.wait(WAIT)

    # Documents

    def open(self, uri, text, version=1):
        self.published.pop(uri, None)
        self.tell("textDocument/didOpen",
                  textDocument={"uri": uri, "languageId": "xdpf", "version": version, "text": text})

    def change(self, uri, version, *changes):
        self.published.pop(uri, None)
        self.tell("textDocument/didChange", textDocument={"uri": uri, "version": version},
                  contentChanges=list(changes))

    def diagnostics(self, uri, version=None):
        """Those of the document as it is, or as this version of it is."""
        while uri not in self.published or version not in (None, self.published[uri].get("version")):
            self.read()
        return self.published[uri]["diagnostics"]
