"""Bare `runbook`: what needs you, looked at just now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.program import main
from runbook_engine.entrypoints.heartbeat import Heartbeat, write_heartbeat
from runbook_engine.entrypoints.lock import hold_lock
from runbook_engine.entrypoints.storage import PROBE
from runbook_engine.errors import Unreadable
from runbook_engine.model.incident import Intake
from runbook_engine.model.runbook import Approval
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, runbook
from tests.unit.cli.desks import Result, Sitting, Stream

ASKS = msgspec.structs.replace(SCALE, approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)))


def _asking(folder: Path) -> Sitting:
    sitting = Sitting(folder, runbook(steps=(DEGRADE, ASKS)))
    sitting.rig.errors(lambda world: 0.08 if world.value_of(FLAG) == "true" else 0.12)
    sitting.rig.simulated.release(sitting.rig.target(), by="ci/alice")
    sitting.rig.simulated.push(4 * MINUTE)
    sitting.rig.fire(cluster="local")
    sitting.rig.run(3 * MINUTE)
    return sitting


def test_the_first_screen_looks_at_the_signal_and_at_what_others_changed(tmp_path: Path) -> None:
    """The figures are of now, the reason is from before the alert."""
    shown = _asking(tmp_path).run().out

    assert shown.startswith("NEEDS YOU by 09:16:00 UTC (9m)   local · apps · CheckoutHighErrorRate · firing 3m\n")
    assert "Now   checkout:error_ratio 0.08 (goal below 0.02), was 0.12   " in shown
    assert "   data 0s old\n" in shown
    assert "Why?  release 2 by ci/alice 09:00:00, 4m before the alert\n" in shown
    assert shown.endswith("Engine: not paused, ceiling auto\n")


def test_the_first_screen_survives_signals_that_cannot_be_read(tmp_path: Path) -> None:
    """What needs you is shown whatever is down."""
    sitting = _asking(tmp_path)
    sitting.rig.simulated.fail_next("metrics.query", Unreadable("prometheus does not answer"), times=9)
    sitting.rig.simulated.fail_next("changes.changes", Unreadable("no audit log"), times=9)
    sitting.rig.simulated.fail_next("pauses.pause", Unreadable("the pause file is corrupt"), times=9)

    result = sitting.run()

    assert 0 == result.code
    assert "prometheus does not answer" in result.out
    assert "Why?  changes by others cannot be read: no audit log\n" in result.out
    assert "Engine: counts as paused, the pause file is corrupt" in result.out


def test_the_first_screen_says_that_nobody_drives(tmp_path: Path) -> None:
    """What is due for half a minute is driven by nobody."""
    sitting = Sitting(tmp_path)
    sitting.rig.fire()
    sitting.rig.simulated.push(MINUTE)

    assert sitting.run().out.endswith("1 due and driven by nobody: start runbook serve\n")


def test_a_backlog_is_no_fault_while_a_worker_goes_round(tmp_path: Path) -> None:
    """It is slow, and nobody is missing."""
    sitting = Sitting(tmp_path)
    sitting.rig.fire()
    sitting.rig.simulated.push(MINUTE)
    (tmp_path / "state" / "serve").mkdir()
    write_heartbeat(tmp_path / "state" / "serve" / "worker.json", Heartbeat(at=sitting.rig.now, pid=1, owner="w"))

    shown, record = sitting.run().out, sitting.run("--format", "json").record

    assert shown.endswith("ceiling auto, 1 run waits for the worker, the longest for 1m\n")
    assert ([], 1, False, True) == tuple(record[key] for key in ("problems", "overdue", "overdue_more", "driven"))


def _typed(*argv: str) -> Result:
    out, err = Stream(), Stream()
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment={"RUNBOOK_OPERATOR": "ann", "RUNBOOK_DEBUG": "1"})
    return Result(main(argv, desk), out.getvalue(), err.getvalue())


def _installed(folder: Path) -> tuple[str, ...]:
    (folder / "engine.yaml").write_text("apiVersion: runbook-engine/v1\nkind: EngineConfig\n")
    return "--runbooks", str(folder), "--state", str(folder / "state")


def test_the_first_screen_before_anything_happened_creates_nothing(tmp_path: Path) -> None:
    """It says where to begin, and where the journal will be."""
    result = _typed(*_installed(tmp_path))

    nothing = f"Nothing has happened here yet: there is no journal at {tmp_path}/state/journal.sqlite3."
    assert (0, "") == (result.code, result.err)
    assert result.out.startswith(f"Nothing needs you. {nothing}\n\nEngine: not paused\n\n  runbook demo  ")
    assert not (tmp_path / "state").exists()


def test_a_pause_is_seen_before_anything_happened(tmp_path: Path) -> None:
    """The journal is still not made."""
    places = _installed(tmp_path)
    _typed("pause", "--for", "30m", *places)

    shown = _typed(*places).out

    assert "Engine: PAUSED by ann until " in shown
    assert not (tmp_path / "state" / "journal.sqlite3").exists()


@pytest.mark.parametrize("command", ["incidents", "executions"])
def test_a_list_before_anything_happened_creates_nothing(tmp_path: Path, command: str) -> None:
    """Text says so, a record is empty."""
    places = _installed(tmp_path)

    shown, listed = _typed(command, *places), _typed(command, "--format", "json", *places)
    one = _typed(command, "abcdef", *places)

    nothing = f"there is no journal at {tmp_path}/state/journal.sqlite3"
    assert (0, f"Nothing has happened here yet: {nothing}.\n") == (shown.code, shown.out)
    assert {command: []} == listed.record
    assert (2, f"runbook: nothing has happened here yet: {nothing}\n") == (one.code, one.err)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param((), id="the first screen"),
        pytest.param(("incidents",), id="a list"),
        pytest.param(("cancel", "abcdef", "--keep"), id="cancel"),
    ],
)
def test_where_nothing_is_installed_every_look_says_so(tmp_path: Path, argv: tuple[str, ...]) -> None:
    """And makes nothing."""
    result = _typed(*argv, "--runbooks", str(tmp_path / "runbooks"), "--state", str(tmp_path / "state"))

    assert 2 == result.code
    assert result.err.startswith(
        f"runbook: there is no installation here: no engine.yaml at {tmp_path}/runbooks/engine.yaml "
        f"and no journal at {tmp_path}/state/journal.sqlite3 ("
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("argv", [("pause", "--for", "5m"), ("resume",)], ids=["pause", "resume"])
def test_a_kill_switch_where_nothing_is_installed_is_refused(tmp_path: Path, argv: tuple[str, ...]) -> None:
    """Nobody would read it."""
    result = _typed(*argv, "--runbooks", str(tmp_path / "runbooks"), "--state", str(tmp_path / "state"))

    place = tmp_path / "runbooks" / "engine.yaml"
    said = f"runbook: no engine.yaml found at {place}: name the installation with --config or --runbooks\n"
    assert (2, "", said) == (result.code, result.out, result.err)
    assert [] == list(tmp_path.iterdir())


def test_what_needs_a_person_outlasts_any_number_of_newer_alerts(tmp_path: Path) -> None:
    """A question does not vanish in a storm; what nobody handles is a few lines and a number."""
    sitting = _asking(tmp_path)
    asked = sitting.rig.execution().id[:8]
    for number in range(40):
        sitting.rig.simulated.push(timedelta(seconds=1))
        sitting.rig.fire("Unheard", service=f"service-{number}")

    shown, record = sitting.run().out, sitting.run("--format", "json").record

    assert shown.startswith("NEEDS YOU by 09:16:00 UTC")
    assert f"runbook approve {asked} --plan" in shown
    assert 5 == shown.count("NOT HANDLED")
    assert "\nand 35 more that no run answers: runbook incidents\n" in shown
    assert [asked] == [each["id"][:8] for each in record["needs_you"]]
    assert 40 == len(record["unmatched"])


def test_a_held_change_outlasts_any_number_of_newer_incidents(tmp_path: Path) -> None:
    """Its own incident may be over, and out of every list."""
    sitting = Sitting(tmp_path)
    sitting.rig.healed_by_flag()
    sitting.rig.fire()
    sitting.rig.run(MINUTE)
    for number in range(40):
        sitting.rig.fire("Unheard", service=f"service-{number}")
    sitting.rig.resolve()
    sitting.rig.drive()

    shown, record = sitting.run().out, sitting.run("--format", "json").record

    assert "\nHeld, to be undone\n" in shown
    assert [sitting.rig.execution().id] == [each["id"] for each in record["held"]]


def test_more_cards_than_anybody_reads_are_lines(tmp_path: Path) -> None:
    """The question stays whole and first."""
    sitting = _asking(tmp_path)
    asked = sitting.rig.execution()
    ended = [
        msgspec.structs.replace(
            asked, id=f"{number:016x}", slot=f"{number}", status="blocked", approval=None, ended_at=sitting.rig.now
        )
        for number in range(12)
    ]
    sitting.rig.journal.record(Intake(opened=tuple(ended)))

    shown = sitting.run().out

    assert shown.startswith("NEEDS YOU by 09:16:00 UTC")
    assert 10 == shown.count("NEEDS YOU")
    assert "\nNEED YOU TOO, 3 more: runbook executions ID\n" in shown


def test_an_alert_that_no_run_answers_is_shown_beside_what_is_done(tmp_path: Path) -> None:
    """Its incident has a run, and that is another alert's."""
    sitting = Sitting(tmp_path)
    sitting.rig.healed_by_flag()
    sitting.rig.fire(service="checkout")
    sitting.rig.run(MINUTE)
    sitting.rig.fire("DiskFull", service="checkout")

    shown, record = sitting.run().out, sitting.run("--format", "json").record

    assert 1 == len(sitting.rig.journal.incidents(limit=9))
    assert shown.startswith("NOT HANDLED   apps · checkout · DiskFull · firing 0s   no runbook answers it\n")
    assert [["DiskFull"]] == [[alert["name"] for alert in each["alerts"]] for each in record["unmatched"]]

    sitting.rig.resolve("DiskFull", service="checkout")

    assert "NOT HANDLED" not in sitting.run().out


