"""What people and hosts look up."""

import msgspec
import pytest

from runbook_engine.errors import UnknownIncident, UnknownRunbook
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Journal
from tests.contract.journal.samples import NOON, after, audit_record, episode, incident, opened, runbook, signal


def test_incidents_are_listed_open_ones_first_then_newest_first(journal: Journal) -> None:
    """Ties are ordered by id, so that a page is the same twice."""
    closed = {"resolved_at": after(9)}
    made = [incident("old", 1), incident("new", 3), incident("tie", 3), incident("done", 5, **closed)]
    journal.record(Intake(incidents=tuple(made)))

    assert ["new", "tie", "old", "done"] == [found.id for found in journal.incidents(limit=10)]
    assert ["new", "tie"] == [found.id for found in journal.incidents(limit=2)]
    assert ["new", "tie", "old"] == [found.id for found in journal.incidents(limit=10, open_only=True)]


def test_newest_incident_is_found_when_it_is_resolved_too(journal: Journal) -> None:
    """Correlation decides whether it is recent enough."""
    journal.record(Intake(incidents=(incident("a", 1), incident("b", 2, resolved_at=after(3)))))

    newest = journal.newest_incident("apps/checkout")

    assert newest is not None
    assert "b" == newest.id
    assert journal.newest_incident("apps/other") is None


def test_newest_incidents_are_found_for_many_keys_at_once(journal: Journal) -> None:
    """A storm asks once; a key without an incident has no answer, and a tie goes to the smaller id."""
    others = (incident("c", 1, key="apps/shop"), incident("e", 4, key="apps/tie"), incident("d", 4, key="apps/tie"))
    journal.record(Intake(incidents=(incident("a", 1), incident("b", 2, resolved_at=after(3)), *others)))

    found = journal.newest_incidents(["apps/tie", "apps/checkout", "apps/other", "apps/shop", "apps/checkout"])

    assert {"apps/checkout": "b", "apps/shop": "c", "apps/tie": "d"} == {key: one.id for key, one in found.items()}


def test_resolved_incident_leaves_the_open_ones(journal: Journal) -> None:
    """The column follows the value."""
    journal.record(Intake(incidents=(incident("a"),)))

    journal.record(Intake(incidents=(incident("a", version=1, resolved_at=after(1)),)))

    assert () == journal.incidents(limit=10, open_only=True)
    assert 0 == journal.counts()["incidents.open"]


def test_executions_are_filtered_and_listed_newest_first(journal: Journal) -> None:
    """Filters combine."""
    opened(journal, "a", opened_at=after(1))
    opened(journal, "b", opened_at=after(2), incident_id="incident-2")
    opened(journal, "c", opened_at=after(2), runbook="other")
    finished = opened(journal, "d", opened_at=after(4))
    journal.commit(msgspec.structs.replace(finished, status="failed", due_at=None), expected_version=0, now=NOON)

    def ids(**wanted: object) -> list[str]:
        return [found.id for found in journal.executions(**({"limit": 10} | wanted))]  # type: ignore[arg-type]

    assert ["d", "b", "c", "a"] == ids()
    assert ["d", "b"] == ids(limit=2)
    assert ["d", "c", "a"] == ids(incident_id="incident-1")
    assert ["c"] == ids(runbook="other")
    assert ["b", "c", "a"] == ids(active_only=True)
    assert ["a"] == ids(active_only=True, runbook="checkout-high-error-rate", incident_id="incident-1")


def test_open_episodes_are_those_without_a_sign_of_life_since(journal: Journal) -> None:
    """Longest unseen first; seen exactly then is a sign of life."""
    made = [episode("b", 2), episode("a", 1), episode("seen", 3), episode("shut", 0, state="closed")]
    journal.record(Intake(episodes=tuple(made)))

    assert ["a", "b"] == [found.alert_key for found in journal.open_episodes(after(3), 10)]
    assert ["a"] == [found.alert_key for found in journal.open_episodes(after(3), 1)]


def test_counts_follow_what_is_stored(journal: Journal) -> None:
    """Numbers for metrics."""
    empty = journal.counts()
    one = opened(journal, "a")
    opened(journal, "b")
    journal.record(Intake(incidents=(incident("i"),)))
    for _ in range(3):
        journal.signal("a", signal())
    journal.commit(msgspec.structs.replace(one, status="running", signals_consumed=1), expected_version=0, now=NOON)

    counts = journal.counts()

    assert {"incidents.open": 0, "signals.waiting": 0} == empty
    assert {"executions.running": 1, "executions.pending": 1, "incidents.open": 1, "signals.waiting": 2} == counts


@pytest.mark.parametrize(
    "wanted", [{}, {"incident_id": "incident-1"}, {"runbook": "r"}, {"active_only": True}], ids=str
)
def test_nothing_is_listed_when_nothing_is_wanted(journal: Journal, wanted: dict[str, str]) -> None:
    """A limit of none is an answer, not a mistake."""
    opened(journal, "a", runbook="r")
    journal.record(Intake(incidents=(incident("i"),), episodes=(episode("k"),)))

    assert () == journal.executions(limit=0, **wanted)  # type: ignore[arg-type]
    assert () == journal.incidents(limit=0)
    assert () == journal.due(after(99), 0)
    assert () == journal.open_episodes(after(99), 0)


def test_runbook_is_kept_by_digest(journal: Journal) -> None:
    """Keeping it twice is harmless."""
    journal.keep_runbook(runbook("d7"))
    journal.keep_runbook(runbook("d7"))

    assert runbook("d7") == journal.runbook("d7")


def test_audited_lists_what_has_records_in_order_page_by_page(journal: Journal) -> None:
    """Each once, however many commits wrote them; what has none is not among them."""
    for name in ("c", "a", "b", "silent"):
        stored = opened(journal, name)
        for version in range(2 if name != "silent" else 0):
            records = (audit_record(name, version + 1),)
            journal.commit(stored, expected_version=version, records=records, now=after(version))

    assert (("a", "b"), ("c",), ()) == (journal.audited(2), journal.audited(2, "b"), journal.audited(2, "c"))


def test_lookups_raise_when_there_is_nothing(journal: Journal) -> None:
    """The sentences name what was asked for."""
    with pytest.raises(UnknownRunbook) as no_runbook:
        journal.runbook("d0")
    with pytest.raises(UnknownIncident) as no_incident:
        journal.incident("i0")

    assert "the journal keeps no runbook with digest d0" == str(no_runbook.value)
    assert "no incident i0 (`runbook incidents` lists them)" == str(no_incident.value)
