"""Metrics: what is counted once is counted once, by however many processes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from runbook_engine.entrypoints.metrics import Metrics, watched
from runbook_engine.entrypoints.worker import run_until_idle
from runbook_engine.model.observation import Pause
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.chaos.machine.faults import small_disk
from tests.lab import bundle_in, post, simulated_engine, webhook

COUNT = (
    "import sys\nfrom pathlib import Path\nfrom runbook_engine.entrypoints.metrics import Metrics\n"
    "metrics = Metrics(Path(sys.argv[1]))\nmetrics.alerts.labels('accepted').inc(3)\n"
    "print(metrics.render([]).decode())\n"
)


def values_of(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by its name and its label values, as a Prometheus would read it."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.slow
def test_a_scrape_adds_up_what_several_processes_counted(tmp_path: Path) -> None:
    """The second process sees the first one's alerts, although that one has ended."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    said = [
        subprocess.run(
            [sys.executable, "-c", COUNT, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]

    seen = [values_of(text)["runbook_alerts_total", ("accepted",)] for text in said]
    assert [3.0, 6.0] == seen


def test_a_process_that_was_killed_before_it_counted_hides_nothing(tmp_path: Path) -> None:
    """It leaves an empty file for ever; the scrapes after it must not fail for ever."""
    (tmp_path / "counter_1.db").touch()

    counted = subprocess.run(
        [sys.executable, "-c", COUNT, str(tmp_path)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert values_of(counted.stdout)["runbook_alerts_total", ("accepted",)] == 3


FULL = (
    "import sys\nfrom pathlib import Path\nfrom runbook_engine.entrypoints.metrics import Metrics\n"
    "from tests.chaos.machine.faults import full\n"
    "folder = Path(sys.argv[1])\nmetrics = Metrics(folder)\n"
    "with full(folder):\n"
    "    for number in range(100): metrics.alerts.labels(f'outcome-{number}').inc()\n"
    "    metrics.action_seconds.labels('scale', 'do', 'done').observe(1)\n"
    "print(metrics.render([]).decode())\n"
)
LATE = (
    "import sys\nfrom pathlib import Path\nfrom runbook_engine.entrypoints.metrics import Metrics\n"
    "from tests.chaos.machine.faults import full\n"
    "folder, now = Path(sys.argv[1]), [0.0]\n"
    "with full(folder):\n"
    "    metrics = Metrics(folder, clock=lambda: now[0])\n"
    "    metrics.alerts.labels('accepted').inc(3)\n"
    "    now[0] = 60.0\n"
    "    metrics.action_seconds.labels('scale', 'do', 'done').observe(1)\n"
    "    print(metrics.apart, len(list(folder.iterdir())) - 1)\n"  # the filler
    "now[0] = 120.0\n"
    "metrics.alerts.labels('accepted').inc(2)\n"
)
SCRAPE = (
    "import sys\nfrom pathlib import Path\nfrom runbook_engine.entrypoints.metrics import Metrics\n"
    "print(Metrics(Path(sys.argv[1])).render([]).decode())\n"
)


def _on_a_small_disk(folder: Path, *programs: str) -> str:
    """Run one after the other. Returns all that they said."""
    with small_disk(folder) as mounted:
        if not mounted:
            pytest.skip("no disk may be mounted here")
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        said = ""
        for program in programs:
            command = [sys.executable, "-c", program, str(folder)]
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert 0 == ended.returncode, ended.stderr
            said += ended.stdout
        return said


@pytest.mark.slow
def test_a_process_goes_on_counting_when_the_disk_is_full(tmp_path: Path) -> None:
    """Its file has no holes: whoever writes into one on a full disk is killed by the kernel (SIGBUS)."""
    said = _on_a_small_disk(tmp_path / "disk", FULL)

    values = values_of(said)
    assert {1.0} == {values["runbook_alerts_total", (f"outcome-{number}",)] for number in range(100)}
    assert 1.0 == values["runbook_action_seconds_count", ("scale", "do", "done")]


@pytest.mark.slow
def test_a_process_that_starts_on_a_full_disk_joins_the_others_when_there_is_room(tmp_path: Path) -> None:
    """Nobody is answered by one that is killed as soon as it counts; what it counted until then is not lost."""
    disk = tmp_path / "disk"

    why, scraped = _on_a_small_disk(disk, LATE, SCRAPE).split("\n", 1)

    no_room = f"{disk} cannot be written: No space left on device"
    assert f"{no_room} (what this process counts joins the others when it can) 0" == why
    values = values_of(scraped)
    assert 5.0 == values["runbook_alerts_total", ("accepted",)]
    assert 1.0 == values["runbook_action_seconds_count", ("scale", "do", "done")]


def test_a_scrape_does_not_read_what_another_process_only_takes_room_with(tmp_path: Path) -> None:
    """It goes away again when the disk is full."""
    (tmp_path / ".counter_1.db").write_bytes(b"half of it")

    assert b"\n" not in Metrics(tmp_path).render([])


def test_a_change_is_counted_when_its_outcome_is_durable(tmp_path: Path) -> None:
    """One change: its latency once, and each guardrail's answer once."""
    metrics = Metrics()
    simulated = SimulatedWorld()
    journal: Journal = watched(MemoryJournal(), metrics.count_commit)
    engine = simulated_engine(bundle_in(tmp_path), simulated, journal=journal)
    ids = post(engine, webhook())

    run_until_idle(engine, ids, clock=simulated.clock, owner="w1")

    values = values_of(metrics.render([]).decode())
    assert 1.0 == values["runbook_action_seconds_count", ("degrade", "do", "done")]
    assert 1.0 == values["runbook_guardrail_verdicts_total", ("cooldown", "ok")]
    assert 1.0 == values["runbook_guardrail_verdicts_total", ("pause", "ok")]


def test_a_guardrail_that_puts_a_change_off_is_counted_as_waiting(tmp_path: Path) -> None:
    """A pause is a passing no."""
    metrics = Metrics()
    simulated = SimulatedWorld()
    simulated.pauses.throw(Pause(until=simulated.clock.now() + timedelta(minutes=2), by="ann"))
    journal: Journal = watched(MemoryJournal(), metrics.count_commit)
    engine = simulated_engine(bundle_in(tmp_path), simulated, journal=journal)
    ids = post(engine, webhook())

    run_until_idle(
        engine,
        ids,
        clock=simulated.clock,
        owner="w1",
        sleep=lambda seconds: simulated.push(timedelta(seconds=5)),
    )

    values = values_of(metrics.render([]).decode())
    assert 1.0 == values["runbook_guardrail_verdicts_total", ("pause", "waits")]
    assert 1.0 == values["runbook_guardrail_verdicts_total", ("pause", "ok")]


def test_gauges_are_rendered_beside_the_counters() -> None:
    """What was just asked of the journal is in the same answer."""
    text = Metrics().render(
        [("runbook_executions", "By status.", {"running": 2.0}), ("runbook_incidents_open", "Open.", {"": 1.0})]
    )

    values = values_of(text.decode())
    assert 2.0 == values["runbook_executions", ("running",)]
    assert 1.0 == values["runbook_incidents_open", ()]
