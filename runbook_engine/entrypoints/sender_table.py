"""Write the table of senders into its page anew; the one argument is the page, docs/senders.md."""

from __future__ import annotations

import sys
from pathlib import Path

from runbook_engine.registry import Registry
from runbook_engine.render.senders import with_senders


def main(file: str) -> None:
    """Write the table into a page. Raises UnmarkedPage, OSError."""
    page = Path(file)
    page.write_text(with_senders(page.read_text(encoding="utf-8"), Registry().sources.values()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
