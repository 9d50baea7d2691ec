"""A cluster as the command line sees it: doctor asks it, a plan may guess the context, a run may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from tests.emulators.kubernetes import FakeCluster
from tests.unit.cli.desks import Result, Stream

CONFIG = """
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [test]
adapters:
  cluster: [{adapter: kubernetes, place: test, %s}]
scopes: {test: {source: alertmanager}}
receivers: {chat: {adapter: console}}
teams: {team: {receiver: chat}}
targets: [deployment=default/*]
modeCeiling: auto
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: restart-web, owner: team}
matchers: [alertname = WebDown]
target: {namespace: default, deployment: web}
mode: auto
guardrails: {cooldown: 30m, deadline: 40m}
steps: [{name: again, action: restart}]
"""


def typed(folder: Path, *words: str) -> Result:
    """Type a command in an installation."""
    stdout, stderr = Stream(), Stream()
    environment = {"RUNBOOK_OPERATOR": "ana"}
    desk = Desk(stdin=Stream(), stdout=stdout, stderr=stderr, environment=environment)
    places = ["--runbooks", str(folder), "--state", str(folder / "state")]
    return Result(main([*words, *places], desk), stdout.getvalue(), stderr.getvalue())


def installed(folder: Path, how: str) -> Path:
    """Write an installation and an alert into a folder."""
    (folder / "engine.yaml").write_text(CONFIG % how)
    (folder / "restart.yaml").write_text(RUNBOOK)
    (folder / "alert.json").write_text(json.dumps({"labels": {"alertname": "WebDown"}}))
    return folder


def test_plan_may_guess_the_context_and_a_run_may_not(tmp_path: Path) -> None:
    """What `kubectl config use-context` was last set to never chooses what is changed."""
    with FakeCluster(tls=True, authenticate=True) as cluster:
        cluster.node("worker-1")
        cluster.deployment("web", replicas=2)
        cluster.wait_rollout("web")
        token = cluster.token("ana", ["system:masters"])
        before = len(cluster.log.writes())
        folder = installed(tmp_path, "auth: kubeconfig, kubeconfig: kubeconfig.json")
        cluster.kubeconfig(folder / "kubeconfig.json", token=token)
        alert = str(folder / "alert.json")

        plan = typed(folder, "plan", "--alert", alert)
        dry = typed(folder, "run", "--alert", alert, "--dry-run")
        run = typed(folder, "run", "--alert", alert)
        after = len(cluster.log.writes())

    assert (0, 0, 3) == (plan.code, dry.code, run.code)
    assert "restart  ~ default/deployment/web" in plan.out
    assert (
        f"runbook: cluster test: adapter kubernetes: no context of {folder / 'kubeconfig.json'} is named "
        "(set context to one of: emulator)\n"
    ) == run.err
    assert before == after


@pytest.mark.parametrize("known", [True, False], ids=["a token that is known", "a token that is not"])
def test_doctor_asks_the_cluster(tmp_path: Path, known: bool) -> None:
    """That the server answers, and whether it knows who asks."""
    with FakeCluster(authenticate=True) as cluster:
        folder = installed(tmp_path, f'auth: token, server: "{cluster.url}", token: {{file: token}}')
        (folder / "token").write_text(cluster.token("ana", ["system:masters"]) if known else "stolen")

        said = typed(folder, "doctor")

    row = next(line for line in said.out.splitlines() if "adapter cluster" in line)
    assert row.startswith("ok    adapter cluster") if known else row.startswith("FAIL  adapter cluster")
    assert ("kubernetes for test answers, and knows who asks" if known else "HTTP 401") in row


def test_doctor_tells_of_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    """An address where nobody listens is found before the first alert."""
    folder = installed(tmp_path, 'auth: token, server: "http://127.0.0.1:9", token: {file: token}')
    (folder / "token").write_text("any")

    said = typed(folder, "doctor")

    row = next(line for line in said.out.splitlines() if "adapter cluster" in line)
    assert row.startswith("FAIL  adapter cluster")
    assert "Connection refused" in row
