"""Figures: how a signal went, as the geometry of a small chart, and as rows for who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from runbook_engine.checks import number
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.metric import say_query

Points = Sequence[tuple[datetime, float]]
WIDTH, HEIGHT = 600, 200
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 46, 26  # room for what is written beside the lines
MOST_ROWS = 24
CLOSE = 24
GAP = 4  # so many times further apart than usual, two points are not joined: nobody knows what was between


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened while the signal went: a change of ours, one by others, or the alert itself."""

    at: datetime
    sign: str  # as it stands in the chart, and before its sentence beside it
    kind: Literal["ours", "others", "alert"]
    says: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in its place."""

    x: float
    row: int  # of its sign: where two stand close together, one stands above the other
    moment: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart, in units of its own. `says` tells it in a sentence, `rows` as a table."""

    identity: str
    title: str
    lines: tuple[str, ...]  # points of polylines
    dots: tuple[tuple[float, float], ...]  # what stands alone
    goal: str
    goal_y: float
    aim: tuple[float, float] | None  # the band in which the goal is met: its upper edge and its height
    highest: str
    lowest: str
    first: datetime
    last: datetime
    marks: tuple[Mark, ...]
    rows: tuple[tuple[datetime, str], ...]
    says: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(identity: str, check: QueryCheck, points: Points, moments: Sequence[Moment] = ()) -> Figure | None:
    """Return the chart of a check's signal; None when nothing of it can be drawn."""
    known = sorted(point for point in points if math.isfinite(point[1]))
    if not known:
        return None
    first, last = known[0][0], known[-1][0]
    values = [value for _, value in known]
    low, high = _range(values, check.value)
    across = max((last - first).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at - first).total_seconds() / across, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low), 1)

    pieces = [[(x(at), y(value)) for at, value in piece] for piece in _unbroken(known)]
    goal = f"{check.comparison} {number(check.value)}"
    title = say_query(check.query)
    said = f"{title} from {number(values[0])} to {number(values[-1])}, between {number(min(values))} and "
    return Figure(
        identity=identity,
        title=title,
        lines=tuple(" ".join(f"{px},{py}" for px, py in piece) for piece in pieces if len(piece) > 1),
        dots=tuple(piece[0] for piece in pieces if len(piece) == 1),
        goal=goal,
        goal_y=y(check.value),
        aim=_aim(check, y(check.value)),
        highest=number(high),
        lowest=number(low),
        first=first,
        last=last,
        marks=tuple(_placed([(x(moment.at), moment) for moment in moments if first <= moment.at <= last])),
        rows=tuple((at, number(value)) for at, value in _thinned(known)),
        says=f"{said}{number(max(values))}; the goal is {goal}.",
    )


def _range(values: Sequence[float], goal: float) -> tuple[float, float]:
    """Return what the chart reaches from and to: zero is in it, so that small wobbles look small."""
    low, high = min(0.0, goal, *values), max(0.0, goal, *values)
    return low, high if high > low else low + 1.0


def _aim(check: QueryCheck, goal_y: float) -> tuple[float, float] | None:
    match check.comparison:
        case "below":
            return goal_y, HEIGHT - BOTTOM - goal_y
        case "above":
            return TOP, goal_y - TOP
        case "equals":
            return None


def _placed(found: Sequence[tuple[float, Moment]]) -> Iterator[Mark]:
    row, before = 0, -math.inf
    for x, moment in found:
        row = 1 - row if x - before < CLOSE else 0
        yield Mark(x, row, moment)
        before = x


def _unbroken(points: Points) -> Iterator[list[tuple[datetime, float]]]:
    """Return the points in pieces between which nothing is known."""
    steps = sorted(later[0] - earlier[0] for earlier, later in pairwise(points))
    usual = steps[len(steps) // 2] if steps else timedelta(0)
    piece = [points[0]]
    for earlier, later in pairwise(points):
        if later[0] - earlier[0] > GAP * usual:
            yield piece
            piece = []
        piece.append(later)
    yield piece


def _thinned(points: Points) -> Points:
    """Return a few of the points, the first and the last among them."""
    every = -(-len(points) // MOST_ROWS)
    kept = list(points[::every])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
