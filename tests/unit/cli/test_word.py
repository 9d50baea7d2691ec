"""A person's word about incidents and storms, and how far each runbook is trusted, at the command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_engine.errors import Permanent
from runbook_engine.loading.files import load_files
from runbook_engine.loading.set_analysis.analysis import analyse
from runbook_engine.model.runbook import ModeRule, Runbook
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import TargetTemplate
from runbook_engine.registry import Registry
from tests.scenario.rig import FLAG, MINUTE, configuration, runbook
from tests.unit.cli.desks import Sitting

HOUR = timedelta(hours=1)


WRITTEN = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata:
  name: checkout-high-error-rate
  owner: team-checkout
matchers: [alertname = CheckoutHighErrorRate]
target: {namespace: apps, deployment: checkout}
guardrails: {cooldown: 30m, deadline: 40m}
steps:
  - {name: restart, action: restart}
"""


@pytest.fixture
def sitting(tmp_path: Path) -> Sitting:
    """Somebody in front of a run; the flag heals."""
    made = Sitting(tmp_path)
    made.rig.healed_by_flag()
    return made


def incident(sitting: Sitting) -> str:
    """Return the short id of the newest one."""
    return sitting.rig.journal.incidents(limit=1)[0].id[:8]


def test_acknowledge_says_who_was_first(sitting: Sitting) -> None:
    """A second person hears the name of the first."""
    sitting.rig.fire()
    first = sitting.run("acknowledge", incident(sitting))
    sitting.operator = "bob"
    second = sitting.run("acknowledge", incident(sitting), "--format", "json")

    said = f"{incident(sitting)}  CheckoutHighErrorRate  acknowledged by ann at 09:00:00 UTC\n"
    assert (0, said) == (first.code, first.out)
    assert "ann" == second.record["incident"]["acknowledged_by"]
    assert {"incident", "recorded"} == set(second.record)


def test_close_ends_an_incident_that_only_expired(sitting: Sitting) -> None:
    """The first screen offers the command, and has no more of it afterwards."""
    sitting.rig.fire()
    sitting.rig.simulated.push(10 * HOUR)
    sitting.rig.engine.expire(sitting.rig.now)
    identity = incident(sitting)
    before = sitting.run()

    closed = sitting.run("close", identity, "--reason", "sender was removed")

    command = f"runbook close {identity} --reason TEXT"
    said = f"EXPIRED   apps · CheckoutHighErrorRate · last fired 10h ago   nobody said that it is fixed: {command}\n"
    assert said in before.out
    assert (0, f"{identity}  CheckoutHighErrorRate  closed by ann\n") == (closed.code, closed.out)
    assert "EXPIRED" not in sitting.run().out
    shown = sitting.run("incidents", identity).out
    assert "  closed by ann at 19:00:00 (sender was removed)\n" in shown


def test_close_of_an_incident_that_fires_is_refused(sitting: Sitting) -> None:
    """Exit code 1: the answer is no."""
    sitting.rig.fire()

    result = sitting.run("close", incident(sitting))

    said = f"incident {incident(sitting)} cannot be closed: 1 of its alerts fires (it ends by itself once they resolve)"
    assert (1, f"runbook: {said}\n") == (result.code, result.err)


def test_release_of_an_execution_gives_its_targets_back(sitting: Sitting) -> None:
    """And says so; once."""
    sitting.rig.errors(lambda world: 0.12)
    sitting.rig.fire()
    sitting.rig.run(10 * timedelta(seconds=1))
    identity = sitting.rig.execution().id[:8]
    taken = sitting.run("takeover", identity, "--keep", "--for", "2h")
    sitting.rig.drive()

    released = sitting.run("release", identity, "--reason", "done")
    sitting.rig.drive()
    again = sitting.run("release", identity)

    assert "; no other run changes it until 11:00:10 UTC, or runbook release\n" in taken.out
    assert f"{identity}  released by ann: other runs may change apps/deployment/checkout again\n" == released.out
    assert f"runbook: nobody keeps the targets of execution {identity}, so there is nothing to release\n" == again.err


def test_a_target_is_kept_for_a_day_at_most(sitting: Sitting) -> None:
    """A lock never stays for ever."""
    result = sitting.run("takeover", "abcd", "--keep", "--for", "25h")

    assert 2 == result.code
    assert "'25h' is longer than a target may be kept (at most 1d)" in result.err


