"""The difference: for every alert of a history, what one set of runbooks would have planned and another would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from runbook_engine.backtest.history import InvalidHistory, Recorded, RecordedAlert
from runbook_engine.backtest.outline import Outline, fixed_outline, what_hangs_on_alerts
from runbook_engine.backtest.side import Side
from runbook_engine.engine import parse_request
from runbook_engine.errors import InvalidAlert, UnknownSource
from runbook_engine.model.alert import Alert
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.delivery import Parsed
from runbook_engine.model.hindsight import Difference, PlanChange, RunbookDifference
from runbook_engine.model.quoting import quote
from runbook_engine.registry import Registry

MOST_CHANGES = 20
MOST_EXAMPLES = 3
MOST_LABELS = 6

Changed = tuple[tuple[str, str, str], ...]  # what, before, after


@dataclass(slots=True)
class _Like:
    """Alerts that say the same, as each side reads them."""

    before: Alert
    after: Alert
    count: int = 0


@dataclass(slots=True)
class _Counts:
    """What is counted of one runbook."""

    gained: int = 0
    lost: int = 0
    changed: int = 0
    same: int = 0
    changes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)
    gained_examples: list[str] = field(default_factory=list)
    lost_examples: list[str] = field(default_factory=list)


def compare(
    before: Bundle,
    after: Bundle,
    recorded: Iterable[Recorded],
    registry: Registry,
    *,
    names: tuple[str, str],
    scope: str,
) -> Difference:
    """Return what is different for the alerts of a history that fire. Raises InvalidHistory."""
    groups, rejected = _gathered(recorded, before.configuration, after.configuration, registry, scope)
    comparison = _Comparison(Side(before), Side(after))
    for like in groups:
        comparison.add(like)
    return comparison.result(groups, names, rejected)


class _Comparison:
    """Two sides, and what was found different so far."""

    def __init__(self, before: Side, after: Side) -> None:
        self._before, self._after = before, after
        one_installation = before.configuration == after.configuration
        self._rewritten: set[str] = set()
        self._fixed: dict[str, Changed] = {}  # what changed for every alert, by runbook
        self._same_for_each: set[str] = set()  # runbooks in which nothing changed that hangs on the alert
        for name in before.runbooks.keys() & after.runbooks.keys():
            old, new = before.runbooks[name], after.runbooks[name]
            self._fixed[name] = ()
            if old.digest != new.digest:
                self._rewritten.add(name)
                self._fixed[name] = _changed(fixed_outline(old), fixed_outline(new))
            if one_installation and what_hangs_on_alerts(old) == what_hangs_on_alerts(new):
                self._same_for_each.add(name)
        self._counts: dict[str, _Counts] = {}
        self._compared: dict[tuple[str, int, int], Changed] = {}

    def add(self, like: _Like) -> None:
        """Compare what becomes of some alerts that say the same."""
        old, new = self._before.match(like.before), self._after.match(like.after)
        for name in dict.fromkeys((*old, *new)):
            counts = self._counts.setdefault(name, _Counts())
            if name not in new:
                counts.lost += like.count
                _add_example(counts.lost_examples, like)
            elif name not in old:
                counts.gained += like.count
                _add_example(counts.gained_examples, like)
            else:
                self._add_both(name, like, counts)

    def result(self, groups: list[_Like], names: tuple[str, str], rejected: int) -> Difference:
        """Return everything that was found."""
        old, new = self._before.runbooks, self._after.runbooks
        known = dict.fromkeys((*new, *old))
        differing = tuple(_difference(name, self._counts[name]) for name in known if _differs(self._counts.get(name)))
        without = tuple(name for name in known if name in self._rewritten and not _differs(self._counts.get(name)))
        named = {each.runbook for each in differing} | set(without)
        return Difference(
            before=names[0],
            after=names[1],
            alerts=sum(like.count for like in groups),
            distinct=len(groups),
            rejected=rejected,
            added=tuple(name for name in new if name not in old),
            removed=tuple(name for name in old if name not in new),
            runbooks=differing,
            without_effect=without,
            unchanged=sum(1 for name in new if name in old and name not in named),
        )

    def _add_both(self, name: str, like: _Like, counts: _Counts) -> None:
        changes = self._changes(name, like)
        if not changes:
            counts.same += like.count
            return
        counts.changed += like.count
        for change in changes:
            counts.changes[change] += like.count
            if change not in counts.examples:
                counts.examples[change] = say_alert(like.after)

    def _changes(self, name: str, like: _Like) -> Changed:
        """Return what differs between two plans. Each side keeps its outlines, so they are known by identity."""
        fixed, alike = self._fixed[name], name in self._same_for_each
        if alike and not fixed:
            return ()
        old = self._before.outline(name, like.before)
        new = old if alike else self._after.outline(name, like.after)
        key = (name, id(old), id(new))
        if key not in self._compared:
            planned = "refused" not in old or "refused" not in new
            self._compared[key] = (*_changed(old, new), *(fixed if planned else ()))
        return self._compared[key]


def _changed(old: Outline, new: Outline) -> Changed:
    """Return what is different in two outlines."""
    return tuple(
        (what, old.get(what, ""), new.get(what, ""))
        for what in dict.fromkeys((*old, *new))
        if old.get(what, "") != new.get(what, "")
    )


def say_alert(alert: Alert) -> str:
    """Return an alert as its name and its first labels."""
    shown = [f"{name}={quote(text)}" for name, text in sorted(alert.labels.items()) if name != "alertname"]
    more = ", ..." if len(shown) > MOST_LABELS else ""
    return f"{alert.name}{{{', '.join(shown[:MOST_LABELS])}{more}}}"


def _gathered(
    recorded: Iterable[Recorded], before: Configuration, after: Configuration, registry: Registry, scope: str
) -> tuple[list[_Like], int]:
    """Return the alerts that fire, those that say the same together, and how many could not be used."""
    read_alike = _reading(before) == _reading(after)
    likes: dict[bytes, _Like] = {}
    lines: dict[bytes, list[_Like]] = {}  # what a line of one alert says -> what it means
    rejected = 0
    for each in recorded:
        line = each.line
        said = _said(line) if isinstance(line, RecordedAlert) else b""
        if said not in lines or not said:
            new = _parse(each, after, registry, scope)
            old = new if read_alike else _as_before(each, before, registry, scope, new)
            rejected += len(new.rejected)
            pairs = [pair for pair in zip(old.alerts, new.alerts, strict=True) if _may_start(pair[1])]
            lines[said] = [likes.setdefault(_identity(pair[1]), _Like(*pair)) for pair in pairs]
        for like in lines[said]:
            like.count += 1
    return list(likes.values()), rejected


def _parse(recorded: Recorded, configuration: Configuration, registry: Registry, scope: str) -> Parsed:
    try:
        return parse_request(recorded.request(scope), configuration, registry)
    except (InvalidAlert, UnknownSource) as error:
        raise InvalidHistory(f"{recorded.place}: {error}") from error


def _as_before(recorded: Recorded, before: Configuration, registry: Registry, scope: str, new: Parsed) -> Parsed:
    """Return a delivery as it was read before; as it is now where it held other alerts then, or could not be read."""
    try:
        old = parse_request(recorded.request(scope), before, registry)
    except (InvalidAlert, UnknownSource):
        return new
    return old if len(old.alerts) == len(new.alerts) else new


def _reading(configuration: Configuration) -> tuple[object, ...]:
    """Return what an installation says about the reading of deliveries."""
    read_as = {scope.name: (scope.source, scope.severities, scope.mapping) for scope in configuration.scopes}
    return read_as, configuration.drop_labels, configuration.limits


def _may_start(alert: Alert) -> bool:
    """Whether an alert could start a runbook at all."""
    starts = alert.kind == "alert" and alert.status == "firing"
    return starts and not alert.begins_nothing and not alert.told_late


def _said(line: RecordedAlert) -> bytes:
    return msgspec.json.encode([line.status, line.labels, line.annotations], order="sorted")


def _identity(alert: Alert) -> bytes:
    return msgspec.json.encode([alert.scope, alert.source, alert.labels, alert.annotations], order="sorted")


def _add_example(examples: list[str], like: _Like) -> None:
    if len(examples) < MOST_EXAMPLES:
        examples.append(say_alert(like.after))


def _differs(counts: _Counts | None) -> bool:
    return counts is not None and bool(counts.gained or counts.lost or counts.changed)


def _difference(name: str, counts: _Counts) -> RunbookDifference:
    ordered = sorted(counts.changes, key=lambda change: (-counts.changes[change], change))
    return RunbookDifference(
        runbook=name,
        gained=counts.gained,
        lost=counts.lost,
        changed=counts.changed,
        same=counts.same,
        changes=tuple(
            PlanChange(
                what=change[0],
                before=change[1],
                after=change[2],
                alerts=counts.changes[change],
                example=counts.examples[change],
            )
            for change in ordered[:MOST_CHANGES]
        ),
        more_changes=max(0, len(ordered) - MOST_CHANGES),
        gained_examples=tuple(counts.gained_examples),
        lost_examples=tuple(counts.lost_examples),
    )
