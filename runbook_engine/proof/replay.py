"""Replay: every decision of an execution made again, from what was recorded, and compared with what it decided then.

Nothing is looked at and nothing is touched: what the world answered is in the trace. Asked again are the matchers and
the mode, the next move before each event, what verdicts come to, the next version, and its record in the audit chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from runbook_engine.errors import RunbookError
from runbook_engine.guardrails import LOOK_AGAIN, refusals
from runbook_engine.machine import audit_record, evolve, next_move
from runbook_engine.machine.audit import chained, kind_of
from runbook_engine.machine.events import Event, Signalled
from runbook_engine.machine.narration import narrate
from runbook_engine.machine.trace import Trace, read_trace
from runbook_engine.model.audit import AuditRecord
from runbook_engine.model.execution import Execution
from runbook_engine.model.runbook import Runbook
from runbook_engine.ports import Journal
from runbook_engine.proof.answers import answers
from runbook_engine.proof.opening import opening_differs
from runbook_engine.proof.pointing import point

LEFT_TO_HOSTS = ("version", "lease", "due_at")  # what driving adds to an execution besides its decisions
LOOKED_AGAIN = ("verdicts", "resume_at")  # of the newest look, which is traced only when it says something new
MOST_READS = 10
IMPOSSIBLE = (AssertionError, AttributeError, LookupError, OverflowError, StopIteration, TypeError, ValueError)


class NoTrace(RunbookError):
    """What happened was not recorded, so that nothing can be decided again."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a replay first comes out otherwise. Event 0 is the opening, the one after the last is how it stands."""

    event: int
    recorded: str
    now: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a replay: how many events and records were decided again, and the first difference, if any."""

    execution: str
    runbook: str
    digest: str
    events: int = 0
    records: int = 0
    difference: Difference | None = None


def replay_stored(execution: Execution, journal: Journal) -> Replayed:
    """Return whether an execution of a journal decides the same again. Raises NoTrace, UnknownRunbook, ValueError.

    One that is being driven may have gone on between two reads: it is read again then.
    """
    runbook = journal.runbook(execution.runbook_digest)
    for _ in range(MOST_READS - 1):
        answer = replay(execution, runbook, journal.trace(execution.id), journal.audit(execution.id))
        newest = journal.load(execution.id)
        if answer.difference is None or newest.version == execution.version:
            return answer
        execution = newest
    return replay(execution, runbook, journal.trace(execution.id), journal.audit(execution.id))


def replay(execution: Execution, runbook: Runbook, said: Sequence[bytes], records: Sequence[AuditRecord]) -> Replayed:
    """Return whether an execution decides the same again. Raises NoTrace when it was not recorded from its start."""
    answer = Replayed(execution=execution.id, runbook=runbook.name, digest=execution.runbook_digest)
    if not all(said):
        raise NoTrace(f"execution {execution.id} cannot be replayed: what one commit made happen was too large to keep")
    try:
        traces = [read_trace(content) for content in said]
    except msgspec.MsgspecError as error:
        return replace(answer, difference=Difference(event=0, recorded="a trace", now=f"it cannot be read: {error}"))
    opened = _opening(execution, traces)
    differs = opening_differs(opened, runbook)
    if differs:
        return replace(answer, difference=Difference(event=0, recorded=differs[0], now=differs[1]))
    return _Replay(opened, runbook, records).run(traces, answer, execution)


def _opening(execution: Execution, traces: Sequence[Trace]) -> Execution:
    """Return the execution as it was opened."""
    if not traces and not execution.version:
        return execution  # nobody has driven it yet
    opened = traces[0].opened if traces else None
    if opened is None:
        raise NoTrace(
            f"execution {execution.id} cannot be replayed: what happened is not recorded from its start on "
            "(an older release opened it, or that was removed)"
        )
    return opened


class _Replay:
    """One replay under way: the execution as it is decided again, and the chain that it is compared with."""

    def __init__(self, opened: Execution, runbook: Runbook, records: Sequence[AuditRecord]) -> None:
        self._execution = opened
        self._runbook = runbook
        self._records = records
        self._number = 0
        self._seen = 0

    def run(self, traces: Iterable[Trace], answer: Replayed, stored: Execution) -> Replayed:
        """Return the answer, with the first difference if there is one."""
        difference = None
        for asked_at, event in (moment for trace in traces for moment in trace.moments()):
            self._number += 1
            difference = self._decide_or_say(event, asked_at)
            if difference is not None:
                break
        else:
            difference = self._compare_end(stored)
        return replace(answer, events=self._number, records=self._seen, difference=difference)

    def _decide_or_say(self, event: Event, asked_at: datetime) -> Difference | None:
        """Decide one event; a trace that somebody has written to may say what never can have happened."""
        try:
            return self._decide(event, asked_at)
        except IMPOSSIBLE as error:
            why = ", ".join(filter(None, [type(error).__name__, str(error)]))
            return self._differs(kind_of(event).replace("_", " "), f"it cannot have happened so: {why}")

    def _decide(self, event: Event, asked_at: datetime) -> Difference | None:
        """Let one event happen again; return what is otherwise about it."""
        before, otherwise = self._execution, ""
        if not isinstance(event, Signalled):
            otherwise = self._otherwise(event, before, asked_at)
        if otherwise and _is_refused(before):
            before = replace(before, resume_at=asked_at + LOOK_AGAIN)
            otherwise = self._otherwise(event, before, asked_at)
        if otherwise:
            return self._differs(_say(event, before), otherwise)
        after = evolve(before, event, self._runbook)
        record = audit_record(before, event, after)
        self._execution = after
        if record is None:
            return None
        kept = self._records[self._seen] if self._seen < len(self._records) else None
        if kept is None or kept.hash != record.hash:
            return self._differs(_say_record(kept, record), _say_record(record, kept))
        self._seen += 1
        self._execution = chained(after, record)
        return None

    def _otherwise(self, event: Event, before: Execution, asked_at: datetime) -> str:
        """Return what comes out instead of an event; empty when it is what comes next."""
        return answers(next_move(before, self._runbook, asked_at), event, before, self._runbook, asked_at)

    def _compare_end(self, stored: Execution) -> Difference | None:
        """Compare how it stands with how the journal has it."""
        last = self._number + 1
        if self._seen < len(self._records):
            kept = self._records[self._seen]
            return Difference(event=last, recorded=_say_record(kept), now="nothing happened that it could be of")
        left_out = (*LEFT_TO_HOSTS, *LOOKED_AGAIN, *(() if stored.ended else ("status",)))
        for name in Execution.__struct_fields__:
            was, now = getattr(stored, name), getattr(self._execution, name)
            if name not in left_out and was != now:
                place, recorded, comes_out = point({name: was}, {name: now})
                return Difference(event=last, recorded=f"{place} {recorded}", now=f"{place} {comes_out}")
        return None

    def _differs(self, recorded: str, now: str) -> Difference:
        return Difference(event=self._number, recorded=recorded, now=now)


def _is_refused(execution: Execution) -> bool:
    """Whether a guardrail said no, so that further looks which said the same may not have been traced."""
    said = "; ".join(verdict.says for verdict in refusals(execution.verdicts))
    return bool(said) and said == execution.waiting_for


def _say(event: Event, execution: Execution) -> str:
    """Return an event as people read it; one of a step that is not there, as far as it can be said."""
    step = getattr(event, "step", 0)
    kind = kind_of(event).replace("_", " ")
    return f"{kind}: {narrate(execution, event)}" if step < len(execution.steps) else f"{kind} of step {step + 1}"


def _say_record(record: AuditRecord | None, other: AuditRecord | None = None) -> str:
    """Return a record by its sentence, and by what is not as in the other one where both say the same."""
    if record is None:
        return "no record"
    said = f"record {record.number}: {record.says}"
    if other is None or other.says != record.says:
        return said
    place, here, _ = point(record, other)
    return f"{said} ({place} {here})"
