"""Functions, queues, metrics and automations become the values that the engine runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.model.check import DoNoHarm, QueryCheck
from runbook_engine.model.configuration import AdapterChoice
from runbook_engine.model.metric import MetricQuery
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.target import TargetTemplate
from runbook_engine.registry import Registry

ERRORS = MetricQuery(namespace="AWS/Lambda", metric="Errors", stat="Sum", dimensions={"FunctionName": "orders"}).text
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: orders-errors, owner: team-orders}
matchers: [alertname = OrdersErrors]
target: TARGET
verify:
  - metric: {source: cloudwatch, namespace: AWS/Lambda, name: Errors, statistic: Sum, dimensions: DIMENSIONS}
    where: {Resource: "{{ alert.labels.resource }}"}
    equals: 0
doNoHarm:
  metric: {source: europe, namespace: AWS/Lambda, name: Duration, statistic: p99, period: 5m}
  risesBy: 50%
guardrails: {cooldown: 30m, deadline: 60m}
steps:
  - {name: tell, action: notify, with: {receiver: chat, text: hello}}
"""
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [prod]
adapters:
  functions: [{adapter: lambda, place: europe}, {adapter: lambda, place: asia}]
  queues: {adapter: sqs}
  automations: {adapter: ssmAutomation, place: europe}
automations:
  reboot:
    document: acme-reboot
    version: "3"
    effect: {says: reboots it, repeat: token}
    parameters: [Id]
    fixed: {Mode: gentle}
    role: arn:aws:iam::123456789012:role/reboots
    place: europe
    approval: none
receivers: {chat: {adapter: console}}
teams: {team-orders: {receiver: chat}}
targets: ["function=orders*", "queue=orders-dlq", "automation=reboot"]
"""


def load(folder: Path, target: str) -> Loaded:
    """Load one runbook on a target, with the configuration."""
    (folder / "orders.yaml").write_text(
        RUNBOOK.replace("TARGET", target).replace("DIMENSIONS", "{FunctionName: orders}")
    )
    (folder / "engine.yaml").write_text(CONFIG)
    return load_files([folder / "orders.yaml"], Registry(), folder / "engine.yaml")


@pytest.mark.parametrize(
    ("written", "compiled"),
    [
        pytest.param(
            "{function: orders, alias: live, place: europe}",
            TargetTemplate("function", "orders:live", "", "europe"),
            id="an alias at a place",
        ),
        pytest.param(
            "{function: orders, place: asia}",
            TargetTemplate("function", "orders", "", "asia"),
            id="a function as a whole",
        ),
        pytest.param("{queue: orders-dlq}", TargetTemplate("queue", "orders-dlq"), id="a queue, at the only place"),
    ],
)
def test_a_target_keeps_alias_and_place(written: str, compiled: TargetTemplate, tmp_path: Path) -> None:
    """Nothing is wrong with it, and the cluster has nothing to do with it."""
    loaded = load(tmp_path, written)

    assert loaded.diagnostics == ()
    assert loaded.bundle.runbooks[0].target == compiled


def test_a_metric_becomes_the_text_that_readers_parse(tmp_path: Path) -> None:
    """Its source is asked, `where` stays apart, and the text itself is never a template."""
    runbook = load(tmp_path, "{queue: orders-dlq}").bundle.runbooks[0]

    assert runbook.verify == (
        QueryCheck(
            query=ERRORS,
            source="cloudwatch",
            comparison="equals",
            value=0.0,
            where={"Resource": "{{ alert.labels.resource }}"},
        ),
    )
    duration = MetricQuery(namespace="AWS/Lambda", metric="Duration", stat="p99", period=300).text
    assert runbook.do_no_harm == DoNoHarm(query=duration, source="europe", rises_by=0.5)


def test_an_automation_is_pinned_as_it_is_written(tmp_path: Path) -> None:
    """What a run would do, as whom, and where."""
    configuration = load(tmp_path, "{queue: orders-dlq}").bundle.configuration

    assert configuration.automations == (
        AutomationTemplate(
            name="reboot",
            document="acme-reboot",
            version="3",
            says="reboots it",
            parameters=("Id",),
            fixed={"Mode": "gentle"},
            role="arn:aws:iam::123456789012:role/reboots",
            place="europe",
            approval=False,
        ),
    )
    assert configuration.adapters["queues"] == (AdapterChoice(adapter="sqs"),)
    assert (configuration.places("function"), configuration.places("queue")) == (("europe", "asia"), ("",))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        pytest.param(
            "{function: orders}",
            '"place" is missing in "target": there are europe, asia (write place: europe, or an input of type place)',
            id="two places and none named",
        ),
        pytest.param(
            "{function: orders, place: america}",
            'unknown place "america" (known: asia, europe)',
            id="a place that no adapter serves",
        ),
    ],
)
def test_a_place_that_cannot_be_told_is_an_error(target: str, said: str, tmp_path: Path) -> None:
    """Before an alert finds it out."""
    (diagnostic,) = load(tmp_path, target).diagnostics

    assert f"{diagnostic.message} ({diagnostic.hint})" == said


def test_an_automation_that_nobody_pinned_is_an_error(tmp_path: Path) -> None:
    """With the one that was meant."""
    folder = tmp_path
    step = "{name: tell, action: ssmAutomation, with: {automation: rebot}}"
    text = RUNBOOK.replace("TARGET", "{queue: orders-dlq}").replace("DIMENSIONS", "{}")
    (folder / "orders.yaml").write_text(
        text.replace("{name: tell, action: notify, with: {receiver: chat, text: hello}}", step)
    )
    (folder / "engine.yaml").write_text(CONFIG)

    (diagnostic,) = load_files([folder / "orders.yaml"], Registry(), folder / "engine.yaml").diagnostics

    assert (diagnostic.message, diagnostic.hint) == ('unknown automation "rebot"', 'did you mean "reboot"?')
