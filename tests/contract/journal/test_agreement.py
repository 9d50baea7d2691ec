"""Memory, SQLite and DynamoDB answer every sequence of calls alike, so that what a simulation shows is what happens."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from runbook_engine.errors import RunbookError
from runbook_engine.model.group import Group
from runbook_engine.model.guardrail import Budget, Cooldown, Lock
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contract.journal.conftest import open_dynamodb
from tests.contract.journal.opening import open_sqlite
from tests.contract.journal.samples import (
    after,
    arrival,
    audit_record,
    episode,
    evidence,
    execution,
    incident,
    lease,
    minutes,
    signal,
)
from tests.length import examples

Call = Callable[[Journal], Any]

EXAMPLES_IN_MOTO = int(os.environ.get("EXAMPLES_IN_MOTO", "5"))

NAMES = some.sampled_from("abc")
KEYS = some.sampled_from(("k1", "k2"))
SLOTS = some.sampled_from(("s1", "s2"))
MINUTES = some.integers(0, 12)
VERSIONS = some.integers(0, 2)
DUE = some.none() | MINUTES.map(after)
CLAIMS = some.one_of(
    KEYS.map(Lock),
    some.builds(lambda key, period: Cooldown(key, minutes(period)), KEYS, MINUTES),
    some.builds(
        lambda key, window, limit, own: Budget(key, minutes(window), limit, own),
        KEYS,
        MINUTES,
        some.integers(0, 2),
        some.booleans(),
    ),
)
SIGNALS = some.builds(lambda at, key: signal("joined", at, key), MINUTES, KEYS)
GROUPS = some.builds(
    lambda name, at, version: Group(
        id=name, runbook="r", opened_at=after(at), closes_at=after(at + 1), version=version
    ),
    some.sampled_from(("g1", "g2")),
    MINUTES,
    VERSIONS,
)
INTAKES = some.builds(
    Intake,
    episodes=some.lists(some.builds(lambda *of: episode(of[0], of[1], version=of[2]), KEYS, MINUTES, VERSIONS)).map(
        lambda found: tuple(found[:2])
    ),
    incidents=some.lists(
        some.builds(
            lambda *of: incident(of[0], of[1], version=of[2], resolved_at=of[3]), NAMES, MINUTES, VERSIONS, DUE
        ),
        max_size=1,
    ).map(tuple),
    groups=some.lists(GROUPS, max_size=1).map(tuple),
    opened=some.lists(
        some.builds(
            lambda *of: execution(
                of[0], of[1], slot=of[2], due_at=of[3], opened_at=after(of[4]), status=of[5], group_id=of[6]
            ),
            NAMES,
            KEYS,
            SLOTS,
            DUE,
            MINUTES,
            some.sampled_from(("pending", "pending", "blocked")),
            some.sampled_from(("", "g1", "g2")),
        ),
        max_size=2,
    ).map(tuple),
    joined=some.lists(some.tuples(SLOTS, NAMES, SIGNALS), max_size=1).map(tuple),
    signals=some.lists(some.tuples(NAMES, SIGNALS), max_size=3).map(tuple),
    arrivals=some.lists(some.builds(arrival, NAMES, MINUTES, KEYS), max_size=2).map(tuple),
)


@some.composite
def commits(draw: some.DrawFn) -> Call:
    """A commit on what is stored, or on an older version, that may end the execution, with any claims."""
    name, behind, now = draw(NAMES), draw(some.sampled_from((0, 0, 0, 0, 1))), after(draw(MINUTES))
    changes = {
        "status": draw(some.sampled_from(("running", "waiting", "succeeded"))),
        "compensation": draw(some.sampled_from(("none", "none", "held"))),
        "due_at": draw(DUE),
        "lease": draw(some.none() | MINUTES.map(lambda until: lease("w", until))),
        "signals_consumed": draw(some.integers(0, 3)),
    }
    slot, joins = draw(some.none() | SLOTS), draw(some.lists(some.tuples(SLOTS, NAMES, SIGNALS), max_size=1))
    group = draw(some.none() | GROUPS)
    claims, release, records = draw(some.lists(CLAIMS, max_size=3)), draw(some.booleans()), draw(some.integers(0, 2))
    skipped = draw(some.sampled_from((0, 0, 0, 1)))

    def commit(journal: Journal) -> Any:
        current, audited = journal.load(name), len(journal.audit(name)) + skipped
        return journal.commit(
            msgspec.structs.replace(current, **changes, slot=slot or current.slot),
            expected_version=current.version - behind,
            records=[audit_record(name, audited + number + 1) for number in range(records)],
            claims=claims,
            joins=joins,
            group=group,
            release_locks=release,
            evidence=[evidence(name, "x", at=number) for number in range(records)],
            now=now,
        )

    return commit


CALLS = some.one_of(
    commits(),
    commits(),
    INTAKES.map(lambda intake: lambda journal: journal.record(intake)),
    some.builds(lambda name, new: lambda journal: journal.signal(name, new), NAMES, SIGNALS),
)


def answer(call: Call, journal: Journal) -> Any:
    """What a call returns or raises."""
    try:
        return call(journal)
    except RunbookError as error:
        return type(error), str(error)


def everything(journal: Journal) -> dict[str, Any]:
    """All that can be read."""
    moments = [after(number) for number in range(13)]
    return {
        "executions": journal.executions(limit=9),
        "active": journal.executions(limit=2, active_only=True),
        "due": [journal.due(moment, 2) for moment in moments],
        "next": journal.next_due(),
        "signals": [journal.signals(name, 0) for name in "abc"],
        "audit": [journal.audit(name) for name in "abc"],
        "evidence": [journal.evidence(name) for name in "abc"],
        "slots": journal.holders(["s1", "s2"]),
        "followers": journal.followers(["k1", "k2"]),
        "episodes": journal.episodes(["k1", "k2"]),
        "open": [journal.open_episodes(moment, 2) for moment in moments],
        "groups": [answer(lambda asked, name=name: asked.group(name), journal) for name in ("g1", "g2")],
        "newest group": journal.newest_group("r"),
        "parts": [journal.parts(name) for name in ("g1", "g2")],
        "incidents": journal.incidents(limit=9),
        "newest": journal.newest_incident("apps/checkout"),
        "arrivals": [journal.arrivals(name) for name in "abc"],
        "locks": [journal.lock_holder(key) for key in ("k1", "k2")],
        "cooldowns": [journal.last_change(key) for key in ("k1", "k2")],
        "budgets": [journal.changes_within("k1", moment, other_than="a") for moment in moments],
        "counts": dict(journal.counts()),
    }


def agree(calls: list[Call], other: Journal) -> None:
    """Let memory and another journal answer the same calls."""
    memory = MemoryJournal()
    start = Intake(opened=(execution("a", "k1", slot="s1"), execution("b", "k1", slot="s2")))
    memory.record(start)
    other.record(start)

    for call in calls:
        assert answer(call, memory) == answer(call, other)

    assert everything(memory) == everything(other)


@settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(calls=some.lists(CALLS, max_size=25))
def test_journals_agree_on_every_answer_and_on_everything_stored(calls: list[Call]) -> None:
    """Each call returns or raises the same, sentence included, and leaves the same behind."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = open_sqlite(Path(folder))
        agree(calls, sqlite)
        sqlite.close()


@settings(max_examples=EXAMPLES_IN_MOTO, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls=some.lists(CALLS, max_size=20))
def test_journal_on_dynamodb_agrees_on_every_answer_and_on_everything_stored(calls: list[Call]) -> None:
    """The same; moto takes a second where SQLite takes ten milliseconds, so there are fewer."""
    agree(calls, open_dynamodb())
