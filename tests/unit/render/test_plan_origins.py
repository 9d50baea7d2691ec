"""A plan says where its steps are written, when that is not the runbook's own file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runbook_engine.model.alert import Alert
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.plan import Plan, PlannedStep
from runbook_engine.model.runbook import Runbook, Step
from runbook_engine.model.target import NO_TARGET, TargetTemplate
from runbook_engine.render.lines import plain
from runbook_engine.render.plan import Proposal, record_plans, render_plan

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def test_plan_names_the_file_and_line_of_shared_steps() -> None:
    """Who wonders why a step is there finds it."""
    runbook = Runbook(
        name="orders-errors",
        owner="team-orders",
        matchers=(),
        target=TargetTemplate(kind="none"),
        guardrails=Guardrails(cooldown=timedelta(minutes=30), deadline=timedelta(minutes=40)),
        steps=(
            Step(name="grow", action="scale", line=17, file="runbooks/lib/grow.yaml"),
            Step(name="look", action="notify", line=9),
        ),
        file="runbooks/orders.yaml",
    )
    planned = tuple(PlannedStep(name=step.name, action=step.action, skipped="not now") for step in runbook.steps)
    plan = Plan(plan_hash="", runbook=runbook.name, runbook_digest="", target=NO_TARGET, mode="auto", steps=planned)
    alert = Alert(
        source="alertmanager",
        scope="local",
        name="OrdersErrors",
        severity="critical",
        status="firing",
        labels={},
        annotations={},
        alert_key="a",
        received_at=NOW,
    )
    proposal = Proposal(plan=plan, runbook=runbook, alert=alert, now=NOW)

    (record,) = record_plans([proposal])["plans"]

    assert "  shared: grow (runbooks/lib/grow.yaml:17)" in plain(render_plan(proposal)).splitlines()
    assert ["runbooks/lib/grow.yaml:17", "runbooks/orders.yaml:9"] == [step["origin"] for step in record["steps"]]
