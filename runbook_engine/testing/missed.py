"""A miss: one thing that is not as a test expects it, as a sentence and beside the timeline."""

from __future__ import annotations

from typing import NamedTuple


class Miss(NamedTuple):
    """What was expected of what, and what it is instead. Without an expectation, `what` is the whole sentence."""

    what: str
    expected: str = ""
    actual: str = ""

    def __str__(self) -> str:
        """Return the miss as one sentence."""
        return f"{self.what}: expected {self.expected}, it is {self.actual}" if self.expected else self.what

    @property
    def beside(self) -> tuple[str, ...]:
        """The miss as the timeline shows it, what was expected over what was."""
        if not self.expected:
            return (f"> failed    {self.what}",)
        return f"> expected  {self.what}: {self.expected}", f"> was       {self.what}: {self.actual}"


def differs(what: str, wanted: object, actual: object, why: str = "") -> Miss:
    """Return the miss between two values, and why it is so if somebody said."""
    return Miss(what, show(wanted), f"{show(actual)} ({why})" if why else show(actual))


def show(value: object) -> str:
    """Return a value as tests write it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(str(item) for item in value)}]"
    return "absent" if value is None else str(value)
