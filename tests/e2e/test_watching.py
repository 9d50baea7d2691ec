"""`runbook serve` watches a cluster: a release that anybody makes is kept, and an alert after it knows of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_engine.checks import Subject, judge_check
from runbook_engine.entrypoints.composition import build_engine
from runbook_engine.entrypoints.settings import Settings
from runbook_engine.model.check import ChangedWithinCheck
from runbook_engine.model.observation import ChangeEvent
from runbook_engine.model.target import Target
from tests.e2e.runner import Runner
from tests.emulators.kubernetes import FakeCluster
from tests.lab import CONFIG, PATIENCE, SECRETS, install, wait_until
from tests.tools import find_tool

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WEB = Target("deployment", "prod", "default", "web")
OLD, NEW = "registry.example/web:1", "registry.example/web:2"
RELEASE = f"image {OLD} -> {NEW}"


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    """A cluster with one deployment."""
    with FakeCluster() as cluster:
        cluster.node("node-a")
        cluster.deployment("web", replicas=2, image=OLD)
        cluster.wait_rollout("web")
        yield cluster


@pytest.fixture
def settings(fake: FakeCluster, tmp_path: Path) -> Settings:
    """An installation that knows the cluster as prod."""
    (tmp_path / "token").write_text(fake.token("runner", ("system:masters",)))
    line = f"  cluster: {{adapter: kubernetes, place: prod, auth: token, server: '{fake.url}', "
    line += f"token: {{file: {tmp_path / 'token'}}}}}\n"
    config = CONFIG.replace("clusters: [local]", "clusters: [prod]").replace("scopes:\n", f"{line}scopes:\n", 1)
    return install(tmp_path, config=config)


def by_the_api(fake: FakeCluster, folder: Path) -> None:
    """Release as a deployment tool does."""
    containers = fake.get("deployments", "web")["spec"]["template"]["spec"]["containers"]
    fake.patch("deployments", "web", {"spec": {"template": {"spec": {"containers": [containers[0] | {"image": NEW}]}}}})


def by_kubectl(fake: FakeCluster, folder: Path) -> None:
    """Release as a person does."""
    name = fake.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]["name"]
    config = str(fake.kubeconfig(folder / "kubeconfig"))
    subprocess.run(
        [str(find_tool("kubectl")), "--kubeconfig", config, "set", "image", "deployment/web", f"{name}={NEW}"],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )


def releases(settings: Settings) -> list[ChangeEvent]:
    """Return the releases that the journal keeps."""
    found = build_engine(settings).journal.recorded_changes(WEB, datetime.now(UTC) - timedelta(hours=1))
    return [event for event in found if event.what == RELEASE]


@pytest.mark.parametrize("release", [by_the_api, by_kubectl])
def test_release_is_kept_when_serve_watches(
    release: Callable[[FakeCluster, Path], None], fake: FakeCluster, settings: Settings, tmp_path: Path
) -> None:
    """Once, although the runner is restarted; and a check that asks for changes before the alert says yes."""
    runner = Runner(settings)
    try:
        runner.wait_for_start()
        wait_until(lambda: fake.log.count("GET", "deployments.*watch=true") > 0, "it watches")
        release(fake, tmp_path)
        wait_until(lambda: bool(releases(settings)), "the release is kept")
        code = runner.stop()
        again = Runner(settings).wait_for_start()
        runner = again
        wait_until(lambda: len(again.events("watch.started")) > 1, "it watches again")
    finally:
        runner.stop()

    assert 0 == code
    assert 1 == len(releases(settings))
    seen = [event for event in runner.events("change.seen") if event["what"] == RELEASE]
    assert [("prod", "default/deployment/web", "change")] == [
        (event["place"], event["target"], event["kind"]) for event in seen
    ]
    assert [] == runner.events("watch.lost")
    alert = datetime.now(UTC) + timedelta(seconds=2)
    subject = Subject(target=WEB, started_at=alert, all_resolved=False, firing=True, fill=str)
    reading = judge_check(ChangedWithinCheck(period=timedelta(minutes=5)), subject, build_engine(settings).world)
    assert (True, RELEASE) == (reading.ok, reading.value)


def test_runner_goes_on_when_its_cluster_is_away(fake: FakeCluster, settings: Settings) -> None:
    """The loss is told, work is done meanwhile, and what changed is known once the cluster is back."""
    runner = Runner(settings)
    try:
        runner.wait_for_start()
        wait_until(lambda: fake.log.count("GET", "deployments.*watch=true") > 0, "it watches")
        fake.faults.lost_before("GET", "watch=true", times=1000)
        fake.restart(away=0.1)
        wait_until(lambda: bool(runner.events("watch.lost")), "the loss is told")
        by_the_api(fake, settings.state)
        healthy, _, _ = runner.ask("GET", "/readyz", token=SECRETS["READER"])
        fake.faults.clear()
        wait_until(lambda: bool(releases(settings)), "the release is kept")
    finally:
        code = runner.stop()

    lost = runner.events("watch.lost")[0]
    assert ("kubernetes prod", "worker") == (lost["source"], lost["process"])
    assert 200 == healthy
    assert 0 == code
    assert 1 == len(releases(settings))
