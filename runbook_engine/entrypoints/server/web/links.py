"""Links: addresses that others wrote, as far as a person may be led to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from runbook_engine.model.alert import Alert
from runbook_engine.model.incident import ExecutionReport

LONGEST = 2000  # characters
NAMES = {
    "runbook": "runbook",
    "dashboard": "dashboard",
    "generator": "graph at the sender",
    "silence": "silence it at the sender",
    "source": "alert at the sender",
}


def safe_link(text: str) -> str:
    """Return an address that leads to a web page, as it is; empty for any other, which is shown as text alone."""
    if len(text) > LONGEST or not text.isascii() or any(sign.isspace() or not sign.isprintable() for sign in text):
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and host and not parts.username else ""


def list_links(reports: Iterable[ExecutionReport], alerts: Iterable[Alert]) -> tuple[tuple[str, str], ...]:
    """Return where a person may look further: what runbooks name, then what alerts bring; each address once."""
    found: dict[str, str] = {}
    for name, address in (*_of_runbooks(reports), *_of_alerts(alerts)):
        found.setdefault(address, name)
    return tuple((name, address) for address, name in found.items())


def _of_runbooks(reports: Iterable[ExecutionReport]) -> Iterator[tuple[str, str]]:
    for report in reports:
        yield from report.runbook.links.items()


def _of_alerts(alerts: Iterable[Alert]) -> Iterator[tuple[str, str]]:
    given = tuple(alerts)
    several = len({alert.name for alert in given}) > 1
    for alert in given:
        for field, name in NAMES.items():
            address = getattr(alert.links, field)
            if address:
                yield f"{name}, {alert.name}" if several else name, address