def test_a_storm_is_the_first_thing_on_the_first_screen_until_it_is_released(tmp_path: Path) -> None:
    """Why, since when, what ends it, and who ended it."""
    made = _storm(tmp_path)

    before = made.run()
    record = made.run("--format", "json").record["storm"]
    released = made.run("release", "--reason", "one rack", "--yes")
    after = made.run()

    assert before.out.startswith(
        "STORM   runs were opened for more than 1 target within 5m\n"
        "  every change is held for 1m now; undoing goes on, and so does recording\n"
        "  It ends     at 09:15:00 UTC, if nothing more comes (15m of calm)\n"
        "  or release  runbook release --reason TEXT  asks first\n"
        "  Then        no more than 1 change within any 5m, whoever ends it\n"
    )
    assert ", STORM: changes held, runbook release --reason TEXT" in before.out
    assert (True, "2026-01-05T09:00:00Z") == (record["held"], record["held_since"])
    said = "2 runs on 2 targets wait; 1 run goes on at once, and no more than 1 change within any 5m"
    assert (0, f"storm released by ann: {said}\n") == (released.code, released.out)
    assert "the last storm was released by ann, 0s ago (one rack)" in after.out
    again = made.run("release")
    assert (1, "runbook: no storm is held, so there is nothing to release\n") == (again.code, again.err)


