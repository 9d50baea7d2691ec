"""What `doctor` found: a line for each thing that must work, with the remedy where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from runbook_engine.render.lines import Line, Lines, Mark, Span, line
from runbook_engine.render.wording import count

Health = Literal["ok", "warning", "broken"]
WORDS: dict[Health, tuple[str, Mark]] = {"ok": ("ok", "good"), "warning": ("WARN", "warn"), "broken": ("FAIL", "bad")}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked."""

    name: str
    health: Health
    says: str
    remedy: str = ""


def render_checkup(findings: Sequence[Finding]) -> Lines:
    """Return every finding, and the sum."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines: list[Line] = []
    for finding in findings:
        word, mark = WORDS[finding.health]
        lines.append(line(Span(f"{word:<4}", mark), f"  {finding.name:<{width}}  ", finding.says, hang=width + 8))
        if finding.remedy:
            lines.append(line(" " * (width + 8), Span(f"-> {finding.remedy}", "strong"), hang=width + 11))
    broken = sum(1 for finding in findings if finding.health == "broken")
    warned = sum(1 for finding in findings if finding.health == "warning")
    verdict = Span(f"{broken} broken", "bad") if broken else Span("nothing broken", "good")
    return (*lines, line(verdict, f", {count(warned, 'warning')}"))


def record_checkup(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for scripts."""
    return {
        "checks": [
            {"name": each.name, "health": each.health, "says": each.says, "remedy": each.remedy} for each in findings
        ]
    }
