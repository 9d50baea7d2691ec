"""Questions: one run with all that an answer takes: how it looks now, what is asked, and who may answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import replace

from runbook_engine.checks import number
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.server.web.figures import Figure, Moment, draw
from runbook_engine.entrypoints.server.web.links import list_links
from runbook_engine.entrypoints.server.web.signals import list_moments
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.machine.compensation import final_steps, undoable_steps
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.duration import say_duration
from runbook_engine.model.execution import ApprovalRequest, Execution, StepState
from runbook_engine.model.incident import IncidentReport
from runbook_engine.model.metric import say_query
from runbook_engine.model.plan import PlannedStep
from runbook_engine.model.runbook import Runbook
from runbook_engine.render.card import MOST_CHANGES, Card, Look, list_figures, value_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One signal as it reads now. `value` is empty when it cannot be told, and then `says` tells why."""

    name: str
    value: str
    says: str
    ok: bool
    goal: str
    was: str
    read_at: datetime | None
    figure: Figure | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A run that waits for a person, or that one looks at."""

    card: Card
    signs: tuple[Sign, ...]
    changes: tuple[PlannedStep, ...]  # that are asked about
    why_not: str  # why this visitor may not answer; empty = they may
    left: str  # until the question lapses
    links: tuple[tuple[str, str], ...]
    prior: int = MOST_CHANGES

    @property
    def execution(self) -> Execution:
        """The run."""
        return self.card.execution.execution

    @property
    def runbook(self) -> Runbook:
        """As the run began with it."""
        return self.card.execution.runbook

    @property
    def incident(self) -> IncidentReport:
        """What the run belongs to."""
        return self.card.incident

    @property
    def asked(self) -> ApprovalRequest | None:
        """What is asked of a person; None = nothing."""
        return self.execution.approval

    @property
    def cause(self) -> str:
        """The sign of what others changed before, where a chart shows one such change."""
        marks = [mark for sign in self.signs if sign.figure is not None for mark in sign.figure.marks]
        signs = {mark.moment.sign for mark in marks if mark.moment.kind == "others"}
        return signs.pop() if len(signs) == 1 else ""

    @property
    def can_be_taken(self) -> bool:
        """Whether there is anything to take over: what cannot be undone alone is nobody's to keep or to undo."""
        return not self.execution.ended or self.execution.absorbing or bool(self.undoable)

    @property
    def undoable(self) -> tuple[StepState, ...]:
        """The changes that stand, and that this visitor may have undone."""
        return undoable_steps(self.execution, self.runbook)

    @property
    def final(self) -> tuple[StepState, ...]:
        """The changes that stand whatever anybody says."""
        return final_steps(self.execution, self.runbook)

    @property
    def can_be_undone(self) -> bool:
        """Whether that may be asked: something may be undone, or nothing was changed yet; and nobody has asked."""
        asked = self.execution.unwind
        if asked is not None and asked.scope == "all":
            return False
        return bool(self.undoable) or not (self.execution.ended or self.final)

    @property
    def gist(self) -> str:
        """What it is about: what the alert says of itself, or else the runbook."""
        return self.execution.alert.annotations.get("summary", "").strip() or self.runbook.summary

    @property
    def can_be_cancelled(self) -> bool:
        """Whether it runs, or holds a change that nothing but a person ends."""
        by_hand = not self.execution.members and self.execution.compensation == "held"
        return not self.execution.ended or by_hand

    @property
    def evidence(self) -> tuple[str, ...]:
        """What was captured, by kind."""
        return tuple(dict.fromkeys(piece.collector for piece in self.card.execution.evidence))


def make_question(card: Card, engine: Engine, visitor: Visitor, now: datetime) -> Question:
    """Return a card as one visitor is asked it."""
    execution = card.execution.execution
    asked = execution.approval
    steps = asked.steps if asked is not None else ()
    return Question(
        card=card,
        signs=_signs(card, now),
        changes=tuple(step for step in steps if step.change is not None and step.change.field != "message"),
        why_not=engine.why_not_answer(asked.by, visitor.name) if asked is not None else "",
        left=say_duration(max(asked.until - now, timedelta(0))) if asked is not None else "",
        links=list_links([card.execution], [execution.alert]),
    )


def _signs(card: Card, now: datetime) -> tuple[Sign, ...]:
    looks: Sequence[Look] = list_figures(card)
    return tuple(_sign(look, card, f"now-{card.execution.execution.id}-{at}") for at, look in enumerate(looks))


def _moments(card: Card) -> tuple[Moment, ...]:
    """Return what bears on this run alone: signs in its chart are the numbers of what it did."""
    return list_moments(replace(card.incident, executions=(card.execution,)))


def _sign(look: Look, card: Card, identity: str) -> Sign:
    check, reading = look.check, look.reading
    assert isinstance(check, QueryCheck), "only queries are shown as figures"
    before = value_before(look, card.execution.execution)
    known = isinstance(reading.value, int | float)
    return Sign(
        name=say_query(check.query),
        value=number(reading.value) if isinstance(reading.value, int | float) else "",
        says=reading.says,
        ok=reading.ok is True,
        goal=f"{check.comparison} {number(check.value)}",
        was=number(before) if before is not None else "",
        read_at=look.points[-1][0] if look.points else None,
        figure=draw(identity, check, look.points, _moments(card)) if known else None,
    )