def test_an_alert_that_always_fires_is_not_unhandled(tmp_path: Path) -> None:
    """Watchdog is a heartbeat."""
    sitting = Sitting(tmp_path)
    sitting.rig.fire("Watchdog")

    assert sitting.run().out.startswith("Nothing needs you.\n")


def test_an_unreadable_kill_switch_is_the_first_thing_said(tmp_path: Path) -> None:
    """No change is made, so not nothing needs you."""
    sitting = Sitting(tmp_path)
    sitting.rig.simulated.fail_next("pauses.pause", Unreadable("the pause file is corrupt"), times=9)

    shown = sitting.run().out

    said = "the kill switch cannot be read, so no change is made: the pause file is corrupt"
    assert shown.startswith(f"OUT OF ORDER   {said}\n\nNothing else needs you.\n")
    assert [said] == sitting.run("--format", "json").record["problems"]


@pytest.mark.parametrize(
    ("beat", "said"),
    [
        pytest.param(None, "the runner was started, and its worker does not go round: start runbook serve", id="none"),
        pytest.param(
            {"back": MINUTE}, "the runner has not gone round for 1m: start runbook serve", id="one that is old"
        ),
        pytest.param(
            {"back": -MINUTE},
            "the runner has not gone round since the clock was set back by 1m: start runbook serve",
            id="one from the future",
        ),
        pytest.param(
            {"problem": "the journal is locked"},
            "the runner cannot see its work: the journal is locked",
            id="one that is in trouble",
        ),
        pytest.param({}, "", id="one that is fine"),
    ],
)
def test_a_runner_that_does_not_go_round_is_the_first_thing_said(
    tmp_path: Path, beat: dict[str, Any] | None, said: str
) -> None:
    """It was started here once, so somebody counts on it."""
    sitting = Sitting(tmp_path)
    folder = tmp_path / "state" / "serve"
    folder.mkdir()
    (folder / "bundle.msgpack").write_bytes(b"")
    if beat is not None:
        at = sitting.rig.now - beat.get("back", timedelta(0))
        write_heartbeat(folder / "worker.json", Heartbeat(at=at, pid=1, owner="w", problem=beat.get("problem", "")))

    shown = sitting.run().out

    assert shown.startswith(f"OUT OF ORDER   {said}\n\nNothing else" if said else "Nothing needs you.\n")


