"""Changes that others made, as a sender tells them: bounded texts, a target of valid parts, a time that can be."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.timestamps import BadTimestamp, parse_timestamp

MOST_TEXT = 500
MOST_NAME = 128
AHEAD = timedelta(minutes=5)
KIND = re.compile(r"[a-z][A-Za-z]{0,31}")
NAME = re.compile(r"[!-~]{1,512}")
NAMESPACE = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,253}[A-Za-z0-9])?")
PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def changed(target: Target, *, at: object, who: str, what: str, now: datetime) -> tuple[Target, ChangeEvent]:
    """Return a change, its time the sender's unless that is absent or still to come. Raises RefusedAlert."""
    _check(target)
    try:
        moment = parse_timestamp(at)
    except BadTimestamp as error:
        raise RefusedAlert("the time of the change is no instant: write 2026-05-11T07:40:12Z") from error
    known = moment if moment is not None and moment - now <= AHEAD else now
    return target, ChangeEvent(at=known, who=short(who, MOST_NAME) or "unknown", what=short(what, MOST_TEXT))


def short(text: str, most: int = MOST_NAME) -> str:
    """Return a text on one line, cut where it is absurdly long."""
    line = UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def _check(target: Target) -> None:
    if not KIND.fullmatch(target.kind) or target.kind == "none":
        raise RefusedAlert("the target of the change has no valid kind, as in deployment or function")
    if not NAME.fullmatch(target.name):
        raise RefusedAlert("the target of the change has no valid name")
    if target.namespace and not NAMESPACE.fullmatch(target.namespace):
        raise RefusedAlert("the namespace of the changed target is not valid")
    if target.place and not PLACE.fullmatch(target.place):
        raise RefusedAlert("the place of the changed target is not valid")
