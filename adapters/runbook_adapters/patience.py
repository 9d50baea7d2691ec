"""Patience: how long the other side asks us to wait before we ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from runbook_adapters.web import Answer

LONGEST_WAIT = timedelta(minutes=15)  # whatever the other side asks for
TRY_AGAIN = frozenset({408, 425, 429})


def is_passing(answer: Answer) -> bool:
    """Whether asking again later may be answered otherwise."""
    return answer.status in TRY_AGAIN or answer.status >= 500


def wait_asked(answer: Answer, now: datetime) -> timedelta | None:
    """Return how long the other side asks us to wait, in either form that HTTP knows."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit() and len(asked) < 9:
        return min(timedelta(seconds=int(asked)), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(aware - now, timedelta(0)), LONGEST_WAIT)
