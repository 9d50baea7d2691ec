"""Claims: taken by the commit itself, or the whole commit is refused."""

from datetime import datetime, timedelta

import pytest

from runbook_engine.model.guardrail import Budget, Claim, Cooldown, LastChange, Lock
from runbook_engine.ports import Committed, Journal, Refused
from tests.contract.journal.samples import NOON, after, audit_record, minutes, opened

INSTANT = timedelta(microseconds=1)


def spend(journal: Journal, name: str, claim: Claim, at: datetime = NOON) -> Committed | Refused:
    """Let an execution, opened if need be, commit with one claim."""
    if not any(known.id == name for known in journal.executions(limit=1000)):
        opened(journal, name)
    current = journal.load(name)
    return journal.commit(current, expected_version=current.version, claims=[claim], now=at)


def test_lock_is_refused_when_another_execution_holds_it(journal: Journal) -> None:
    """Nobody knows until when, so there is no such time."""
    spend(journal, "a", Lock("local/flag"))

    refused = spend(journal, "b", Lock("local/flag"), after(5))

    says = "local/flag is held by execution a since 2026-03-01 12:00:00 UTC"
    assert Refused(Lock("local/flag"), says, None) == refused
    assert "a" == journal.lock_holder("local/flag")


def test_lock_is_taken_again_when_the_execution_holds_it_itself(journal: Journal) -> None:
    """A second step on the same target meets its own lock; the first time stays."""
    spend(journal, "a", Lock("x"))

    again = spend(journal, "a", Lock("x"), after(1))

    assert Committed(2) == again
    refused = spend(journal, "b", Lock("x"))
    assert isinstance(refused, Refused)
    assert "x is held by execution a since 2026-03-01 12:00:00 UTC" == refused.says


def test_cooldown_is_refused_until_the_period_is_over(journal: Journal) -> None:
    """One microsecond early is refused, exactly the period is allowed."""
    cooldown = Cooldown("local/flag", minutes(30))
    spend(journal, "a", cooldown)

    early = spend(journal, "b", cooldown, after(30) - INSTANT)
    just = spend(journal, "b", cooldown, after(30))

    says = (
        "local/flag was changed by execution a at 2026-03-01 12:00:00 UTC, cooling down until 2026-03-01 12:30:00 UTC"
    )
    assert Refused(cooldown, says, after(30)) == early
    assert isinstance(just, Committed)
    assert LastChange(execution_id="b", at=after(30)) == journal.last_change("local/flag")


def test_cooldown_ignores_the_executions_own_change(journal: Journal) -> None:
    """Several steps of one run may change one target."""
    spend(journal, "a", Cooldown("x", minutes(30)))

    assert Committed(2) == spend(journal, "a", Cooldown("x", minutes(30)), after(1))
    assert LastChange(execution_id="a", at=after(1)) == journal.last_change("x")


def test_cooldown_is_judged_by_the_period_of_who_asks(journal: Journal) -> None:
    """A runbook with a longer period stays away for longer."""
    spend(journal, "a", Cooldown("x", minutes(1)))

    assert isinstance(spend(journal, "b", Cooldown("x", minutes(60)), after(10)), Refused)
    assert isinstance(spend(journal, "b", Cooldown("x", minutes(5)), after(10)), Committed)


def test_budget_is_refused_when_others_have_used_it_up(journal: Journal) -> None:
    """The next may come when the oldest entry leaves the window; exactly the window is outside."""
    budget = Budget("service/checkout", minutes(60), limit=2)
    spend(journal, "a", budget)
    spend(journal, "b", budget, after(10))

    refused = spend(journal, "c", budget, after(60) - INSTANT)
    allowed = spend(journal, "c", budget, after(60))

    says = "2 of 2 changes under service/checkout are used, the next is allowed at 2026-03-01 13:00:00 UTC"
    assert Refused(budget, says, after(60)) == refused
    assert isinstance(allowed, Committed)


def test_budget_does_not_count_the_executions_own_changes(journal: Journal) -> None:
    """Three steps of one run are one run; to others they count as three."""
    budget = Budget("x", minutes(60), limit=1)

    results = [spend(journal, "a", budget, after(number)) for number in range(3)]

    assert [Committed(1), Committed(2), Committed(3)] == results
    assert 0 == journal.changes_within("x", after(-60), other_than="a")
    assert 3 == journal.changes_within("x", after(-60), other_than="b")


