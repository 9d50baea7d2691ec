"""Names: what a function, a queue or a parameter may be called, as written or within what the allow-list has.

What the alert says is not known before, so there a pattern of the allow-list stands: `*` and `?` mean the same in it
and in IAM, save that IAM's `*` reaches over a `/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import msgspec

from runbook_engine.model.configuration import Configuration
from runbook_engine.templating import is_template

SET = re.compile(r"\[[^\]]*\]")  # one of several characters: IAM has no word for it but any


class Named(msgspec.Struct, frozen=True, order=True):
    """One name, which may have wildcards; of a function with the alias, empty = the function as a whole."""

    name: str
    alias: str = ""


def named_of(kind: str, written: str, configuration: Configuration) -> tuple[Named, ...]:
    """Return what a target of this kind may be called: nothing, when the allow-list has nothing of it."""
    if kind != "function":
        return named_by(kind, written, configuration)
    name, _, alias = written.partition(":")
    return tuple(sorted(set(_functions(name, alias, configuration))))


def named_by(kind: str, written: str, configuration: Configuration) -> tuple[Named, ...]:
    """Return the names that are allowed of what is written: itself, or of a template every pattern of the list."""
    patterns = tuple(_patterns(kind, configuration))
    if written and not is_template(written):
        return (Named(written),) if any(_fits(written, pattern) for pattern in patterns) else ()
    return tuple(sorted({Named(_as_iam(pattern)) for pattern in patterns}))


def _functions(name: str, alias: str, configuration: Configuration) -> Iterator[Named]:
    for pattern in _patterns("function", configuration):
        allowed, colon, allowed_alias = pattern.partition(":")
        if not colon:  # a `*` at its end takes in every alias
            allowed_alias = "*" if allowed.endswith("*") else ""
        if bool(alias) != bool(allowed_alias) and not (not alias and not colon):
            continue
        literal, literal_alias = not is_template(name), alias if not is_template(alias) else ""
        if literal and not fnmatchcase(name, allowed):
            continue
        if literal_alias and not fnmatchcase(literal_alias, allowed_alias):
            continue
        said = literal_alias or (_as_iam(allowed_alias) if alias else "")
        yield Named(name if literal else _as_iam(allowed), said)


def _patterns(kind: str, configuration: Configuration) -> Iterator[str]:
    for pattern in configuration.targets:
        of_kind, _, rest = pattern.partition("=")
        if pattern == "*":
            yield "*" if kind != "parameter" else "/*"
        elif of_kind in (kind, "*"):
            yield rest


def _fits(name: str, pattern: str) -> bool:
    """Whether a pattern covers a name; `*` does not reach over a `/`."""
    parts, globs = name.split("/"), pattern.split("/")
    if pattern == "/*":
        return True
    return len(parts) == len(globs) and all(fnmatchcase(part, glob) for part, glob in zip(parts, globs, strict=True))


def _as_iam(pattern: str) -> str:
    return SET.sub("?", pattern)
