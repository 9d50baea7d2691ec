"""Recorded changes: which of them are one and the same, and how long a journal keeps them."""

from __future__ import annotations

from datetime import UTC, timedelta

from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target

KEPT_FOR = timedelta(days=90)
MOST_RECORDED = 500  # that one question is answered with


def mark_of(target: Target, event: ChangeEvent) -> str:
    """Return what two records of one change of a target share, whoever saw it and however often.

    How a revision of an object did is told once in its life: whoever starts to watch anew finds it out anew.
    """
    if event.kind in ("healthy", "failed") and target.uid:
        return f"{event.kind} {target.uid} {event.revision}"
    return f"{event.at.astimezone(UTC).isoformat()} {event.what}"
