"""Jinja's sandbox, made smaller: nothing can be called, only keys can be looked up, and every text is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runbook_engine.errors import TemplateError
from runbook_engine.templating.lookup import ABSENT, Path, bounded, child, nothing, text_of

FILTERS: Final = (
    *("capitalize", "default", "first", "int", "join", "last", "length", "lower"),
    *("replace", "trim", "truncate", "upper"),
)
TESTS: Final = ("defined", "undefined")
_TOO_DEEP: Final = "a template that is nested too deeply"
_ALLOWED: Final = (
    *(nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test),
    *(nodes.Const, nodes.Concat, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Keyword, nodes.Neg),
)


class Nothing(jinja2.StrictUndefined):
    """A value that is not there: any use is an error."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Looks up keys as plain templates do, and calls nothing."""

    def __init__(self) -> None:
        super().__init__(
            undefined=Nothing, keep_trailing_newline=True, autoescape=False, cache_size=0, finalize=_finalize
        )
        self.globals.clear()
        self.filters = {name: _bounded_filter(self.filters[name]) for name in FILTERS}
        self.tests = {name: self.tests[name] for name in TESTS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up a key, written with a dot."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up a key."""
        if isinstance(obj, jinja2.Undefined):
            return obj
        value = child(obj, argument)
        return self.undefined(hint=nothing(str(argument))) if value is ABSENT else value

    def is_safe_callable(self, obj: Any) -> bool:
        """Nothing may be called."""
        return False

    def compiled(self, text: str) -> Callable[[Mapping[str, Any]], str]:
        """Return the function that fills a template in. Raises TemplateError when it is no valid template."""
        self.checked(text)
        try:
            template = self.from_string(text)
        except RecursionError as error:
            raise TemplateError(_TOO_DEEP) from error

        def fill(variables: Mapping[str, Any]) -> str:
            try:
                return template.render(variables)
            except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
                raise TemplateError(str(error)) from error

        return fill

    def paths(self, text: str) -> Iterator[Path]:
        """Yield the longest path of every lookup. Raises TemplateError when it is no valid template."""
        yield from _paths(self.checked(text))

    def checked(self, text: str) -> nodes.Template:
        """Return a template's tree. Raises TemplateError for more than paths, text, filters and choices."""
        try:
            tree = self.parse(text)
            for node in _descendants(tree):
                self._check(node)
        except jinja2.TemplateError as error:
            raise TemplateError(f"not a template: {error}") from error
        except RecursionError as error:
            raise TemplateError(_TOO_DEEP) from error
        return tree

    def _check(self, node: nodes.Node) -> None:
        if not isinstance(node, _ALLOWED):
            raise TemplateError(f"a template only looks up, chooses and filters ({type(node).__name__} is not allowed)")
        if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
            raise TemplateError('a template looks up by a fixed key, as in alert.labels["name"]')
        if isinstance(node, nodes.Filter) and node.name not in self.filters:
            raise TemplateError(f'unknown filter "{node.name}" (known: {", ".join(sorted(FILTERS))})')
        if isinstance(node, nodes.Test) and node.name not in self.tests:
            raise TemplateError(f'unknown test "{node.name}" (known: {", ".join(sorted(TESTS))})')


def _finalize(value: Any) -> Any:
    return value if isinstance(value, jinja2.Undefined) else text_of(value, "the expression")


def _bounded_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that takes and gives no text beyond the limit."""

    def filtered(*arguments: Any, **options: Any) -> Any:
        for argument in (*arguments, *options.values()):
            if isinstance(argument, str):
                bounded(argument)
            elif isinstance(argument, Mapping):
                raise TemplateError("a filter takes text, a number or a list, not a map")
        result = function(*arguments, **options)
        return bounded(result) if isinstance(result, str) else result

    passing = getattr(function, "jinja_pass_arg", None)  # whether Jinja hands the environment in first
    if passing is not None:
        filtered.jinja_pass_arg = passing  # type: ignore[attr-defined]  # Jinja's own way to mark a filter
    return filtered


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
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        inner = _path_of(node.node)
        return (*inner, node.attr) if inner else ()
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        inner = _path_of(node.node)
        return (*inner, str(node.arg.value)) if inner else ()
    return ()
