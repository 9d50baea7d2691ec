"""A site: one real `runbook serve`, a crowd that posts to it, and the count of what came of it at the target.

Whatever the machine does to the runner meanwhile, `settle` says what the target and the journal have to say.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import msgspec

from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.entrypoints.settings import Settings, read_settings
from runbook_engine.errors import RunbookError
from runbook_engine.model.execution import Execution
from runbook_engine.proof.trail import check_trail
from tests.chaos.machine.target import Target, serving
from tests.chaos.tally import LONG, SEED, Tally, keep
from tests.e2e.runner import Runner
from tests.lab import wait_until

LANES = 12  # runbooks for `once`: one whose run ended unknown is demoted, and asks a person first from then on
DOORS = ("token", *(f"once-{lane}" for lane in range(LANES)))
DEMOTED = "demoted to approve until a commit changes it"
PATIENCE = 120 if LONG else 30  # seconds: by night much else may run beside it
CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {{name: machine}}
adapters:
  requests: {{adapter: http}}
  journal: {{adapter: sqlite, busyTimeout: 1}}
scopes: {{lab: {{source: alertmanager}}}}
receivers: {{oncall: {{adapter: webhook, url: {url}/page/oncall}}}}
teams: {{team-lab: {{receiver: oncall}}}}
targets: ["request=*"]
modeCeiling: auto
storm: {{maxTargets: 1000, within: 1s}}
limits: {{lease: 2s}}
requests:
{requests}
"""
REQUEST = """\
  {door}:
    method: POST
    url: {url}/{door}/{{{{ parameters.part }}}}
    parameters: [part]
    effect: {{says: does it, repeat: {repeat}, changes: part}}
    approval: none
"""
RUNBOOK = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {{name: do-{door}, owner: team-lab, summary: Does it.}}
matchers: ["alertname = {door}"]
inputs: {{part: {{from: alert.labels.part}}}}
target: none
mode: auto
guardrails: {{cooldown: 1s, deadline: 10m}}
steps:
  - name: do
    action: http
    with: {{request: {door}, arguments: {{part: "{{{{ inputs.part }}}}"}}}}
"""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the target and the journal have to say of all that was acknowledged."""

    effects: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    doubtful: int
    withheld: int  # a person is asked instead, since another run of their runbook has ended unknown
    unpaged: tuple[str, ...]
    broken: tuple[str, ...]


