"""The platform's rules and dashboards as a chart, and the values that let Prometheus and Grafana find them."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import OBSERVABILITY, RUNNER, Manifest
from tests.helm.platform_files import RULE_FILES, alerts, stack_values
from tests.helm.values_of import given_values, named_values, unexplained_values
from tests.tools import find_tool

SETS = pytest.mark.parametrize("values", OBSERVABILITY.values)
STACK = stack_values("kube-prometheus-stack")
DASHBOARDS = sorted((OBSERVABILITY.folder / "dashboards").glob("*.json"))
OURS_ALONE = {"KubePodOOMKilled", "KubeStateMetricsAbsent"}  # kube-prometheus-stack has none of these names


def dashboards(values: str) -> list[Manifest]:
    """Return the ConfigMaps of a rendering."""
    return OBSERVABILITY.render(values).of("ConfigMap")


@SETS
def test_chart_lints_strictly(values: str) -> None:
    """Helm's own linter has nothing to say against any set of values."""
    done = OBSERVABILITY.lint(values)

    assert "0 chart(s) failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@SETS
def test_manifests_are_named_labelled_and_told_apart(values: str) -> None:
    """There is one manifest for each file, in the chart's namespace."""
    rendered = OBSERVABILITY.render(values)
    rules = [file for file in RULE_FILES if OBSERVABILITY.folder in file.parents]

    assert (len(rules), len(DASHBOARDS)) == (len(rendered.of("PrometheusRule")), len(rendered.of("ConfigMap")))
    assert len(rules) > 1
    assert len(rendered) == len({(one["kind"], one["metadata"]["name"]) for one in rendered})
    assert {"monitoring"} == {one["metadata"]["namespace"] for one in rendered}
    assert all("helm.sh/chart" in one["metadata"]["labels"] for one in rendered)


def test_rules_arrive_as_they_are_written() -> None:
    """Nothing in a rule file is a template of Helm, though it looks like one."""
    files = [file for file in RULE_FILES if OBSERVABILITY.folder in file.parents]

    specs = [rule["spec"] for rule in OBSERVABILITY.render("minimal").of("PrometheusRule")]

    assert [yaml.safe_load(file.read_text()) for file in files] == specs


def test_dashboards_arrive_as_they_are_written() -> None:
    """Each file is one key of one ConfigMap, small enough for one."""
    found = {name: content for one in dashboards("minimal") for name, content in one["data"].items()}

    assert DASHBOARDS
    assert {file.name for file in DASHBOARDS} == found.keys()
    assert all(json.loads(file.read_text()) == json.loads(found[file.name]) for file in DASHBOARDS)
    assert all(len(content.encode()) < 900_000 for content in found.values())


def test_grafana_finds_the_dashboards_and_their_folder() -> None:
    """Its sidecar looks for the label, and takes the folder from the annotation, that the chart writes."""
    sidecar = STACK["grafana"]["sidecar"]["dashboards"]

    assert (True, "ALL", True) == (
        sidecar["enabled"],
        sidecar["searchNamespace"],
        sidecar["provider"]["foldersFromFilesStructure"],
    )
    for one in dashboards("minimal"):
        assert sidecar["labelValue"] == one["metadata"]["labels"][sidecar["label"]]
        assert {sidecar["folderAnnotation"]: "Runbooks"} == one["metadata"]["annotations"]


def test_grafana_has_no_password_to_guess() -> None:
    """The stack's default is known to everybody; ours is in a Secret."""
    grafana = STACK["grafana"]

    assert ("", "") == (grafana["adminUser"], grafana["adminPassword"])
    assert {"existingSecret": "grafana-admin", "userKey": "user", "passwordKey": "password"} == grafana["admin"]


def test_prometheus_takes_rules_and_monitors_of_every_namespace() -> None:
    """Otherwise it takes those alone that carry the label of its own release."""
    spec = STACK["prometheus"]["prometheusSpec"]

    for kind in ("rule", "serviceMonitor", "podMonitor", "probe"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False
        assert {} == spec[f"{kind}NamespaceSelector"]


def test_alerts_name_a_cluster_that_the_runner_knows() -> None:
    """An alert of an unknown cluster would be refused."""
    runner = yaml.safe_load((RUNNER.folder / "values.yaml").read_text())

    assert STACK["prometheus"]["prometheusSpec"]["externalLabels"]["cluster"] in runner["config"]["clusters"]


def test_prometheus_takes_the_rules_with_these_settings(tmp_path: Path) -> None:
    """What the operator would write of these values is a configuration, rules included."""
    spec = STACK["prometheus"]["prometheusSpec"]
    config = {
        "global": {
            "scrape_interval": spec["scrapeInterval"],
            "evaluation_interval": spec["evaluationInterval"],
            "external_labels": spec["externalLabels"],
        },
        "rule_files": [str(file) for file in RULE_FILES],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))

    command = [str(find_tool("promtool")), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULE_FILES)} rule files found" in done.stdout
    assert spec["scrapeInterval"] == spec["evaluationInterval"] == "15s"


def test_no_alert_fires_under_two_rules() -> None:
    """What the stack has too is switched off there, and nothing is switched off without one of ours in its place."""
    ours = {alert["alert"] for alert in alerts() if alert["alert"].startswith("Kube")}

    assert ours - OURS_ALONE == {name for name, off in STACK["defaultRules"]["disabled"].items() if off}


def test_labels_that_the_rules_read_are_let_through() -> None:
    """kube-state-metrics shows no label of a Deployment unless it is named."""
    rules = "".join(file.read_text() for file in RULE_FILES)

    assert "label_runbook_engine_queue" in rules
    assert ["deployments=[runbook-engine/queue]"] == STACK["kube-state-metrics"]["metricLabelsAllowlist"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"grafana": {}}, "additional properties 'grafana' not allowed", id="the stack's own values"),
        pytest.param(
            {"dashboards": {"labels": {"grafana_dashboard": None}}},
            "at '/dashboards/labels': minProperties: got 0, want 1",
            id="dashboards that nobody finds",
        ),
        pytest.param(
            {"dashboards": {"folder": "../etc"}}, "at '/dashboards/folder': '../etc' does not match", id="a path"
        ),
    ],
)
def test_values_are_refused(values: Mapping[str, Any], sentence: str) -> None:
    """What would not work is told before it is installed."""
    assert sentence in OBSERVABILITY.refusal(values)


def test_schema_names_exactly_the_values() -> None:
    """A value without a schema would be refused, a schema without a value would be a lie."""
    free = {"dashboards.labels.grafana_dashboard"}

    assert (given_values(OBSERVABILITY) | {"global"}) - free == named_values(OBSERVABILITY)


def test_readme_explains_every_value() -> None:
    """Whoever reads the README finds each value by its name."""
    assert set() == unexplained_values(OBSERVABILITY)


def test_notes_name_what_was_installed() -> None:
    """Rules and dashboards are listed; without rules there is a warning."""
    said = OBSERVABILITY.notes("minimal")

    assert "Rules:       cluster.rules.yaml, runbook-engine.rules.yaml\n" in said
    assert "WARNING" not in said
    off = OBSERVABILITY.notes({"prometheusRules": {"enabled": False}})
    assert "Rules:       off\n" in off
    assert "WARNING: NO ALERTS. prometheusRules.enabled is off" in off
