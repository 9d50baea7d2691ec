"""What a channel sees: a message as Slack's blocks. The buttons are links: nothing in Slack itself acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from runbook_adapters.slack.text import escaped, one_line
from runbook_engine.model.observation import Message

LONGEST_HEADER = 150
LONGEST_SECTION = 3000
LONGEST_CONTEXT = 1000
LONGEST_BUTTON = 75
LONGEST_URL = 3000
LONGEST_SUMMARY = 1000
MOST_BUTTONS = 10
APPROVE = "approve"
Block = Mapping[str, Any]


def summary_of(message: Message) -> str:
    """Return what a notification shows, where no blocks are."""
    return one_line(f"{_headline(message)}: {message.text}", LONGEST_SUMMARY)


def blocks_of(message: Message) -> list[Block]:
    """Return the whole state of a run: what, why, what was done, what is asked, and where to look."""
    header = {"type": "plain_text", "text": one_line(_headline(message), LONGEST_HEADER), "emoji": False}
    blocks: list[Block] = [{"type": "header", "text": header}]
    asks = message.text if message.asks else ""
    named = {"Now": "" if asks else message.text, "Did": _newest(message.did), "Asks": asks}
    blocks += [_section(name, text) for name, text in named.items() if text.strip()]
    return [*blocks, *_buttons(message), *_context(message)]


def reply_blocks_of(message: Message) -> list[Block]:
    """Return the news alone, for the thread."""
    return [_section(_status(message).capitalize(), message.text or message.title), *_buttons(message)]


def _headline(message: Message) -> str:
    severity = f"[{message.severity}] " if message.severity else ""
    return f"{severity}{_status(message)}: {message.title}"


def _status(message: Message) -> str:
    """Return the one word that says how it stands."""
    return "needs approval" if message.asks else (message.status or message.event).replace("_", " ")


def _section(name: str, text: str) -> Block:
    label = f"*{escaped(name, 100)}*\n"
    body = escaped(text, LONGEST_SECTION - len(label))
    return {"type": "section", "text": {"type": "mrkdwn", "text": label + body, "verbatim": True}}


def _newest(lines: tuple[str, ...]) -> str:
    """Return the last lines that fit, whole: what was done last matters most."""
    kept: list[str] = []
    for text in reversed(lines):
        if sum(len(escaped(line, LONGEST_SECTION)) + 1 for line in (text, *kept)) > LONGEST_SECTION - 100:
            return "\n".join(("...", *kept))
        kept.insert(0, text)
    return "\n".join(kept)


def _context(message: Message) -> list[Block]:
    taken = {"taken by": message.taken_by} if message.taken_by else {}
    until = {"answer until": f"{message.until:%H:%M:%S} UTC"} if message.asks and message.until else {}
    facts = {
        **until,
        **taken,
        "target": message.target,
        "owner": message.owner,
        "runbook": message.runbook,
        "incident": message.incident_id[:8],
        "execution": message.execution_id[:8],
        "at": f"{message.at:%Y-%m-%d %H:%M:%S} UTC",
    }
    said = one_line(" · ".join(f"{name} {value}" for name, value in facts.items() if value), LONGEST_CONTEXT)
    return [{"type": "context", "elements": [{"type": "mrkdwn", "text": said, "verbatim": True}]}]


def _buttons(message: Message) -> list[Block]:
    """Return a row of links, the one that answers a question first. An address that is none has no button."""
    wanted = sorted(message.links.items(), key=lambda link: link[0] != APPROVE)
    buttons = [_button(name, url) for name, url in wanted if _is_address(url)][:MOST_BUTTONS]
    return [{"type": "actions", "elements": buttons}] if buttons else []


def _button(name: str, url: str) -> Block:
    label = "Approve or deny" if name == APPROVE else one_line(name, LONGEST_BUTTON)
    shown = {"type": "button", "text": {"type": "plain_text", "text": label, "emoji": False}, "url": url}
    return {**shown, "style": "primary"} if name == APPROVE else shown


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isprintable() and not any(character.isspace() or character in "<>" for character in url)
    return plain and len(url) <= LONGEST_URL and parts.scheme in ("http", "https") and bool(parts.netloc)
