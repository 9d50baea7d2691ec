"""The tree that errors.py draws is the tree that it defines."""

from __future__ import annotations

import inspect
import re

from runbook_engine import errors


def drawn() -> set[tuple[str, str]]:
    """Return every class of the drawing with its parent, by the depth of its line."""
    assert errors.__doc__ is not None
    found: set[tuple[str, str]] = set()
    above: dict[int, str] = {0: "Exception"}
    for line in errors.__doc__.splitlines():
        tree = re.match(r"^    ((?:│   |    )*)([├└]── )?(?=[A-Z])(.*)$", line)
        if tree is None:
            continue
        depth = len(tree[1]) // 4 + (1 if tree[2] else 0)
        names = re.split(r"  +", tree[3])[0]
        for name in re.findall(r"([A-Z][A-Za-z]+)(?:\([^)]*\))?", names):
            found.add((name, above[depth]))
            above[depth + 1] = name
    return found


def test_every_error_stands_in_the_drawing_where_it_belongs() -> None:
    """Nobody has to read the classes to know what to catch."""
    defined = {
        (name, found.__bases__[0].__name__)
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if found.__module__ == errors.__name__
    }

    assert defined == drawn()


def test_every_error_is_caught_at_the_edge() -> None:
    """One `except RunbookError` is enough."""
    classes = [found for _, found in inspect.getmembers(errors, inspect.isclass) if found.__module__ == errors.__name__]

    assert all(issubclass(found, errors.RunbookError) for found in classes)


def test_errors_with_parts_say_them() -> None:
    """Fields for programs, sentences for people."""
    assert "schema: no labels" == str(errors.InvalidAlert("schema", "no labels"))
    assert "nothing serves flags (name an adapter)" == str(errors.NoAdapter("nothing serves flags", "name an adapter"))
    assert "nothing serves flags" == str(errors.NoAdapter("nothing serves flags"))
