"""Print the table of what the faults did, from the rows that the last `make chaos` left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import pytest

try:
    from tests.chaos.tally import FOLDER, FORMS, Tally, kept
except pytest.UsageError as error:  # a variable that cannot be read
    print(error, file=sys.stderr)
    raise SystemExit(2) from error

HEAD = ("host", "fault", "tries", "effects", "lost", "doubled", "in doubt", "of these unpaged", "broken trails")


def cells(row: Tally) -> tuple[str, ...]:
    """Return a row as the table has it."""
    counts = (row.tries, row.effects, row.lost, row.doubled, row.doubtful, row.unpaged, row.broken)
    fault = f"{row.fault} ({row.remark})" if row.remark else row.fault
    return (row.host, fault, *(f"{count:,}" for count in counts))


def runs(rows: Sequence[Tally]) -> Iterator[str]:
    """Yield how many rows each form left, the long one first, and what they can be repeated from."""
    for form in reversed(FORMS):
        seeds = [row.seed for row in rows if row.form == form]
        if seeds:
            each = "seed" if len(set(seeds)) == 1 else "seeds"
            number = f"{len(seeds)} {'row' if len(seeds) == 1 else 'rows'}"
            yield f"{number} of the {form} form, from {each} {', '.join(map(str, sorted(set(seeds))))}"


def main() -> int:
    """Print Markdown; return 1 when there is no row or one is not sound."""
    rows = kept()
    if not rows:
        print(f"no chaos test has left a row in {FOLDER} (run make chaos)", file=sys.stderr)
        return 1
    for line in (HEAD, ("---",) * len(HEAD), *map(cells, rows)):
        print(f"| {' | '.join(line)} |")
    print(f"\n{'; '.join(runs(rows))}")
    return 0 if all(row.sound for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
