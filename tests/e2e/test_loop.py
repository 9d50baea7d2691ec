"""The whole loop on one machine: a real fault, a real alert, the shipped runbook, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import runbook_engine
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.cli.demo import find_shipped
from runbook_engine.entrypoints.composition import build_engine
from runbook_engine.entrypoints.demo.alerting import PROGRAMS
from runbook_engine.entrypoints.demo.children import Children
from runbook_engine.entrypoints.demo.stage import Stage, installed, set_stage
from runbook_engine.entrypoints.demo.story import FAULT, GOAL, raise_curtain
from runbook_engine.entrypoints.demo.traffic import Traffic
from runbook_engine.entrypoints.demo.watcher import Watcher
from runbook_engine.entrypoints.settings import read_settings
from runbook_engine.model.execution import Execution
from tests.e2e.crowd import Crowd
from tests.e2e.lap import Lap
from tests.lab import PATIENCE, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RUNBOOKS, SHOP = find_shipped(Path(runbook_engine.__file__).parent)
FLAG = "/checkout/degraded_mode"
DEMO_LIMIT = 90.0  # seconds, promised
MARK = "RUNBOOK_DEMO_TEST"
RUNBOOK = "import sys; from runbook_engine.entrypoints.cli import main; sys.exit(main())"  # the installed command
ENVIRONMENTS = Path("/proc")


# --- with real Prometheus and Alertmanager ------------------------------------------------------------------------


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    """The processes of one loop, all of them stopped at the end."""
    started = Children(tmp_path)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def stage(tmp_path: Path, children: Children) -> Iterator[tuple[Stage, Traffic]]:
    """The demo's own stage with its curtain raised: service, runner, Prometheus, Alertmanager and customers."""
    if not installed(*PROGRAMS):
        missing = f"{' and '.join(PROGRAMS)} are not installed"
        pytest.fail(f"CI must install what this test is about: {missing}") if os.environ.get("CI") else None
        pytest.skip(missing)
    made = set_stage(tmp_path, RUNBOOKS, 0, with_prometheus=True)
    traffic = Traffic(made.shop_port)
    try:
        raise_curtain(made, children, traffic, Watcher(made), SHOP, print, with_prometheus=True)
        yield made, traffic
    finally:
        traffic.stop()


def flag_of(stage: Stage) -> str:
    """Return what the flag store says."""
    return str(json.loads(stage.flags.read_text())["flags"][FLAG]["value"])


def newest(engine: Engine) -> Execution | None:
    """Return the execution that was opened last."""
    return next(iter(engine.journal.executions(limit=1)), None)


def test_a_fault_is_remediated_and_undone_when_prometheus_and_alertmanager_watch(
    stage: tuple[Stage, Traffic], children: Children, record_property: Callable[[str, object], None]
) -> None:
    """Errors are injected, the alert fires, the flag is set, the errors end; the fault ends, and the flag goes back."""
    scene, traffic = stage
    engine = build_engine(read_settings(runbooks=scene.runbooks, config=scene.config, state=scene.state))
    clock = Lap(record_property)
    time.sleep(2)  # some traffic without errors, so that a rate exists

    def status(*wanted: str) -> bool:
        found = newest(engine)
        return found is not None and found.status in wanted

    clock.start()
    scene.inject(FAULT)
    children.wait_until("the webhook", lambda: newest(engine) is not None, PATIENCE, needs="runner")
    clock.lap("fault to webhook")
    children.wait_until("the flag set", lambda: flag_of(scene) == "true", PATIENCE, needs="runner")
    clock.lap("webhook to flag set")
    children.wait_until("the verification", lambda: status("succeeded", "failed", "unresolved", "blocked"), PATIENCE)
    clock.lap("flag set to verified")
    verified = newest(engine)
    healed = traffic.error_ratio(time.time() - 2)
    scene.inject(0.0)
    children.wait_until("the end of the alert", lambda: resolved(engine), PATIENCE, needs="runner")
    children.wait_until("the compensation", lambda: flag_of(scene) == "false", PATIENCE, needs="runner")
    clock.lap("fault ended to flag restored")
    wait_until(lambda: [one.compensation for one in engine.journal.executions(limit=1)] == ["undone"], "it is undone")

    assert verified is not None
    assert ("succeeded", "held", ["shed-optional-features"]) == (verified.status, verified.compensation, ran(verified))
    assert healed is not None
    assert healed < GOAL
    report = engine.incident_report(verified.incident_id)
    firing, ending = (arrival.at for arrival in report.arrivals)
    clock.tell("webhook to resolved", (ending - firing).total_seconds())
    events = [record.event for record in report.executions[0].audit]
    assert ["opened", "resolved"] == [arrival.transition for arrival in report.arrivals]
    assert {"native"} == {arrival.alert.fingerprint_kind for arrival in report.arrivals}
    assert "resolved" == report.status
    assert 2 == events.count("intended")  # one change, and its undo
    assert {"graph", "logs", "changes"} == {piece.collector for piece in report.executions[0].evidence}


def resolved(engine: Engine) -> bool:
    """Whether no incident is open any more."""
    return all(incident.resolved_at is not None for incident in engine.journal.incidents(limit=10))


