"""Permissions: what runbooks need of AWS, on which resources, and no wider than can be said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runbook_engine.model.check import QueryCheck
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.iam import Account, Allowance
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.metric import MetricQuery
from runbook_engine.model.runbook import Collector, Mode, ModeRule, Runbook, Step
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import TargetTemplate
from runbook_engine.permissions import allowances_of
from runbook_engine.registry import Registry
from runbook_engine.render.iam import iam_policy

HERE = Account(account="123456789012", region="eu-west-1")
LIVE = TargetTemplate("function", "{{ inputs.function }}:live")
ROLLBACK = Step(name="back", action="rollback", arguments={"to": "previous"})
ERRORS = MetricQuery(namespace="AWS/Lambda", metric="Errors", stat="Sum").text
REBOOT = AutomationTemplate(name="reboot", document="acme-reboot", version="3", says="reboots it")
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:"
SQS = "arn:aws:sqs:eu-west-1:123456789012:"
SSM = "arn:aws:ssm:eu-west-1:123456789012:"


def runbook(*steps: Step, **changes: Any) -> Runbook:
    """Return a runbook on a function's alias."""
    settings: dict[str, Any] = {
        "name": "orders",
        "owner": "team",
        "matchers": (Matcher("alertname", "=", "Errors"),),
        "target": LIVE,
        "mode": (ModeRule(mode="auto"),),
        "guardrails": Guardrails(cooldown=timedelta(minutes=5), deadline=timedelta(minutes=30)),
        "steps": steps,
    }
    return Runbook(**{**settings, **changes})


def allowances(wanted: Runbook, *targets: str, mode: Mode | None = None, **settings: Any) -> tuple[Allowance, ...]:
    """Return what the runbook needs in an installation that allows these targets."""
    ports = settings.pop("ports", None)
    configuration = Configuration(targets=targets, **settings)
    return allowances_of((wanted,), configuration, Registry(), HERE, mode=mode, ports=ports)


def resources(found: tuple[Allowance, ...], action: str) -> set[str]:
    """Return on what an action is needed."""
    return {each.resource for each in found if each.action == action}


@pytest.mark.parametrize(
    ("target", "targets", "expected"),
    [
        pytest.param(
            LIVE, ("function=orders:live",), {f"{LAMBDA}orders", f"{LAMBDA}orders:live"}, id="the one that is allowed"
        ),
        pytest.param(
            LIVE,
            ("function=orders-*", "function=invoices:*", "function=billing:test", "function=cart"),
            {f"{LAMBDA}orders-*", f"{LAMBDA}orders-*:live", f"{LAMBDA}invoices", f"{LAMBDA}invoices:live"},
            id="as far as the allow-list goes",
        ),
        pytest.param(
            TargetTemplate("function", "orders:live"),
            ("function=or*",),
            {f"{LAMBDA}orders", f"{LAMBDA}orders:live"},
            id="the one that is written",
        ),
        pytest.param(TargetTemplate("function", "orders:live"), ("function=cart:*",), set(), id="nothing is allowed"),
        pytest.param(LIVE, ("*",), {f"{LAMBDA}*", f"{LAMBDA}*:live"}, id="everything"),
        pytest.param(LIVE, ("function=order[ab]:live",), {f"{LAMBDA}order?", f"{LAMBDA}order?:live"}, id="a set"),
    ],
)
def test_moving_an_alias_is_bounded_by_the_allow_list(
    target: TargetTemplate, targets: tuple[str, ...], expected: set[str]
) -> None:
    """The alias, and the function that it is of."""
    assert resources(allowances(runbook(ROLLBACK, target=target), *targets), "lambda:UpdateAlias") == expected


