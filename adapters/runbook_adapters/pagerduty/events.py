"""Events: what PagerDuty is told for a message, as its Events API v2 takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from runbook_engine.model.observation import Message

LONGEST_SUMMARY = 1024
LONGEST_KEY = 255
LONGEST_LINK = 2048
MOST_LINKS = 10
MOST_TEXT = 64 * 1024  # characters, to begin with
MOST_BYTES = 500_000  # of the 512 KB that PagerDuty takes
CUT = " [cut here: the rest is in the engine's own record]"
CLIENT = "runbook-engine"
STORM = "storm"
WELL = ("succeeded", "cancelled")

Wish = Literal["trigger", "acknowledge", "resolve"]
SEVERITIES: Mapping[str, str] = {
    "critical": "critical",
    "high": "error",
    "warning": "warning",
    "low": "info",
    "info": "info",
    "none": "info",
}
UNKNOWN = "error"  # somebody should look: what nobody graded is not taken lightly


def wish_of(message: Message) -> Wish | None:
    """Return what is wanted of PagerDuty; None = nothing: something else of the incident is open, or it is old news."""
    if message.event == STORM:
        return "trigger"
    if message.overtaken and message.status in WELL:  # neither opened again nor closed by what comes too late
        return None
    if message.settled:
        return "resolve"
    if message.event == "ended" and message.status in WELL:
        return None
    if message.event in ("ended", "notFixed") and message.taken_by:
        return "acknowledge"
    return "trigger"


def key_of(message: Message) -> str:
    """Return what makes messages one alert: their incident, else their execution, else each itself, as a storm."""
    about = "" if message.event == STORM else message.incident_id or message.execution_id
    return f"runbook-engine/{about or message.id}"[:LONGEST_KEY]


def body_of(message: Message, wish: Wish, routing_key: str) -> bytes:
    """Return the event as JSON that fits; a text that does not loses its end, and says so."""
    room = MOST_TEXT
    while True:
        body = msgspec.json.encode(_event(message, wish, routing_key, room))
        if len(body) <= MOST_BYTES or room == 0:
            return body
        room = room // 2


def _event(message: Message, wish: Wish, routing_key: str, room: int) -> dict[str, Any]:
    event: dict[str, Any] = {"routing_key": routing_key, "event_action": wish, "dedup_key": key_of(message)}
    if wish != "trigger":
        return event
    return {
        **event,
        "client": CLIENT,
        "links": [
            {"href": url, "text": "Approve or deny" if name == "approve" else _cut(name, 200)}
            for name, url in list(message.links.items())[:MOST_LINKS]
            if url.startswith(("http://", "https://")) and len(url) <= LONGEST_LINK
        ],
        "payload": {
            "summary": _cut(" ".join(f"{message.title}: {message.text}".split()), LONGEST_SUMMARY),
            "source": _cut(message.target or message.runbook or CLIENT, LONGEST_SUMMARY),
            "severity": SEVERITIES.get(message.severity, UNKNOWN),
            "timestamp": message.at.isoformat(),
            "component": _cut(message.target, LONGEST_SUMMARY),
            "group": _cut(message.owner, LONGEST_SUMMARY),
            "class": _cut(message.alert, LONGEST_SUMMARY),
            "custom_details": _details(message, room),
        },
    }


def _details(message: Message, room: int) -> dict[str, Any]:
    """Return what an on-call reads; empty fields are left out."""
    details: dict[str, Any] = {
        "event": message.event,
        "text": message.text if len(message.text) <= room else message.text[:room] + CUT,
        "did": [_cut(deed, LONGEST_SUMMARY) for deed in message.did] if room else [],
        "answer_until": message.until.isoformat() if message.until is not None else "",
        "runbook": _cut(message.runbook, LONGEST_SUMMARY),
        "status": message.status,
        "incident": message.incident_id,
        "execution": message.execution_id,
    }
    return {name: value for name, value in details.items() if value}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
