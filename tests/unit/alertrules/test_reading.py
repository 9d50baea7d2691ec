"""Rule files as they are found: Prometheus' own, a cluster's objects, and those with mistakes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook_engine.alertrules.reading import read_rules

RULES = Path(__file__).parents[2] / "data" / "rules"
SAID = """\
several.yaml:4:9: error: the rule "NoExpression" has no expression
    4 |       - alert: NoExpression
      |         ^
      = write expr: and the PromQL that fires it
several.yaml:6:9: error: a rule has a name: alert for an alert, record for a series
    6 |       - expr: up == 0
      |         ^
      = write alert: NAME
several.yaml:9:9: error: unknown field "lables" in a rule
    9 |         lables: {severity: critical}
      |         ^^^^^^
      = did you mean "labels"?
several.yaml:13:21: error: the label "severity" must be a text
   13 |           severity: {level: critical}
      |                     ^
      = write NAME: value
several.yaml:14:9: error: a rule is a map with alert and expr
   14 |       - up == 0
      |         ^^^^^^^
several.yaml:15:5: error: a group is a map with name and rules
   15 |   - rules: none
      |     ^
      = write rules: and a list
"""


def test_alert_rules_are_read_when_recording_rules_stand_between() -> None:
    """In their order, with the place of each, and what it sets."""
    read = read_rules([RULES / "shop.yaml"])

    assert () == read.errors
    assert [
        ("CheckoutHighErrorRate", 8, "critical"),
        ("CheckoutHighLatency", 13, "page"),
        ("CheckoutFlapping", 16, ""),
        ("KubePodCrashLooping", 21, "warning"),
        ("KubeDeploymentRolloutStuck", 24, "warning"),
        ("KubeNodePressure", 30, "warning"),
        ("TooManyRestarts", 33, "2"),
        ("Watchdog", 36, "none"),
    ] == [(rule.name, rule.line, rule.severity) for rule in read.rules]


def test_a_rule_knows_which_labels_its_alerts_have() -> None:
    """Written out, set by a template, kept by the expression, surely absent, unknown."""
    rules = {rule.name: rule for rule in read_rules([RULES / "shop.yaml"]).rules}
    crashing, flapping = rules["KubePodCrashLooping"], rules["CheckoutFlapping"]

    assert ("warning", None, "") == tuple(crashing.value(label) for label in ("severity", "pod", "node"))
    assert (True, True, False) == tuple(crashing.gives(label) for label in ("severity", "pod", "node"))
    assert (None, None, None) == tuple(flapping.value(label) for label in ("severity", "pod", "job"))
    assert (True, False, True) == tuple(flapping.gives(label) for label in ("severity", "pod", "job"))


def test_objects_of_a_cluster_are_read_when_others_stand_between() -> None:
    """PrometheusRule objects, alone and in a list; an object of another kind is passed over."""
    read = read_rules([RULES / "cluster.yaml"])

    assert () == read.errors
    assert [("NodeFull", 9), ("MailsLate", 27)] == [(rule.name, rule.line) for rule in read.rules]


def test_an_external_label_is_there_when_it_is_named() -> None:
    """What the server adds to all of its alerts."""
    without, given = (read_rules([RULES / "shop.yaml"], frozenset(names)).rules[3] for names in ((), ("cluster",)))

    assert ("", False) == (without.value("cluster"), without.gives("cluster"))
    assert (None, True) == (given.value("cluster"), given.gives("cluster"))


def test_every_mistake_is_told_when_a_file_has_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its place, its line and the remedy."""
    monkeypatch.chdir(RULES / "bad")

    read = read_rules(["several.yaml"])

    assert SAID == "".join(f"{error}\n" for error in read.errors)
    assert () == read.rules


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "there are no rule groups in this file", id="an empty file"),
        pytest.param("kind: Deployment\n", "there are no rule groups in this file", id="another object"),
        pytest.param("groups: 5\n", '"groups" must be a list', id="groups that are no list"),
        pytest.param(
            "groups: [\n", "the map opened here is not closed, or a value in it needs quotes", id="broken YAML"
        ),
    ],
)
def test_a_file_is_refused_when_it_has_no_rules(text: str, said: str, tmp_path: Path) -> None:
    """In a sentence with its place."""
    (tmp_path / "rules.yaml").write_text(text)

    read = read_rules([tmp_path / "rules.yaml"])

    assert said == read.errors[0].message
    assert str(tmp_path / "rules.yaml") == read.errors[0].file


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """And not an empty set of rules."""
    read = read_rules([tmp_path / "rules.yaml"])

    assert ["cannot be read: No such file or directory"] == [error.message for error in read.errors]


def test_labels_of_a_group_are_those_of_its_rules_when_these_do_not_say_otherwise(tmp_path: Path) -> None:
    """As Prometheus adds them: what a rule writes itself wins."""
    (tmp_path / "rules.yaml").write_text(
        "groups:\n"
        "  - name: cache\n"
        "    labels: {severity: critical, namespace: apps}\n"
        "    rules:\n"
        "      - {alert: RedisDown, expr: sum(redis_up) == 0}\n"
        "      - {alert: RedisSlow, expr: sum(redis_slow) > 0, labels: {severity: warning}}\n"
    )

    rules = read_rules([tmp_path]).rules

    assert ["critical", "warning"] == [rule.severity for rule in rules]
    assert ["apps", "apps"] == [rule.value("namespace") for rule in rules]


def test_other_files_are_passed_over_when_they_lie_in_a_folder_of_rules(tmp_path: Path) -> None:
    """What says of itself that it is something else: an object of a cluster, a test of promtool. A slip does not."""
    (tmp_path / "rules.yaml").write_text("groups: [{name: a, rules: [{alert: A, expr: up == 0}]}]\n")
    (tmp_path / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
    (tmp_path / "rules_test.yml").write_text("rule_files: [rules.yaml]\ntests: []\n")
    (tmp_path / "slip.yaml").write_text("group: []\n")

    read = read_rules([tmp_path])

    assert ["A"] == [rule.name for rule in read.rules]
    assert [(str(tmp_path / "slip.yaml"), "there are no rule groups in this file")] == [
        (error.file, error.message) for error in read.errors
    ]


def test_a_file_of_a_folder_is_an_error_when_it_cannot_be_read(tmp_path: Path) -> None:
    """A pipe is not waited for, a ring of links not followed, and neither is left out in silence."""
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "ring.yaml").symlink_to("ring.yaml")
    (tmp_path / "gone.yaml").symlink_to("nowhere.yaml")

    read = read_rules([tmp_path])

    assert [
        ("gone.yaml", "cannot be read: No such file or directory"),
        ("pipe.yaml", "cannot be read: it is no regular file"),
        ("ring.yaml", "cannot be read: Too many levels of symbolic links"),
    ] == [(Path(error.file).name, error.message) for error in read.errors]


def test_a_folder_within_is_an_error_when_it_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its rules would count as covered, though nobody has seen them."""
    listing = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    (tmp_path / "secret").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)

    read = read_rules([tmp_path])

    assert [(str(tmp_path / "secret"), "cannot be read: Permission denied")] == [
        (error.file, error.message) for error in read.errors
    ]
