"""Who is told what, once; and what must not be silent reaches somebody."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from runbook_engine.machine.events import Applied, Asked, Delivered, Event, Finished, Observed, Paged, Undelivered
from runbook_engine.machine.notices import LONGEST_DELAY, MOST_ATTEMPTS, announce, overtaken
from runbook_engine.model.execution import ApprovalRequest, Execution, FinalStatus
from runbook_engine.model.plan import Outcome, PlannedStep, Progress
from runbook_engine.model.runbook import EventName, NotifyRule, Runbook
from tests.scenario.rig import runbook
from tests.unit.machine.story import FLIP, START, after, intended, opened, planned, prepared, required, signalled

CHAT = NotifyRule(receiver="chat", events=("started", "changed", "ended"))
ONCALL = NotifyRule(receiver="oncall", events=("notFixed",), after=timedelta(minutes=8))


def told(execution: Execution) -> list[tuple[str, str]]:
    """Return who is to be told of what, in order."""
    return [(notice.receiver, notice.event) for notice in execution.outbox]


@pytest.mark.parametrize(
    ("rules", "event", "receivers"),
    [
        pytest.param((CHAT,), "started", ["chat"], id="a rule covers it"),
        pytest.param((), "started", [], id="nobody need hear of a start"),
        pytest.param((), "changed", [], id="nor of a change"),
        pytest.param((), "ended", [], id="nor of an end that is told as what it is"),
        pytest.param((), "blocked", ["owner"], id="blocked is never silent"),
        pytest.param((), "notFixed", ["owner"], id="nor is not fixed"),
        pytest.param((), "approval", ["owner"], id="nor is a question"),
        pytest.param((CHAT,), "blocked", [], id="blocked is heard as an end"),
        pytest.param((CHAT,), "notFixed", [], id="not fixed is heard as an end"),
        pytest.param((CHAT,), "approval", ["owner"], id="a question is not heard as an end"),
        pytest.param((ONCALL,), "blocked", [], id="blocked is heard as not fixed"),
        pytest.param((CHAT, replace(CHAT, receiver="wall")), "started", ["chat", "wall"], id="everybody who wants to"),
        pytest.param((CHAT, CHAT), "started", ["chat"], id="each once"),
    ],
)
def test_an_event_is_told_to_whom_it_concerns(
    rules: tuple[NotifyRule, ...], event: EventName, receivers: list[str]
) -> None:
    """By the runbook's rules, and else to the owner where silence would be wrong."""
    execution = announce(opened(), runbook(notify=rules), event, START, "text")

    assert receivers == [notice.receiver for notice in execution.outbox]


@pytest.mark.parametrize(
    ("event", "times"),
    [
        pytest.param("started", 1, id="a start once"),
        pytest.param("ended", 1, id="an end once"),
        pytest.param("notFixed", 1, id="not fixed once"),
        pytest.param("changed", 3, id="every change"),
        pytest.param("approval", 3, id="every question"),
    ],
)
def test_an_event_is_told_as_often_as_it_is_news(event: EventName, times: int) -> None:
    """Even after it was delivered."""
    book = runbook(notify=(NotifyRule(receiver="chat", events=(event,)),))
    execution, ids = opened(), []
    for _ in range(3):
        execution = announce(execution, book, event, START, "text")
        ids += [notice.id for notice in execution.outbox]
        execution = after(execution, book, *[Delivered(notice_id=notice.id, at=START) for notice in execution.outbox])

    assert times == len(ids) == len(set(ids))


def test_a_run_tells_its_story() -> None:
    """Started, changed, ended; the page that was due early is not sent again at the end."""
    book = runbook(notify=(CHAT, ONCALL), strategy="sequence", verify=())
    execution = after(opened(), book, required(), prepared(), intended())
    execution = after(
        execution, book, Paged(rule=1, at=START), Applied(step=0, outcome=Outcome.failed("denied"), at=START)
    )

    assert [("chat", "started"), ("oncall", "notFixed"), ("chat", "ended")] == told(execution)
    demoted = "its runbook is demoted to approve until a commit changes it"
    assert f"failed: shed-optional-features failed: denied; {demoted}" == execution.outbox[-1].text


