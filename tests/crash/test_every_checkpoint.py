"""A run that is killed anywhere, and goes on in another process, does to the target what an undisturbed run does.

`RUNBOOK_TESTS=long` kills at every place; the short form where something is at stake, and at a sample of the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.cases import SIMULATED, Case, cases, once
from tests.crash.host import Host
from tests.crash.invariants import assert_sound, intents
from tests.crash.mortality import Mortality, places_to_die
from tests.crash.register import INITIAL

CASES = cases(SIMULATED)
IN_DOUBT = {"after-intent", "after-apply", "before-commit"}


def play(case: Case, folder: Path, *deaths: int) -> Host:
    """Play a case with these deaths, each in a folder of its own."""
    own = folder / "-".join(map(str, (case.name, *deaths)))
    own.mkdir()
    return Host(case, own, Mortality(*deaths)).play()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_undisturbed_run_does_what_the_case_says(case: Case, tmp_path: Path) -> None:
    """The yardstick itself: effects, register, status and compensation, and every checkpoint is passed."""
    host = play(case, tmp_path)

    assert case.effects == host.effects
    assert case.register == tuple(value for _, value in host.register.effects)
    assert (case.status, case.compensation) == (host.execution.status, host.execution.compensation)
    assert {"leased", "before-intent", "after-intent", "after-apply", "rested"} <= set(host.mortality.passed)
    assert_sound(host.journal)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_effect_is_lost_or_doubled_when_the_runner_dies_at_any_place(case: Case, tmp_path: Path) -> None:
    """At every place, one death: the same effects, the same end, the same messages, a whole trail."""
    undisturbed = play(case, tmp_path)

    for death in places_to_die(undisturbed.mortality.passed):
        host = play(case, tmp_path, death)

        place = f"killed at {death}, {host.mortality.died_at}"
        assert 2 == host.lives, place
        assert case.effects == host.effects, place
        assert undisturbed.register.effects == host.register.effects, place
        assert undisturbed.told == host.told, place
        ended = (host.execution.status, host.execution.compensation)
        assert (case.status, case.compensation) == ended, place
        trail = host.journal.audit(host.execution.id)
        assert intents(undisturbed.journal.audit(undisturbed.execution.id)) == intents(trail), place
        assert_sound(host.journal)


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_no_effect_is_lost_or_doubled_when_the_next_runner_dies_as_well(case: Case, tmp_path: Path) -> None:
    """Two deaths: at a place, and again while what the first left behind is being taken up."""
    undisturbed = play(case, tmp_path)

    for first in range(1, len(undisturbed.mortality.passed) + 1, 9):
        for later in (1, 2, 4, 7):
            host = play(case, tmp_path, first, first + later)

            place = f"killed at {first} and {first + later}, {host.mortality.died_at}"
            assert case.effects == host.effects, place
            assert undisturbed.told == host.told, place
            assert (case.status, case.compensation) == (host.execution.status, host.execution.compensation), place
            assert_sound(host.journal)


def test_a_change_that_must_not_be_repeated_ends_unknown_when_its_outcome_was_lost(tmp_path: Path) -> None:
    """Never called twice; in doubt a person is told, and whether it happened or not is not guessed."""
    case = once(SIMULATED)
    undisturbed = play(case, tmp_path)
    happened: set[int] = set()

    for death in places_to_die(undisturbed.mortality.passed):
        host = play(case, tmp_path, death)

        place = f"killed at {death}, {host.mortality.died_at}"
        keys = [key for key, _, _ in host.register.calls]
        assert len(set(keys)) == len(keys), place
        status = host.execution.status
        assert status in ("succeeded", "unknown"), place
        if status == "unknown":
            assert host.mortality.died_at[0] in IN_DOUBT, place
            assert ("oncall", "notFixed") in host.told, place
            happened.add(sum(key.endswith("/do") for key, _ in host.register.effects))
        else:
            assert 1 == sum(key.endswith("/do") for key, _ in host.register.effects), place
        if host.execution.compensation == "failed":
            assert ("oncall", "notFixed") in host.told, place
        elif host.register.effects:
            assert INITIAL == host.register.value, place
        assert_sound(host.journal)

    assert {0, 1} == happened


def test_the_notice_of_a_change_in_doubt_says_what_is_not_known(tmp_path: Path) -> None:
    """The sentence that a person reads in the night."""
    case = once(SIMULATED)
    places = play(case, tmp_path).mortality.passed

    host = play(case, tmp_path, places.index("after-apply") + 1)

    texts = [kept.message.text for kept in host.simulated.inbox.messages if kept.receiver == "oncall"]
    assert [
        "unknown: set-register: it is not known whether /checkout/register value closed -> open happened: "
        "the run was interrupted in the middle of it, and it must not be repeated; "
        "its runbook is demoted to approve until a commit changes it"
    ] == texts
