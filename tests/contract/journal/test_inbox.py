"""The inbox: what every journal that has one promises of deliveries that wait."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runbook_adapters.sqlite import SqliteJournal
from runbook_engine.errors import Conflict, StaleVersion
from runbook_engine.model.delivery import Request
from runbook_engine.model.inbox import EMPTY, Fill, SetAside, Waiting
from runbook_engine.model.incident import Intake
from runbook_engine.ports import Inbox, Journal
from tests.contract.journal.opening import open_sqlite
from tests.contract.journal.samples import NOON, after, episode, minutes


@pytest.fixture
def inbox(quick_journal: Journal) -> Inbox:
    """The inbox of an empty journal."""
    assert quick_journal.inbox is not None
    return quick_journal.inbox


def request(name: str, at: float = 0) -> Request:
    """A delivery with everything that one may carry."""
    return Request(
        scope="main",
        source="alertmanager",
        headers={"content-type": "application/json", "x-odd": "naïve \u2028"},
        body=name.encode() + b"\x00\xff{",
        received_at=after(at),
        delivery_id=name,
        origin="arn:aws:sns:eu-west-1:1:topic",
        method="PUT",
        fresh_within=minutes(5),
    )


def kept_in(inbox: Inbox, *names: str) -> list[int]:
    """Keep deliveries of two alerts, a minute apart."""
    return [inbox.keep(request(name, at), 2) for at, name in enumerate(names)]


def test_what_waits_comes_back_whole_and_in_order(inbox: Inbox, quick_journal: Journal) -> None:
    """Numbers rise, the oldest comes first, and nothing of it is lost."""
    numbers = kept_in(inbox, "a", "b", "c")

    found = []
    while (waiting := inbox.oldest()) is not None:
        found.append((waiting.number, waiting.request))
        quick_journal.record(Intake(delivery=waiting.number))

    assert sorted(set(numbers)) == numbers
    assert [(number, request(name, at)) for at, (number, name) in enumerate(zip(numbers, "abc", strict=True))] == found
    assert inbox.is_empty()


def test_an_empty_inbox_says_so(inbox: Inbox) -> None:
    """Nothing waits, and nothing can be taken out."""
    assert (None, True, EMPTY, ()) == (inbox.oldest(), inbox.is_empty(), inbox.fill(), inbox.aside(10))
    assert 0 == inbox.tried(1)


def test_fill_counts_deliveries_alerts_bytes_and_the_age(inbox: Inbox) -> None:
    """A front door asks it before it takes more."""
    first, _, third = kept_in(inbox, "a", "b", "c")
    inbox.set_aside(third, reason="?", at=NOON)

    fill = inbox.fill()

    assert not inbox.is_empty()
    sizes = {"bytes": fill.bytes, "set_aside_bytes": fill.set_aside_bytes}
    assert Fill(deliveries=2, alerts=4, since=after(0), set_aside=1, **sizes) == fill
    assert min(sizes.values()) > 0
    assert fill.bytes >= 2 * len(request("a").body)
    assert first > 0


def test_a_delivery_leaves_with_what_it_means_or_not_at_all(inbox: Inbox, quick_journal: Journal) -> None:
    """One transaction: when the intake is refused, the delivery still waits."""
    quick_journal.record(Intake(episodes=(episode("k"),)))
    [number] = kept_in(inbox, "a")

    with pytest.raises(StaleVersion):
        quick_journal.record(Intake(delivery=number, episodes=(episode("k"),)))  # its version has moved

    assert not inbox.is_empty()
    quick_journal.record(Intake(delivery=number, episodes=(episode("other"),)))
    assert inbox.is_empty()
    assert {"k", "other"} == set(quick_journal.episodes(["k", "other"]))


def test_only_the_oldest_may_leave_and_only_once(inbox: Inbox, quick_journal: Journal) -> None:
    """Whoever was slower stores nothing of what it decided."""
    first, second = kept_in(inbox, "a", "b")

    for number in (second, second + 5):
        with pytest.raises(Conflict, match=f"^delivery {number} was decided by somebody else$"):
            quick_journal.record(Intake(delivery=number, episodes=(episode("k"),)))
    quick_journal.record(Intake(delivery=first))
    with pytest.raises(Conflict, match=f"^delivery {first} was decided by somebody else$"):
        quick_journal.record(Intake(delivery=first, episodes=(episode("k"),)))

    assert {} == quick_journal.episodes(["k"])
    assert second == inbox.oldest().number  # type: ignore[union-attr]  # it is there


def test_no_number_is_given_twice(inbox: Inbox, quick_journal: Journal) -> None:
    """Who still decides an old delivery must not take out a new one."""
    [first] = kept_in(inbox, "a")
    quick_journal.record(Intake(delivery=first))

    [second] = kept_in(inbox, "b")

    assert second > first


def test_tries_are_counted_for_each(inbox: Inbox) -> None:
    """They outlive the process that made them."""
    first, second = kept_in(inbox, "a", "b")

    assert [1, 2, 1, 3] == [inbox.tried(number) for number in (first, first, second, first)]


def test_a_try_is_taken_back_and_never_more_than_there_were(inbox: Inbox) -> None:
    """What ended it was none of the delivery's doing."""
    first, second = kept_in(inbox, "a", "b")
    inbox.tried(first)
    inbox.tried(first)

    for number in (first, second, second + 1):
        inbox.spare(number)

    assert [2, 1] == [inbox.tried(first), inbox.tried(second)]


