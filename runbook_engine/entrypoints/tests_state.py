"""The state of tests: what became of the RunbookTests that stand beside the runbooks of this start of the runner.

Kept by the digest of a runbook, so that it never speaks for one that was written otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec

from runbook_engine.model.decoding import from_json

NAME = "tests.json"
MOST_NAMED = 3


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the tests of one runbook."""

    __test__: ClassVar[bool] = False  # pytest need not look for tests in it

    passed: int = 0
    failed: tuple[str, ...] = ()  # their names


class TestsState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all tests; `problem` is why they could not be run."""

    __test__: ClassVar[bool] = False

    tested: dict[str, Tested] = {}  # by digest
    problem: str = ""


def write_state(folder: Path, state: TestsState) -> None:
    """Keep it for the web processes, all at once. Raises OSError."""
    unfinished = folder / f".{NAME}"
    unfinished.write_bytes(msgspec.json.encode(state))
    unfinished.replace(folder / NAME)


def read_state(folder: Path) -> TestsState | None:
    """Return what became of the tests; None while they run, or when nobody can tell."""
    try:
        return from_json((folder / NAME).read_bytes(), TestsState)
    except (OSError, msgspec.MsgspecError):
        return None


def say_tests(state: TestsState | None, digest: str) -> str:
    """Return how the tests of a runbook stand."""
    if state is None:
        return "not known: they run once the runner has started, and its log says why when they do not end"
    if state.problem:
        return f"could not be run: {state.problem}"
    tested = state.tested.get(digest)
    if tested is None:
        return "none beside it"
    if not tested.failed:
        return f"all {tested.passed} pass" if tested.passed > 1 else "the only one passes"
    named = ", ".join(tested.failed[:MOST_NAMED])
    more = f" and {len(tested.failed) - MOST_NAMED} more" if len(tested.failed) > MOST_NAMED else ""
    return f"{len(tested.failed)} of {tested.passed + len(tested.failed)} fail: {named}{more}"
