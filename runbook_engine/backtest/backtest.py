"""A backtest, from recorded alerts or from a server's own episodes to what the runbooks would have done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from runbook_engine.backtest.firings import Firing
from runbook_engine.backtest.history import InvalidHistory, Recorded
from runbook_engine.backtest.replay import Replay
from runbook_engine.backtest.replicas import merge_replicas
from runbook_engine.backtest.webhooks import alert_request
from runbook_engine.errors import InvalidAlert, UnknownSource
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.delivery import Request
from runbook_engine.model.hindsight import Backtest, Window
from runbook_engine.registry import Registry

ASSUMED = (
    "a run that would act finds something to change, can change it, and holds it until its alerts resolve or its "
    "deadline has passed",
    "of an escalation the first step acts, of a sequence every step",
    "nobody answers a question",
    "what a runbook asks of the past that nobody wrote down is counted as unknown, and holds nothing up",
)
OF_A_SERVER = (
    "every alert arrives when the server first saw it fire, and is repeated until it ends; silences are not known",
)


def backtest_history(recorded: Iterable[Recorded], bundle: Bundle, registry: Registry, scope: str) -> Backtest:
    """Return what would have been done about recorded alerts. Raises InvalidHistory."""
    lines = iter(recorded)
    first = next(lines)
    replay = Replay(bundle, registry, first.at, annotated=True, expires=True)
    until = first.at
    for each in chain([first], lines):
        try:
            replay.take(each.request(scope))
        except (InvalidAlert, UnknownSource) as error:
            raise InvalidHistory(f"{each.place}: {error}") from error
        until = each.at
    still_firing = replay.end(until)
    return _report(replay, Window(since=first.at, until=until), still_firing=still_firing)


def backtest_firings(
    firings: Sequence[Firing],
    window: Window,
    bundle: Bundle,
    registry: Registry,
    *,
    scope: str,
    external_labels: Mapping[str, str],
) -> Backtest:
    """Return what would have been done about the episodes of a server, with the labels that it adds when it sends."""
    firings = merge_replicas(firings, bundle.configuration.drop_labels)
    start = min((each.start for each in firings), default=window.since)
    replay = Replay(bundle, registry, start, annotated=False, expires=False)
    unusable = 0
    for begins, request in _requests(firings, scope, external_labels):
        try:
            replay.take(request)
        except InvalidAlert:
            unusable += begins  # its end cannot be used either
    replay.end(max(window.until, replay.clock.now()))
    return _report(
        replay,
        window,
        began_before=sum(each.began_before for each in firings),
        still_firing=sum(each.still_firing for each in firings),
        unusable=unusable,
        more_assumed=OF_A_SERVER,
    )


def _requests(
    firings: Iterable[Firing], scope: str, external_labels: Mapping[str, str]
) -> Iterator[tuple[bool, Request]]:
    """Return the beginning (true) and the end of every episode as a delivery; at one instant, ends come first."""
    happening: list[tuple[datetime, bool, int, Firing]] = []
    for number, firing in enumerate(firings):
        happening.append((firing.start, True, number, firing))
        if not firing.still_firing:
            happening.append((firing.end, False, number, firing))
    for at, begins, _, firing in sorted(happening, key=lambda each: each[:3]):
        labels = {**external_labels, **firing.labels}
        yield begins, alert_request(scope, labels, {}, started=firing.start, ended=at, resolved=not begins, at=at)


def _report(
    replay: Replay,
    window: Window,
    *,
    still_firing: int,
    began_before: int = 0,
    unusable: int = 0,
    more_assumed: tuple[str, ...] = (),
) -> Backtest:
    tally = replay.tally
    return Backtest(
        window=window,
        episodes=tally.episodes,
        names=len(tally.names),
        began_before=began_before,
        still_firing=still_firing,
        matched=tally.matched,
        rejected=replay.rejected + unusable,
        runbooks=tuple(counted.hindsight(name) for name, counted in tally.runbooks.items()),
        unmatched=tally.unmatched_top(),
        unmatched_episodes=tally.unmatched,
        assumptions=(*ASSUMED, *more_assumed),
    )
