"""The table of senders: what the registry knows of every source, for the page that people set them up by."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from runbook_engine.model.delivery import SenderNote, SourceSpec

BEGIN, END = "<!-- senders: begin -->", "<!-- senders: end -->"
EXAMPLES = "../tests/data/alerts"  # as the page sees it
HEAD = (
    "| `source` | sender | comes | proves itself by | sends again | example |",
    "|---|---|---|---|---|---|",
)


class UnmarkedPage(ValueError):
    """A page has no place for the table."""


def render_senders(sources: Iterable[SourceSpec]) -> str:
    """Return the table, a line for everybody who sends in one of the formats."""
    rows = [_row(source, note) for source in sources for note in source.notes or (_untold(source),)]
    return "\n".join((*HEAD, *rows))


def with_senders(page: str, sources: Iterable[SourceSpec]) -> str:
    """Return a page with the table in its place. Raises UnmarkedPage."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UnmarkedPage(f"the page has no place for the table (write {BEGIN} and {END} on lines of their own)")
    return f"{before}{BEGIN}\n{render_senders(sources)}\n{END}{after}"


def _untold(source: SourceSpec) -> SenderNote:
    """Return what can be said of a format whose package says nothing more: the first line of its module."""
    says = (sys.modules[source.parse.__module__].__doc__ or source.name).strip().splitlines()[0].rstrip(".")
    return SenderNote(sender=says, proves="bearer token, or as `presentedAs` says", retries="see its own pages")


def _row(source: SourceSpec, note: SenderNote) -> str:
    example = f"[{note.example}]({EXAMPLES}/{note.example})" if note.example else ""
    methods = f" ({' or '.join(source.methods)})" if len(source.methods) > 1 and note.comes == "posted" else ""
    cells = (f"`{source.name}`", note.sender, note.comes + methods, note.proves, note.retries, example)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