def test_a_worker_that_hangs_is_said_to_be_restarted_when_its_runner_is_there(tmp_path: Path) -> None:
    """A second runner is refused, so nobody is told to start one."""
    sitting = Sitting(tmp_path)
    with hold_lock(tmp_path / "state"):
        (tmp_path / "state" / "serve" / "bundle.msgpack").write_bytes(b"")
        beat = Heartbeat(at=sitting.rig.now - MINUTE, pid=1, owner="w")
        write_heartbeat(tmp_path / "state" / "serve" / "worker.json", beat)

        shown = " ".join(sitting.run().out.split())

    said = (
        "the runner has not gone round for 1m: its worker is restarted within a minute; otherwise restart runbook serve"
    )
    assert shown.startswith(f"OUT OF ORDER {said} Nothing else needs you.")


NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")


@NEEDS_FULL
def test_a_full_disk_is_out_of_order_and_no_runner_is_blamed(tmp_path: Path) -> None:
    """A worker whose heartbeat cannot be written looks dead, and starting it would not help."""
    sitting = Sitting(tmp_path)
    sitting.rig.fire()
    sitting.rig.simulated.push(MINUTE)
    (tmp_path / "state" / "serve").mkdir()
    (tmp_path / "state" / "serve" / "bundle.msgpack").touch()
    (tmp_path / "state" / PROBE).symlink_to("/dev/full")

    result = sitting.run()

    said = " ".join(result.out.split())
    assert said.startswith(
        f"OUT OF ORDER the disk is full: nothing can be written in {tmp_path}/state, so no change is made, and "
        f"deliveries are kept only while the journal has room (free space there: df -h "
        f"{tmp_path}/state) OUT OF ORDER 1 due and driven by nobody "
    )
    assert "start runbook serve" not in said


@NEEDS_FULL
def test_a_journal_that_a_full_disk_keeps_shut_is_said_so(tmp_path: Path) -> None:
    """SQLite calls it by another name."""
    places = _installed(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.sqlite3").mkdir()  # cannot be opened
    (tmp_path / "state" / PROBE).symlink_to("/dev/full")

    result = _typed(*places)

    assert (3, "") == (result.code, result.out)
    assert result.err.endswith(
        f"what needs you cannot be told: the disk is full: nothing can be written in {tmp_path}/state, so no change "
        f"is made, and deliveries are kept only while the journal has room (free space there: df -h {tmp_path}/state)\n"
    )
