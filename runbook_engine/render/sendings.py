"""Requests that runbooks send, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from runbook_engine.permissions.requests import Sending
from runbook_engine.render.lines import Lines, Piece, Span, line, table
from runbook_engine.render.wording import count


def render_sendings(sendings: Sequence[Sending]) -> Lines:
    """Return each request with where it goes, whose credentials go along, and what sends it; nothing when none is."""
    if not sendings:
        return ()
    rows: list[list[Piece]] = []
    for name in dict.fromkeys(each.request for each in sendings):
        same = [each for each in sendings if each.request == name]
        where = Span(f"{same[0].method} {same[0].url}", "change")
        secrets = f"with {', '.join(same[0].secrets)}" if same[0].secrets else "without a credential"
        rows.append([Span(name, "strong"), where, secrets, Span("; ".join(each.because for each in same), "faint")])
    return (*table(rows), line(f"{count(len(rows), 'request')}, granted by engine.yaml alone"))


def record_sendings(sendings: Sequence[Sending]) -> list[dict[str, Any]]:
    """Return the same for scripts."""
    return [msgspec.to_builtins(each) for each in sendings]