class Site:
    """One installation in a folder, its state where the fault is to be."""

    def __init__(self, folder: Path, state: Path, target: Target, rng: random.Random) -> None:
        self.target, self.rng = target, rng
        runbooks = folder / "runbooks"
        runbooks.mkdir(parents=True)
        requests = "".join(REQUEST.format(door=door, repeat=door.partition("-")[0], url=target.url) for door in DOORS)
        (runbooks / "engine.yaml").write_text(CONFIG.format(url=target.url, requests=requests))
        for door in DOORS:
            (runbooks / f"{door}.yaml").write_text(RUNBOOK.format(door=door))
        self.settings: Settings = read_settings(runbooks=runbooks, state=state, environment={})
        self.acknowledged: set[str] = set()  # parts
        self.refusals: list[tuple[int, Any, dict[str, str]]] = []  # what was answered instead
        self.unanswered = 0
        self._posted = 0
        self.runner: Runner

    def start(self) -> Site:
        """Start the runner."""
        self.runner = Runner(self.settings)
        self.runner.wait_for_start(PATIENCE)
        return self

    def processes(self) -> list[int]:
        """Return the processes that serve and work; not the supervisor, and not who runs the tests once."""
        names = ("web_process", "worker_process")
        return [int(line.split()[0]) for line in self.runner.left() if any(name in line for name in names)]

    def post(self, alerts: int = 1) -> bool:
        """Post one delivery of so many new alerts. Returns whether it was acknowledged."""
        parts = [f"p{self._posted + number}" for number in range(alerts)]
        self._posted += alerts
        labels = [{"alertname": self.rng.choice(self._doors()), "part": part} for part in parts]
        body = json.dumps({"alerts": [{"status": "firing", "labels": one} for one in labels]}).encode()
        try:
            status, answer, headers = self.runner.ask("POST", "/hooks/lab", body)
        except (OSError, HTTPException):
            self.unanswered += 1
            return False
        if status == 202:
            self.acknowledged.update(parts)
            return True
        self.refusals.append((status, answer, headers))
        return False

    def ready(self) -> tuple[int, list[str]]:
        """Return what /readyz says; 0 = nothing."""
        try:
            status, answer, _ = self.runner.ask("GET", "/readyz")
        except (OSError, HTTPException):
            return 0, []
        return status, answer["reasons"]

    def settle(self, limit: float = 2 * PATIENCE) -> Found:
        """Wait until everything that was acknowledged came to its end, and hold it against the target."""
        journal = open_journal(self.settings.state)
        try:
            wait_until(lambda: self._rested(journal), "everything that was acknowledged came to its end", limit)
            executions = journal.executions(limit=1_000_000)
            broken = tuple(run.id for run in executions if check_trail(run, journal).findings)
        except AssertionError as error:
            raise AssertionError(f"{error}, seed {SEED}\n{self.log()}") from error
        finally:
            journal.close()
        return self._hold(executions, broken)

    def log(self) -> str:
        """Return the end of what the runner has written."""
        return self.runner.log_file.read_text()[-6000:]

    def _doors(self) -> Sequence[str]:
        return self.rng.choice((DOORS[:1], DOORS[1:]))  # each kind as often as the other

    def _rested(self, journal: SqliteJournal) -> bool:
        """Whether every alert that was acknowledged has a run, and every run has ended and told whom it has to."""
        try:
            runs = journal.executions(limit=1_000_000)
        except RunbookError:
            return False
        known = {run.inputs["part"] for run in runs}
        return known >= self.acknowledged and all((run.ended or _asks(run)) and not run.outbox for run in runs)

    def _hold(self, runs: Sequence[Execution], broken: tuple[str, ...]) -> Found:
        done, unknown = self.target.done, [run for run in runs if run.status == "unknown"]
        withheld = [run for run in runs if _asks(run) or (run.status == "blocked" and DEMOTED in run.reason)]
        doubtful, asked = ({run.inputs["part"] for run in some} for some in (unknown, withheld))
        paged = self.target.paged()
        return Found(
            effects=len(self.acknowledged - asked),
            lost=tuple(sorted(part for part in self.acknowledged - doubtful - asked if not done[part])),
            doubled=tuple(sorted(part for part, times in done.items() if times > (part not in asked))),
            doubtful=len(unknown),
            withheld=len(withheld),
            unpaged=tuple(run.id for run in (*unknown, *withheld) if run.id not in paged),
            broken=broken,
        )


def _asks(run: Execution) -> bool:
    """Whether a person is asked: of an automatic runbook only when it is demoted."""
    return run.status == "awaiting_approval"


@contextmanager
def site(folder: Path, state: Path, rng: random.Random) -> Iterator[Site]:
    """Yield a site whose runner has started, and stop it."""
    with serving() as target:
        made = Site(folder, state, target, rng)
        try:
            yield made.start()
        finally:
            made.runner.stop()


def open_journal(state: Path) -> SqliteJournal:
    """Return the journal of a state folder, for a look from outside."""
    return SqliteJournal(Database(state / "journal.sqlite3", timedelta(seconds=5)))


def row(fault: str, tries: int, founds: Sequence[Found], remark: str = "") -> Tally:
    """Keep the row of a fault, and return it."""
    return keep(
        Tally(
            fault=fault,
            host="local",
            tries=tries,
            effects=sum(found.effects for found in founds),
            lost=sum(len(found.lost) for found in founds),
            doubled=sum(len(found.doubled) for found in founds),
            doubtful=sum(found.doubtful for found in founds),
            unpaged=sum(len(found.unpaged) for found in founds),
            broken=sum(len(found.broken) for found in founds),
            remark=remark,
        )
    )