@pytest.mark.parametrize(
    ("step", "target", "writes"),
    [
        pytest.param(ROLLBACK, "orders:live", {"lambda:UpdateAlias"}, id="rollback"),
        pytest.param(
            Step(name="try", action="canary", arguments={"percent": 10}),
            "orders:live",
            {"lambda:UpdateAlias"},
            id="canary",
        ),
        pytest.param(
            Step(name="brake", action="throttle", arguments={"concurrency": 5}),
            "orders",
            {"lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"},
            id="throttle",
        ),
        pytest.param(
            Step(name="heal", action="degrade", arguments={"env": "FAIL_MODE", "value": "false"}),
            "orders",
            {"lambda:UpdateFunctionConfiguration"},
            id="degrade with env",
        ),
    ],
)
def test_each_action_writes_no_more_than_it_does(step: Step, target: str, writes: set[str]) -> None:
    """What writes, on the one function."""
    found = allowances(runbook(step, target=TargetTemplate("function", target)), "function=orders*")

    assert {each.action for each in found if not each.reads} == writes
    assert {each.resource.removeprefix(LAMBDA).partition(":")[0] for each in found if not each.reads} == {"orders"}


def test_what_is_about_aliases_is_not_needed_without_one() -> None:
    """Whoever names the function as a whole is not bypassed."""
    step = Step(name="brake", action="throttle", arguments={"concurrency": 5})

    found = allowances(runbook(step, target=TargetTemplate("function", "orders")), "function=orders")

    assert not {each.action for each in found} & {
        "lambda:GetAlias",
        "lambda:GetPolicy",
        "lambda:ListEventSourceMappings",
    }


@pytest.mark.parametrize(
    ("arguments", "sends_to", "why"),
    [
        pytest.param({"to": "orders"}, f"{SQS}orders", "", id="the queue that is named"),
        pytest.param(
            {},
            f"{SQS}*",
            "only the queue itself says where its messages came from (write to: NAME)",
            id="wherever they came from",
        ),
    ],
)
def test_a_redrive_takes_from_one_queue_and_sends_to_where_it_says(
    arguments: dict[str, Any], sends_to: str, why: str
) -> None:
    """Deleting is needed of the dead letters alone."""
    step = Step(name="move", action="redrive", arguments=arguments)

    found = allowances(runbook(step, target=TargetTemplate("queue", "orders-dlq")), "queue=orders-dlq")

    assert {each.resource for each in found if each.action != "sqs:SendMessage"} == {f"{SQS}orders-dlq"}
    assert [(each.resource, each.why_all) for each in found if each.action == "sqs:SendMessage"] == [(sends_to, why)]


@pytest.mark.parametrize(
    ("automation", "resource", "why"),
    [
        pytest.param(REBOOT, f"{SSM}automation-definition/acme-reboot:3", "", id="one of this account"),
        pytest.param(
            AutomationTemplate(name="reboot", document="AWS-RestartEC2Instance", version="12", says="restarts it"),
            "arn:aws:ssm:eu-west-1:*:automation-definition/AWS-RestartEC2Instance:12",
            "a document of AWS belongs to no account of yours",
            id="one of AWS",
        ),
        pytest.param(
            AutomationTemplate(
                name="reboot",
                document="arn:aws:ssm:us-east-1:210987654321:document/shared",
                version="7",
                says="does it",
            ),
            "arn:aws:ssm:us-east-1:210987654321:automation-definition/shared:7",
            "",
            id="one of another account",
        ),
    ],
)
def test_an_automation_is_started_in_its_version_alone(automation: AutomationTemplate, resource: str, why: str) -> None:
    """What was reviewed is what may run."""
    step = Step(name="reboot", action="ssmAutomation", arguments={"automation": "reboot"})

    found = allowances(runbook(step), "automation=reboot", automations=(automation,))

    starts = [(each.resource, each.why_all) for each in found if each.action == "ssm:StartAutomationExecution"]
    assert starts == [(resource, why)]
    assert not resources(found, "iam:PassRole")


def test_a_role_is_handed_to_the_service_of_automations_alone() -> None:
    """With the one condition that keeps it there."""
    role = "arn:aws:iam::123456789012:role/reboots"
    pinned = AutomationTemplate(name="reboot", document="acme-reboot", version="3", says="reboots it", role=role)
    step = Step(name="reboot", action="ssmAutomation", arguments={"automation": "reboot"})

    policy = iam_policy(allowances(runbook(step), "automation=reboot", automations=(pinned,)))

    passing = [each for each in policy["Statement"] if each["Action"] == ["iam:PassRole"]]
    assert [(each["Resource"], each["Condition"]) for each in passing] == [
        ([role], {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}})
    ]


