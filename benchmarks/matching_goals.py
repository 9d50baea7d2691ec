"""The goals of matching, each beside what one run measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.counting import Counts


class Measured(NamedTuple):
    """What one size of one mix came to; times are seconds an alert, unless they say otherwise."""

    size: int
    mean: float  # beside the loops
    turns: float  # mean, all sizes taking turns
    middle: float  # of single look-ups: the median
    decode: float
    loops: tuple[float, ...]  # naive, compiled, by alert name
    build: float  # a runbook
    load: float  # a runbook, of an index that was prepared in a bundle
    kilobytes: float  # a runbook
    change: float  # one runbook added, and the first look-up after it
    counts: Counts
    wrong: int


def goals(uniform: Sequence[Measured], skewed: Sequence[Measured]) -> Iterator[tuple[str, str, object]]:
    """Yield each goal that can be told from these sizes."""
    by_size = {each.size: each for each in uniform}
    for size, compiled, named in ((1_000, 25, 6), (10_000, 250, 40)):
        if found := by_size.get(size):
            yield f"x compiled at {size:,}", f">= {compiled}", found.loops[1] / found.mean
            yield f"x by name at {size:,}", f">= {named}", found.loops[2] / found.mean
    for size, most in ((1_000, 3), (100_000, 6)):
        if found := by_size.get(size):
            yield f"p50 of a decode at {size:,}", f"<= {most}", found.middle / found.decode
    least, last = uniform[0], uniform[-1]
    yield f"look-ups at {last.size:,}, of those at {least.size}", "<= 1.5", last.counts.probes / least.counts.probes
    tried = max((each.counts.candidates - 1) / each.counts.matches for each in (*uniform, *skewed))
    yield "tried, less one, of matched", "<= 2", tried
    if last.size > 1_000 in by_size:
        yield f"mean at {last.size:,}, of that at 1,000", "<= 1.5", last.turns / by_size[1_000].turns
    yield f"mean at {last.size:,}, of that at {least.size}", "<= 2.5", last.turns / least.turns
    with_decode = (last.turns + last.decode) / (least.turns + least.decode)
    yield f"mean and decode at {last.size:,}, of those at {least.size}", "<= 1.8", with_decode
    pairs = [(one, other) for one, other in zip(uniform, skewed, strict=True) if one.size >= 100]
    yield "skewed, of uniform, the worst size", "<= 1.3", max(other.turns / one.turns for one, other in pairs)
    yield "build, us a rule, the worst size", "<= 40", max(each.build for pair in pairs for each in pair) * 1e6
    yield (
        "index from a bundle, us a rule, the worst size",
        "<= 8",
        max(each.load for pair in pairs for each in pair) * 1e6,
    )
    yield f"index at {last.size:,}, kB a rule", "<= 0.5", last.kilobytes
    yield f"one runbook changed at {last.size:,}, ms", "<= 1", last.change * 1e3
    yield "wrong answers", "0", sum(each.wrong for each in (*uniform, *skewed))