def test_what_is_set_aside_lets_the_others_pass_and_comes_back_behind_them(
    inbox: Inbox, quick_journal: Journal
) -> None:
    """A person gives it back, under a number of its own; what it says is whole, and it waits since then."""
    first, second = kept_in(inbox, "a", "b")

    inbox.set_aside(first, reason="nobody can read it", at=after(9))

    [aside] = inbox.aside(10)
    kept = SetAside(number=first, at=after(9), reason="nobody can read it", scope="main", received_at=after(0), bytes=4)
    assert kept == aside
    assert second == inbox.oldest().number  # type: ignore[union-attr]  # it is there
    again = inbox.give_back(first, after(30))
    assert again > second
    assert ((), Fill(deliveries=2, alerts=4, bytes=inbox.fill().bytes, since=after(1))) == (
        inbox.aside(10),
        inbox.fill(),
    )
    quick_journal.record(Intake(delivery=second))
    assert (Waiting(number=again, request=request("a")), after(30)) == (inbox.oldest(), inbox.fill().since)


def test_what_is_thrown_away_is_gone(inbox: Inbox) -> None:
    """It neither waits nor stands aside."""
    first, second, third = kept_in(inbox, "a", "b", "c")
    for number in (first, second, third):
        inbox.set_aside(number, reason="?", at=NOON)

    inbox.discard(second)

    assert [first, third] == [each.number for each in inbox.aside(10)]
    assert [first] == [each.number for each in inbox.aside(1)]
    assert [third] == [each.number for each in inbox.aside(10, after=first)]
    assert inbox.is_empty()


def test_what_is_not_there_is_a_conflict(inbox: Inbox) -> None:
    """Two people who clear up at once hear of each other."""
    [waiting] = kept_in(inbox, "a")

    with pytest.raises(Conflict, match=r"^delivery 77 does not wait any more$"):
        inbox.set_aside(77, reason="?", at=NOON)
    for act in (lambda: inbox.give_back(waiting, NOON), lambda: inbox.discard(waiting)):
        with pytest.raises(Conflict, match=f"^no delivery {waiting} was set aside$"):
            act()


def test_eight_who_decide_at_once_take_each_delivery_once_and_in_order(tmp_path: Path) -> None:
    """Every thread has a journal of its own on the same file, as processes have."""
    journal = open_sqlite(tmp_path)
    wanted = kept_in(journal.inbox, *[f"d{number}" for number in range(40)])
    taken: list[int] = []
    guard = threading.Lock()

    def decide() -> None:
        mine: SqliteJournal = open_sqlite(tmp_path)
        while (waiting := mine.inbox.oldest()) is not None:
            try:
                mine.record(Intake(delivery=waiting.number, episodes=(episode(f"k{waiting.number}"),)))
            except Conflict:
                continue
            with guard:
                taken.append(waiting.number)
        mine.close()

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wanted == sorted(taken)
    assert {f"k{number}" for number in wanted} == set(journal.episodes([f"k{number}" for number in wanted]))
    journal.close()
