"""What a fault did: each chaos test counts at the target, and leaves its row of the table in docs/faults.md.

`make chaos` runs the long form and prints the table; the gate runs the short one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from runbook_engine.model.decoding import from_json

FORMS = ("short", "long")


def form_of(environment: Mapping[str, str]) -> str:
    """Return which form is wanted. Raises UsageError."""
    form = environment.get("RUNBOOK_CHAOS") or "short"
    if form not in FORMS:
        remedy = "set it to short or long, or leave it out"
        raise pytest.UsageError(f"RUNBOOK_CHAOS is {form!r}, which is no form ({remedy})")
    return form


def seed_of(environment: Mapping[str, str]) -> int:
    """Return what a run can be repeated from: the given seed, or one of its own. Raises UsageError."""
    given = environment.get("RUNBOOK_CHAOS_SEED", "")
    if not given:
        return random.SystemRandom().randrange(1, 2**31)
    if not (given.isdecimal() and int(given)):
        remedy = "set it to a whole number from 1, or leave it out"
        raise pytest.UsageError(f"RUNBOOK_CHAOS_SEED is {given!r}, which is no seed ({remedy})")
    return int(given)


FORM = form_of(os.environ)
LONG = FORM == "long"
SEED = seed_of(os.environ)
FOLDER = Path("build/chaos")


class Tally(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row: a fault at a host, how often it was tried, and what the target and the journal had to say.

    An effect is one change as the target counts it. `doubtful` are those of which nobody could know whether they were
    made; each must be UNKNOWN in the journal and paged. A row is sound when lost, doubled, unpaged and broken are 0.
    """

    fault: str
    host: str
    tries: int
    effects: int  # wanted, over all tries
    lost: int
    doubled: int
    doubtful: int = 0
    unpaged: int = 0  # doubtful ones that nobody heard of
    broken: int = 0  # audit trails that do not verify
    remark: str = ""
    form: str = FORM
    seed: int = SEED

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled, kept quiet or altered."""
        return not (self.lost or self.doubled or self.unpaged or self.broken)


def tries(short: int, long: int) -> int:
    """Return how often a fault is tried: `long` by night, `short` in the gate."""
    return long if LONG else short


def keep(tally: Tally) -> Tally:
    """Write a row where the table is made of, and return it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = "-".join("".join(letter if letter.isalnum() else " " for letter in f"{tally.host} {tally.fault}").split())
    (FOLDER / f"{name.lower()}.json").write_bytes(msgspec.json.encode(tally))
    return tally


def kept() -> list[Tally]:
    """Return the rows of the last runs, by host and fault."""
    rows = [from_json(path.read_bytes(), Tally) for path in FOLDER.glob("*.json")]
    return sorted(rows, key=lambda row: (row.host, row.fault))
