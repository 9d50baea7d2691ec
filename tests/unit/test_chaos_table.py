"""The chaos table: which form its rows are of and from which seeds, and what is said when neither can be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import __main__ as table
from tests.chaos import tally
from tests.chaos.tally import Tally, form_of, keep, seed_of


@pytest.mark.parametrize(("given", "form"), [({}, "short"), ({"RUNBOOK_CHAOS": "long"}, "long")])
def test_form_is_the_short_one_when_nobody_wants_the_long_one(given: dict[str, str], form: str) -> None:
    """The gate sets nothing."""
    assert form == form_of(given)


def test_form_is_refused_when_there_is_none_of_that_name() -> None:
    """Whoever misspells it does not get the short one in silence."""
    with pytest.raises(pytest.UsageError) as caught:
        form_of({"RUNBOOK_CHAOS": "Long"})

    assert "RUNBOOK_CHAOS is 'Long', which is no form (set it to short or long, or leave it out)" == str(caught.value)


def test_seed_is_the_given_one_when_there_is_one() -> None:
    """So that a run can be repeated; without one each run has its own."""
    assert 17 == seed_of({"RUNBOOK_CHAOS_SEED": "17"})
    assert 0 < seed_of({}) < 2**31


@pytest.mark.parametrize("given", ["abc", "-1", "0", "1.5", "\u00b2"])
def test_seed_is_refused_when_it_is_no_number(given: str) -> None:
    """A run from another seed would repeat nothing."""
    with pytest.raises(pytest.UsageError) as caught:
        seed_of({"RUNBOOK_CHAOS_SEED": given})

    says = f"RUNBOOK_CHAOS_SEED is {given!r}, which is no seed (set it to a whole number from 1, or leave it out)"
    assert says == str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("RUNBOOK_CHAOS", "Long", "'Long', which is no form (set it to short or long, or leave it out)"),
        ("RUNBOOK_CHAOS_SEED", "x", "'x', which is no seed (set it to a whole number from 1, or leave it out)"),
    ],
)
def test_table_refuses_in_a_sentence_when_a_variable_cannot_be_read(name: str, given: str, says: str) -> None:
    """As every command does, with the code of what was called wrongly."""
    command = [sys.executable, "-m", "tests.chaos"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, name: given})

    assert (2, "", f"{name} is {says}\n") == (asked.returncode, asked.stdout, asked.stderr)


def test_table_tells_forms_and_seeds_when_rows_are_of_several_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short row beside long ones is not taken for one of them."""
    monkeypatch.setattr(tally, "FOLDER", tmp_path)
    for fault, form, seed in (("a", "long", 7), ("b", "long", 7), ("c", "short", 12)):
        keep(Tally(fault=fault, host="local", tries=1, effects=1, lost=0, doubled=0, form=form, seed=seed))

    assert 0 == table.main()

    *rows, blank, last = capsys.readouterr().out.splitlines()
    assert (5, "") == (len(rows), blank)
    assert "2 rows of the long form, from seed 7; 1 row of the short form, from seed 12" == last
