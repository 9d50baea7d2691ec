"""Documents become the values that the engine runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.model.check import ChangedWithinCheck, DoNoHarm, QueryCheck
from runbook_engine.model.configuration import AdapterChoice, Receiver, Scope, SecretReference, SeriesRule, Token
from runbook_engine.model.guardrail import BlastRadius, BudgetRule, Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import Approval, Collector, Compensate, Input, ModeRule, NotifyRule, Retry, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.registry import Registry


def test_compile_keeps_what_the_author_wrote_when_a_runbook_is_valid(loaded: Loaded, good: Path) -> None:
    """The runbook of the format's own description, part by part."""
    runbook = loaded.bundle.runbooks[0]
    file = str(good / "high-error-rate.yaml")

    assert ("checkout-high-error-rate", "team-checkout", "escalate") == (runbook.name, runbook.owner, runbook.strategy)
    assert (
        Matcher("alertname", "=", "CheckoutHighErrorRate", "alertname = CheckoutHighErrorRate", file, 8, 5),
        Matcher("__severity__", "=~", "critical|high", "__severity__ =~ critical|high", file, 9, 5),
    ) == runbook.matchers
    assert (
        Input(name="cluster", type="cluster", path=("alert", "labels", "cluster"), default="local"),
    ) == runbook.inputs
    assert TargetTemplate("deployment", "checkout", "apps", "{{ inputs.cluster }}") == runbook.target
    assert (ModeRule(mode="auto"),) == runbook.mode
    assert ["graph", "changes", "logs"] == [collector.name for collector in runbook.diagnostics]
    assert Collector(name="logs", arguments={"pods": "affected", "lines": 100}) == runbook.diagnostics[2]
    assert (
        QueryCheck(
            query="checkout:error_ratio",
            comparison="below",
            value=0.02,
            where={"cluster": "{{ inputs.cluster }}"},
            hold_for=timedelta(seconds=15),
            timeout=timedelta(minutes=2),
        ),
    ) == runbook.verify
    assert DoNoHarm(query="checkout:latency_p99", rises_by=0.25, floor=1.0) == runbook.do_no_harm
    assert (
        Guardrails(
            cooldown=timedelta(minutes=30),
            deadline=timedelta(minutes=40),
            budget=BudgetRule(changes=5, per="service", window=timedelta(hours=1)),
        )
        == runbook.guardrails
    )
    assert NotifyRule(receiver="oncall", events=("notFixed",), after=timedelta(minutes=8)) == runbook.notify[1]


def test_compile_keeps_every_step_when_a_runbook_is_valid(loaded: Loaded) -> None:
    """Arguments stay as written, since they are rendered and read at run."""
    assert (
        Step(
            name="shed-optional-features",
            action="degrade",
            arguments={"parameter": "/checkout/degraded_mode", "value": "true"},
            compensate=Compensate(when="resolved", hold_for=timedelta(minutes=10)),
            line=33,
        ),
        Step(
            name="add-capacity",
            action="scale",
            arguments={"by": "50%", "upTo": 12, "autoscaler": "minReplicas"},
            retry=Retry(attempts=3, backoff=timedelta(seconds=5)),
            settle=timedelta(seconds=30),
            compensate=Compensate(when="resolved", hold_for=timedelta(minutes=30)),
            line=37,
        ),
        Step(
            name="roll-back-release",
            action="rollback",
            arguments={"to": "lastHealthy"},
            when=(ChangedWithinCheck(period=timedelta(hours=2)),),
            approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)),
            compensate=Compensate(when="never"),
            line=43,
        ),
    ) == loaded.bundle.runbooks[0].steps


def test_compile_keeps_what_an_installation_decides_when_a_configuration_is_valid(loaded: Loaded) -> None:
    """Adapters keep their own settings, secrets stay references."""
    configuration = loaded.bundle.configuration

    assert (
        AdapterChoice(adapter="process", place="local", settings={"folder": "state/deployments"}),
    ) == configuration.adapters["cluster"]
    assert (AdapterChoice(adapter="files", settings={"path": "state/pause.json"}),) == configuration.adapters["pause"]
    assert (
        Scope(
            name="alertmanager",
            runbooks=("checkout-*",),
            targets=("deployment=apps/*", "parameter=/checkout/*"),
            severities={"page": "critical"},
        ),
    ) == configuration.scopes
    assert (
        Token(
            name="prometheus",
            roles=("ingest",),
            secrets=(SecretReference(env="INGEST_TOKEN"), SecretReference(file="secrets/old-token")),
            scopes=("alertmanager",),
        )
        == configuration.tokens[0]
    )
    assert (
        Receiver(name="oncall", adapter="webhook", settings={"url": {"env": "ONCALL_URL"}})
        == configuration.receivers[1]
    )
    assert ["observe", "auto"] == [rule.mode for rule in configuration.mode_ceiling]
    assert (
        SeriesRule(name="checkout:latency_p99", kind="quantile", metric="checkout_latency_seconds", quantile=0.99)
        == configuration.series[1]
    )
    assert (6 * 1024**2, 20 * 1024**2, 4) == (
        configuration.limits.max_body,
        configuration.limits.max_inflated,
        configuration.limits.threads,
    )
    assert (("cluster", "service"), ("service",)) == configuration.correlation.keys


