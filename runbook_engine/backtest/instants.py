"""Instants of the past: which times a history may have, so that everything reckoned from them stays in the calendar."""

from __future__ import annotations

from datetime import datetime

FIRST_YEAR = 1970
LAST_YEAR = 2999
EXAMPLE = "write it as 2026-01-05T09:00:00Z"


def why_unusable(instant: datetime) -> str:
    """Return what is wrong with an instant, as the rest of a sentence with the remedy; empty = nothing."""
    if instant.tzinfo is None:
        return f"has no time zone ({EXAMPLE})"
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        return f"is not between the years {FIRST_YEAR} and {LAST_YEAR} ({EXAMPLE})"
    return ""
