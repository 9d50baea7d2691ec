"""Matching: our index beside a naive loop, a loop of compiled conditions, and a dictionary by alert name.

Every matcher answers the same alerts in the same run, and its answers are compared with those of the naive loop (of
our index, where the naive loop would take too long).
"""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter, thread_time

import msgspec

from benchmarks.counting import count
from benchmarks.hostile import hostile
from benchmarks.matching_goals import Measured, goals
from benchmarks.mixes import Labels, alerts, runbooks
from benchmarks.timing import seconds, table
from runbook_engine.matching.conditions import condition
from runbook_engine.matching.index import Index
from runbook_engine.matching.placement import Entry
from runbook_engine.matching.prepared import load_index, prepare_index

Find = Callable[[Mapping[str, str]], tuple[str, ...]]
SIZES = (10, 100, 1_000, 10_000, 100_000)
QUICK_SIZES = (10, 1_000)
LOOP_BUDGET = 2_000_000  # rules that a loop may try in one round
LOOP_ROUNDS = 2
TURNS = 5
ANNOTATIONS = msgspec.Raw(
    b'{"summary":"the service burns its budget 14 times too fast","runbook_url":"https://rb.example/x"}'
)


class _Told(msgspec.Struct):
    """An alert of the usual size, as a sender tells it."""

    labels: dict[str, str]
    annotations: msgspec.Raw = ANNOTATIONS
    status: str = "firing"
    starts_at: str = "2026-05-11T07:40:12.318472911Z"
    ends_at: str = "0001-01-01T00:00:00Z"
    generator_url: str = "https://prometheus.example/graph?g0.expr=sum%28rate%28errors%5B5m%5D%29%29&g0.tab=1"
    fingerprint: str = "95e27c3cd3ada7d7"


def naive_loop(entries: Sequence[Entry]) -> Find:
    """Read every matcher of every runbook at every alert."""

    def find(labels: Mapping[str, str]) -> tuple[str, ...]:
        found = []
        for entry in entries:
            for matcher in entry.matchers:
                value = labels.get(matcher.name, "")
                if matcher.op in ("=", "!="):
                    holds = (value == matcher.value) == (matcher.op == "=")
                else:
                    holds = bool(re.fullmatch(matcher.value, value)) == (matcher.op == "=~")
                if not holds:
                    break
            else:
                found.append(entry.name)
        return tuple(found)

    return find


def compiled_loop(entries: Sequence[Entry]) -> Find:
    """Compile every pattern once and compare equal labels first, then try every runbook at every alert."""
    rules = [
        (
            entry.name,
            [(matcher.name, matcher.value) for matcher in entry.matchers if matcher.op == "="],
            [
                (matcher.name, condition(matcher))
                for matcher in entry.matchers
                if matcher.op != "=" or not matcher.value
            ],
        )
        for entry in entries
    ]

    def find(labels: Mapping[str, str]) -> tuple[str, ...]:
        found = []
        for name, wanted, tests in rules:
            for label, value in wanted:
                if labels.get(label, "") != value:
                    break
            else:
                if all(test(labels.get(label, "")) for label, test in tests):
                    found.append(name)
        return tuple(found)

    return find


def by_alert_name(entries: Sequence[Entry]) -> Find:
    """Look the alert's name up, and loop over what is under it and over the rest."""
    named: dict[str, list[Entry]] = defaultdict(list)
    rest: list[Entry] = []
    for entry in entries:
        name = next(
            (matcher.value for matcher in entry.matchers if (matcher.name, matcher.op) == ("alertname", "=")), ""
        )
        (named[name] if name else rest).append(entry)
    loops = {name: compiled_loop(under) for name, under in named.items()}
    loop_rest = compiled_loop(rest)
    order = {entry.name: entry.order for entry in entries}

    def find(labels: Mapping[str, str]) -> tuple[str, ...]:
        loop = loops.get(labels.get("alertname", ""))
        return tuple(sorted((*(loop(labels) if loop else ()), *loop_rest(labels)), key=order.__getitem__))

    return find