@pytest.mark.parametrize(
    ("came", "said"),
    [
        pytest.param(
            (
                Applied(step=0, outcome=Outcome.done(), at=START),
                Observed(step=0, progress=Progress.done(), at=START),
            ),
            "shed-optional-features: {} value unset -> off",
            id="made",
        ),
        pytest.param(
            (Applied(step=0, outcome=Outcome.unknown("no answer"), at=START),),
            "shed-optional-features: it is not known whether {} value unset -> off happened: no answer",
            id="in doubt",
        ),
    ],
)
def test_what_was_not_there_before_is_told_as_unset(came: tuple[Event, ...], said: str) -> None:
    """As everywhere else that people read of a change."""
    book = runbook(notify=(NotifyRule(receiver="chat", events=("changed", "ended")),), strategy="sequence", verify=())
    change = replace(FLIP, before=None, after="off")

    execution = after(opened(), book, required(), prepared(), intended(change=change), *came)

    assert said.format(FLIP.target) in " ".join(notice.text for notice in execution.outbox)


def test_a_rehearsal_tells_nobody() -> None:
    """Mode observe is on record only."""
    book = runbook(notify=(CHAT, replace(ONCALL, after=None)))

    execution = after(opened(mode="observe"), book, required(), planned())

    assert ("cancelled", []) == (execution.status, told(execution))


def test_a_question_says_what_is_asked() -> None:
    """At 3 am nobody wants to look a hash up."""
    step = PlannedStep(name="shed", action="degrade", change=FLIP, change_hash="0123456789")
    request = ApprovalRequest(
        kind="step", hash="0123456789", by="team-checkout", asked_at=START, until=START, steps=(step,)
    )

    execution = after(opened(), runbook(notify=()), Asked(request=request, at=START))

    assert (
        "approval by team-checkout needed until 09:00:00 UTC for plan 01234567: "
        '/checkout/degraded_mode value "false" -> "true"' == execution.outbox[0].text
    )


def test_a_question_never_shows_a_secret() -> None:
    """Nor does the notice of its change."""
    secret = replace(FLIP, before="old-password", after="new-password", sensitive=True)
    step = PlannedStep(name="rotate", action="degrade", change=secret, change_hash="0123456789")
    request = ApprovalRequest(
        kind="step", hash="0123456789", by="team-checkout", asked_at=START, until=START, steps=(step,)
    )

    execution = after(opened(), runbook(notify=()), Asked(request=request, at=START))

    assert not any("password" in notice.text for notice in execution.outbox)
    assert "(value not shown)" in execution.outbox[0].text


def test_a_notice_is_tried_again_later_and_later_and_then_told_to_the_owner() -> None:
    """The pager is down for good: somebody hears, with the reason."""
    book = runbook(notify=(replace(ONCALL, after=None),))
    execution = after(opened(), book, Finished(status="failed", reason="denied", at=START))
    at, delays = START, []
    for _ in range(MOST_ATTEMPTS):
        lost = execution.outbox[0]
        execution = after(execution, book, Undelivered(notice_id=lost.id, reason="refused", at=at))
        delays.append(execution.outbox[0].not_before - at)
        at = execution.outbox[0].not_before

    assert [5, 10, 20, 40, 80, 160, 300, 0] == [delay.total_seconds() for delay in delays]
    assert max(delays) == LONGEST_DELAY
    assert [("owner", "notFixed")] == told(execution)
    assert "failed: denied (oncall could not be told: refused)" == execution.outbox[0].text


def lost_for(execution: Execution, book: Runbook, hours: float) -> list[float]:
    """Let every attempt fail for so long; return the minutes after which its first notice was tried again."""
    at, delays = START, []
    while execution.outbox and at - START < timedelta(hours=hours):
        lost = execution.outbox[0]
        execution = after(execution, book, Undelivered(notice_id=lost.id, reason="refused", at=at))
        delays += [(each.not_before - at).total_seconds() / 60 for each in execution.outbox[:1]]
        at = execution.outbox[0].not_before if execution.outbox else at
    return delays


