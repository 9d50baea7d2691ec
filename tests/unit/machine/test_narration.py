"""Every event as the sentence that an on-call reads, whole."""

from __future__ import annotations

import typing

import pytest
from msgspec.structs import replace

from runbook_engine.machine import events as module
from runbook_engine.machine.events import (
    Admitted,
    Applied,
    ApplyPutOff,
    Asked,
    BaselineRead,
    Blocked,
    Closed,
    Collected,
    Delivered,
    Event,
    Finished,
    GivenBack,
    Lapsed,
    Merged,
    Observed,
    Paged,
    PrepareFailed,
    PutOff,
    Queued,
    Required,
    Resolved,
    ResolvePutOff,
    Skipped,
    TurnedAway,
    Unchanged,
    Undelivered,
    VerificationStarted,
    Verified,
)
from runbook_engine.machine.narration import arrow, narrate
from runbook_engine.machine.notices import tell_owner
from runbook_engine.model.check import Reading
from runbook_engine.model.execution import ApprovalRequest, Unwind
from runbook_engine.model.guardrail import Verdict
from runbook_engine.model.plan import Change, Outcome, Progress
from runbook_engine.model.target import Target
from tests.scenario.rig import runbook
from tests.unit.machine.story import (
    DARK,
    FLIP,
    GROW,
    NO,
    SECOND,
    START,
    YES,
    intended,
    opened,
    planned,
    prepared,
    signalled,
)

VERDICTS = (
    Verdict(guardrail="pause", ok=False, says="paused by eve until 09:30:00 UTC"),
    Verdict(guardrail="mode", ok=True, says="mode auto"),
    Verdict(guardrail="lock", ok=False, says="execution 7f3c is changing it"),
)
QUESTION = ApprovalRequest(kind="step", hash="0123456789abcdef", by="team-checkout", asked_at=START, until=START)
TOLD = tell_owner(replace(opened(), fallback_receiver="chat"), runbook(notify=()), START, "look")
NOTICE = TOLD.outbox[0].id
SECRET = replace(FLIP, sensitive=True)
MESSAGE = Change(target=Target("receiver", "", "", "oncall"), field="message", before=None, after="look here")
STEP = "shed-optional-features"

