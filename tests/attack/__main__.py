"""Print the table of what the attacks came to, from the rows that the last `make attack` left."""

from __future__ import annotations

import sys

from tests.attack.tally import FOLDER, kept


def main() -> int:
    """Print Markdown; return 1 when there is no row or an attack got through."""
    rows = kept()
    if not rows:
        print(f"no test of an attack has left a row in {FOLDER} (run make attack)", file=sys.stderr)
        return 1
    print("| attack | door | tries | got through | what the attacker saw |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.kind} | {row.door} | {row.tries:,} | {row.through} | {row.answer} |")
    return 1 if any(row.through for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
