"""What an attack came to: each test of an attack leaves its row of the table in docs/security.md."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runbook_engine.model.decoding import from_json

FOLDER = Path("build/attack")


class Attack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row: what was tried against which door, how many tries, how many got through, and what the attacker saw."""

    kind: str
    door: str
    tries: int
    through: int
    answer: str


def keep(attack: Attack) -> Attack:
    """Write a row where the table is made of, and return it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = "-".join("".join(letter if letter.isalnum() else " " for letter in f"{attack.kind} {attack.door}").split())
    (FOLDER / f"{name.lower()}.json").write_bytes(msgspec.json.encode(attack))
    return attack


def kept() -> list[Attack]:
    """Return the rows of the last run, by kind and door."""
    rows = [from_json(path.read_bytes(), Attack) for path in FOLDER.glob("*.json")]
    return sorted(rows, key=lambda row: (row.kind, row.door))