@pytest.mark.parametrize(
    ("typed", "code", "out", "err"),
    [
        pytest.param(
            "y\n",
            0,
            "storm released by ann: 2 runs on 2 targets wait; 1 run goes on at once, and no more than 1 change within "
            "any 5m\n",
            "",
            id="yes lets it go",
        ),
        pytest.param("\n", 1, "", "runbook: nothing was released: the answer was no\n", id="anything else does not"),
    ],
)
def test_release_of_a_storm_shows_what_goes_on_and_asks(
    tmp_path: Path, typed: str, code: int, out: str, err: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many wait, on how many targets, what is first, how fast; then a plain yes is wanted."""
    monkeypatch.setenv("COLUMNS", "200")
    made = _storm(tmp_path)
    first = min(made.rig.journal.executions(limit=2), key=lambda each: (each.opened_at, each.id))

    result = made.run("release", typed=typed, terminal=True)

    shown = (
        "2 runs on 2 targets wait\n"
        f"  First  1 run goes on at once, the oldest: {first.target} ({first.id[:8]})\n"
        "  Pace   no more than 1 change within any 5m, held or new; the last after 5m at the earliest\n"
    )
    assert (code, shown + out, f"Let the storm go? [y/N] {err}") == (result.code, result.out, result.err)
    assert (made.rig.journal.latch().held_since is None) == (code == 0)


def test_release_of_a_storm_is_refused_when_nobody_is_here_to_say_yes(tmp_path: Path) -> None:
    """Exit code 2, with what would go on and what to add; nothing is released."""
    made = _storm(tmp_path)

    result = made.run("release", "--format", "json")

    said = "2 runs on 2 targets wait; 1 run goes on at once, and no more than 1 change within any 5m"
    assert (2, "", f"runbook: nobody is here to say yes: {said} (add --yes to let it go)\n") == (
        result.code,
        result.out,
        result.err,
    )
    assert made.rig.journal.latch().held_since is not None


def test_release_of_a_storm_says_the_same_to_scripts(tmp_path: Path) -> None:
    """With stable keys."""
    made = _storm(tmp_path)
    first = min(made.rig.journal.executions(limit=2), key=lambda each: (each.opened_at, each.id))

    record = made.run("release", "--yes", "--format", "json").record

    assert {"storm", "waiting", "release"} == set(record)
    assert (False, 1, 2) == (record["storm"]["held"], record["storm"]["at_a_time"], record["waiting"])
    assert {
        "runs": 2,
        "targets": 2,
        "first": [{"execution": first.id, "runbook": first.runbook, "target": str(first.target)}],
        "at_a_time": 1,
        "within_seconds": 300.0,
        "last_after_seconds": 300.0,
        "late": 0,
    } == record["release"]


def _storm(folder: Path) -> Sitting:
    """Return somebody in front of two runs that a storm has held for a minute."""
    made = Sitting(folder, _flags("a"), _flags("b"), settings=configuration(storm=StormRule(max_targets=1)))
    made.rig.fire()
    made.rig.drive()
    made.rig.simulated.push(MINUTE)
    return made


def _flags(name: str) -> Runbook:
    target = TargetTemplate("parameter", f"/checkout/{name}")
    return runbook(name=f"book-{name}", digest=name, target=target)


def test_standing_shows_what_demoted_a_runbook(sitting: Sitting) -> None:
    """And that only a commit helps."""
    sitting.rig.simulated.fail_next("flags.write", Permanent("denied"))
    sitting.rig.fire()
    sitting.rig.run(MINUTE)
    identity = sitting.rig.execution().id[:8]

    text = sitting.run("standing").out
    [record] = sitting.run("standing", "checkout-high-error-rate", "--format", "json").record["runbooks"]

    assert text == (
        "RUNBOOK                   WRITTEN  GOES     VERIFIED  WHY\n"
        f"checkout-high-error-rate  auto     approve  0         execution {identity} failed: shed-optional-features "
        "failed: denied\n"
        "\n"
        "checkout-high-error-rate goes on as approve until a commit changes it; after the cause is mended, say who "
        "looked:\n"
        '  +  reviewed: "NAME, DATE: what was mended"\n'
    )
    assert ("auto", "approve", True, "failed") == tuple(record[key] for key in ("mode", "goes", "demoted", "fault"))
    assert sitting.rig.execution().id == record["because"]["execution"]


def test_standing_goes_no_further_than_the_ceiling(sitting: Sitting) -> None:
    """Whatever is written, and whatever its runs did."""
    bundle = sitting.rig.engine.bundle
    lower = msgspec.structs.replace(bundle.configuration, mode_ceiling=(ModeRule(mode="propose"),))
    sitting.rig.engine.bundle = msgspec.structs.replace(bundle, configuration=lower)

    text = sitting.run("standing").out
    [record] = sitting.run("standing", "--format", "json").record["runbooks"]

    assert text == (
        "RUNBOOK                   WRITTEN  GOES     VERIFIED  WHY\n"
        "checkout-high-error-rate  auto     propose  0         held down to propose by the ceiling of the "
        "installation\n"
    )
    assert ("auto", "propose", False) == tuple(record[key] for key in ("mode", "goes", "demoted"))


def test_the_line_that_standing_prints_is_a_line_of_a_runbook_when_it_is_filled_in(
    sitting: Sitting, tmp_path: Path
) -> None:
    """Whoever copies it has a file that loads, and whose text is what was written."""
    sitting.rig.simulated.fail_next("flags.write", Permanent("denied"))
    sitting.rig.fire()
    sitting.rig.run(MINUTE)
    printed = sitting.run("standing").out.splitlines()[-1]
    filled = printed.removeprefix("  +").replace("NAME", "ann").replace("DATE", "2026-11-22")
    file = tmp_path / "book.yaml"
    file.write_text(WRITTEN.replace("metadata:\n", f"metadata:\n{filled}\n"))

    loaded = load_files([file], Registry(), judge_set=analyse)

    assert () == tuple(loaded.diagnostics)
    assert ["ann, 2026-11-22: what was mended"] == [each.reviewed for each in loaded.bundle.runbooks]


def test_standing_proposes_the_commit_after_five_verified_successes(tmp_path: Path) -> None:
    """It is printed, and nothing is changed: only a person promotes."""
    book = runbook(mode=(ModeRule(mode="approve"),), file="runbooks/checkout.yaml", steps=runbook().steps[:1])
    made = Sitting(tmp_path, book)
    rig = made.rig
    for number in range(5):
        rig.simulated.set_parameter(FLAG, "false")
        rig.healed_by_flag()
        rig.fire(pod=str(number))
        rig.drive()
        asked = rig.execution(number).approval
        assert asked is not None
        rig.engine.approve(rig.execution(number).id, plan_hash=asked.hash, by="ann", now=rig.now)
        rig.run(MINUTE)
        rig.errors(lambda world: 0.001)
        rig.resolve(pod=str(number))
        rig.run(HOUR, step=MINUTE)

    text = made.run("standing").out
    [record] = made.run("standing", "--format", "json").record["runbooks"]

    assert text.endswith(
        "\ncheckout-high-error-rate: 5 verified successes in mode approve, and nothing else since. "
        "The commit that would promote it (runbooks/checkout.yaml):\n"
        "  -mode: approve\n"
        "  +mode: auto\n"
    )
    assert (5, {"from": "approve", "to": "auto"}) == (record["verified_successes"], record["proposal"])
    assert "approve" == record["goes"]


def test_standing_of_an_unknown_runbook_is_refused(sitting: Sitting) -> None:
    """With the names that there are."""
    result = sitting.run("standing", "nope")

    assert (2, "runbook: unknown runbook 'nope'; known are checkout-high-error-rate\n") == (result.code, result.err)
