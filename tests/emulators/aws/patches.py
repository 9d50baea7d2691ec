"""Replaced attributes of moto's modules and classes, put back in the reverse order."""

from typing import Any

MISSING = object()


class Patches:
    """What was replaced, and by what it has to be replaced again."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any]] = []

    def replace(self, place: Any, name: str, value: Any) -> Any:
        """Replace an attribute; return what it was. An attribute that is gone fails here, not in silence."""
        original = getattr(place, name)
        self._done.append((place, name, vars(place).get(name, MISSING)))
        setattr(place, name, value)
        return original

    def undo(self) -> None:
        """Put everything back."""
        while self._done:
            place, name, original = self._done.pop()
            if original is MISSING:
                delattr(place, name)
            else:
                setattr(place, name, original)
