"""A plan, as people read it before they say yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runbook_engine.model.alert import Alert
from runbook_engine.model.check import QueryCheck
from runbook_engine.model.guardrail import Guardrails, Verdict
from runbook_engine.model.plan import Change, Plan, PlannedStep
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.render.lines import plain
from runbook_engine.render.plan import Proposal, record_plans, render_plan

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
FLAG = Target("parameter", "local", "", "/checkout/degraded_mode")
CHECKOUT = Target("deployment", "local", "apps", "checkout")
OK = (
    Verdict(guardrail="pause", ok=True, says="not paused"),
    Verdict(guardrail="deadline", ok=True, says="40m of 40m left"),
    Verdict(guardrail="cooldown", ok=True, says="last change 6d ago"),
    Verdict(guardrail="budget", ok=True, says="0 of 5"),
)
DEGRADE = PlannedStep(
    name="shed-optional-features",
    action="degrade",
    change=Change(target=FLAG, field="value", before="false", after="true"),
    change_hash="d" * 64,
    verdicts=OK,
    undo="undone 10m after the alert resolves",
)
SCALE = PlannedStep(
    name="add-capacity",
    action="scale",
    change=Change(target=CHECKOUT, field="replicas", before=4, after=6),
    change_hash="e" * 64,
    verdicts=OK,
    undo="undone 30m after the alert resolves",
)
SKIPPED = PlannedStep(
    name="roll-back-release", action="rollback", skipped="last change 5h before the alert, wanted within 2h"
)


def _proposal(*steps: PlannedStep, blocked: tuple[str, ...] = (), mode: str = "auto", **more: object) -> Proposal:
    verify = QueryCheck(
        query="checkout:error_ratio",
        comparison="below",
        value=0.02,
        hold_for=timedelta(seconds=15),
        timeout=timedelta(minutes=2),
    )
    runbook = Runbook(
        name="checkout-high-error-rate",
        owner="team-checkout",
        matchers=(),
        target=TargetTemplate(kind="deployment", name="checkout"),
        guardrails=Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
        steps=tuple(Step(name=step.name, action=step.action) for step in steps),
        strategy="escalate",
        verify=(verify,),
    )
    plan = Plan(
        plan_hash="4b1d" * 16,
        runbook=runbook.name,
        runbook_digest="",
        target=CHECKOUT,
        mode=mode,
        steps=steps,
        measured=(0.12,),
        verification=("checkout:error_ratio 0.12 is not below 0.02",),
        blocked=blocked,
        worst_case=timedelta(minutes=9),
    )
    alert = Alert(
        scope="local",
        source="alertmanager",
        name="CheckoutHighErrorRate",
        labels={},
        alert_key="k" * 64,
        received_at=NOW,
        starts_at=NOW - timedelta(minutes=3),
        severity="critical",
    )
    return Proposal(plan=plan, runbook=runbook, alert=alert, now=NOW, incident_id="7f3c" * 3, **more)  # type: ignore[arg-type]


def test_a_plan_looks_as_the_format_promises() -> None:
    """Where it comes from, a row for each step, what verifies it, what stops it, and the sum."""
    shown = plain(render_plan(_proposal(DEGRADE, SCALE, SKIPPED)))

    assert shown == (
        "incident 7f3c7f3c  CheckoutHighErrorRate critical, firing 3m   "
        "runbook checkout-high-error-rate (escalate, auto, team-checkout)\n"
        '  1 shed-optional-features  degrade   ~ /checkout/degraded_mode   "false" -> "true"  '
        "undone 10m after the alert resolves\n"
        "  2 add-capacity            scale     ~ apps/deployment/checkout  replicas 4 -> 6    "
        "undone 30m after the alert resolves\n"
        "  3 roll-back-release       rollback    skipped: last change 5h before the alert, wanted within 2h\n"
        "  after each: checkout:error_ratio below 0.02 for 15s, at most 2m (now 0.12)\n"
        "  guardrails: ok cooldown (last change 6d ago), ok budget (0 of 5), ok deadline 40m (worst case 9m)\n"
        "Plan 4b1d4b1d: up to 2 changes, 1 skipped, 0 approvals, 0 blocked. Nothing was changed.\n"
    )


def test_a_plan_says_which_guardrails_forbid_it_and_why() -> None:
    """A no that passes by itself reads as a wait; the reasons stand below."""
    no = Verdict(guardrail="cooldown", ok=False, says="last change 5m ago, cooldown 30m")
    wait = Verdict(guardrail="pause", ok=False, says="paused by ann", until=NOW)
    step = PlannedStep(name="s", action="degrade", change=DEGRADE.change, verdicts=(wait, no, OK[1]))

    shown = plain(render_plan(_proposal(step, blocked=("s: paused by ann", "s: last change 5m ago, cooldown 30m"))))

    assert "  guardrails: WAIT pause, NO cooldown, ok deadline 40m (worst case 9m)\n" in shown
    assert "  blocked: s: paused by ann\n  blocked: s: last change 5m ago, cooldown 30m\n" in shown
    assert shown.endswith("Plan 4b1d4b1d: 1 change, 0 skipped, 0 approvals, 2 blocked. Nothing was changed.\n")


@pytest.mark.parametrize(
    ("mode", "approval", "said"),
    [
        pytest.param("auto", "", "0 approvals", id="auto asks nobody"),
        pytest.param("auto", "team-checkout", "1 approval", id="a step that asks"),
        pytest.param("approve", "team-checkout", "1 approval", id="one yes covers the whole plan"),
        pytest.param("propose", "", "1 approval", id="a proposal is started by a person"),
    ],
)
def test_a_plan_counts_the_yeses_that_it_needs(mode: str, approval: str, said: str) -> None:
    """What a person will be asked, before anything begins."""
    step = PlannedStep(name="s", action="degrade", change=DEGRADE.change, change_hash="d", approval=approval)

    assert f" {said}," in plain(render_plan(_proposal(step, mode=mode)))


def test_a_plan_that_cannot_be_made_says_so() -> None:
    """A step in error is not silently left out."""
    step = PlannedStep(name="s", action="scale", error="apps/deployment/checkout does not exist")

    shown = plain(render_plan(_proposal(step, blocked=("s: apps/deployment/checkout does not exist",))))

    assert "  1 s  scale    cannot be planned\n" in shown
    assert "  blocked: s: apps/deployment/checkout does not exist\n" in shown


def test_a_sensitive_value_is_neither_shown_nor_recorded() -> None:
    """What must not be read is not in the text and not in the JSON."""
    change = Change(target=FLAG, field="value", before="hunter2", after="hunter3", sensitive=True)
    proposal = _proposal(PlannedStep(name="s", action="degrade", change=change, change_hash="d"))

    assert "(value not shown)" in plain(render_plan(proposal))
    assert "hunter" not in plain(render_plan(proposal)) + str(record_plans([proposal]))


def test_a_message_is_no_change() -> None:
    """Telling somebody is shown, and not counted."""
    message = Change(target=Target("receiver", "", "", "chat"), field="message", before=None, after="help")
    step = PlannedStep(name="tell", action="notify", change=message, change_hash="m")

    shown = plain(render_plan(_proposal(step)))

    assert '  1 tell  notify  > chat  says "help"\n' in shown
    assert "Plan 4b1d4b1d: 0 changes, 0 skipped" in shown


def test_a_plan_for_a_taken_target_says_what_it_joins() -> None:
    """A second alert opens no second run."""
    shown = plain(render_plan(_proposal(DEGRADE, joins="a1b2c3d4e5f6")))

    assert "  joins execution a1b2c3d4, which has apps/deployment/checkout already: no other run is opened\n" in shown


def test_a_plan_as_a_record_has_the_keys_of_the_contract() -> None:
    """Scripts depend on them."""
    (record,) = record_plans([_proposal(DEGRADE, SKIPPED)])["plans"]

    assert {"plan_hash", "runbook", "target", "steps", "blocked"} <= set(record)
    assert {"name", "action", "change", "verdicts", "skipped"} <= set(record["steps"][0])
    assert record["steps"][0]["change"] == {
        "target": "/checkout/degraded_mode",
        "field": "value",
        "before": "false",
        "after": "true",
        "sensitive": False,
    }
    assert record["steps"][1]["change"] is None
