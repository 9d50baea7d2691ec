"""A siege: one kind of attack on one door, each try named, and a row of the table at its end."""

from __future__ import annotations

from tests.attack.tally import Attack, keep


class Siege:
    """Counts what was tried, and keeps what got through."""

    def __init__(self, kind: str, door: str) -> None:
        self.kind = kind
        self.door = door
        self.tries = 0
        self.through: list[str] = []

    def tried(self, name: str, *, refused: bool) -> None:
        """Note one try, and whether it was refused."""
        self.tries += 1
        if not refused:
            self.through.append(name)

    def ends(self, answer: str) -> None:
        """Keep the row: what the attacker saw. Fails with every try that got through, or when nothing was tried."""
        keep(Attack(kind=self.kind, door=self.door, tries=self.tries, through=len(self.through), answer=answer))
        assert self.tries, "nothing was tried"
        assert not self.through, "\n".join(self.through[:20])
