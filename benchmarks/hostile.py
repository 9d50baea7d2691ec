"""Patterns that make a backtracking matcher hang, and values on which they do: what one such alert may cost."""

from __future__ import annotations

from collections.abc import Iterator
from time import thread_time

from runbook_engine.matching.index import Index
from runbook_engine.matching.placement import Entry
from runbook_engine.model.matcher import Matcher

PATTERNS = (
    "(a+)+",
    "(a|aa)+",
    "(a|a?)+",
    "(a*)*b",
    "(.*a){12}",
    "([a-zA-Z]+)*1",
    "(x+x+)+y",
    "(a?){25}a{25}",
    "(.+)+@(.+)+",
    "((a{1,20}){1,20})b",
)
VALUES = ("a" * 25 + "!", "x" * 40, "a" * 1_000 + "!", "@".join("a" * 20), "aX" * 400)


def entries() -> tuple[Entry, ...]:
    """Return a runbook for each of the patterns."""
    return tuple(
        Entry(f"hostile-{order}", order, (Matcher(name="pod", op="=~", value=pattern),))
        for order, pattern in enumerate(PATTERNS)
    )


def hostile() -> Iterator[tuple[str, str, object]]:
    """Yield what the first alert costs together with the load of the patterns, and the worst of those after it."""
    written = entries()
    started = thread_time()
    index = Index.build(written)
    index.match({"pod": VALUES[0]})
    yield "hostile patterns: load and the first alert, ms", "<= 10", (thread_time() - started) * 1e3
    yield "hostile patterns: the worst alert after it, ms", "<= 5", max(_milliseconds(index, value) for value in VALUES)


def _milliseconds(index: Index, value: str) -> float:
    started = thread_time()
    index.match({"pod": value})
    return (thread_time() - started) * 1e3
