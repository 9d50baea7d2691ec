"""The shipped rules fire when they should and only then, and what they tell leads somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from metrics import Metrics
from tests.rules.shipped import ENGINE, FILES, ROOT, Rule, alerts, recorded, rules
from tests.tools import find_tool

CASES = tuple(sorted(Path(__file__).parent.glob("*.promtool.yaml")))
PAGE = ROOT / "docs/alerts.md"
PARTS = ("**What it means.**", "**What the engine does.**", "**What you do.**")
FOREIGN = {  # alerts that no label of a service or namespace can describe: their subject is a node or a pod
    name: subject
    for subject, names in {
        "node": ("KubeNodeNotReady", "KubeNodeUnreachable", "KubeNodeReadinessFlapping", "KubeNodePressure"),
        "namespace": ("KubePodCrashLooping", "KubePodOOMKilled", "KubeDeploymentRolloutStuck", "QueueBacklog"),
    }.items()
    for name in names
}


def _promtool(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([find_tool("promtool"), *arguments], capture_output=True, text=True, timeout=180, check=False)
    return done.returncode, done.stdout + done.stderr


def _sections() -> dict[str, str]:
    """Return the sections of the page that are about one alert, by anchor."""
    parts = re.split(r"^### (\w+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name.lower(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rules_are_valid_when_promtool_reads_them(file: Path) -> None:
    """promtool finds neither an error nor a rule twice."""
    code, said = _promtool("check", "rules", "--lint=all", "--lint-fatal", file)

    assert code == 0, said


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name)
def test_rules_fire_as_the_cases_say_when_promtool_plays_them(file: Path) -> None:
    """Every case of the file holds: what fires, what it says, what stays silent, and when it ends."""
    code, said = _promtool("test", "rules", file)

    assert code == 0, said


def test_every_alert_has_cases_when_it_fires_and_when_it_does_not() -> None:
    """An alert that is never seen firing, or never seen silent, is not tested."""
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    for file in CASES:
        for case in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            for check in case.get("alert_rule_test", ()):
                seen[bool(check["exp_alerts"])].add(check["alertname"])

    names = {rule.name for rule in alerts()}
    assert names == seen[True]
    assert names == seen[False]


@pytest.mark.parametrize("rule", alerts(), ids=str)
def test_alert_tells_an_on_call_enough_when_it_fires(rule: Rule) -> None:
    """Severity, subject, a summary in one line, a description, and a page that has a section about it."""
    assert rule.labels["severity"] in ("critical", "warning")
    assert "service" in rule.labels or FOREIGN[rule.name] in rule.expression
    assert "\n" not in rule.annotations["summary"]
    assert rule.annotations["description"].endswith(".")
    assert rule.annotations["runbook_url"] == f"https://runbook-engine.example/docs/alerts.md#{rule.name.lower()}"
    assert all(part in _sections()[rule.name.lower()] for part in PARTS)


def test_page_has_no_section_when_no_alert_has_its_name() -> None:
    """What is not alerted on any more is not described."""
    assert set(_sections()) == {rule.name.lower() for rule in alerts()}


def test_alerts_about_the_engine_are_marked_and_no_others_are() -> None:
    """Alertmanager keeps from the runner what has the label, and nothing else."""
    marked = {rule.name for rule in alerts() if rule.labels.get("runbook_engine") == "self"}

    assert marked == {rule.name for rule in alerts() if rule.file.name == ENGINE}


def test_shipped_runbooks_read_series_that_are_recorded() -> None:
    """Every query of a runbook for Prometheus is the plain name of a recorded series."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("runbooks/[ck]*/*[a-z].yaml")))
    queried = set(re.findall(r"\bquery: \"?([\w:]+)", text))

    assert len(queried) == 4
    assert queried <= recorded()


def test_rules_read_series_that_exist() -> None:
    """What a rule reads is recorded by another one, or exposed by checkout, or by the runner."""
    checkout = {
        sample.name
        for family in text_string_to_metric_families(_exposed())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    runner = set(re.findall(r"`(runbook_\w+)", (ROOT / "docs/operating.md").read_text(encoding="utf-8")))
    known = recorded() | checkout | runner | {"runbook_action_seconds_bucket"}

    unknown = {str(rule): sorted(rule.series - known) for rule in rules() if rule.series - known}

    assert unknown == {}


def _exposed() -> str:
    """Return /metrics of checkout after one checkout, and a feature that failed."""
    metrics = Metrics("r42", None)
    metrics.record(502, 0.1)
    metrics.feature_failures.labels("loyalty").inc()
    return metrics.render().decode()
