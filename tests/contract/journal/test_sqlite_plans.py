"""No question asks SQLite to read a whole table or to sort: a page costs the same with a million incidents stored."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.model.target import Target
from runbook_engine.ports import Journal
from tests.contract.journal.samples import NOON, opened, signal

SMALL = ("SCAN statuses", "SCAN json_each")  # eleven rows, and the caller's own list

QUESTIONS: dict[str, Callable[[Journal], Any]] = {
    "the incident page": lambda journal: journal.incidents(limit=50),
    "the open incidents": lambda journal: journal.incidents(limit=50, open_only=True),
    "the newest incident of a key": lambda journal: journal.newest_incident("k"),
    "the newest incidents of many keys": lambda journal: journal.newest_incidents(["k", "l"]),
    "the history of an incident": lambda journal: journal.arrivals("i"),
    "the newest executions": lambda journal: journal.executions(limit=50),
    "the active executions": lambda journal: journal.executions(limit=50, active_only=True),
    "an incident's executions": lambda journal: journal.executions(limit=50, incident_id="i"),
    "a runbook's active executions": lambda journal: journal.executions(limit=50, runbook="r", active_only=True),
    "what is due": lambda journal: journal.due(NOON, 50),
    "when something is due": lambda journal: journal.next_due(),
    "signals": lambda journal: journal.signals("a", 0),
    "a signal": lambda journal: journal.signal("a", signal()),
    "audit": lambda journal: journal.audit("a"),
    "what has audit records": lambda journal: journal.audited(50),
    "evidence": lambda journal: journal.evidence("a"),
    "episodes": lambda journal: journal.episodes(["k"]),
    "silent episodes": lambda journal: journal.open_episodes(NOON, 50),
    "holders": lambda journal: journal.holders(["s"]),
    "followers": lambda journal: journal.followers(["k"]),
    "the newest group of a runbook": lambda journal: journal.newest_group("r"),
    "the parts of a group": lambda journal: journal.parts("g"),
    "a budget": lambda journal: journal.changes_within("k", NOON, other_than="a"),
    "how a runbook's runs ended": lambda journal: journal.ends("r", "d1", 0),
    "counts": lambda journal: journal.counts(),
    "the recorded changes": lambda journal: journal.recorded_changes(Target("deployment", "", "a", "b"), NOON),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_question_is_answered_from_an_index(tmp_path: Path, ask: Callable[[Journal], Any]) -> None:
    """SQLite's own plan has no scan of a table and no sort."""
    database = Database(tmp_path / "journal.sqlite3", timedelta(seconds=1))
    journal = SqliteJournal(database)
    opened(journal, "a")
    asked: list[str] = []
    with database.reading() as connection:
        connection.set_trace_callback(asked.append)

    ask(journal)

    connection.set_trace_callback(None)
    queries = [query for query in asked if query.startswith(("SELECT", "UPDATE"))]
    plans = [row[3] for query in queries for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    journal.close()
    assert plans
    assert [] == [
        step
        for step in plans
        if "TEMP B-TREE" in step or (step.startswith("SCAN") and "INDEX" not in step and not step.startswith(SMALL))
    ]
