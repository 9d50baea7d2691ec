"""Fields: what a template may name, and what each is for one message. There are no others, and none is ever code."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.model.observation import Message

APPROVE = "approve"
NAMES = (
    "receiver",
    *("message.id", "message.event", "message.title", "message.text", "message.at", "message.severity"),
    *("message.status", "message.runbook", "message.alert", "message.target", "message.owner", "message.did"),
    *("message.execution_id", "message.incident_id", "message.asks", "message.until", "message.taken_by"),
    *("message.links", "message.approve"),
)
OURS = frozenset(("message.links", "message.approve"))  # addresses that no alert has a say in


def fields_of(receiver: str, message: Message) -> Mapping[str, str]:
    """Return every field as text without control characters; the title is one line."""
    found = {
        "receiver": receiver,
        "message.id": message.id,
        "message.event": message.event,
        "message.title": " ".join(message.title.split()),
        "message.text": message.text,
        "message.at": message.at.isoformat(),
        "message.severity": message.severity,
        "message.status": message.status,
        "message.runbook": message.runbook,
        "message.alert": message.alert,
        "message.target": message.target,
        "message.owner": message.owner,
        "message.did": "\n".join(message.did),
        "message.execution_id": message.execution_id,
        "message.incident_id": message.incident_id,
        "message.asks": message.asks,
        "message.until": message.until.isoformat() if message.until is not None else "",
        "message.taken_by": message.taken_by,
        "message.links": "\n".join(f"{name}: {url}" for name, url in message.links.items() if name != APPROVE),
        "message.approve": message.links.get(APPROVE, ""),
    }
    return {name: _clean(text) for name, text in found.items()}


def _clean(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
