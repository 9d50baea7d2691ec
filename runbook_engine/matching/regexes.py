"""Load RE2 patterns: the one place that knows the library, imported when the first pattern is met.

Python's own `re` is no stand-in: it reads the same pattern differently and takes exponential time on values that an
attacker chooses. Without RE2 a pattern is therefore refused, never approximated.
"""

from __future__ import annotations

from collections.abc import Callable

from runbook_engine.model.matcher_grammar import MatcherError

Predicate = Callable[[str], object]  # truthy = the text matches
MEMORY = 8 * 1024 * 1024


def compile_pattern(pattern: str) -> Predicate:
    """Return the test whether a whole text matches, as Alertmanager anchors it; raise MatcherError on a bad pattern."""
    try:
        import re2
    except ImportError as error:
        raise MatcherError(
            f'the pattern "{pattern}" needs the RE2 library, which is not installed', 0, "pip install google-re2"
        ) from error
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MEMORY
    try:
        compiled: Predicate = re2.compile(pattern, options).fullmatch
    except re2.error as error:
        raise MatcherError(f'"{pattern}" is not a valid RE2 pattern: {_reason(error)}', 0, _remedy(pattern)) from error
    return compiled


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else "unknown error"
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _remedy(pattern: str) -> str:
    if any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!")):
        return "RE2 has no look-around; write two matchers, one of them with !~"
    if any(f"\\{digit}" in pattern for digit in "123456789"):
        return "RE2 has no back-references"
    if pattern.startswith(("*", "+", "?")):
        return "this is a regular expression and not a glob; any text is .*"
    return ""
