"""Translate the many words for severity into seven, without ever guessing."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.model.alert import Severity

_BY_SEVERITY: Mapping[Severity, tuple[str, ...]] = {
    "critical": ("critical", "page", "emergency", "fatal", "p1", "sev0"),
    "high": ("error", "high", "major", "p2", "sev1"),
    "warning": ("warning", "warn", "medium", "minor", "p3", "sev2"),
    "low": ("low", "p4", "sev3"),
    "info": ("info", "notice", "p5", "sev4"),
    "none": ("none", "no severity"),
}
WORDS: Mapping[str, Severity] = {word: severity for severity, words in _BY_SEVERITY.items() for word in words}

_SCORES: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "warning"), (0.0, "low"))
HIGHEST_SCORE = 10.0


def severity_of(raw: str, overrides: Mapping[str, Severity]) -> Severity:
    """Return the severity that the raw word means; an installation's own words win."""
    word = raw.strip().lower()
    if overrides and (chosen := overrides.get(word) or overrides.get(raw)):
        return chosen
    return WORDS.get(word) or _from_score(word)


def _from_score(word: str) -> Severity:
    if not word or not word.isascii() or not word.replace(".", "", 1).isdigit():
        return "unknown"
    score = float(word)
    if score > HIGHEST_SCORE:
        return "unknown"
    return next(severity for least, severity in _SCORES if score >= least)
