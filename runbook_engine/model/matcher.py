"""One label condition of a runbook, with the place in the file where its author wrote it."""

from typing import Literal

import msgspec

Operator = Literal["=", "!=", "=~", "!~"]


class Matcher(msgspec.Struct, frozen=True):
    """A condition on one label; a label that is absent reads as the empty string."""

    name: str
    op: Operator
    value: str
    text: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    @property
    def is_regex(self) -> bool:
        """Whether the value is an RE2 pattern."""
        return self.op in ("=~", "!~")

    @property
    def is_negative(self) -> bool:
        """Whether the condition holds when the comparison fails."""
        return self.op in ("!=", "!~")
