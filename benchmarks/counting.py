"""Count what an index looks up and tries: exact numbers, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from runbook_engine.matching.filing import file_entries
from runbook_engine.matching.index import Index, by_priority
from runbook_engine.matching.placement import Entry
from runbook_engine.matching.tables import CrowdTables


class Counts(NamedTuple):
    """Means over the alerts."""

    probes: float
    candidates: float
    matches: float


def count(entries: Iterable[Entry], alerts: Iterable[Mapping[str, str]]) -> Counts:
    """Return the table look-ups, the rules tried and the rules that matched, each for one alert."""
    tally = {"probes": 0, "candidates": 0}

    class Table(dict[Any, Any]):
        def get(self, key: Any, default: Any = None) -> Any:
            tally["probes"] += 1
            return tally_found(super().get(key, default))

    def tally_found(found: Any) -> Any:
        if found:
            rules = found.direct if isinstance(found, CrowdTables) else found
            tally["candidates"] += sum(isinstance(part, str) for part in rules)
        return found

    ordered = by_priority(entries)
    index = Index.of(ordered, file_entries(ordered), Table)
    answers = [index.match(labels) for labels in alerts]
    size = len(answers)
    return Counts(tally["probes"] / size, tally["candidates"] / size, sum(map(len, answers)) / size)