SMALL = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: small, owner: team}
matchers: [alertname = A]
target: none
guardrails: {cooldown: 1m, deadline: 1h}
steps: [{name: tell, action: notify, with: {receiver: chat, text: hello}}]
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        pytest.param("owner: team}", "owner: team, summary: words}", True, id="a summary"),
        pytest.param("matchers: [", "# a comment\n\nmatchers: [ ", True, id="a comment and spaces"),
        pytest.param("target: none", "target: none\nlinks: {wiki: 'https://example.org'}", True, id="a link"),
        pytest.param("alertname = A", 'alertname="A"', True, id="another spelling of a matcher"),
        pytest.param("cooldown: 1m", "cooldown: 60s", True, id="another spelling of a duration"),
        pytest.param("alertname = A", "alertname = B", False, id="a matcher"),
        pytest.param("cooldown: 1m", "cooldown: 2m", False, id="a guardrail"),
        pytest.param("text: hello", "text: bye", False, id="an argument"),
        pytest.param("target: none", "target: none\nmode: auto", False, id="a mode"),
        pytest.param("owner: team", "owner: other", False, id="an owner"),
        pytest.param("owner: team}", 'owner: team, reviewed: "ann: mended"}', False, id="a word of who looked at it"),
    ],
)
def test_digest_changes_when_and_only_when_something_that_decides_changes(
    old: str, new: str, same: bool, registry: Registry, tmp_path: Path
) -> None:
    """Approvals bind the digest, so words for people must not move it."""
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(SMALL)
    after.write_text(SMALL.replace(old, new))

    digests = [load_files([file], registry).bundle.runbooks[0].digest for file in (before, after)]

    assert same == (digests[0] == digests[1])


def test_digest_is_the_one_that_earlier_releases_gave(registry: Registry, tmp_path: Path) -> None:
    """How runs ended is kept under it: an upgrade that changed it would raise every runbook that was lowered.

    A field that is added to a runbook counts only where it is written: see `digest_of`.
    """
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)

    [small] = load_files([file], registry).bundle.runbooks

    assert "180485d4cf12e7299a8f61f90c70d1d7aaa61a9dd96c76f8567a7afc4deb5e4a" == small.digest


def test_compile_keeps_limits_on_victims_when_a_runbook_has_a_blast_radius(registry: Registry, tmp_path: Path) -> None:
    """The guardrail decides what it can count; the compiled value only carries the limits."""
    limits = "nodesUnavailable: {max: 1, maxPercent: 10}, podsEvicted: {max: 60}"
    radius = f"{{{limits}, protect: {{nodeLabels: [example.org/core]}}}}"
    file = tmp_path / "a.yaml"
    file.write_text(SMALL.replace("deadline: 1h", f"deadline: 1h, blastRadius: {radius}"))

    runbook = load_files([file], registry).bundle.runbooks[0]

    assert (
        BlastRadius(
            limits={"nodesUnavailable": {"max": 1.0, "maxPercent": 10.0}, "podsEvicted": {"max": 60.0}},
            protect={"nodeLabels": ("example.org/core",)},
        )
        == runbook.guardrails.blast_radius
    )


@pytest.mark.parametrize(
    ("written", "when"),
    [
        pytest.param("whenResolved", "resolved", id="when resolved"),
        pytest.param("onFailure", "onFailure", id="on failure"),
        pytest.param("never", "never", id="never"),
    ],
)
def test_compile_reads_the_short_form_when_compensate_is_a_word(
    written: str, when: str, registry: Registry, tmp_path: Path
) -> None:
    """The short forms hold for ten minutes."""
    step = f"{{name: up, action: scale, with: {{by: 1}}, compensate: {written}}}"
    file = tmp_path / "a.yaml"
    file.write_text(
        SMALL.replace("target: none", "target: {namespace: a, deployment: b}").split("steps:")[0] + f"steps: [{step}]"
    )

    compensate = load_files([file], registry).bundle.runbooks[0].steps[0].compensate

    assert (when, timedelta(minutes=10)) == (compensate.when, compensate.hold_for)
