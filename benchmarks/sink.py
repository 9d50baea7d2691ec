"""A sink: answers every HTTP request at once, and remembers when each path was first asked for.

`python -m benchmarks.sink PORT` runs it in a process of its own; `GET /seen` returns what came, `DELETE /seen` forgets
it. Times are those of the machine's monotonic clock, which all its processes share.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from time import perf_counter

END = b"\r\n\r\n"
LENGTH = b"content-length:"
OWN = "/seen"


class Sink:
    """One thread that answers whoever has sent a whole request."""

    def __init__(self, port: int) -> None:
        self._seen: dict[str, float] = {}
        self._read: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._listening = socket.create_server(("127.0.0.1", port), backlog=2048)
        self._selector.register(self._listening, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer until the process ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listening:
                    self._greet()
                elif isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)

    def _greet(self) -> None:
        connection, _ = self._listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: socket.socket) -> None:
        try:
            came = connection.recv(65536)
        except ConnectionError:
            came = b""
        if not came:
            self._selector.unregister(connection)
            del self._read[connection]
            connection.close()
            return
        self._read[connection] = self._answered(connection, self._read[connection] + came)

    def _answered(self, connection: socket.socket, content: bytes) -> bytes:
        """Answer each whole request, and return what is left."""
        at = perf_counter()
        while (end := content.find(END)) >= 0:
            size = end + len(END) + _length(content[:end])
            if len(content) < size:
                break
            method, path, _ = content.split(b" ", 2)
            body = self._answer(method.decode(), path.decode(), at)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            content = content[size:]
        return content

    def _answer(self, method: str, path: str, at: float) -> bytes:
        if path != OWN:
            self._seen.setdefault(path, at)
            return b"{}"
        told = json.dumps(self._seen).encode()
        if method == "DELETE":
            self._seen.clear()
        return told


def _length(head: bytes) -> int:
    line = next((line for line in head.lower().split(b"\r\n") if line.startswith(LENGTH)), b"0")
    return int(line.removeprefix(LENGTH))


if __name__ == "__main__":
    Sink(int(sys.argv[1])).serve()
