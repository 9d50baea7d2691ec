"""The whole grammar of the format loads: every check in every place, modes by matchers, groups in batches."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from runbook_engine.documents.check import MetricDocument
from runbook_engine.guardrails import effective_mode
from runbook_engine.loading.files import load_valid_files
from runbook_engine.matching.explain import explain_labels
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.check import (
    AlertCheck,
    ChangedWithinCheck,
    Check,
    EvictablePodsCheck,
    GitopsCheck,
    NodeReadyCheck,
    QueryCheck,
    ReadyCheck,
)
from runbook_engine.model.group import batch_of
from runbook_engine.model.runbook import GroupRule, Mode, ModeRule
from runbook_engine.registry import Registry

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ENGINE = """
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [local]
receivers: {chat: {adapter: console}}
teams: {team-checkout: {receiver: chat}}
targets: [deployment=apps/*, node=*]
modeCeiling:
  - {mode: observe, matchers: [cluster = lab]}
  - {mode: approve, matchers: [cluster =~ prod-.*, __severity__ != critical]}
  - {mode: auto, matchers: [cluster =~ prod-.*]}
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {{name: checkout, owner: team-checkout}}
matchers: [alertname = Checkout]
inputs: {{node: {{type: node, from: alert.labels.node}}}}
target: {{node: "{{{{ inputs.node }}}}"}}
guardrails: {{cooldown: 30m, deadline: 20h}}
{more}
steps:
  - {{name: stop-new-pods, action: cordon, compensate: onFailure{step}}}
"""
METRIC = "{source: cloudwatch, namespace: AWS/Lambda, name: Errors, statistic: Sum, period: 1m}"
CHECKS: dict[str, tuple[str, Check]] = {
    "query below": (
        "{query: 'checkout:error_ratio', below: 0.02, where: {node: '{{ inputs.node }}'}, for: 15s, timeout: 3m}",
        QueryCheck(
            query="checkout:error_ratio",
            comparison="below",
            value=0.02,
            where={"node": "{{ inputs.node }}"},
            hold_for=15 * SECOND,
            timeout=3 * MINUTE,
        ),
    ),
    "query above, and no data ends it": (
        "{query: up, above: 0, noData: stop}",
        QueryCheck(query="up", comparison="above", value=0.0, no_data="stop"),
    ),
    "query equals": ("{query: up, equals: 1}", QueryCheck(query="up", comparison="equals", value=1.0)),
    "query of another reader": (
        f"{{metric: {METRIC}, below: 1}}",
        QueryCheck(
            query=MetricDocument.model_validate(yaml.safe_load(METRIC)).query.text,
            source="cloudwatch",
            comparison="below",
            value=1.0,
        ),
    ),
    "alert": ("{alert: resolved, timeout: 1h}", AlertCheck(state="resolved", timeout=HOUR)),
    "ready": ("{ready: 100%}", ReadyCheck(share=1.0)),
    "changedWithin": ("{changedWithin: 2h}", ChangedWithinCheck(period=2 * HOUR)),
    "nodeReady": ("{nodeReady: false}", NodeReadyCheck(ready=False)),
    "evictablePods": ("{evictablePods: 0, timeout: 12m}", EvictablePodsCheck(at_most=0, timeout=12 * MINUTE)),
    "gitops unmanaged": ("{gitops: unmanaged}", GitopsCheck(managed=False)),
    "gitops managed": ("{gitops: managed}", GitopsCheck(managed=True)),
}


def load(folder: Path, more: str, step: str = "") -> Bundle:
    """Return the one runbook with these keys, and its installation."""
    (folder / "engine.yaml").write_text(ENGINE)
    (folder / "checkout.yaml").write_text(RUNBOOK.format(more=more, step=step))
    return load_valid_files([folder], Registry()).bundle


@pytest.mark.parametrize("place", ["verify", "require", "when", "verify of a step"])
def test_every_check_loads_wherever_a_check_may_stand(place: str, tmp_path: Path) -> None:
    """One grammar: what verifies also requires, and decides whether a step is wanted."""
    text = f"[{', '.join(written for written, _ in CHECKS.values())}]"

    if place in ("verify", "require"):
        runbook = load(tmp_path, f"{place}: {text}").runbooks[0]
        found = runbook.verify if place == "verify" else runbook.require
    else:
        step = load(tmp_path, "", f", {place.partition(' ')[0]}: {text}").runbooks[0].steps[0]
        found = step.when if place == "when" else step.verify

    assert tuple(expected for _, expected in CHECKS.values()) == found


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_may_stand_alone(name: str, tmp_path: Path) -> None:
    """One check needs no list."""
    written, expected = CHECKS[name]

    assert (expected,) == load(tmp_path, f"verify: {written}").runbooks[0].verify


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"cluster": "lab", "__severity__": "critical"}, "observe", id="a ceiling below the mode"),
        pytest.param({"cluster": "prod-eu", "__severity__": "warning"}, "propose", id="the runbook's mode below it"),
        pytest.param({"cluster": "prod-eu", "__severity__": "critical"}, "auto", id="both let it act"),
        pytest.param({"cluster": "prod-us", "__severity__": "high"}, "approve", id="the ceiling of a severity"),
        pytest.param({"cluster": "elsewhere", "__severity__": "critical"}, "propose", id="no ceiling matches"),
    ],
)
def test_modes_by_matchers_stay_under_ceilings_by_matchers(
    labels: dict[str, str], expected: Mode, tmp_path: Path
) -> None:
    """The first rule that holds decides, in the runbook as in engine.yaml; the lower of the two wins."""
    mode = """mode:
  - {mode: propose, matchers: [__severity__ = warning]}
  - {mode: auto}"""
    bundle = load(tmp_path, mode)

    def holds(rule: ModeRule) -> bool:
        return explain_labels(labels, rule.matchers).matched

    found = effective_mode(bundle.runbooks[0], bundle.configuration, holds)

    assert expected == found


def test_a_group_has_its_batches(tmp_path: Path) -> None:
    """One target first, then three at a time, and never more than forty in all."""
    runbook = load(tmp_path, "group: {wait: 1m, maxTargets: 40, batches: [1, 3], maxFailures: 2}").runbooks[0]

    assert GroupRule(wait=MINUTE, max_targets=40, batches=(1, 3), max_failures=2) == runbook.group
    assert [0, 1, 1, 1, 2] == [batch_of((1, 3), at)[0] - 1 for at in range(5)]
