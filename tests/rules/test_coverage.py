"""The shipped alerts reach the shipped runbooks, with every label that these need (`make alerts`)."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.rules.shipped import ENGINE, ROOT, alerts

STARTS = {  # every other alert is for people alone
    "CheckoutHighErrorRate": ["checkout-high-error-rate"],
    "CheckoutHighLatency": ["checkout-high-latency"],
    "CheckoutCrashLooping": ["checkout-crash-looping"],
    "KubePodCrashLooping": ["forty-pods-crash"],
    "KubePodOOMKilled": ["pods-oomkilled"],
    "KubeNodeNotReady": ["node-not-ready"],
    "KubeNodeUnreachable": ["node-not-ready"],
    "KubeNodeReadinessFlapping": ["node-not-ready"],
    "KubeNodePressure": ["node-disk-pressure"],  # if its condition is DiskPressure
    "KubeDeploymentRolloutStuck": ["rollout-stuck"],
    "QueueBacklog": ["queue-backlog"],
}
FOR_PEOPLE = {
    "CheckoutErrorBudgetBurn",
    "CheckoutErrorBudgetSpent",
    "CheckoutLatencyObjectiveMissed",
    "CheckoutAbsent",
    "CheckoutNoTraffic",
    "CheckoutFlagStoreUnreadable",
    "CheckoutDegraded",
    "QueueBacklogUnowned",
    "KubeStateMetricsAbsent",
    *(rule.name for rule in alerts() if rule.file.name == ENGINE),
}
BY_CLOUDWATCH = {"orders-dlq", "sandbox-gather-evidence", "sandbox-lambda-errors"}  # alarms of Terraform feed these
OPEN = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [prod]
scopes: {prometheus: {source: alertmanager}}
receivers: {chat: {adapter: console}, oncall: {adapter: console}}
teams: {team-checkout: {receiver: chat}, team-platform: {receiver: chat}}
"""
RULES = (ROOT / "helm/checkout/rules", ROOT / "helm/observability/rules")


def _coverage(*arguments: str | Path) -> dict[str, Any]:
    """Return what `runbook coverage` says of rules whose Prometheus adds the label cluster."""
    out, err = io.StringIO(), io.StringIO()
    desk = Desk(stdin=io.StringIO(), stdout=out, stderr=err, environment={"RUNBOOK_DEBUG": "1"})
    asked = ["coverage", "--external", "cluster", "--format", "json", *map(str, arguments)]
    assert main(asked, desk) == 0, err.getvalue()
    said: dict[str, Any] = json.loads(out.getvalue())
    return said


@pytest.fixture(scope="module")
def all_runbooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every shipped runbook in one installation, whose scope may start any."""
    folder = tmp_path_factory.mktemp("coverage") / "runbooks"
    shutil.copytree(ROOT / "runbooks", folder)
    (folder / "engine.yaml").write_text(OPEN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def said(all_runbooks: Path) -> dict[str, Any]:
    """What all rules together are to all runbooks together."""
    return _coverage("--rules", *RULES, "--runbooks", all_runbooks, "--config", all_runbooks / "engine.yaml")


def test_each_alert_starts_the_runbook_that_was_written_for_it(said: dict[str, Any]) -> None:
    """Neither fewer nor more: an alert that starts a second runbook has it act where nobody meant it to."""
    starts = {alert["name"]: alert["runbooks"] for alert in said["alerts"] if alert["runbooks"]}

    assert starts == STARTS


def test_alerts_without_a_runbook_are_those_that_are_meant_for_people(said: dict[str, Any]) -> None:
    """A new alert without a runbook is named here, or it was forgotten."""
    assert set(said["uncovered"]) == FOR_PEOPLE


def test_no_alert_lacks_a_label_that_its_runbook_needs(said: dict[str, Any]) -> None:
    """Every matcher and every input without a default finds its label, whatever the series look like."""
    missing = {alert["name"]: alert["missing_labels"] for alert in said["alerts"] if alert["missing_labels"]}

    assert missing == {}


def test_runbooks_out_of_reach_are_those_of_cloudwatch(said: dict[str, Any]) -> None:
    """Every other shipped runbook is reached by one of our own alerts."""
    assert set(said["unreachable"]) == BY_CLOUDWATCH


@pytest.mark.parametrize(
    ("rules", "runbooks", "config", "out_of_reach"),
    [
        pytest.param(RULES[0], "runbooks/checkout", "runbooks/engine.yaml", set(), id="on one machine"),
        pytest.param(
            RULES[1], "runbooks/kubernetes", "helm/runbook-engine/example/engine.yaml", set(), id="in a cluster"
        ),
        pytest.param(RULES[0], "runbooks/aws", "terraform/examples/engine.yaml", BY_CLOUDWATCH, id="in AWS"),
    ],
)
def test_shipped_installation_lets_the_alerts_in(
    rules: Path, runbooks: str, config: str, out_of_reach: set[str]
) -> None:
    """The scopes of each installation that we ship let the rules reach its runbooks; in AWS alarms do that."""
    said = _coverage("--rules", rules, "--runbooks", ROOT / runbooks, "--config", ROOT / config)

    assert set(said["unreachable"]) == out_of_reach
    assert [alert["missing_labels"] for alert in said["alerts"] if alert["missing_labels"]] == []


def test_label_cluster_is_missed_when_prometheus_does_not_add_it(all_runbooks: Path, tmp_path: Path) -> None:
    """The rules rely on external_labels of Prometheus, and the check notices where these are not."""
    out = io.StringIO()
    desk = Desk(stdin=io.StringIO(), stdout=out, stderr=io.StringIO(), environment={})
    bare = "groups: [{name: a, rules: [{alert: KubePodOOMKilled, expr: 'max by (namespace, pod) (a)'}]}]"
    rules = tmp_path / "bare.yaml"
    rules.write_text(bare, encoding="utf-8")

    main(["coverage", "--rules", str(rules), "--runbooks", str(all_runbooks), "--format", "json"], desk)

    (alert,) = json.loads(out.getvalue())["alerts"]
    assert [missing["label"] for missing in alert["missing_labels"]] == ["cluster"]