@pytest.mark.parametrize(
    ("parameter", "targets", "expected"),
    [
        pytest.param("/checkout/mode", ("parameter=/checkout/*",), {f"{SSM}parameter/checkout/mode"}, id="written"),
        pytest.param(
            "/checkout/{{ inputs.flag }}", ("parameter=/checkout/*",), {f"{SSM}parameter/checkout/*"}, id="a template"
        ),
        pytest.param("/checkout/a/b", ("parameter=/checkout/*",), set(), id="deeper than the allow-list goes"),
    ],
)
def test_a_parameter_is_written_by_its_path(parameter: str, targets: tuple[str, ...], expected: set[str]) -> None:
    """The very parameter, or what the allow-list has of them."""
    step = Step(name="shed", action="degrade", arguments={"parameter": parameter, "value": "true"})

    assert resources(allowances(runbook(step), *targets), "ssm:PutParameter") == expected


def test_evidence_and_checks_are_read() -> None:
    """Metrics of all there are, since CloudWatch knows no other right; logs of the function alone."""
    reading = runbook(
        verify=(QueryCheck(query=ERRORS, comparison="equals", value=0, source="cloudwatch"),),
        diagnostics=(
            Collector(name="logs"),
            Collector(name="graph", arguments={"metric": {}}),
            Collector(name="changes"),
        ),
    )

    found = allowances(reading, "function=orders:live")

    assert all(each.reads for each in found)
    assert resources(found, "logs:FilterLogEvents") == {
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders:*"
    }
    metrics = {(each.resource, each.why_all) for each in found if each.action == "cloudwatch:GetMetricData"}
    assert metrics == {("*", "CloudWatch lets nobody narrow which metrics are read")}
    assert {each.because for each in found} == {
        "orders: a check",
        "orders: diagnostics changes",
        "orders: diagnostics graph",
        "orders: diagnostics logs",
    }


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        pytest.param((ModeRule(mode="observe"),), None, id="the runbook only observes"),
        pytest.param((ModeRule(mode="auto"),), "observe", id="asked for mode observe"),
    ],
)
def test_nothing_is_written_when_nothing_may_be_changed(rules: tuple[ModeRule, ...], mode: Mode | None) -> None:
    """Who only observes needs to look, and no more."""
    found = allowances(runbook(ROLLBACK, mode=rules), "function=orders:live", mode=mode)

    assert found
    assert all(each.reads for each in found)


def test_what_no_adapter_of_the_cloud_serves_needs_no_right_of_it() -> None:
    """A parameter that is kept in a file is none of AWS' business."""
    step = Step(name="shed", action="degrade", arguments={"parameter": "/checkout/mode", "value": "true"})
    targets = ("parameter=/checkout/*", "function=orders:live")

    assert allowances(runbook(step, ROLLBACK), *targets, ports=frozenset()) == ()
    only = allowances(runbook(step, ROLLBACK), *targets, ports=frozenset(("functions",)))
    assert {each.action.partition(":")[0] for each in only} == {"lambda"}


def test_a_policy_holds_each_allowance_once_and_says_what_cannot_be_narrowed() -> None:
    """Grouped by what they are about, those that look before those that change."""
    policy = iam_policy(allowances(runbook(ROLLBACK), "function=orders:live"))

    singles = [
        (action, resource)
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]
    assert len(singles) == len(set(singles))
    assert policy["Version"] == "2012-10-17"
    assert [statement["Sid"] for statement in policy["Statement"]] == [
        "Look1",
        "Look2",
        "Look3",
        "LookAtWhatHasNoNarrowerName4",
        "Change5",
    ]
    assert ("lambda:ListEventSourceMappings", "*") in singles
    assert not any(resource == "*" for action, resource in singles if action != "lambda:ListEventSourceMappings")
