"""The first screen, sorted: what needs a person before everything else, and how that is said in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook_engine.engine import Engine
from runbook_engine.entrypoints.server.web.questions import Question, make_question
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.model.execution import Execution
from runbook_engine.model.incident import ExecutionReport, Incident
from runbook_engine.model.ration import Held
from runbook_engine.model.storm import held_until
from runbook_engine.render.card import needs_person
from runbook_engine.render.first_screen import (
    MOST_CARDS,
    MOST_ROWS,
    MOST_UNHANDLED,
    Screen,
    Unhandled,
    is_held,
    list_wrong,
    recent,
    urgency,
)
from runbook_engine.render.inbox import is_late
from runbook_engine.render.storm import render_turns
from runbook_engine.render.wording import count, sentence

NOTHING = "Nothing needs you."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What stands on the first screen, in its order; of long lists the beginning, and how many more there are."""

    headline: str
    calm: bool
    wrong: tuple[str, ...]
    held: Held | None  # what a storm holds
    turns: tuple[str, ...]  # how that goes on since it was let go
    inbox_late: bool
    questions: tuple[Question, ...]
    further: tuple[Execution, ...]
    unhandled: tuple[Unhandled, ...]
    more_unhandled: int
    expired: tuple[Incident, ...]
    more_expired: int
    doing: tuple[Execution, ...]
    holding: tuple[ExecutionReport, ...]
    done: tuple[Execution, ...]
    most_rows: int = MOST_ROWS


def sort_screen(screen: Screen, engine: Engine, visitor: Visitor) -> Sorted:
    """Return the first screen as one visitor is shown it."""
    now = screen.now
    needing = sorted((card for card in screen.cards if needs_person(card)), key=urgency)
    quiet = [card.execution for card in screen.cards if not needs_person(card)]
    unhandled = sorted(screen.unmatched, key=lambda each: each.since, reverse=True)
    wrong = tuple(list_wrong(screen))
    stormy = held_until(screen.latch, screen.storm, now) is not None
    late = is_late(screen.inbox, now)
    besides = _besides(wrong=bool(wrong), stormy=stormy, inbox=late or screen.inbox.set_aside > 0)
    certain = not (wrong and screen.inbox.deliveries)  # what is undecided may need somebody
    headline = _headline(len(needing), len(unhandled), len(screen.expired), besides, certain=certain)
    return Sorted(
        headline=headline,
        calm=headline == NOTHING,
        wrong=wrong,
        held=screen.held,
        turns=_turns(screen),
        inbox_late=late,
        questions=tuple(make_question(card, engine, visitor, now) for card in needing[:MOST_CARDS]),
        further=tuple(card.execution.execution for card in needing[MOST_CARDS:]),
        unhandled=tuple(unhandled[:MOST_UNHANDLED]),
        more_unhandled=max(len(unhandled) - MOST_UNHANDLED, 0),
        expired=screen.expired[:MOST_UNHANDLED],
        more_expired=max(len(screen.expired) - MOST_UNHANDLED, 0),
        doing=tuple(each.execution for each in quiet if not each.execution.ended),
        holding=tuple(each for each in quiet if is_held(each.execution)),
        done=_done([each.execution for each in quiet], now),
    )


def _turns(screen: Screen) -> tuple[str, ...]:
    lines = render_turns(screen.turns) if screen.turns is not None else ()
    return (lines[0].spans[-1].text, *(str(each).strip() for each in lines[1:])) if lines else ()


def _done(executions: Sequence[Execution], now: datetime) -> tuple[Execution, ...]:
    return tuple(recent([each for each in executions if not is_held(each)], now))


def _besides(*, wrong: bool, stormy: bool, inbox: bool) -> tuple[str, ...]:
    """Return what is wrong with the engine itself, a few words each; banners say the rest."""
    said = ["the runner is out of order"] if wrong else []
    said += ["a storm holds every change"] if stormy else []
    return (*said, "the inbox needs a look") if inbox else tuple(said)


def _headline(needing: int, unhandled: int, expired: int, besides: tuple[str, ...], *, certain: bool) -> str:
    """Return what stands above everything."""
    said = [f"{count(needing, 'run')} need{'s' if needing == 1 else ''} you"] if needing else []
    said += [f"no run answers {count(unhandled, 'alert')}"] if unhandled else []
    said += [f"{count(expired, 'incident')} only expired"] if expired else []
    if not said and not besides:
        return NOTHING
    nothing = "nothing else needs you" if certain else "nothing else is known to need you"
    return sentence(", ".join((*said, *besides)) + ("" if said else f"; {nothing}"))