def test_budget_counts_the_executions_own_changes_when_it_says_so(journal: Journal) -> None:
    """What follows a storm is counted by change, whoever makes it; the next may come when the first leaves."""
    ration = Budget("x", minutes(60), limit=2, counts_own=True)
    taken = [spend(journal, "a", ration, after(number)) for number in range(2)]

    refused = spend(journal, "a", ration, after(2))

    assert [Committed(1), Committed(2)] == taken
    says = "2 of 2 changes under x are used, the next is allowed at 2026-03-01 13:00:00 UTC"
    assert Refused(ration, says, after(60)) == refused
    assert isinstance(spend(journal, "a", ration, after(60)), Committed)


def test_budget_says_when_enough_entries_have_left_when_its_limit_was_lowered(journal: Journal) -> None:
    """Three stand and one is allowed: the last of the three must leave."""
    for number, name in enumerate("abc"):
        spend(journal, name, Budget("x", minutes(60), limit=5), after(number))

    refused = spend(journal, "d", Budget("x", minutes(60), limit=1), after(10))

    assert isinstance(refused, Refused)
    assert after(62) == refused.until


def test_budget_of_nothing_is_refused_for_ever(journal: Journal) -> None:
    """There is no time at which it will be allowed."""
    budget = Budget("x", minutes(60), limit=0)

    assert Refused(budget, "0 of 0 changes under x are used: the limit allows none", None) == spend(
        journal, "a", budget
    )


def test_budget_keeps_entries_that_a_longer_window_still_counts(journal: Journal) -> None:
    """Two runbooks share a key: the short window must not forget what the long one counts."""
    day, hour = Budget("x", minutes(1440), limit=2), Budget("x", minutes(60), limit=2)
    spend(journal, "a", day)
    spend(journal, "b", hour, after(300))

    assert isinstance(spend(journal, "c", day, after(600)), Refused)


def test_budget_counts_for_who_commits_late_what_stood_when_he_looked_at_the_clock(journal: Journal) -> None:
    """A busy thread may be overtaken by another one, for which the oldest changes count no more."""
    budget = Budget("x", minutes(60), limit=3)
    for number, name in enumerate("abc"):
        spend(journal, name, budget, after(number))
    assert isinstance(spend(journal, "d", budget, after(63)), Committed)

    late = spend(journal, "e", budget, after(59))

    says = "4 of 3 changes under x are used, the next is allowed at 2026-03-01 13:01:00 UTC"
    assert Refused(budget, says, after(61)) == late


def test_changes_within_counts_only_what_is_newer_than_since(journal: Journal) -> None:
    """The ledger counts as the commit does: an entry exactly as old as the window is out."""
    spend(journal, "a", Budget("x", minutes(60), limit=9))

    assert 0 == journal.changes_within("x", NOON, other_than="b")
    assert 1 == journal.changes_within("x", NOON - INSTANT, other_than="b")


def test_nothing_is_stored_when_the_last_of_several_claims_is_refused(journal: Journal) -> None:
    """All or nothing: no version, no record, no lock, no cooldown, no budget entry."""
    spend(journal, "a", Lock("taken"))
    other = opened(journal, "b")
    claims: list[Claim] = [Lock("free"), Cooldown("cool", minutes(5)), Budget("spent", minutes(5), 3), Lock("taken")]

    refused = journal.commit(
        other, expected_version=0, claims=claims, records=[audit_record("b", 1)], release_locks=True, now=NOON
    )

    assert isinstance(refused, Refused)
    assert Lock("taken") == refused.claim
    assert other == journal.load("b")
    assert () == journal.audit("b")
    assert (None, None) == (journal.lock_holder("free"), journal.last_change("cool"))
    assert 0 == journal.changes_within("spent", after(-5), other_than="")


@pytest.mark.parametrize("key", ["", "ключ", "a'b\"c", "x" * 5000], ids=["empty", "unicode", "quotes", "long"])
def test_claims_meet_under_any_key(journal: Journal, key: str) -> None:
    """A key is data."""
    spend(journal, "a", Lock(key))

    assert isinstance(spend(journal, "b", Lock(key)), Refused)