def run(*, quick: bool = False) -> str:
    """Return the figures of all sizes and mixes, and each goal beside what was measured."""
    sizes = QUICK_SIZES if quick else SIZES
    uniform = [_measured(size, skewed=False) for size in sizes]
    skewed = [_measured(size, skewed=True) for size in sizes]
    turns = _taking_turns([runbooks(size, skewed=mix) for mix in (False, True) for size in sizes])
    uniform = [found._replace(turns=mean) for found, mean in zip(uniform, turns, strict=False)]
    skewed = [found._replace(turns=mean) for found, mean in zip(skewed, turns[len(sizes) :], strict=True)]
    shown = [f"{name} mix\n{_shown(found)}" for name, found in (("uniform", uniform), ("skewed", skewed))]
    met = [*goals(uniform, skewed), *hostile()]
    return "\n\n".join((*shown, table(("goal", "wanted", "measured"), met)))


def _shown(found: Sequence[Measured]) -> str:
    timed = ("runbooks", "us an alert", "p50 us", "x naive", "x compiled", "x by name", "p50 of a decode")
    made = ("build us a rule", "from a bundle", "kB a rule", "change ms")
    counted = ("look-ups", "tried", "matched", "wrong")
    rows = [
        (
            each.size,
            each.turns * 1e6,
            each.middle * 1e6,
            *[loop / each.mean for loop in each.loops],
            each.middle / each.decode,
            each.build * 1e6,
            each.load * 1e6,
            each.kilobytes,
            each.change * 1e3,
            *each.counts,
            each.wrong,
        )
        for each in found
    ]
    return table((*timed, *made, *counted), rows)


def _measured(size: int, *, skewed: bool) -> Measured:
    entries = runbooks(size, skewed=skewed)
    asked = alerts(1_000, entries)
    few = asked[: max(5, min(len(asked), LOOP_BUDGET // size // 10))]
    built = seconds(lambda: Index.build(entries), 3, thread_time)
    prepared = prepare_index(entries)
    loaded = seconds(lambda: load_index(prepared, entries), 3, thread_time)
    index = Index.build(entries)
    gc.freeze()  # as a host does once its runbooks are loaded
    loops = [make(entries) for make in (naive_loop, compiled_loop, by_alert_name)]
    ours = _each(index.match, asked)
    found = Measured(
        size=size,
        mean=ours,
        turns=ours,
        middle=_middle(index.match, asked),
        decode=_decode(asked),
        loops=tuple(_each(loop, few, LOOP_ROUNDS) for loop in loops),
        build=built / size,
        load=loaded / size,
        kilobytes=_kilobytes(entries) / size,
        change=seconds(lambda: index.with_added(entries[0]).match(asked[0]), clock=thread_time),
        counts=count(entries, asked),
        wrong=sum(index.match(labels) != loop(labels) for loop in loops for labels in few),
    )
    gc.unfreeze()
    return found


def _kilobytes(entries: Sequence[Entry]) -> float:
    """Return what the index takes in memory besides the entries, as it is allocated."""
    tracemalloc.start()
    index = Index.build(entries)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del index
    return taken / 1024


def _taking_turns(mixes: Sequence[Sequence[Entry]]) -> list[float]:
    """Return the seconds that an alert takes in each mix; they take turns, so that a busy moment meets all of them."""
    asked = [alerts(1_000, entries) for entries in mixes]
    indexes = [Index.build(entries) for entries in mixes]
    gc.freeze()
    rounds = [[_each(index.match, of) for index, of in zip(indexes, asked, strict=True)] for _ in range(TURNS)]
    gc.unfreeze()
    return list(map(min, *rounds))


def _each(find: Find, asked: Sequence[Labels], rounds: int = 5) -> float:
    """Return the seconds that one alert takes."""
    return seconds(lambda: [find(labels) for labels in asked], rounds, thread_time) / len(asked)


def _middle(find: Find, asked: Sequence[Labels]) -> float:
    """Return the median of single look-ups, less what reading the clock takes."""
    taken: list[float] = []
    for labels in (*asked[:100], *asked):
        started = perf_counter()
        find(labels)
        taken.append(perf_counter() - started)
    clock = []
    for _ in range(len(asked)):
        started = perf_counter()
        clock.append(perf_counter() - started)
    return median(taken[100:]) - median(clock)


def _decode(asked: Sequence[Labels]) -> float:
    """Return the seconds that decoding one alert takes, the least that any engine must spend."""
    body = msgspec.json.encode([_Told(labels) for labels in asked[:100]])
    decoder = msgspec.json.Decoder(list[_Told])
    return seconds(lambda: decoder.decode(body), 20, thread_time) / 100
