"""What does not fit: deliveries of more than a hundred items, and records of more than 400 KB."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from runbook_adapters.dynamodb import DynamoJournal
from runbook_adapters.dynamodb.cutting import Cut
from runbook_adapters.dynamodb.deliveries import Delivery
from runbook_engine.errors import Overloaded, StaleVersion, Unreadable
from runbook_engine.model.execution import Execution, Member
from runbook_engine.model.incident import Intake
from runbook_engine.model.storm import StormRule
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.contract.journal.samples import (
    NOON,
    after,
    arrival,
    episode,
    evidence,
    execution,
    incident,
    opened,
    signal,
)
from tests.emulators.dynamodb import Faults, refusal, refusing
from tests.lab import bundle_in, post, simulated_engine
from tests.length import examples

STORM = [f"part-{number}" for number in range(30)]


def storm(status: str = "firing") -> bytes:
    """Thirty alerts of one service, each about another part."""
    labels = [{"alertname": "Hot", "service": "shop", "namespace": "apps", "part": part} for part in STORM]
    return json.dumps({"alerts": [{"status": status, "labels": one} for one in labels]}).encode()


def noise(size: int) -> str:
    """Text that does not get smaller when it is compressed."""
    return random.Random(7).randbytes(size // 2).hex()


@pytest.fixture
def simulated() -> SimulatedWorld:
    """A world with the chat of the lab."""
    return SimulatedWorld(NOON, receivers=("chat",))


def outcome(journal: Journal) -> dict[str, Any]:
    """What a delivery came to, whatever its parts were: how often things were written does not matter."""
    (found,) = journal.incidents(limit=9)
    executions = journal.executions(limit=500)
    return {
        "incident": (
            found.id,
            set(found.alert_keys),
            set(found.open_alerts),
            set(found.execution_ids),
            found.resolved_at,
        ),
        "episodes": {key: each.state for key, each in journal.episodes(found.alert_keys).items()},
        "arrivals": {each.alert.alert_key for each in journal.arrivals(found.id)},
        "executions": {each.slot: (each.id, each.status) for each in executions},
        "holders": journal.holders([each.slot for each in executions]),
        "followers": journal.followers(found.alert_keys),
        "counts": journal.counts(),
    }


def test_storm_is_stored_when_it_takes_several_transactions(
    journal: DynamoJournal, faults: Faults, tmp_path: Path, simulated: SimulatedWorld
) -> None:
    """Thirty alerts that open thirty executions of one incident come to what they come to in memory."""
    bundle = bundle_in(tmp_path)
    memory = MemoryJournal()
    post(simulated_engine(bundle, simulated, journal=memory), storm())
    before = faults.asked["TransactWriteItems"]

    ids = post(simulated_engine(bundle, simulated, journal=journal), storm())

    assert 30 == len(ids)
    assert 2 <= faults.asked["TransactWriteItems"] - before <= 4
    assert outcome(memory) == outcome(journal)


def test_storm_is_whole_after_the_sender_posts_it_again_when_it_broke_off(
    journal: DynamoJournal, faults: Faults, tmp_path: Path, simulated: SimulatedWorld
) -> None:
    """The process died between two transactions: nothing of what was not stored is lost, nothing is opened twice."""
    bundle = bundle_in(tmp_path)
    memory = MemoryJournal()
    post(simulated_engine(bundle, simulated, journal=memory), storm())
    faults.before = refusing([None] + [refusal("ThrottlingException")] * 99)
    with pytest.raises(Overloaded):
        post(simulated_engine(bundle, simulated, journal=journal), storm())
    faults.before = lambda operation, request: None
    (half,) = journal.incidents(limit=9)
    known = journal.executions(limit=500)

    post(simulated_engine(bundle, simulated, journal=journal), storm())

    assert 0 < len(half.alert_keys) == len(known) < 30
    assert outcome(memory) == outcome(journal)


def test_end_of_a_storm_is_whole_when_it_broke_off(
    journal: DynamoJournal, faults: Faults, tmp_path: Path, simulated: SimulatedWorld
) -> None:
    """Resolves in several transactions: the incident is open until the last of them, and every execution is told."""
    engine = simulated_engine(bundle_in(tmp_path), simulated, journal=journal)
    post(engine, storm())
    faults.before = refusing([None] + [refusal("ThrottlingException")] * 99)
    with pytest.raises(Overloaded):
        post(engine, storm("resolved"))
    faults.before = lambda operation, request: None
    (half,) = journal.incidents(limit=9)

    post(engine, storm("resolved"))

    (found,) = journal.incidents(limit=9)
    assert half.resolved_at is None
    assert 0 < len(half.open_alerts) < 30
    assert () == found.open_alerts
    assert NOON == found.resolved_at
    told = [journal.signals(each.id, 0) for each in journal.executions(limit=500)]
    assert [["resolved"]] * 30 == [[each.kind for each in signals] for signals in told]


def test_alerts_of_one_execution_join_it_when_they_take_several_transactions(journal: DynamoJournal) -> None:
    """The execution is stored with the first of its alerts, and all of them follow it in the end."""
    keys = [f"k{number}" for number in range(250)]
    members = tuple(Member(alert_key=key, episode_id=key, name="A", since=NOON) for key in keys)
    new = execution("a", members=members)

    journal.record(Intake(episodes=tuple(episode(key) for key in keys), opened=(new,)))

    assert dict.fromkeys(keys, ("a",)) == journal.followers(keys)
    assert 250 == len(journal.episodes(keys))
    assert new == journal.load("a")


def test_alert_opens_more_executions_than_a_transaction_takes(journal: DynamoJournal, faults: Faults) -> None:
    """Most of them are stored before the alert itself, so that a sender who posts it again opens the rest."""
    many = tuple(execution(f"run-{number:02}", "k", group_id="g") for number in range(30))
    delivery = Intake(episodes=(episode("k"),), opened=many, arrivals=(arrival("incident-1", 1, "k"),))
    faults.before = refusing([None] + [refusal("ThrottlingException")] * 99)
    with pytest.raises(Overloaded):
        journal.record(delivery)
    faults.before = lambda operation, request: None
    half, known = journal.executions(limit=99), journal.episodes(["k"])

    journal.record(msgspec.structs.replace(delivery, opened=many[len(half) :]))

    assert ({}, True) == (known, 0 < len(half) < 30)
    assert [each.id for each in many] == [each.id for each in journal.executions(limit=99)]
    assert {"k"} == set(journal.episodes(["k"]))


@pytest.mark.parametrize("kind", ["told", "joined"])
def test_alert_reaches_more_executions_than_a_transaction_takes(journal: DynamoJournal, kind: str) -> None:
    """What opened many runs resolves for all of them, whatever their number; none of them hears it twice."""
    many = tuple(execution(f"run-{number:02}", "k") for number in range(60))
    journal.record(Intake(episodes=(episode("k"),), opened=many))
    word = signal("resolved" if kind == "told" else "joined", key="k")

    journal.record(
        Intake(
            episodes=(episode("k", version=1, state="closed"),),
            signals=tuple((each.id, word) for each in many) if kind == "told" else (),
            joined=tuple((each.slot, each.id, word) for each in many) if kind == "joined" else (),
            arrivals=(arrival("incident-1", 1, "k"),),
        )
    )

    assert {1} == {len(journal.signals(each.id, 0)) for each in many}
    assert ("closed", 2) == (journal.episodes(["k"])["k"].state, journal.episodes(["k"])["k"].version)


def test_delivery_is_refused_whole_when_one_of_thousands_of_alerts_has_moved(journal: DynamoJournal) -> None:
    """It is judged before the first of its parts is stored."""
    keys = [f"k{number}" for number in range(250)]
    journal.record(Intake(episodes=(episode(keys[-1]),)))

    with pytest.raises(StaleVersion) as caught:
        journal.record(Intake(episodes=tuple(episode(key) for key in keys)))

    assert "an episode of this delivery has moved since it was read: read it again" == str(caught.value)
    assert [keys[-1]] == list(journal.episodes(keys))


def test_commit_moves_hundreds_of_alerts_to_another_execution(journal: DynamoJournal) -> None:
    """More than a transaction takes: they follow first, and join in one."""
    opened(journal, "a", slot="wanted")
    keys = [f"k{number}" for number in range(230)]
    joining = opened(journal, "b", slot="own")
    joins = [("wanted", "a", signal("joined", key=key)) for key in keys]

    journal.commit(msgspec.structs.replace(joining, status="cancelled"), expected_version=0, joins=joins, now=NOON)

    assert dict.fromkeys(keys, ("a",)) == journal.followers(keys)
    assert keys == [each.alert_key for each in journal.signals("a", 0)]
    assert "cancelled" == journal.load("b").status


def test_execution_that_ends_is_followed_by_none_of_its_thousands_of_alerts(journal: DynamoJournal) -> None:
    """Giving them up is one number, whatever their number; one that opens anew is followed anew."""
    keys = [f"k{number}" for number in range(250)]
    members = tuple(Member(alert_key=key, episode_id=key, name="A", since=NOON) for key in keys)
    old = opened(journal, "a", members=members)

    journal.commit(msgspec.structs.replace(old, status="succeeded"), expected_version=0, now=NOON)
    opened(journal, "b", "k7")

    assert {"k7": ("b",)} == journal.followers(keys)


@pytest.mark.parametrize("size", [300_000, 900_000], ids=["in one item", "in several items"])
def test_large_record_is_read_back_when_it_was_stored(journal: DynamoJournal, size: int) -> None:
    """An item holds 400 KB: the rest of its body lies beside it, and follows every change of it."""
    old = opened(journal, "a", reason=noise(size))
    journal.signal("a", signal())

    grown = msgspec.structs.replace(journal.load("a"), reason=noise(size + 5), signals_consumed=1)
    journal.commit(
        grown, expected_version=0, evidence=[msgspec.structs.replace(evidence("a", "x"), text=noise(size))], now=NOON
    )
    found = journal.load("a")
    journal.commit(msgspec.structs.replace(grown, reason="small again"), expected_version=1, now=NOON)

    assert noise(size) == old.reason
    assert noise(size + 5) == found.reason
    assert [noise(size)] == [each.text for each in journal.evidence("a")]
    assert "small again" == journal.load("a").reason
    assert "small again" == journal.executions(limit=1)[0].reason


def test_only_columns_are_read_when_executions_are_counted_or_due(journal: DynamoJournal, faults: Faults) -> None:
    """Every delivery counts what is open: megabytes of bodies would make a storm worse."""
    opened(journal, "a", reason=noise(900_000))
    opened(journal, "b", reason=noise(900_000))
    faults.asked.clear()

    counts, due = journal.counts(), journal.due(after(1), 9)

    assert (2, {"a", "b"}) == (counts["executions.pending"], set(due))
    assert 2 == faults.asked["BatchGetItem"]


def test_large_record_leaves_no_piece_behind_when_it_shrinks(journal: DynamoJournal, client: Any, name: str) -> None:
    """The table does not keep what nobody can find."""
    old = opened(journal, "a", reason=noise(900_000))
    pieces = len(
        client.scan(
            TableName=name, FilterExpression="begins_with(pk, :p)", ExpressionAttributeValues={":p": {"S": "PIECE"}}
        )["Items"]
    )

    journal.commit(msgspec.structs.replace(old, reason=""), expected_version=0, now=NOON)

    rest = client.scan(
        TableName=name, FilterExpression="begins_with(pk, :p)", ExpressionAttributeValues={":p": {"S": "PIECE"}}
    )
    assert pieces > 1
    assert [] == rest["Items"]


def test_large_record_is_read_whole_when_it_is_replaced_meanwhile(journal: DynamoJournal, faults: Faults) -> None:
    """Between its item and its pieces somebody else has stored the next version: it is read again."""
    old = opened(journal, "a", reason=noise(900_000))
    newer = msgspec.structs.replace(old, reason=noise(800_000))

    def replace(operation: str, request: Any) -> None:
        faults.after = lambda operation, request: None
        journal.commit(newer, expected_version=0, now=NOON)

    faults.after = replace

    assert noise(800_000) == journal.load("a").reason


def test_commit_says_so_when_no_transaction_can_take_it(journal: DynamoJournal) -> None:
    """Nothing is stored of it."""
    old = opened(journal, "a")
    large = [msgspec.structs.replace(evidence("a", f"{number}"), text=noise(2_500_000)) for number in range(4)]

    with pytest.raises(Unreadable) as caught:
        journal.commit(old, expected_version=0, evidence=large, now=NOON)

    assert "stores at most 100 items and 4 MB at once, and this is" in str(caught.value)
    assert "(let the sender post less at once)" in str(caught.value)
    assert (old, ()) == (journal.load("a"), journal.evidence("a"))


KEYS = [f"k{number}" for number in range(12)]
STATES = some.sampled_from(("open", "closed"))


@some.composite
def deliveries(draw: some.DrawFn) -> Intake:
    """A delivery as an intake builder could have drafted it, on an empty journal that knows one incident."""
    keys = draw(some.lists(some.sampled_from(KEYS), min_size=1, max_size=12, unique=True))
    of = {key: draw(some.sampled_from(("new", "known"))) for key in keys}
    opened_for = {
        name: draw(some.lists(some.sampled_from(keys), min_size=1, max_size=3, unique=True))
        for name in draw(some.sets(some.sampled_from("ab")))
    }
    still_open = [key for key in keys if draw(some.booleans())]
    known_open = [key for key in ("k0", "k1") if key not in keys or key in still_open]
    incidents = (
        incident(
            "new",
            alert_keys=tuple(keys),
            open_alerts=tuple(k for k in still_open if of[k] == "new"),
            execution_ids=tuple(opened_for),
        ),
        incident(
            "known",
            version=1,
            alert_keys=tuple(dict.fromkeys(("k0", "k1", *(k for k in keys if of[k] == "known")))),
            open_alerts=tuple(dict.fromkeys((*known_open, *(k for k in still_open if of[k] == "known")))),
            resolved_at=None if known_open or still_open else after(3),
        ),
    )
    return Intake(
        episodes=tuple(
            episode(key, incident_id=of[key], state="open" if key in still_open else "closed") for key in keys
        ),
        incidents=incidents,
        opened=tuple(execution(name, *members, incident_id="new") for name, members in opened_for.items()),
        joined=tuple(("slot-holder", "holder", signal("joined", key=key)) for key in keys if draw(some.booleans())),
        signals=tuple(("holder", signal("resolved", key=key)) for key in keys if draw(some.booleans())),
        arrivals=tuple(arrival(of[key], 1, key) for key in keys),
    )


def known_world() -> MemoryJournal:
    """A journal with an execution that absorbs, and an incident of two open alerts."""
    journal = MemoryJournal()
    opened(journal, "holder", "k0")
    journal.record(Intake(incidents=(incident("known", alert_keys=("k0", "k1"), open_alerts=("k0", "k1")),)))
    return journal


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(intake=deliveries(), most_items=some.integers(3, 40))
def test_parts_of_a_delivery_come_to_the_delivery_when_all_are_stored(intake: Intake, most_items: int) -> None:
    """However it is cut, and every part could have been stored by itself: incidents hold no alert of a later part."""
    whole, cut = known_world(), known_world()
    before = {"known": whole.incident("known")}
    whole.record(intake)

    for part in Cut(Delivery.of(intake), most_items).parts(before):
        cut.record(part.intake)
        stored = set(cut.episodes(KEYS))
        assert {*cut.incident("known").alert_keys} - {"k0", "k1"} <= stored

    for name in ("new", "known"):
        assert unversioned(whole.incident(name)) == unversioned(cut.incident(name))
        assert sorted(a.alert.alert_key for a in whole.arrivals(name)) == sorted(
            a.alert.alert_key for a in cut.arrivals(name)
        )
    assert whole.episodes(KEYS) == cut.episodes(KEYS)
    assert whole.executions(limit=9) == cut.executions(limit=9)
    assert whole.followers(KEYS) == cut.followers(KEYS)
    assert sorted(each.kind + each.alert_key for each in whole.signals("holder", 0)) == sorted(
        each.kind + each.alert_key for each in cut.signals("holder", 0)
    )


def unversioned(value: Any) -> Any:
    """An incident without the number of times that it was stored, and without the order of what it lists."""
    return msgspec.structs.replace(
        value, version=0, open_alerts=tuple(sorted(value.open_alerts)), alert_keys=tuple(sorted(value.alert_keys))
    )


def test_page_of_a_storm_is_stored_with_the_latch_when_its_delivery_broke_off(
    journal: DynamoJournal, faults: Faults, tmp_path: Path, simulated: SimulatedWorld
) -> None:
    """Who finds that changes are held, finds that somebody is paged, and is, once."""
    bundle = bundle_in(tmp_path)
    rule = StormRule(max_targets=25)
    settings = msgspec.structs.replace(bundle.configuration, storm=rule)
    engine = simulated_engine(msgspec.structs.replace(bundle, configuration=settings), simulated, journal=journal)
    faults.before = refusing([None] + [refusal("ThrottlingException")] * 99)
    with pytest.raises(Overloaded):
        post(engine, storm())
    faults.before = lambda operation, request: None
    half = journal.executions(limit=500)
    assert journal.latch().held_since is not None
    assert 0 < len(half) < 25
    assert 1 == pages(half)

    post(engine, storm())

    assert 30 == len(journal.executions(limit=500))
    assert 1 == pages(journal.executions(limit=500))


def pages(executions: Sequence[Execution]) -> int:
    """Return how many pages of a storm are in outboxes."""
    return sum(notice.event == "storm" for execution in executions for notice in execution.outbox)
