"""Turn the shape of a matcher into a test on the label's value; absent reads as the empty string.

A test is an operation and its argument, not a closure: of a hundred thousand rules, one call then touches a fraction of
the memory that a function with its cells is spread over.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, assert_never

from runbook_engine.matching.regexes import Predicate, compile_pattern
from runbook_engine.matching.shapes import Shape, read_pattern, shape_of
from runbook_engine.model.matcher import Matcher

Operation = Callable[[Any, str], object]  # truthy = holds


class Trial(NamedTuple):
    """What is called with the argument and a value to know whether a condition holds."""

    operation: Operation
    argument: Any


def trial_of(shape: Shape) -> Trial:
    """Return the test of a shape. Raises MatcherError when RE2 refuses the pattern, or is needed and not installed."""
    trial = _accepting(shape)
    if not shape.refuses:
        return trial
    return Trial(_refused, trial)


def condition(matcher: Matcher) -> Predicate:
    """Return the test that the matcher puts to its label's value."""
    return _predicate(shape_of(matcher))


def pattern_test(pattern: str) -> Predicate:
    """Return the test whether a whole text matches the pattern."""
    return _predicate(read_pattern(pattern).shape)


def holds(matcher: Matcher, value: str) -> bool:
    """Whether the matcher holds for this value of its label."""
    return bool(condition(matcher)(value))


def _predicate(shape: Shape) -> Predicate:
    trial = trial_of(shape)
    return partial(trial.operation, trial.argument)


def _accepting(shape: Shape) -> Trial:
    match shape.kind:
        case "is":
            return Trial(operator.eq, shape.texts[0])
        case "is not":
            return Trial(operator.ne, shape.texts[0])
        case "one of":
            return Trial(operator.contains, frozenset(shape.texts))
        case "begins":
            return Trial(_begins, (*shape.texts, shape.least))
        case "ends":
            return Trial(_ends, (*shape.texts, shape.least))
        case "begins then":
            return Trial(_begins_then, (*shape.texts, shape.least))
        case "matches":
            matches = compile_pattern(shape.texts[0])
            return Trial(_begins_and, (shape.texts[1:], matches)) if shape.texts[1:] else Trial(operator.call, matches)
        case kind:
            assert_never(kind)


def _begins(wanted: tuple[str, int], value: str) -> bool:
    text, least = wanted
    return len(value) >= least and value.startswith(text) and "\n" not in value


def _ends(wanted: tuple[str, int], value: str) -> bool:
    text, least = wanted
    return len(value) >= least and value.endswith(text) and "\n" not in value


def _begins_then(wanted: tuple[str, str, int], value: str) -> bool:
    text, characters, least = wanted
    return len(value) >= least and value.startswith(text) and not value[len(text) :].strip(characters)


def _begins_and(wanted: tuple[tuple[str, ...], Predicate], value: str) -> object:
    """Ask RE2, which takes microseconds, only about values that begin as every match does."""
    first, matches = wanted
    return value.startswith(first) and matches(value)


def _refused(trial: Trial, value: str) -> bool:
    operation, argument = trial
    return not operation(argument, value)