def test_a_page_that_nobody_else_can_be_told_is_tried_for_a_day() -> None:
    """The pager is down for a night: first every five minutes, then more and more rarely, and somebody hears."""
    book = runbook(notify=())
    page = announce(opened(), book, "blocked", START, "text")
    assert [("owner", "blocked")] == told(page)

    delays = lost_for(page, book, hours=48)

    assert [5] * 8 == delays[6:14]
    assert 24 * 60 <= sum(delays) < 27 * 60
    assert delays[7:] == sorted(delays[7:])
    assert len(delays) < 70


def test_what_need_not_be_heard_is_given_up_after_ten_minutes() -> None:
    """It is not worth a night of tries."""
    book = runbook(notify=(NotifyRule(receiver="owner", events=("started",)),))

    delays = lost_for(announce(opened(), book, "started", START, "text"), book, hours=48)

    assert MOST_ATTEMPTS - 1 == len(delays)


@pytest.mark.parametrize(
    ("rules", "status", "receivers"),
    [
        pytest.param((CHAT,), "blocked", ["owner"], id="the only word that it was blocked"),
        pytest.param((CHAT,), "succeeded", [], id="nothing to worry about"),
        pytest.param((CHAT, replace(ONCALL, after=None)), "blocked", ["oncall"], id="somebody else hears it"),
    ],
)
def test_an_end_that_fixed_nothing_is_told_to_the_owner_when_its_only_receiver_is_gone(
    rules: tuple[NotifyRule, ...], status: FinalStatus, receivers: list[str]
) -> None:
    """It was heard as an end, so that nothing else is said of it."""
    book = runbook(notify=rules)
    execution = after(opened(), book, Finished(status=status, reason="denied", at=START))
    [end] = [notice for notice in execution.outbox if notice.event == "ended"]

    execution = after(execution, book, Undelivered(notice_id=end.id, reason="gone", permanent=True, at=START))

    assert receivers == [notice.receiver for notice in execution.outbox]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(None, 5, id="nothing is asked for"),
        pytest.param(timedelta(seconds=90), 90, id="a longer wait"),
        pytest.param(timedelta(seconds=1), 5, id="a shorter one than ours"),
        pytest.param(timedelta(days=9), 900, id="one that nobody would live to see"),
    ],
)
def test_a_receiver_that_asks_for_a_rest_is_given_it(asked: timedelta | None, expected: int) -> None:
    """Asking earlier uses up the attempts, and what is given up is a page that nobody hears."""
    execution = announce(opened(), runbook(notify=(CHAT,)), "started", START, "text")
    lost = Undelivered(notice_id=execution.outbox[0].id, reason="HTTP 429", after=asked, at=START)

    execution = after(execution, runbook(notify=(CHAT,)), lost)

    assert START + timedelta(seconds=expected) == execution.outbox[0].not_before


def test_a_turn_that_never_came_counts_as_no_attempt_for_ten_minutes() -> None:
    """In a storm of messages none is given up unsent, and none waits for its turn for ever."""
    book = runbook(notify=(CHAT,))
    execution = announce(opened(), book, "started", START, "text")
    at = START
    waits: list[float] = []
    while execution.outbox and len(waits) < 200:
        [lost] = execution.outbox
        untried = Undelivered(
            notice_id=lost.id, reason="being told 2 others", untried=True, after=timedelta(seconds=5), at=at
        )
        execution = after(execution, book, untried)
        waits += [(kept.not_before - at).total_seconds() for kept in execution.outbox]
        at = execution.outbox[0].not_before if execution.outbox else at

    assert [5] * 120 + [5, 10, 20, 40, 80, 160, 300] == waits


@pytest.mark.parametrize(
    ("event", "receivers"),
    [
        pytest.param("started", [], id="a start is not worth it"),
        pytest.param("ended", [], id="nor is an end"),
        pytest.param("approval", ["owner"], id="a question is"),
        pytest.param("blocked", ["owner"], id="blocked is"),
    ],
)
def test_a_notice_that_can_never_arrive_goes_to_the_owner(event: EventName, receivers: list[str]) -> None:
    """And when the owner's receiver is the one that fails, it is given up rather than sent round for ever."""
    book = runbook(notify=(NotifyRule(receiver="chat", events=(event,)),))
    execution = announce(opened(), book, event, START, "text")

    execution = after(
        execution, book, Undelivered(notice_id=execution.outbox[0].id, reason="gone", permanent=True, at=START)
    )
    assert receivers == [notice.receiver for notice in execution.outbox]
    for notice in execution.outbox:
        execution = after(execution, book, Undelivered(notice_id=notice.id, reason="gone", permanent=True, at=START))

    assert () == execution.outbox


