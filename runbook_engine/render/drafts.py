"""What init has written, and what to do with it next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runbook_engine.render.lines import Lines, Span, line
from runbook_engine.render.wording import count


def render_drafts(written: Sequence[str], skipped: Sequence[str], folder: str) -> Lines:
    """Return each file, and the two commands that come next."""
    return (
        *(line(Span("wrote", "good"), f"  {file}") for file in written),
        *(line(Span("kept", "faint"), f"   {file}") for file in skipped),
        line(f"{count(len(written), 'file')} written; next: runbook lint {folder}, then runbook test {folder}"),
    )


def record_drafts(written: Sequence[str], skipped: Sequence[str]) -> dict[str, Any]:
    """Return the same for scripts."""
    return {"written": list(written), "skipped": list(skipped)}
