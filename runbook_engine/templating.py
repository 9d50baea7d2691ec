"""Templates: `{{ ... }}` in an author's text, filled from `inputs` and `alert`. Results are text and never code.

What fills a template is hostile, so values are only ever looked up by key: no attribute, method or call is
reachable, a rendered value is never rendered again, and lengths are bounded. A template that only names paths
is a plain lookup; Jinja's sandbox is loaded for the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from runbook_engine.errors import TemplateError

if TYPE_CHECKING:
    import jinja2
    from jinja2 import nodes

MAX_TEMPLATE: Final = 1024
MAX_TEXT: Final = 4096
_MAX_COMPILED: Final = 1024

FILTERS: Final = (
    *("capitalize", "default", "first", "int", "join", "last", "length", "lower"),
    *("replace", "trim", "truncate", "upper"),
)
TESTS: Final = ("defined", "undefined")

Path = tuple[str, ...]
Compiled = Callable[[Mapping[str, Any]], str]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_KEY = r"""\[\s*(?:"[^"\\]*"|'[^'\\]*')\s*\]"""
_PATH = re.compile(rf"\s*({_NAME}(?:\s*\.\s*{_NAME}|\s*{_KEY})*)\s*")
_PART = re.compile(rf"""({_NAME})|\[\s*"([^"\\]*)"\s*\]|\[\s*'([^'\\]*)'\s*\]""")
_OPENING = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_ABSENT: Final = object()


def is_template(text: str) -> bool:
    """Say whether a text has anything to fill in."""
    return "{{" in text or "{%" in text


def parse_path(text: str) -> Path | None:
    """Return the parts of `inputs.node` or `alert.labels["k8s.pod"]`, or None when it is no path."""
    if not _PATH.fullmatch(text):
        return None
    return tuple(next(part for part in found.groups() if part is not None) for found in _PART.finditer(text))


def look_up(path: Path, variables: Mapping[str, Any]) -> Any:
    """Return the value at a path. Raises TemplateError when there is none."""
    value: Any = variables
    for count, part in enumerate(path, start=1):
        value = _child(value, part)
        if value is _ABSENT:
            raise TemplateError(_nothing(".".join(path[:count])))
    return value


def variables_of(text: str) -> tuple[Path, ...]:
    """Return every path that a template reads, in order. Raises TemplateError when it is no valid template."""
    if not is_template(text):
        return ()
    segments = _segments(text)
    if segments is not None:
        return tuple(dict.fromkeys(segment for segment in segments if isinstance(segment, tuple)))
    return tuple(dict.fromkeys(_paths(_checked(_environment(), text))))


class Templates:
    """Renders templates, and keeps each one compiled; one object belongs to one engine."""

    def __init__(self) -> None:
        self._compiled: dict[str, Compiled] = {}
        self._environment: jinja2.Environment | None = None

    def render(self, text: str, variables: Mapping[str, Any]) -> str:
        """Return the text with its templates filled in; plain text is returned as it is."""
        if not is_template(text):
            return text
        compiled = self._compiled.get(text)
        if compiled is None:
            compiled = self._compile(text)
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.clear()
            self._compiled[text] = compiled
        return _bounded(compiled(variables))

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
        if segments is not None:
            return lambda variables: "".join(_filled(segment, variables) for segment in segments)
        if self._environment is None:
            self._environment = _environment()
        _checked(self._environment, text)
        return _guarded(self._environment.from_string(text))


def _segments(text: str) -> tuple[str | Path, ...] | None:
    """Return text and paths in turn, or None when an expression is more than a path."""
    _refuse_statements(text)
    segments: list[str | Path] = []
    for piece in _OPENING.split(text):
        path = parse_path(piece[2:-2]) if _OPENING.fullmatch(piece) else None
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


def _filled(segment: str | Path, variables: Mapping[str, Any]) -> str:
    return segment if isinstance(segment, str) else _text(look_up(segment, variables), ".".join(segment))


def _child(value: Any, key: Any) -> Any:
    """Return what a map holds under a key, or a struct in a public field. Nothing else has children."""
    if isinstance(value, Mapping):
        return value.get(key, _ABSENT)
    if isinstance(value, msgspec.Struct) and key in value.__struct_fields__:
        return getattr(value, key)
    return _ABSENT


def _text(value: Any, name: str) -> str:
    """Return a value as the text that is filled in."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return _bounded(str(value))
    raise TemplateError(f"{name} is {_kind(value)}, and only text or a number can be filled in")


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    return "a map" if isinstance(value, Mapping | msgspec.Struct) else "a list"


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise TemplateError(f"the rendered text has {len(text)} characters, more than {MAX_TEXT}")
    return text


def _nothing(name: str) -> str:
    return f"{name} has no value"


# --- Jinja, for templates that are more than a path ---------------------------------------------------------------


def _environment() -> jinja2.Environment:
    """Return a sandbox in which nothing can be called and only keys can be looked up."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Nothing(jinja2.StrictUndefined):
        """A value that is not there: any use is an error."""

    class Sandbox(ImmutableSandboxedEnvironment):
        """Looks up keys as plain templates do, and calls nothing."""

        def getattr(self, obj: Any, attribute: str) -> Any:
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            if isinstance(obj, jinja2.Undefined):
                return obj
            value = _child(obj, argument)
            return self.undefined(hint=_nothing(str(argument))) if value is _ABSENT else value

        def is_safe_callable(self, obj: Any) -> bool:
            return False

    def finalize(value: Any) -> Any:
        return value if isinstance(value, jinja2.Undefined) else _text(value, "the expression")

    environment = Sandbox(
        undefined=Nothing, keep_trailing_newline=True, autoescape=False, cache_size=0, finalize=finalize
    )
    environment.globals.clear()
    known = {name: environment.filters[name] for name in FILTERS}
    environment.filters.clear()
    environment.filters.update({name: _bounded_filter(function) for name, function in known.items()})
    tests = {name: environment.tests[name] for name in TESTS}
    environment.tests.clear()
    environment.tests.update(tests)
    return environment


def _bounded_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that takes and gives no text beyond the limit."""

    def filtered(*arguments: Any, **options: Any) -> Any:
        for argument in (*arguments, *options.values()):
            if isinstance(argument, str):
                _bounded(argument)
        result = function(*arguments, **options)
        return _bounded(result) if isinstance(result, str) else result

    passing = getattr(function, "jinja_pass_arg", None)  # whether Jinja hands the environment in first
    if passing is not None:
        filtered.jinja_pass_arg = passing  # type: ignore[attr-defined]  # Jinja's own way to mark a filter
    return filtered


def _guarded(template: jinja2.Template) -> Compiled:
    from jinja2 import TemplateError as JinjaError

    def compiled(variables: Mapping[str, Any]) -> str:
        try:
            return template.render(variables)
        except (JinjaError, TypeError, ValueError, ArithmeticError) as error:
            raise TemplateError(str(error)) from error

    return compiled


def _checked(environment: jinja2.Environment, text: str) -> nodes.Template:
    """Return the template's tree. Raises TemplateError for anything beyond paths, text, filters and choices."""
    from jinja2 import TemplateError as JinjaError
    from jinja2 import nodes

    try:
        tree = environment.parse(text)
    except JinjaError as error:
        raise TemplateError(f"not a template: {error}") from error
    allowed = (
        *(nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test),
        *(nodes.Const, nodes.Concat, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
        *(nodes.Keyword, nodes.Neg),
    )
    for node in _descendants(tree):
        if not isinstance(node, allowed):
            raise TemplateError(f"a template only looks up, chooses and filters ({type(node).__name__} is not allowed)")
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            raise TemplateError('a template looks up by a fixed key, as in alert.labels["name"]')
        if isinstance(node, nodes.Filter) and node.name not in environment.filters:
            raise TemplateError(f'unknown filter "{node.name}" (known: {", ".join(sorted(environment.filters))})')
        if isinstance(node, nodes.Test) and node.name not in environment.tests:
            raise TemplateError(f'unknown test "{node.name}" (known: {", ".join(sorted(environment.tests))})')
    return tree


def _descendants(node: nodes.Node) -> Iterator[nodes.Node]:
    for below in node.iter_child_nodes():
        yield below
        yield from _descendants(below)


def _paths(node: nodes.Node) -> Iterator[Path]:
    """Yield the longest path of every lookup in a tree."""
    for below in node.iter_child_nodes():
        path = _path_of(below)
        if path:
            yield path
        else:
            yield from _paths(below)


def _path_of(node: nodes.Node) -> Path:
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        inner = _path_of(node.node)
        return (*inner, node.attr) if inner else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        inner = _path_of(node.node)
        return (*inner, str(node.arg.value)) if inner else ()
    return ()
