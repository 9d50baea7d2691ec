"""Templates: `{{ ... }}` in an author's text, filled from `inputs` and `alert`. Results are text and never code.

What fills a template is hostile, so values are only ever looked up by key: no attribute, method or call is
reachable, a rendered value is never rendered again, and lengths are bounded. A template that only names paths
is a plain lookup; Jinja's sandbox is loaded for the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from runbook_engine.errors import TemplateError
from runbook_engine.templating.lookup import MAX_TEXT, Path, bounded, look_up, parse_path, text_of

if TYPE_CHECKING:
    from runbook_engine.templating.sandbox import Sandbox

__all__ = ["MAX_TEMPLATE", "MAX_TEXT", "Path", "Templates", "is_template", "look_up", "parse_path", "variables_of"]

MAX_TEMPLATE: Final = 1024
_MAX_COMPILED: Final = 1024
_OPENING = re.compile(r"(\{\{.*?\}\})", re.DOTALL)

Compiled = Callable[[Mapping[str, Any]], str]


def is_template(text: str) -> bool:
    """Say whether a text has anything to fill in."""
    return "{{" in text or "{%" in text


def variables_of(text: str) -> tuple[Path, ...]:
    """Return every path that a template reads, in order. Raises TemplateError when it is no valid template."""
    if not is_template(text):
        return ()
    segments = _segments(text)
    if segments is not None:
        return tuple(dict.fromkeys(segment for segment in segments if isinstance(segment, tuple)))
    return tuple(dict.fromkeys(_load_sandbox().paths(text)))


class Templates:
    """Renders templates, and keeps each one compiled; one object belongs to one engine."""

    def __init__(self) -> None:
        self._compiled: dict[str, Compiled] = {}
        self._sandbox: Sandbox | None = None

    def render(self, text: str, variables: Mapping[str, Any]) -> str:
        """Return the text with its templates filled in; plain text is returned as it is."""
        compiled = self._compiled.get(text)
        if compiled is None:
            if not is_template(text):
                return text
            compiled = self._compile(text)
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.clear()
            self._compiled[text] = compiled
        return bounded(compiled(variables))

    def render_values(self, value: Any, variables: Mapping[str, Any]) -> Any:
        """Return a nested value with every text in it rendered; keys stay as they are."""
        if isinstance(value, str):
            return self.render(value, variables)
        if isinstance(value, Mapping):
            return {key: self.render_values(item, variables) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.render_values(item, variables) for item in value]
        return value

    def _compile(self, text: str) -> Compiled:
        segments = _segments(text)
        if segments is not None and len(segments) == 1 and isinstance(segments[0], tuple):
            path, name = segments[0], ".".join(segments[0])
            return lambda variables: text_of(look_up(path, variables), name)
        if segments is not None:
            return _joined(segments)
        if self._sandbox is None:
            self._sandbox = _load_sandbox()
        return self._sandbox.compiled(text)


def _segments(text: str) -> tuple[str | Path, ...] | None:
    """Return text and paths in turn, or None when an expression is more than a path."""
    _refuse_statements(text)
    segments: list[str | Path] = []
    for at, piece in enumerate(_OPENING.split(text)):
        path = parse_path(piece[2:-2]) if at % 2 else None  # text and openings in turn
        if path is None and ("{{" in piece or "}}" in piece):
            return None
        segments.append(piece if path is None else path)
    return tuple(segment for segment in segments if segment)


def _refuse_statements(text: str) -> None:
    if len(text) > MAX_TEMPLATE:
        raise TemplateError(f"the template has {len(text)} characters, more than {MAX_TEMPLATE}")
    for opening, noun in (("{%", "statements"), ("{#", "comments")):
        if opening in text:
            raise TemplateError(f"a template has no {noun} ({opening}), only {{{{ ... }}}}")


def _joined(segments: tuple[str | Path, ...]) -> Compiled:
    """Return what fills paths into the text between them; which is which is asked once, and not at every rendering."""
    pieces = [segment if isinstance(segment, str) else "" for segment in segments]
    paths = [(at, path, ".".join(path)) for at, path in enumerate(segments) if isinstance(path, tuple)]

    def fill(variables: Mapping[str, Any]) -> str:
        filled = pieces.copy()
        for at, path, name in paths:
            filled[at] = text_of(look_up(path, variables), name)
        return "".join(filled)

    return fill


def _load_sandbox() -> Sandbox:
    """Load Jinja, for templates that are more than a path."""
    from runbook_engine.templating.sandbox import Sandbox

    return Sandbox()
