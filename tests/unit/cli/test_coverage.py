"""coverage: what a person and a script are told of rules and runbooks without each other."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from tests.unit.cli.desks import Result, Stream

RULES = Path(__file__).parents[2] / "data" / "rules"
ENGINE = """
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [local]
scopes: {prometheus: {source: alertmanager, severities: {page: low}}}
receivers: {chat: {adapter: console}}
teams: {team-shop: {receiver: chat}}
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {{name: {name}, owner: team-shop}}
matchers: {matchers}
inputs: {{node: {{type: node, from: alert.labels.node}}}}
target: {{node: "{{{{ inputs.node }}}}"}}
guardrails: {{cooldown: 1h, deadline: 1h}}
steps: [{{name: close, action: cordon, compensate: onFailure}}]
"""
SAID = """\
CheckoutHighErrorRate       critical  shop.yaml:8   no runbook
CheckoutHighLatency         page      shop.yaml:13  slow
CheckoutFlapping            -         shop.yaml:16  slow?
KubePodCrashLooping         warning   shop.yaml:21  no runbook
KubeDeploymentRolloutStuck  warning   shop.yaml:24  no runbook
KubeNodePressure            warning   shop.yaml:30  node-full?
TooManyRestarts             2         shop.yaml:33  ignored
Watchdog                    none      shop.yaml:36  ignored

Labels that a runbook needs
CheckoutHighLatency  node  may be absent  input node of slow
CheckoutFlapping     node  may be absent  input node of slow

Runbooks that no alert of these rules reaches
lost  runbooks/lost.yaml:2  no rule has a name like alertname = QueueBacklog

8 alerts, 3 without a runbook; 3 runbooks, 1 out of reach
"""


def _run(*argv: str) -> Result:
    out, err = Stream(), Stream()
    desk = Desk(stdin=io.StringIO(), stdout=out, stderr=err, environment={"RUNBOOK_DEBUG": "1"})
    return Result(main(argv, desk), out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with three runbooks, and rules beside it."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "engine.yaml").write_text(ENGINE)
    for name, matchers in (
        ("node-full", "[alertname = KubeNodePressure, condition = DiskPressure]"),
        ("slow", '["alertname =~ Checkout.+", __severity__ = low]'),
        ("lost", "[alertname = QueueBacklog]"),
    ):
        (tmp_path / "runbooks" / f"{name}.yaml").write_text(RUNBOOK.format(name=name, matchers=matchers))
    (tmp_path / "shop.yaml").write_text((RULES / "shop.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_coverage_tells_a_person_what_is_without_each_other(folder: Path) -> None:
    """Every alert with its runbooks, the labels that are in doubt, and what is out of reach."""
    result = _run("coverage", "--rules", "shop.yaml", "--ignore", "TooManyRestarts")

    assert (0, "", SAID) == (result.code, result.err, result.out)


def test_coverage_tells_a_script_the_same(folder: Path) -> None:
    """Stable keys."""
    result = _run("coverage", "--rules", "shop.yaml", "--format", "json")

    record = result.record
    assert {"alerts", "runbooks", "uncovered", "unreachable"} == set(record)
    assert {
        "name": "KubeNodePressure",
        "file": "shop.yaml",
        "line": 30,
        "severity": "warning",
        "ignored": False,
        "runbooks": ["node-full"],
        "uncertain": ["node-full"],
        "missing_labels": [],
    } == record["alerts"][5]
    assert [
        {"label": "node", "runbook": "slow", "needed_by": "input node", "absent": False},
    ] == record["alerts"][1]["missing_labels"]
    assert ["lost"] == record["unreachable"]
    assert {"name", "file", "line", "reachable", "why"} == set(record["runbooks"][0])


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        pytest.param(["--strict"], 1, id="an alert has no runbook"),
        pytest.param([], 0, id="nobody is strict"),
    ],
)
def test_coverage_is_a_no_when_it_is_strict(argv: list[str], code: int, folder: Path) -> None:
    """For a pull request."""
    assert code == _run("coverage", "--rules", "shop.yaml", *argv).code


def test_coverage_is_a_no_when_a_label_is_surely_absent(folder: Path) -> None:
    """The runbook starts, and its run would be refused; the label may come from the server, if somebody says so."""
    rules = (
        'groups: [{name: a, rules: [{alert: KubeNodePressure, expr: "sum(x) > 1", labels: {condition: DiskPressure}}]}]'
    )
    (folder / "few.yaml").write_text(rules)

    lacking = _run("coverage", "--rules", "few.yaml", "--strict")
    given = _run("coverage", "--rules", "few.yaml", "--strict", "--external", "node")

    assert (1, 0) == (lacking.code, given.code)
    assert "KubeNodePressure  node  absent  input node of node-full" in lacking.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param([], "the following arguments are required: --rules (see runbook coverage --help)", id="no rules"),
        pytest.param(["--rules", "gone.yaml"], "cannot be read: No such file or directory", id="a file not there"),
        pytest.param(["--rules", "none.yaml"], "no alert rule in none.yaml: name files with groups", id="none in it"),
        pytest.param(["--rules", "bad.yaml"], 'the rule "A" has no expression', id="a mistake in it"),
    ],
)
def test_coverage_of_rules_that_cannot_be_used_is_wrong_input(argv: list[str], said: str, folder: Path) -> None:
    """A sentence, and nothing on standard output."""
    (folder / "none.yaml").write_text("groups: [{name: a, rules: [{record: b, expr: c}]}]")
    (folder / "bad.yaml").write_text("groups: [{name: a, rules: [{alert: A}]}]")

    result = _run("coverage", *argv)

    assert (2, "") == (result.code, result.out)
    assert said in result.err
