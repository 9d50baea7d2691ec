"""The judge: what the target counted against what the alerts wanted, and what the journal says of the difference.

- wanted: one effect for each alert; of a flag two, since it is put back. A `token` counts once for all requests that
  bear it, as its service counts. What is declared counts when it *changes* what was there: declared twice, it has
  changed once. A `once` counts at every request. A flag counts every write, by its version.
- doubtful: the run is `unknown` or its undo failed. It must have been paged; what it lacks is not lost, and what it has
  too much is doubled all the same.
- withheld: the run is `blocked` by the standing of its runbook, of which another run has ended unknown: a person is
  asked instead. It must have been paged, and wants no effect any more: one that is seen all the same is doubled.
- lost: an acknowledged alert that lacks an effect, and of which no run says that it is in doubt.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec

from runbook_adapters.files.flag_store import load_store
from runbook_adapters.sqlite import SqliteJournal
from runbook_adapters.sqlite.database import Database
from runbook_engine.model.execution import Execution
from tests.chaos.local.counting_target import CountingTarget
from tests.chaos.local.crowd import WANTED, Alert
from tests.chaos.local.program import Program
from tests.chaos.tally import SEED

MANY = 100_000
DEMOTED = "demoted to approve until a commit changes it"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one installation."""

    effects: int
    lost: int
    doubled: int
    doubtful: int
    withheld: int
    unpaged: int
    broken: int
    findings: tuple[str, ...]  # a sentence for each thing that must not be


class Target:
    """Everything that is counted outside the engine: the service, and the flag file."""

    def __init__(self, service: CountingTarget, folder: Path) -> None:
        self.service = service
        self._flags = folder / "flags.json"

    def effects(self, alert: Alert) -> int:
        """Return the effects of one alert."""
        if alert.kind == "flag":
            return load_store(self._flags, create=True).version(f"/shop/{alert.thing}")
        return self.service.effects(alert.kind, alert.thing)

    def is_set(self, alerts: list[Alert]) -> list[Alert]:
        """Return those whose flag is set now."""
        flags = load_store(self._flags, create=True).flags
        return [alert for alert in alerts if alert.kind == "flag" and f"/shop/{alert.thing}" in flags]


def open_journal(program: Program) -> SqliteJournal:
    """Return the journal of the runner, to read it."""
    return SqliteJournal(Database(program.state / "journal.sqlite3", timedelta(seconds=30)))


def judge(program: Program, alerts: list[Alert], target: Target) -> Verdict:
    """Judge an installation at rest; each of these alerts was acknowledged."""
    journal = open_journal(program)
    try:
        runs = _runs(journal)
        known = _known(journal)
    finally:
        journal.close()
    judged = [_judged(alert, target, runs.get(alert.thing, ()), alert.thing in known) for alert in alerts]
    broken = _broken(program)
    return Verdict(
        effects=sum(one.wanted for one in judged),
        lost=sum(one.lost for one in judged),
        doubled=sum(max(0, one.seen - one.wanted) for one in judged),
        doubtful=sum(one.in_doubt for one in judged),
        withheld=sum(one.withheld for one in judged),
        unpaged=sum(one.unpaged for one in judged),
        broken=len(broken),
        findings=(*(one.says for one in judged if not one.is_sound), *broken),
    )


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One alert: what it wanted, what the target saw, what its run says."""

    wanted: int
    seen: int
    in_doubt: bool
    withheld: bool
    unpaged: bool
    one_run: bool  # it stands in the journal as it arrived, and has one run
    says: str

    @property
    def lost(self) -> int:
        """How many of its effects are missing, and no run says that they may be."""
        return 0 if self.in_doubt else max(0, self.wanted - self.seen)

    @property
    def is_sound(self) -> bool:
        """Whether it is as it must be."""
        return self.one_run and not self.unpaged and not self.lost and self.seen <= self.wanted


def _judged(alert: Alert, target: Target, runs: tuple[Execution, ...], known: bool) -> Judged:
    seen, wanted = target.effects(alert), WANTED[alert.kind]
    in_doubt = any(run.status == "unknown" or run.compensation == "failed" for run in runs)
    withheld = alert.kind == "once" and any(run.status == "blocked" and DEMOTED in run.reason for run in runs)
    said = "; ".join(f"{run.id} {run.status} ({run.reason}), undo {run.compensation}" for run in runs) or "no run"
    unpaged = (in_doubt or withheld) and not any(target.service.is_paged(run.id) for run in runs)
    kept = "in the journal" if known else "not in the journal"
    heard = "nobody paged" if unpaged else "paged where due"
    return Judged(
        wanted=0 if withheld else wanted,
        seen=seen,
        in_doubt=in_doubt,
        withheld=withheld,
        unpaged=unpaged,
        one_run=known and len(runs) == 1,
        says=f"seed {SEED}: {alert.kind} {alert.thing}: {seen} of {wanted} effects, {kept}, {heard}: {said}",
    )


def _runs(journal: SqliteJournal) -> dict[str, tuple[Execution, ...]]:
    found: dict[str, tuple[Execution, ...]] = {}
    for run in journal.executions(limit=MANY):
        thing = run.alert.labels["thing"]
        found[thing] = (*found.get(thing, ()), run)
    return found


def _known(journal: SqliteJournal) -> set[str]:
    """Return the things of every alert that stands in the journal as it arrived."""
    incidents = journal.incidents(limit=MANY)
    return {arrival.alert.labels["thing"] for incident in incidents for arrival in journal.arrivals(incident.id)}


def _broken(program: Program) -> list[str]:
    """Return what `runbook verify-audit` finds."""
    done = program.run("verify-audit", "--format", "json")
    found = [str(finding) for finding in json.loads(done.stdout)["findings"]] if done.stdout else []
    return found or ([] if done.returncode == 0 else [f"verify-audit exits {done.returncode}: {done.stderr}"])
