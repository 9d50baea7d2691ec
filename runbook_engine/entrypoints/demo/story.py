"""The story: from a quiet service through its incident and back, told as it happens."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from runbook_engine.diagnostics.sparkline import sparkline
from runbook_engine.engine import Engine
from runbook_engine.entrypoints.composition import build_engine
from runbook_engine.entrypoints.demo.alerting import PROGRAMS, start_alerting
from runbook_engine.entrypoints.demo.children import Children, DemoFailed
from runbook_engine.entrypoints.demo.stage import Stage, installed, set_stage
from runbook_engine.entrypoints.demo.traffic import Traffic
from runbook_engine.entrypoints.demo.watcher import Watcher
from runbook_engine.entrypoints.demo.wire import answers
from runbook_engine.entrypoints.settings import read_settings
from runbook_engine.model.execution import Execution
from runbook_engine.render.incident import render_incident
from runbook_engine.render.lines import Lines

FAULT = 0.3  # share of checkouts that the broken features fail
GOAL = 0.02  # the runbook's own goal
INTERRUPTED = 130  # as every program that Ctrl-C ended
QUIET = 4.0  # seconds of normal life first
Say = Callable[[str], None]
Show = Callable[[Lines], None]


def run(*, shipped_runbooks: Path, shop: Path, say: Say, show: Show, port: int = 0, keep: bool = False) -> int:
    """Run the whole demo; 0 only if the customers measured that the errors are gone, 130 when interrupted."""
    folder = Path(tempfile.mkdtemp(prefix="runbook-demo-"))
    with_prometheus = installed(*PROGRAMS)
    children = Children(folder)
    done = interrupted = False
    with _stop_signals():
        try:
            stage = set_stage(folder, shipped_runbooks, port, with_prometheus=with_prometheus)
            traffic, watcher = Traffic(stage.shop_port), Watcher(stage)
            try:
                raise_curtain(stage, children, traffic, watcher, shop, say, with_prometheus=with_prometheus)
                done = _play(stage, children, traffic, say, show)
                if keep:
                    _stay(stage, say)
            finally:
                watcher.stop()
                traffic.stop()
        except DemoFailed as error:
            say(f"The demo failed: {error}")
        except KeyboardInterrupt:
            interrupted = True
            say("Stopped.")
        finally:
            children.stop()
            _tidy(folder, say, keep_files=not done)
    if done:
        return 0  # with `keep`, Ctrl-C is how it ends
    return INTERRUPTED if interrupted else 1


def raise_curtain(
    stage: Stage,
    children: Children,
    traffic: Traffic,
    watcher: Watcher,
    shop: Path,
    say: Say,
    *,
    with_prometheus: bool,
) -> None:
    """Start the service, the runner, what alerts, and the traffic, all of it ready. Raises DemoFailed."""
    say("Starting the checkout service under gunicorn (2 workers) and the local runner ...")
    _create_shop(stage, children, shop)
    config = ("--runbooks", str(stage.runbooks), "--config", str(stage.config), "--state", str(stage.state))
    children.start_python("runner", "runbook_engine.entrypoints.serve", *config, "--port", str(stage.engine_port))
    if with_prometheus:
        say("Starting Prometheus and Alertmanager ...")
        start_alerting(stage, children)
    else:
        say("Prometheus and Alertmanager are not installed: a small watcher stands in and posts the same webhook.")
    children.wait_until("the service ready", lambda: answers(stage.shop_port, "/healthz/ready"), 30, needs="checkout")
    children.wait_until("the runner ready", lambda: answers(stage.engine_port, "/readyz"), 30, needs="runner")
    traffic.start()
    if not with_prometheus:
        watcher.start()


def _create_shop(stage: Stage, children: Children, shop: Path) -> None:
    """Create and start the service as a deployment, by the very commands that a person would use."""
    settings = {
        "FLAG_STORE": str(stage.flags),
        "FLAG_TTL": "0.5",
        "KNOBS_FILE": str(stage.folder / "knobs.json"),
    }
    chosen = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    where = ("--source", str(shop), "--application", "wsgi:app", "--bind", f"127.0.0.1:{stage.shop_port}")
    children.start_python(
        "create", "runbook_adapters.process", "create", "--name", "checkout", *where,
        "--ready-path", "/healthz/ready", *chosen, str(stage.deployment),
    )  # fmt: skip
    created = stage.deployment / "deployment.json"
    children.wait_until("the deployment created", created.exists, 15)
    children.start_python("checkout", "runbook_adapters.process", "run", str(stage.deployment))


def _play(stage: Stage, children: Children, traffic: Traffic, say: Say, show: Show) -> bool:
    settings = read_settings(runbooks=stage.runbooks, config=stage.config, state=stage.state)
    engine = build_engine(settings)
    opened = time.time()
    time.sleep(QUIET)
    before = traffic.error_ratio(opened)
    say(f"Customers are shopping: {traffic.count()} requests, {_percent(before)} errors.")

    broken = time.time()
    stage.inject(FAULT)
    say(f"\nBreaking an optional feature now: {FAULT:.0%} of checkouts will fail.")
    children.wait_until("the alert", lambda: _execution(engine) is not None, 30, needs="runner")
    fired = time.time()
    say(f"The alert fired and its webhook is taken, {fired - broken:.1f} s after the fault.")
    told = _Told(engine, say)
    children.wait_until("the end of the run", lambda: told.ended(), 60, needs="runner")
    execution = _must_be_verified(engine)
    fixed = time.time()
    during = traffic.error_ratio(broken, fired)
    healed = _settled(traffic, children)
    say(f"\nFixed {fixed - fired:.1f} s after the alert: errors {_percent(during)} -> {_percent(healed)}, "
        f"measured by the customers (goal below {GOAL:.0%}).")  # fmt: skip

    stage.inject(0.0)
    say("\nThe fault itself is ended now. Once the alert has resolved, what was changed is undone.")
    children.wait_until("the compensation", lambda: told.compensated(), 60, needs="runner")
    execution = _load(engine, execution)
    restored = traffic.error_ratio(time.time() - 3)
    report = engine.incident_report(execution.incident_id)
    say("")
    show(render_incident(report, engine.world.clock.now()))
    say(f"\nErrors seen by the customers, second by second:  {sparkline(traffic.by_second(opened), 60)}")
    say(
        f"before {_percent(before)}   broken {_percent(during)}   "
        f"fixed {_percent(healed)}   restored {_percent(restored)}"
    )
    say(f"Seconds: fault to alert {fired - broken:.1f}, alert to fixed {fixed - fired:.1f}, "
        f"whole demo {time.time() - opened:.0f}.")  # fmt: skip
    say("Look next: runbooks/checkout/high-error-rate.yaml (waiting times were shortened for this demo), "
        "`runbook explain`, `runbook plan`, docs/.")  # fmt: skip
    return _judge(execution, healed, restored, say)


class _Told:
    """Tells each audit record once, as it appears."""

    def __init__(self, engine: Engine, say: Say) -> None:
        self._engine = engine
        self._say = say
        self._known = 0

    def ended(self) -> bool:
        """Whether the run has ended; tells what is new on the way."""
        execution = self._tell()
        return execution is not None and execution.ended

    def compensated(self) -> bool:
        """Whether nothing is left to undo."""
        execution = self._tell()
        return execution is not None and execution.compensation not in ("held", "undoing")

    def _tell(self) -> Execution | None:
        execution = _execution(self._engine)
        if execution is None:
            return None
        records = self._engine.journal.audit(execution.id)
        for record in records[self._known :]:
            self._say(f"  {record.at:%H:%M:%S}  {record.says}")
        self._known = len(records)
        return execution


def _execution(engine: Engine) -> Execution | None:
    found = engine.journal.executions(limit=1)
    return found[0] if found else None


def _load(engine: Engine, execution: Execution) -> Execution:
    return engine.journal.load(execution.id)


def _must_be_verified(engine: Engine) -> Execution:
    execution = _execution(engine)
    if execution is None or execution.status != "succeeded":
        said = f"{execution.status}: {execution.reason}" if execution is not None else "nothing ran"
        raise DemoFailed(f"the run did not succeed; {said}")
    return execution


def _settled(traffic: Traffic, children: Children) -> float | None:
    """Return the error ratio of the last seconds, once there is enough of it."""
    since = time.time()
    children.wait_until("two more seconds of traffic", lambda: time.time() - since > 2, 10)
    return traffic.error_ratio(since)


def _judge(execution: Execution, healed: float | None, restored: float | None, say: Say) -> bool:
    """The demo's own verdict, from what the customers measured and not from what the engine says of itself."""
    if execution.compensation != "undone":
        say(f"NOT as promised: the change was not undone ({execution.compensation}: {execution.reason}).")
        return False
    for name, ratio in (("fixed", healed), ("restored", restored)):
        if ratio is None or ratio >= GOAL:
            say(f"NOT as promised: {name}, the customers still measured {_percent(ratio)} errors.")
            return False
    say("Verified by the measured error rate.")
    return True


def _stay(stage: Stage, say: Say) -> None:
    state = f"--runbooks {stage.runbooks} --config {stage.config} --state {stage.state}"
    say(f"\nStill running (Ctrl-C ends it):\n  service  http://127.0.0.1:{stage.shop_port}/metrics")
    say(f"  runner   http://127.0.0.1:{stage.engine_port}/readyz\n  look     runbook incidents {state}")
    say(f'  break it again: echo \'{{"ERROR_RATE": "0.3"}}\' > {stage.folder / "knobs.json"}')
    while True:
        time.sleep(1)


def _tidy(folder: Path, say: Say, *, keep_files: bool) -> None:
    if keep_files:
        say(f"Logs and journal are kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _percent(ratio: float | None) -> str:
    return "no data" if ratio is None else f"{ratio:.1%}"


@contextmanager
def _stop_signals() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, so that nothing is left running."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
