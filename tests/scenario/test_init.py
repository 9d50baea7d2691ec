"""init: what it writes passes lint and its own tests, and nothing is written over."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import yaml

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from tests.unit.cli.desks import Result, Stream

pytestmark = pytest.mark.slow  # whatever it writes is linted and tested, whole

RULES = Path(__file__).parents[1] / "data" / "rules"
HOSTILE = (
    "{{ x }}",
    "a{%b",
    'quote"d',
    "../../etc/passwd",
    "#x: y",
    " lead ",
    "on",
    "123",
    "null",
    "-",
    "line\nbreak",
    "del\x7f",
    "ls\u2028x",
    "x" * 500,
    "=~ .+",
    "back\\slash",
    "日本語 🎉",
    "SomethingElse",
)
ENGINE = """
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [prod-eu, prod-us]
receivers: {pager: {adapter: console}}
teams: {team-shop: {}, team-data: {receiver: pager}}
"""


def _run(*argv: str) -> Result:
    out, err = Stream(), Stream()
    desk = Desk(stdin=io.StringIO(), stdout=out, stderr=err, environment={"RUNBOOK_DEBUG": "1"})
    return Result(main(argv, desk), out.getvalue(), err.getvalue())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which we stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _assert_sound(runbooks: str = "runbooks") -> None:
    lint = _run("lint", runbooks, "--strict", "--format", "json")
    tests = _run("test", runbooks, "--format", "json")

    assert ([], []) == (lint.record["errors"], lint.record["warnings"])
    assert 0 == lint.code
    assert [] == [test for test in tests.record["tests"] if not test["ok"]]
    assert tests.record["passed"] > 0


def test_init_writes_a_worked_example_when_no_rules_are_named(folder: Path) -> None:
    """An installation, a runbook and its test."""
    result = _run("init", "--owner", "team-shop")

    assert (0, "") == (result.code, result.err)
    assert (
        "wrote  runbooks/engine.yaml\n"
        "wrote  runbooks/web-high-error-rate.yaml\n"
        "wrote  runbooks/web-high-error-rate.test.yaml\n"
        "3 files written; next: runbook lint runbooks, then runbook test runbooks\n"
    ) == result.out
    assert "owner: team-shop" in (folder / "runbooks" / "web-high-error-rate.yaml").read_text()
    _assert_sound()


@pytest.mark.parametrize("per", ["alert", "group"])
def test_init_writes_sound_runbooks_when_rules_have_several_shapes(per: str, folder: Path) -> None:
    """Each observes, and names a target only where its rule surely does."""
    files = [str(RULES / name) for name in ("shop.yaml", "cluster.yaml")]

    result = _run("init", "--from-rules", *files, "--per", per, "--format", "json")

    written = {Path(file).name for file in result.record["written"]}
    assert written == (
        {"engine.yaml"}
        | {
            f"{name}{suffix}"
            for name in (("shop", "kubernetes", "nodes", "mail") if per == "group" else ALERTS)
            for suffix in (".yaml", ".test.yaml")
        }
    )
    assert "mode: observe" in (folder / "runbooks" / f"{'nodes' if per == 'group' else 'node-full'}.yaml").read_text()
    _assert_sound()


ALERTS = (
    "checkout-high-error-rate",
    "checkout-high-latency",
    "checkout-flapping",
    "kube-pod-crash-looping",
    "kube-deployment-rollout-stuck",
    "kube-node-pressure",
    "too-many-restarts",
    "node-full",
    "mails-late",
)


def test_init_writes_sound_runbooks_when_names_are_hostile(folder: Path) -> None:
    """No name becomes a path, a template or another document."""
    rules = [
        {"alert": name, "expr": "sum by (namespace, pod) (x) > 1", "labels": {"severity": name, "team": name}}
        for name in HOSTILE
    ]
    rules += [{"alert": "BadConstant", "expr": "x", "labels": {"namespace": "../x", "deployment": "shop"}}]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "../{{ g }}", "rules": rules}]}))

    result = _run("init", "--from-rules", "rules.yaml", "--per", "group", "--owner", "on")

    assert (0, "") == (result.code, result.err)
    assert {"rules.yaml", "runbooks"} == {path.name for path in folder.iterdir()}
    assert {"engine.yaml", "g.yaml", "g.test.yaml"} == {path.name for path in (folder / "runbooks").iterdir()}
    _assert_sound()


def test_init_keeps_to_the_installation_when_there_is_one(folder: Path) -> None:
    """Its teams, its receivers, its clusters: a node in nobody knows which cluster is no target."""
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "engine.yaml").write_text(ENGINE)
    files = [str(RULES / name) for name in ("shop.yaml", "cluster.yaml")]

    result = _run("init", "--from-rules", *files, "--owner", "team-data")

    assert 0 == result.code
    assert ENGINE == (folder / "runbooks" / "engine.yaml").read_text()
    assert "target: none" in (folder / "runbooks" / "kube-node-pressure.yaml").read_text()
    assert (
        'target: {cluster: "{{ inputs.cluster }}", node: "{{ inputs.node }}"}'
        in (folder / "runbooks" / "node-full.yaml").read_text()
    )
    assert "receiver: pager" in (folder / "runbooks" / "node-full.yaml").read_text()
    _assert_sound()


def test_init_writes_nothing_when_a_file_exists(folder: Path) -> None:
    """It says which, and what to say to have the rest."""
    _run("init", "--from-rules", str(RULES / "cluster.yaml"))
    (folder / "runbooks" / "node-full.yaml").unlink()
    (folder / "runbooks" / "mails-late.yaml").write_text("mine")
    before = {path.name: path.read_text() for path in (folder / "runbooks").iterdir()}

    refused = _run("init", "--from-rules", str(RULES / "cluster.yaml"))
    skipping = _run("init", "--from-rules", str(RULES / "cluster.yaml"), str(RULES / "shop.yaml"), "--skip-existing")

    assert (2, "") == (refused.code, refused.out)
    assert (
        "runbook: nothing was written: runbooks/node-full.test.yaml, runbooks/mails-late.yaml, "
        "runbooks/mails-late.test.yaml exist already (write elsewhere, or say --skip-existing)\n"
    ) == refused.err
    assert 0 == skipping.code
    assert before.items() <= {path.name: path.read_text() for path in (folder / "runbooks").iterdir()}.items()
    assert (folder / "runbooks" / "too-many-restarts.yaml").exists()
    assert not (folder / "runbooks" / "node-full.yaml").exists()


def test_init_follows_no_link_when_it_leads_out_of_the_folder(folder: Path) -> None:
    """Not even one that leads nowhere yet: it is a name that is taken, known before anything is written."""
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "mails-late.yaml").symlink_to(folder / "elsewhere.txt")

    refused = _run("init", "--from-rules", str(RULES / "cluster.yaml"))
    before = [path.name for path in (folder / "runbooks").iterdir()]
    skipping = _run("init", "--from-rules", str(RULES / "cluster.yaml"), "--skip-existing")

    assert (2, ["mails-late.yaml"]) == (refused.code, before)
    assert "nothing was written: runbooks/mails-late.yaml exist already" in refused.err
    assert (0, "") == (skipping.code, skipping.err)
    assert (folder / "runbooks" / "node-full.yaml").exists()
    assert not (folder / "elsewhere.txt").exists()


def test_init_is_wrong_input_when_the_folder_cannot_be_looked_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there already cannot be told, so nothing is written."""
    (folder / "closed").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "closed")

    result = _run("init", "--from-rules", str(RULES / "cluster.yaml"), "--output", "closed")

    assert (2, "") == (result.code, result.out)
    assert "runbook: closed cannot be read: Permission denied (name a file or a folder)\n" == result.err


