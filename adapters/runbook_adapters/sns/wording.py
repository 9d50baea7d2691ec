"""What a topic is told: a subject, a text for people, JSON for programs, and attributes to filter by.

What an alert says is data: in the subject nothing is left of it that is not printable ASCII, and the rest keeps no
control characters but line breaks and tabs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runbook_engine.model.observation import Message

LONGEST_SUBJECT = 99  # SNS: less than a hundred characters
LONGEST_TITLE = 1000
LONGEST_SMS = 140
LONGEST_ATTRIBUTE = 256
MOST_TEXT = 64 * 1024  # characters, to begin with
MOST_BYTES = 200_000  # of the whole, of the 262144 that SNS takes with its attributes
FOR_PROGRAMS = ("http", "https", "sqs", "lambda", "firehose")
CUT = "\n[cut here: the rest is in the engine's own record]"


def subject_of(message: Message) -> str:
    """Return the subject of an e-mail: one line of printable ASCII, never empty."""
    severity = f"[{message.severity}] " if message.severity else ""
    words = " ".join(f"{severity}{message.title or message.event}".split())
    printable = "".join(_ascii(character) for character in words if character.isprintable()).strip()
    shown = printable or "runbook-engine"
    return shown if len(shown) <= LONGEST_SUBJECT else shown[: LONGEST_SUBJECT - 3] + "..."


def attributes_of(message: Message) -> Mapping[str, Any]:
    """Return what subscriptions filter by; SNS takes no empty ones."""
    wanted = {
        "kind": _kind(message),
        "event": message.event,
        "severity": message.severity,
        "runbook": message.runbook,
        "incident_id": message.incident_id,
    }
    cleaned = {name: _one_line(value)[:LONGEST_ATTRIBUTE] for name, value in wanted.items()}
    return {name: {"DataType": "String", "StringValue": value} for name, value in cleaned.items() if value}


def body_of(receiver: str, message: Message) -> str:
    """Return the message for every kind of subscription, as JSON that fits with room to spare.

    Links and deeds that do not fit are left out; a text that does not fit loses its end, and says so.
    """
    cleaned = msgspec.structs.replace(
        message,
        title=_clean(message.title)[:LONGEST_TITLE],
        text=_clean(message.text),
        did=tuple(_one_line(deed) for deed in message.did),
    )
    if len(_encoded(receiver, _shortened(cleaned, 0))) > MOST_BYTES:
        cleaned = msgspec.structs.replace(cleaned, links={}, did=())
    room = MOST_TEXT
    while room > 0:
        body = _encoded(receiver, _shortened(cleaned, room))
        if len(body) <= MOST_BYTES:
            return body.decode()
        room = room * 2 // 3
    return _encoded(receiver, _shortened(cleaned, 0)).decode()


def _encoded(receiver: str, message: Message) -> bytes:
    programs = msgspec.json.encode({"receiver": receiver, **msgspec.to_builtins(message)}).decode()
    told = {"default": _letter(message), "sms": _one_line(message.title or message.event)[:LONGEST_SMS]}
    return msgspec.json.encode({**told, **dict.fromkeys(FOR_PROGRAMS, programs)})


def _letter(message: Message) -> str:
    """Return what people read: the title, the text, where to look, and what it is about."""
    about = {"severity": message.severity, "runbook": message.runbook}
    ids = {"incident": message.incident_id, "execution": message.execution_id}
    facts = "\n".join(f"{name}: {_one_line(value)}" for name, value in {**about, **ids}.items() if value)
    links = "\n".join(f"{_one_line(name)}: {_one_line(address)}" for name, address in message.links.items())
    at = f"{message.event} at {message.at:%Y-%m-%d %H:%M:%S} UTC"
    if message.until is not None:
        at += f", to be answered until {message.until:%Y-%m-%d %H:%M:%S} UTC"
    return "\n\n".join(part for part in (_one_line(message.title), message.text, links, facts, at) if part)


def _shortened(message: Message, room: int) -> Message:
    if len(message.text) <= room:
        return message
    return msgspec.structs.replace(message, text=message.text[:room] + CUT)


def _kind(message: Message) -> str:
    if message.execution_id:
        return "execution"
    return "incident" if message.incident_id else "engine"


def _ascii(character: str) -> str:
    return character if character.isascii() else "?"


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _clean(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