CASES: list[tuple[str, Event, str]] = [
    ("an alert joins", signalled("joined", name="Slow"), "Slow fires too and joined"),
    ("an alert resolves", signalled("resolved"), "Fire resolved"),
    ("an alert expires", signalled("expired"), "Fire expired: no news of it, which is not a resolve"),
    ("a yes", signalled("approved", by="ann", plan_hash="0123456789ab"), "ann approved plan 01234567"),
    ("a no with its reason", signalled("denied", by="ann", reason="we release"), "ann denied it (we release)"),
    (
        "a yes to what was answered before",
        signalled("approved", by="ann", plan_hash="ffffffffffff"),
        "ann approved plan ffffffff, too late: that is not asked any more",
    ),
    ("a stop that keeps", signalled("cancelled", by="ann"), "ann cancelled the run, keeping what was changed"),
    (
        "a takeover that undoes",
        signalled("taken_over", by="ann", undo=True, reason="my turn"),
        "ann took over, undoing what was changed (my turn)",
    ),
    ("nothing is required", Required(readings=(), at=START), "nothing is required first"),
    ("what is required", Required(readings=(YES, DARK), at=START), "errors 0.01 is below 0.02; errors has no data"),
    ("evidence", Collected(evidence=("a", "b"), at=START), "captured 2 piece(s) of evidence"),
    (
        "evidence with gaps",
        Collected(evidence=("a",), failures=("logs: gone", "graph: no data"), at=START),
        "captured 1 piece(s) of evidence; not captured: logs: gone; graph: no data",
    ),
    ("a baseline", BaselineRead(value=1.0, says="latency 1", at=START), "do-no-harm baseline: latency 1"),
    ("a plan", planned(), "planned 1 change(s), plan 01234567"),
    (
        "a step is skipped",
        Skipped(step=0, reason="no change by others", at=START),
        f"{STEP}: skipped, no change by others",
    ),
    (
        "a step has nothing to change",
        Unchanged(step=0, reason="already as wanted", at=START),
        f"{STEP}: nothing to change, already as wanted",
    ),
    ("a step is prepared", prepared(), f'{STEP}: would change /checkout/degraded_mode value "false" -> "true"'),
    (
        "a message is prepared",
        prepared(change=MESSAGE, message_only=True),
        f"{STEP}: would change oncall <- look here",
    ),
    (
        "a secret is prepared",
        prepared(change=SECRET),
        f"{STEP}: would change /checkout/degraded_mode value (value not shown)",
    ),
    (
        "a step cannot be prepared",
        PrepareFailed(step=0, reason="no such parameter", at=START),
        f"{STEP}: cannot be prepared, no such parameter",
    ),
    ("a question", Asked(request=QUESTION, at=START), "asked team-checkout to approve plan 01234567"),
    ("no answer", Lapsed(at=START), "nobody answered the approval in time"),
    (
        "a passing no",
        PutOff(step=0, verdicts=VERDICTS, until=START, at=START),
        "waits for a guardrail: paused by eve until 09:30:00 UTC; execution 7f3c is changing it",
    ),
    (
        "a no for good",
        Blocked(step=0, verdicts=VERDICTS[2:], at=START),
        "blocked: execution 7f3c is changing it",
    ),
    (
        "a target that is found",
        Resolved(target=Target("deployment", "local", "apps", "cart"), slot="s", at=START),
        "apps/deployment/checkout leads to apps/deployment/cart",
    ),
    (
        "a target that cannot be looked up",
        ResolvePutOff(reason="the API server does not answer", at=START),
        "what apps/deployment/checkout leads to cannot be told yet: the API server does not answer",
    ),
    (
        "a target that another run has",
        Merged(target=Target("deployment", "local", "apps", "cart"), into="7f3c", at=START),
        "joined execution 7f3c, which already works on apps/deployment/cart",
    ),
    (
        "a group that is waited for",
        Queued(reason="its turn: batch 2 of 3, after apps/deployment/web", at=START),
        "waits for its turn: batch 2 of 3, after apps/deployment/web",
    ),
    ("a turn that has come", Admitted(batch=2, of=3, at=START), "its group lets it act: batch 2 of 3"),
    (
        "a group that is held",
        TurnedAway(reason="group of 40 targets, at most 2: nothing was changed", tells=True, at=START),
        "group of 40 targets, at most 2: nothing was changed",
    ),
    (
        "an intent",
        intended(1, GROW),
        "add-capacity: is about to change apps/deployment/checkout replicas 4 -> 6",
    ),
    (
        "an undo",
        intended(1, GROW.inverse(), "undo"),
        "add-capacity: is about to undo apps/deployment/checkout replicas 6 -> 4",
    ),
    (
        "a redo",
        intended(1, GROW, "redo"),
        "add-capacity: is about to make again apps/deployment/checkout replicas 4 -> 6",
    ),
    ("written", Applied(step=0, outcome=Outcome.done(), at=START), f"{STEP}: written"),
    ("refused", Applied(step=0, outcome=Outcome.failed("denied"), at=START), f"{STEP}: failed, denied"),
    (
        "put off",
        ApplyPutOff(step=0, reason="throttled", at=START),
        f"{STEP}: to be tried again, throttled",
    ),
    (
        "an answer that was lost",
        ApplyPutOff(step=0, reason="the connection broke", look_first=True, at=START),
        f"{STEP}: not known whether it was done, the connection broke",
    ),
    (
        "seen",
        Observed(step=0, progress=Progress.progressing("2 of 4 ready", SECOND), at=START),
        f"{STEP}: progressing, 2 of 4 ready",
    ),
    ("the last verification", VerificationStarted(at=START), "the last verification begins"),
    (
        "a probe",
        Verified(readings=(NO,), harm=Reading(ok=True, says="latency 1, baseline 1"), at=START),
        "errors 0.12 is not below 0.02; latency 1, baseline 1",
    ),
    ("a page", Paged(rule=0, at=START), "still not fixed: paging"),
    ("told", Delivered(notice_id=NOTICE, at=START), "told chat (notFixed)"),
    (
        "not told",
        Undelivered(notice_id=NOTICE, reason="refused", at=START),
        "could not tell chat (notFixed): refused",
    ),
    ("told of what is gone", Delivered(notice_id="gone", at=START), "told somebody"),
    (
        "an end",
        Finished(status="handed_over", reason="a ticket was made", at=START),
        "handed over: a ticket was made",
    ),
    ("nothing left to undo", Closed(at=START), "quota exceeded"),
    ("kept long enough", GivenBack(at=START), "the time for which ann kept its targets is over"),
    ("let go", signalled("released", by="ann", reason="calm again"), "ann let changes go (calm again)"),
]


@pytest.mark.parametrize(("event", "says"), [pytest.param(event, says, id=name) for name, event, says in CASES])
def test_an_event_is_narrated(event: Event, says: str) -> None:
    """Pinned whole, as users read them."""
    asked = ApprovalRequest(kind="step", hash="0123456789ab", by="team-checkout", asked_at=START, until=START)
    unwind = Unwind(scope="all", status="failed", reason="quota exceeded")
    told = replace(TOLD, unwind=unwind, kept_by="ann", approval=asked)

    assert says == narrate(told, event)


def test_every_kind_of_event_is_pinned() -> None:
    """A new event needs a sentence here."""
    assert {type(event) for _, event, _ in CASES} == set(typing.get_args(module.Event))


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        pytest.param(None, "on", 'unset -> "on"', id="from nothing"),
        pytest.param("on", None, '"on" -> unset', id="to nothing"),
        pytest.param(True, False, "True -> False", id="yes and no"),
        pytest.param(1.5, 2, "1.5 -> 2", id="numbers"),
    ],
)
def test_an_arrow_shows_values_as_people_read_them(before: object, after: object, says: str) -> None:
    """Text in quotes, absence as a word."""
    change = replace(FLIP, before=before, after=after)

    assert f"/checkout/degraded_mode value {says}" == arrow(change)