def test_init_writes_no_second_installation_when_there_is_one_above(folder: Path) -> None:
    """A folder of the installation's own folder belongs to it."""
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "engine.yaml").write_text(ENGINE)

    result = _run(
        "init", "--from-rules", str(RULES / "cluster.yaml"), "--output", "runbooks/new", "--owner", "team-shop"
    )

    assert (0, "") == (result.code, result.err)
    assert not (folder / "runbooks" / "new" / "engine.yaml").exists()
    _assert_sound()


def test_init_names_the_first_team_of_the_installation_when_it_writes_elsewhere(folder: Path) -> None:
    """Whoever answers here answers for the drafts; a team that nobody knows would not."""
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "engine.yaml").write_text(ENGINE)

    result = _run("init", "--from-rules", str(RULES / "shop.yaml"), "--output", "drafts")

    assert (0, "") == (result.code, result.err)
    written = [yaml.safe_load(file.read_text()) for file in (folder / "drafts").glob("*.yaml")]
    assert {"team-shop"} == {each["metadata"]["owner"] for each in written if each["kind"] == "Runbook"}
    assert "team-oncall" not in (folder / "drafts" / "engine.yaml").read_text()


def test_init_leaves_a_runbook_alone_when_it_stands_in_another_file(folder: Path) -> None:
    """Two of one name would be refused by lint."""
    _run("init", "--from-rules", str(RULES / "cluster.yaml"))
    (folder / "runbooks" / "node-full.yaml").rename(folder / "runbooks" / "nodes.yaml")
    (folder / "runbooks" / "node-full.test.yaml").unlink()

    refused = _run("init", "--from-rules", str(RULES / "cluster.yaml"))

    assert 2 == refused.code
    assert "runbooks/nodes.yaml" in refused.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(
            [],
            "runbook: say who answers for the runbooks: --owner TEAM, one of those of runbooks/engine.yaml: "
            "team-shop, team-data\n",
            id="nobody says which team",
        ),
        pytest.param(
            ["--owner", "team-mail"],
            "runbook: say who answers for the runbooks: --owner TEAM, one of those of runbooks/engine.yaml: "
            "team-shop, team-data\n",
            id="a team that there is not",
        ),
        pytest.param(
            ["--owner", "../x"],
            "runbook: '../x' is no name of a team (lower-case letters, digits and dashes, as in team-oncall)\n",
            id="no name",
        ),
        pytest.param(
            ["--output", "runbooks/engine.yaml"],
            "runbook: runbooks/engine.yaml is a file (--output names the folder that runbooks are written to)\n",
            id="a file for a folder",
        ),
    ],
)
def test_init_is_wrong_input_when_it_cannot_know_for_whom(argv: list[str], said: str, folder: Path) -> None:
    """Nothing is written."""
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "engine.yaml").write_text(ENGINE)

    result = _run("init", *argv)

    assert (2, "", said) == (result.code, result.out, result.err)
    assert ["engine.yaml"] == [path.name for path in (folder / "runbooks").iterdir()]
