"""One delivery: stored whole, or refused whole."""

import msgspec
import pytest

from runbook_engine.errors import StaleVersion
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Journal
from tests.contract.journal.samples import (
    NOON,
    after,
    arrival,
    episode,
    execution,
    incident,
    opened,
    runbook,
    signal,
)


def test_record_stores_everything_of_a_delivery(journal: Journal) -> None:
    """New records get version 1, executions version 0."""
    new = execution("a", "k1")
    journal.record(
        Intake(
            episodes=(episode("k1"), episode("k2")),
            incidents=(incident("i1"),),
            opened=(new,),
            runbooks=(runbook("d1"), runbook("d1")),
            joined=((new.slot, "a", signal("joined", key="k2")),),
            signals=(("a", signal("resolved", key="k1")),),
            arrivals=(arrival("i1", 1), arrival("i1", 0)),
        )
    )

    assert {"k1": episode("k1", version=1)} == journal.episodes(["k1", "nobody"])
    assert incident("i1", version=1) == journal.incident("i1")
    assert new == journal.load("a")
    assert runbook("d1") == journal.runbook("d1")
    assert {new.slot: "a"} == journal.holders([new.slot, "free"])
    assert {"k1": ("a",), "k2": ("a",)} == journal.followers(["k1", "k2", "k3"])
    assert ["joined", "resolved"] == [found.kind for found in journal.signals("a", 0)]
    assert (arrival("i1", 0), arrival("i1", 1)) == journal.arrivals("i1")


def test_record_replaces_records_when_they_carry_the_version_that_is_stored(journal: Journal) -> None:
    """The next version is one more."""
    journal.record(Intake(episodes=(episode("k1"),), incidents=(incident("i1"),)))

    journal.record(
        Intake(episodes=(episode("k1", seen=5, version=1),), incidents=(incident("i1", severity="low", version=1),))
    )

    assert {"k1": episode("k1", seen=5, version=2)} == journal.episodes(["k1"])
    assert incident("i1", severity="low", version=2) == journal.incident("i1")


STALE = {
    "an episode that is new to the caller only": (
        Intake(episodes=(episode("known"),)),
        "an episode of this delivery has moved since it was read: read it again",
    ),
    "an episode that moved": (
        Intake(episodes=(episode("known", version=2),)),
        "an episode of this delivery has moved since it was read: read it again",
    ),
    "an episode that was never stored": (
        Intake(episodes=(episode("unknown", version=1),)),
        "an episode of this delivery has moved since it was read: read it again",
    ),
    "one episode twice": (
        Intake(episodes=(episode("unknown"), episode("unknown"))),
        "an episode of this delivery has moved since it was read: read it again",
    ),
    "one episode twice, as if a delivery had two steps": (
        Intake(episodes=(episode("unknown"), episode("unknown", version=1))),
        "an episode of this delivery has moved since it was read: read it again",
    ),
    "an incident that moved": (
        Intake(incidents=(incident("known", version=5),)),
        "an incident of this delivery has moved since it was read: read it again",
    ),
    "an execution that is there": (
        Intake(opened=(execution("holder", slot="free"),)),
        "an execution of this delivery is there already: read the slots again",
    ),
    "a slot that was taken": (
        Intake(opened=(execution("late", slot="slot-holder"),)),
        "a slot of this delivery has been taken since it was read: read it again",
    ),
    "one slot twice": (
        Intake(opened=(execution("one", slot="free"), execution("two", slot="free"))),
        "a slot of this delivery has been taken since it was read: read it again",
    ),
    "a slot that another holds": (
        Intake(joined=(("slot-holder", "somebody", signal("joined", key="k9")),)),
        "slot slot-holder is no longer held by execution somebody: read it again",
    ),
    "a slot that nobody holds": (
        Intake(joined=(("free", "holder", signal("joined", key="k9")),)),
        "slot free is no longer held by execution holder: read it again",
    ),
}


@pytest.mark.parametrize(("stale", "says"), STALE.values(), ids=STALE)
def test_record_stores_nothing_when_one_thing_has_moved(journal: Journal, stale: Intake, says: str) -> None:
    """The other parts of the delivery leave no trace either."""
    journal.record(Intake(episodes=(episode("known"),), incidents=(incident("known"),)))
    opened(journal, "holder", "k1")
    before = journal.counts()
    good = Intake(
        episodes=(episode("new"),),
        incidents=(incident("new"),),
        opened=(execution("new"),),
        runbooks=(runbook("new"),),
        joined=(("slot-holder", "holder", signal("joined", key="k2")),),
        signals=(("holder", signal("resolved", key="k1")),),
        arrivals=(arrival("known", 0),),
    )
    lists = [field.name for field in msgspec.structs.fields(Intake) if field.name != "latch"]
    whole = Intake(**{name: getattr(good, name) + getattr(stale, name) for name in lists})

    with pytest.raises(StaleVersion) as caught:
        journal.record(whole)

    assert says == str(caught.value)
    assert {} == journal.episodes(["new"])
    assert {} == journal.holders(["slot-new"])
    assert {} == journal.followers(["k2", "alert-new"])
    assert ((), ()) == (journal.signals("holder", 0), journal.arrivals("known"))
    assert before == journal.counts()


def test_signal_of_a_delivery_is_dropped_when_the_execution_no_longer_follows_the_alert(journal: Journal) -> None:
    """It ended between the read and the write; what follows still gets its signal."""
    ended = opened(journal, "ended", "k1")
    opened(journal, "other", "k1")
    journal.commit(msgspec.structs.replace(ended, status="succeeded", due_at=None), expected_version=0, now=NOON)
    resolved = signal("resolved", key="k1")

    journal.record(Intake(signals=(("ended", resolved), ("other", resolved), ("nobody", resolved))))

    assert () == journal.signals("ended", 0)
    assert 1 == len(journal.signals("other", 0))


def test_join_wakes_the_execution_that_holds_the_slot(journal: Journal) -> None:
    """Due is when the earliest of its signals came."""
    held = opened(journal, "a", due_at=None)
    joins = tuple((held.slot, "a", signal("joined", at=minute, key=f"k{minute}")) for minute in (3, 2, 4))

    journal.record(Intake(joined=joins))

    assert after(2) == journal.next_due()
    assert [1, 2, 3] == [found.number for found in journal.signals("a", 0)]


def test_execution_that_ended_as_it_was_opened_takes_no_slot(journal: Journal) -> None:
    """It is a record only: the next alert opens another."""
    journal.record(Intake(opened=(execution("a", "k1", slot="s", status="blocked", due_at=None),)))

    assert {} == journal.holders(["s"])
    assert {} == journal.followers(["k1"])
    assert "blocked" == journal.load("a").status


def test_record_takes_ten_thousand_alerts_in_one_delivery(quick_journal: Journal) -> None:
    """A storm is one transaction, and its episodes are found again in one read."""
    keys = [f"k{number}" for number in range(10_000)]

    quick_journal.record(Intake(episodes=tuple(episode(key) for key in keys)))

    assert 10_000 == len(quick_journal.episodes(keys))