def ran(execution: Execution) -> list[str]:
    """Return the steps that changed something."""
    return [step.name for step in execution.steps if step.change is not None]


# --- the demo, as a person starts it ------------------------------------------------------------------------------


class Demo:
    """`runbook demo` as a process of its own, marked by its environment, which all of its children inherit."""

    def __init__(self, folder: Path, *, path: str) -> None:
        self.folder = folder
        folder.mkdir()
        self.mark = uuid4().hex
        self._output = folder / "output.txt"
        environment = {**os.environ, "TMPDIR": str(folder), "PATH": path, MARK: self.mark, "NO_COLOR": "1"}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", RUNBOOK, "demo"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output.read_text()

    @property
    def stage(self) -> Path:
        """The folder that it keeps its files in."""
        [found] = self.folder.glob("runbook-demo-*")
        return found

    def wait_for(self, sentence: str, limit: float = PATIENCE) -> None:
        """Wait until it has said something."""
        wait_until(lambda: sentence in self.output or self.process.poll() is not None, sentence, limit)
        assert sentence in self.output, self.output

    def left(self) -> list[str]:
        """Return the processes that it has started and that still live, itself included."""
        return [
            words(process) for process in ENVIRONMENTS.iterdir() if process.name.isdigit() and self._marked(process)
        ]

    def end(self) -> None:
        """Leave nothing to the next test, whatever this one found."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def _marked(self, process: Path) -> bool:
        try:
            return f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes()
        except OSError:
            return False  # it has just ended


def words(process: Path) -> str:
    """Return the command line of a process, or nothing when it has just ended."""
    try:
        return (process / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start demos; what a failed test leaves is ended."""
    if not ENVIRONMENTS.is_dir():
        pytest.skip("what a process leaves behind is counted by /proc, which this system does not have")
    demos: list[Demo] = []

    def begin(*, path: str) -> Demo:
        demos.append(Demo(tmp_path / f"demo-{len(demos)}", path=path))
        return demos[-1]

    yield begin
    for demo in demos:
        demo.end()


@pytest.fixture
def without_prometheus(tmp_path: Path) -> str:
    """A PATH on which Prometheus and Alertmanager are not found, so that the stand-in watches."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return str(folder)


def test_two_demos_at_once_both_heal_and_leave_nothing_behind(
    start: Callable[..., Demo], without_prometheus: str
) -> None:
    """Each within the promised time (of a machine of its own), on its own ports, told whole, and gone at the end."""
    began = time.monotonic()
    with Crowd() as crowd:
        demos = [start(path=without_prometheus) for _ in range(2)]
        codes = [demo.process.wait(2.5 * DEMO_LIMIT) for demo in demos]
    took = time.monotonic() - began

    assert [0, 0] == codes, "\n".join(demo.output for demo in demos)
    assert took < DEMO_LIMIT * crowd.factor, f"{took:.0f} s, {crowd.factor:.1f} times as slow as alone"
    for demo in demos:
        assert [] == demo.left()
        assert [demo.folder / "output.txt"] == list(demo.folder.iterdir())
        assert "a small watcher stands in and posts the same webhook" in demo.output
        assert re.search(r"errors \d+\.\d% -> 0\.\d%, measured by the customers", demo.output)
        assert re.search(r"degraded_mode.*false.*true", demo.output)
        assert re.search(r"degraded_mode.*true.*false", demo.output)
        assert re.search(r"Seconds: fault to alert \d+\.\d, alert to fixed \d+\.\d, whole demo \d+\.", demo.output)
        assert "Verified by the measured error rate." in demo.output


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGTERM, 130, id="asked to end"), pytest.param(signal.SIGKILL, -signal.SIGKILL, id="killed")],
)
def test_nothing_is_left_when_the_demo_ends_in_the_middle(number: int, code: int, start: Callable[..., Demo]) -> None:
    """Killed outright it can stop nothing any more: its children must notice by themselves."""
    demo = start(path=os.environ["PATH"])
    demo.wait_for("The alert fired")
    alive = demo.left()

    demo.process.send_signal(number)

    assert code == demo.process.wait(PATIENCE), demo.output
    wait_until(lambda: demo.left() == [], "all children have ended")
    assert len(alive) >= 8, alive  # the demo, its service with master and workers, the runner with its three
    if installed(*PROGRAMS):
        assert any("--storage.tsdb.path" in command for command in alive)


def test_the_demo_says_no_when_the_fault_cannot_be_healed(start: Callable[..., Demo], without_prometheus: str) -> None:
    """The flag store becomes a folder, so that degrading fails: exit 1, the reason, and the files kept to look at."""
    demo = start(path=without_prometheus)
    demo.wait_for("Customers are shopping")
    flags = demo.stage / "flags.json"
    flags.unlink()
    flags.mkdir()

    code = demo.process.wait(2.5 * DEMO_LIMIT)

    assert 1 == code, demo.output
    assert "The demo failed: " in demo.output
    assert "Verified by the measured error rate" not in demo.output
    assert f"Logs and journal are kept in {demo.stage}" in demo.output
    assert [] == demo.left()
    shutil.rmtree(demo.stage)
