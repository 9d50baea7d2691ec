"""What verify-audit and replay found, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from runbook_engine.proof.replay import Replayed
from runbook_engine.proof.trail import Finding
from runbook_engine.render.lines import Lines, Span, line
from runbook_engine.render.wording import count


def render_verification(executions: int, records: int, findings: Sequence[Finding], kept: str = "") -> Lines:
    """Return every finding and the sum; `kept` is where the heads are now."""
    found = [line(Span(finding.execution or "journal", "strong"), f"  {finding.says}", hang=2) for finding in findings]
    what = f"{count(executions, 'execution')}, {count(records, 'record')}: "
    verdict = Span(count(len(findings), "finding"), "bad") if findings else Span("every chain is whole", "good")
    heads = (line(f"the heads are kept in {kept}"),) if kept else ()
    return (*found, line(what, verdict), *heads)


def record_verification(executions: int, records: int, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what was found, for scripts."""
    return {
        "executions": executions,
        "records": records,
        "findings": [msgspec.structs.asdict(finding) for finding in findings],
    }


def render_replay(replayed: Replayed) -> Lines:
    """Return that it is the same, or what was recorded beside what comes out now."""
    difference = replayed.difference
    if difference is None:
        sums = f"{count(replayed.events, 'event')}, {count(replayed.records, 'record')}"
        return (line(Span("same decisions", "good"), f": {sums}"),)
    version = f"(runbook {replayed.runbook}, version {replayed.digest[:12]})"
    return (
        line(Span(f"{_where(replayed, difference.event)} comes out otherwise", "bad"), f" {version}"),
        line("  recorded  ", difference.recorded, hang=12),
        line("  now       ", difference.now, hang=12),
    )


def _where(replayed: Replayed, event: int) -> str:
    if event > replayed.events:
        return "how it stands in the end"
    return f"event {event}" if event else "its opening"


def record_replay(replayed: Replayed) -> dict[str, Any]:
    """Return what came out, for scripts."""
    found = replayed.difference
    return {
        "execution": replayed.execution,
        "runbook": replayed.runbook,
        "digest": replayed.digest,
        "same": found is None,
        "events": replayed.events,
        "records": replayed.records,
        "difference": msgspec.structs.asdict(found) if found is not None else None,
    }
