"""Adapter `console`: a receiver that reads along, on standard error or in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import msgspec

from runbook_engine.errors import NoAdapter, Permanent
from runbook_engine.model.observation import Message
from runbook_engine.ports import AdapterContext, AdapterSpec, Port, Served


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where lines go: a file that is appended to, else a stream."""

    path: str = ""
    stream: Literal["stderr", "stdout"] = "stderr"


class Console:
    """Writes one line a message."""

    def __init__(self, path: Path | None, stream: Literal["stderr", "stdout"]) -> None:
        self._path = path
        self._stream = stream

    def send(self, receiver: str, message: Message) -> str:
        """Write the message as one line, which has no reference. Raises Permanent when the file cannot be written."""
        line = render_line(receiver, message) + "\n"
        try:
            if self._path is None:
                stream = sys.stderr if self._stream == "stderr" else sys.stdout
                stream.write(line)
                stream.flush()
            else:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)
        except OSError as error:
            where = self._path or self._stream
            raise Permanent(f"receiver {receiver} cannot write to {where}: {error.strerror}") from error
        return ""


def render_line(receiver: str, message: Message) -> str:
    """Return the message as one line; what could steer a terminal is spelled out, since alerts have a say in it."""
    links = "  ".join(f"{name}: {address}" for name, address in message.links.items())
    parts = (
        f"{message.at:%Y-%m-%d %H:%M:%S}Z",
        f"[{receiver}]",
        message.event,
        message.severity,
        message.title,
        message.text,
        links,
    )
    return "  ".join(_printable(part) for part in parts if part)


def build(port: Port, settings: ConsoleSettings, context: AdapterContext) -> Served:
    """Serve one receiver."""
    if port != "receiver":
        raise NoAdapter(f"console does not serve {port}", "it serves receiver")
    path = context.base / settings.path if settings.path else None
    return Served(writer=Console(path, settings.stream))


def _printable(text: str) -> str:
    joined = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in joined
    )


ADAPTER = AdapterSpec(name="console", provides=("receiver",), settings=ConsoleSettings, build=build)
