"""Groups under many at once: too many targets change nothing, few enough exactly themselves, and few are told."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.engine import Engine
from runbook_engine.model.execution import Execution
from runbook_engine.model.runbook import GroupRule
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contention.crowd import drive_to_the_end, engine_over, open_journal, storm, together
from tests.contention.tally import Tally
from tests.contention.test_contention import in_threads
from tests.crash.invariants import assert_sound
from tests.length import LONG

PROCESSES, ALERTS = 8, 100 if LONG else 20
RULE = GroupRule(wait=timedelta(seconds=1), max_targets=2)


class Owners:
    """Every pod belongs to the deployment that its name begins with: `cart.7` to `cart`."""

    def workload_of(self, pod: Target) -> Target:
        """Return the deployment of a pod."""
        return Target("deployment", pod.place, pod.namespace, pod.name.partition(".")[0])


def grouped(journal: Journal, folder: Path) -> Engine:
    """Return an engine that adds one line for what a pod belongs to, a group at a time."""
    target = TargetTemplate("workloadOf", "{{ inputs.name }}", "apps")
    changes = {"target": target, "group": RULE, "digest": "digest-of-a-grouped-tally"}
    return engine_over(journal, folder, deployments=("cart", "web"), nodes=Owners(), **changes)


def storm_and_drive(journal: Journal, folder: Path, pods: list[str], owner: str, executions: int) -> None:
    """Post an alert for each pod, and drive whatever is due until all that were posted by all have ended."""
    engine = grouped(journal, folder)
    for pod in pods:
        engine.ingest(storm(pod))
    drive_to_the_end(engine, owner, executions)


def everywhere(folder: Path, number: int) -> None:
    """Many pods of one's own, each of another deployment."""
    journal = open_journal(folder)
    pods = [f"app-{number}-{index}.0" for index in range(ALERTS)]
    storm_and_drive(journal, folder, pods, f"process-{number}", PROCESSES * ALERTS)
    journal.close()


def in_two(folder: Path, number: int) -> None:
    """Many pods of one's own, which belong to two deployments that everybody posts about."""
    journal = open_journal(folder)
    pods = [f"{'cart' if index % 2 else 'web'}.{number}-{index}" for index in range(ALERTS)]
    storm_and_drive(journal, folder, pods, f"process-{number}", PROCESSES * ALERTS)
    journal.close()


def tellers(executions: tuple[Execution, ...]) -> list[str]:
    """Why people were told, each time that they were."""
    return [execution.reason for execution in executions if execution.announced]


@pytest.mark.slow
def test_nothing_is_changed_when_eight_processes_bring_many_targets_each(tmp_path: Path) -> None:
    """Whoever decides, and whatever comes meanwhile: no line at the target, and one message, not hundreds."""
    together(everywhere, tmp_path, PROCESSES)

    assert [] == Tally(tmp_path / "tally").lines
    journal = open_journal(tmp_path)
    executions = journal.executions(limit=1000)
    assert {"blocked": PROCESSES * ALERTS} == Counter(execution.status for execution in executions)
    told = tellers(executions)
    assert 1 == len(told), told
    assert_sound(journal)
    journal.close()


@pytest.mark.slow
def test_two_changes_are_made_when_eight_processes_bring_many_pods_each_of_two_deployments(tmp_path: Path) -> None:
    """Hundreds of runs find two targets: two act, one after the other, the rest joined or came too soon after."""
    together(in_two, tmp_path, PROCESSES)

    assert ["cart", "web"] == sorted(Tally(tmp_path / "tally").lines)
    journal = open_journal(tmp_path)
    executions = journal.executions(limit=1000)
    acted = [execution for execution in executions if execution.changed]
    assert {"succeeded"} == {execution.status for execution in acted}
    first, second = sorted(acted, key=lambda execution: execution.steps[0].effects[0].begun_at)
    assert first.ended_at is not None
    assert first.ended_at <= second.steps[0].effects[0].begun_at
    assert_sound(journal)
    journal.close()


def test_nothing_is_changed_when_six_threads_bring_ten_targets_each(tmp_path: Path) -> None:
    """The same promise from the journal in memory."""
    journal = MemoryJournal()

    def work(number: int) -> None:
        pods = [f"app-{number}-{index}.0" for index in range(10)]
        storm_and_drive(journal, tmp_path, pods, f"thread-{number}", 60)

    in_threads(work, 6)

    assert [] == Tally(tmp_path / "tally").lines
    executions = journal.executions(limit=100)
    assert {"blocked": 60} == Counter(execution.status for execution in executions)
    assert 1 == len(tellers(executions))
    assert_sound(journal)
