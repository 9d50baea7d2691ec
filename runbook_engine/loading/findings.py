"""What is found in one document: paths become places, and a trap that was explained is not reported again."""

from __future__ import annotations

from functools import cached_property

from runbook_engine.loading.diagnostics import Source
from runbook_engine.loading.yaml_tree import (
    Node,
    Path,
    Place,
    Plain,
    Scalar,
    key_place,
    plain,
    resolve,
    scalars,
    value_place,
)
from runbook_engine.model.diagnostic import Diagnostic, Severity
from runbook_engine.model.matcher import Matcher

_OWNERS = {"steps": "step", "tests": "test"}


class Findings:
    """Collects the diagnostics of one document, and of the part that it uses: each is told in its own file."""

    def __init__(self, source: Source, root: Node, *, part: Source | None = None, used_at: int = 0) -> None:
        self.source = source
        self.root = root
        self._part = part
        self._used_at = used_at
        self.diagnostics: list[Diagnostic] = []
        self.explained: set[Path] = set()
        self.matchers: dict[Path, tuple[Matcher, ...]] = {}  # those that are right, by the path of their list

    @cached_property
    def content(self) -> Plain:
        """The document as plain Python values."""
        return plain(self.root)

    @cached_property
    def scalars(self) -> list[tuple[Path, Scalar]]:
        """Every single value of the document with its path: several rules look at all of them."""
        return scalars(self.root)

    @property
    def failed(self) -> bool:
        """Whether anything found is an error."""
        return any(found.severity == "error" for found in self.diagnostics)

    def error(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Report an error at the value of a path."""
        self.at(value_place(self.root, path), code, message, hint)

    def error_at_key(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Report an error at the key of a path."""
        self.at(key_place(self.root, path), code, message, hint)

    def at(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Report an error at a place."""
        self._add(place, code, message, hint, "error")

    def warning(self, path: Path, code: str, message: str, hint: str = "") -> None:
        """Report a warning at the value of a path."""
        self._add(value_place(self.root, path), code, message, hint, "warning")

    def node(self, path: Path) -> Node | None:
        """Return the node at a path, or None."""
        found, taken = resolve(self.root, path)
        return found if taken == path else None

    def where(self, path: Path) -> str:
        """Return where a field stands, as in `"compensate" of step "add-capacity"`."""
        owner = self._owner(path)
        keys = [part for part in path if isinstance(part, str)]
        inner = keys[-1] if keys else ""
        if owner and inner in _OWNERS:
            return owner
        if not keys:
            return f'kind "{_entry(self.content, "kind")}"'
        return f'"{inner}" of {owner}' if owner else f'"{inner}"'

    def _add(self, place: Place, code: str, message: str, hint: str, severity: Severity) -> None:
        source = self.source
        if self._part is not None and place.file:
            source, message = self._part, f"{message} (used by {self.source.file}:{self._used_at})"
        self.diagnostics.append(source.diagnostic(place, code, message, hint, severity=severity))

    def _owner(self, path: Path) -> str:
        if len(path) < 2 or path[0] not in _OWNERS or not isinstance(path[1], int):
            return ""
        found, taken = resolve(self.root, path[:2])
        name = _entry(plain(found), "name") if len(taken) == 2 else ""
        return f'{_OWNERS[str(path[0])]} "{name or path[1] + 1}"'


def _entry(content: Plain, key: str) -> str:
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""
