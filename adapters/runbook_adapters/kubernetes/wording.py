"""Words of others: what the users of a cluster wrote into it, made fit for a sentence of ours.

An annotation may be a quarter of a million characters long and hold whatever a terminal obeys; what we say of it is
kept in journals, and read by people who decide.
"""

from __future__ import annotations

LONGEST = 600
SHORT = 120  # of what is only one word of a sentence
_DOTS = "..."


def one_line(text: object, most: int = LONGEST) -> str:
    """Return text as one printable line of at most so many characters; the dots at its end say that it was cut."""
    kept = str(text)[: most * 8]
    printable = "".join(character if character.isprintable() else " " for character in kept)
    line = " ".join(printable.split())
    return line if len(line) <= most else f"{line[: max(most - len(_DOTS), 0)].rstrip()}{_DOTS}"[:most]