def test_a_person_who_takes_over_hears_of_the_end() -> None:
    """By the rules that the runbook has for ends."""
    execution = after(opened(), runbook(notify=(CHAT,)), signalled("taken_over", by="ann", reason="mine"))

    assert [("chat", "ended")] == told(execution)
    assert "handed over: taken over by ann (mine), keeping what was changed" == execution.outbox[0].text


# --- what a receiver calls what it was told ------------------------------------------------------------------------


def test_reference_of_a_receiver_is_kept_until_there_is_a_newer_one() -> None:
    """So that the next message can take the place of the last one; a receiver without any changes nothing."""
    book = runbook(notify=(CHAT, replace(CHAT, receiver="wall")))
    execution = announce(announce(opened(), book, "started", START, "text"), book, "changed", START, "text")
    chat, wall, later, _ = execution.outbox

    execution = after(
        execution,
        book,
        Delivered(notice_id=chat.id, reference="C1:1", at=START),
        Delivered(notice_id=wall.id, at=START),
        Delivered(notice_id=later.id, reference="C1:2", at=START),
        Delivered(notice_id="gone", reference="C9:9", at=START),
    )

    assert (("chat", "C1:2"),) == execution.told


@pytest.mark.parametrize(
    ("told_first", "expected"),
    [
        pytest.param((), False, id="nothing else was told"),
        pytest.param((0,), False, id="an earlier one was told"),
        pytest.param((3,), False, id="a later one was told to somebody else"),
        pytest.param((4,), True, id="a later one was told to it"),
    ],
)
def test_notice_is_overtaken_by_a_later_one_to_the_same_receiver(told_first: tuple[int, ...], expected: bool) -> None:
    """Then it must not be shown as the newest."""
    book = runbook(notify=(CHAT, replace(CHAT, receiver="wall")))
    execution = opened()
    for event in ("started", "changed", "ended"):
        execution = announce(execution, book, event, START, "text")
    notices = execution.outbox
    assert ["chat", "wall"] * 3 == [notice.receiver for notice in notices]

    execution = after(execution, book, *[Delivered(notice_id=notices[index].id, at=START) for index in told_first])

    assert expected == overtaken(execution, notices[2])


def test_execution_of_a_release_without_references_is_read() -> None:
    """A run that was under way while the engine was replaced goes on."""
    stored = msgspec.to_builtins(opened())
    del stored["told"]

    assert opened() == msgspec.convert(stored, Execution)


@pytest.mark.parametrize(
    ("rules", "status", "heard"),
    [
        pytest.param((), "blocked", [("owner", "blocked")], id="the owner, of a blocked run that no rule covers"),
        pytest.param((), "unresolved", [("owner", "notFixed")], id="the owner, of one that did not fix it"),
        pytest.param(
            (NotifyRule(receiver="chat", events=("blocked", "notFixed", "ended")),),
            "blocked",
            [("chat", "blocked")],
            id="who wants every word of it",
        ),
        pytest.param(
            (CHAT, NotifyRule(receiver="oncall", events=("notFixed", "ended"))),
            "unresolved",
            [("oncall", "notFixed"), ("chat", "ended")],
            id="each receiver as the first that it wants",
        ),
    ],
)
def test_an_end_is_one_message_to(
    rules: tuple[NotifyRule, ...], status: FinalStatus, heard: list[tuple[str, str]]
) -> None:
    """One run, one end: the same text is never told twice to the same receiver."""
    execution = after(opened(), runbook(notify=rules), Finished(status=status, reason="so it was", at=START))

    assert heard == told(execution)


def test_an_end_is_still_told_to_who_was_paged_before_it() -> None:
    """The early page said that it goes on; that it is over is news."""
    book = runbook(notify=(replace(ONCALL, events=("notFixed", "ended")),))

    execution = after(opened(), book, Paged(rule=0, at=START), Finished(status="unresolved", reason="so", at=START))

    assert [("oncall", "notFixed"), ("oncall", "ended")] == told(execution)
