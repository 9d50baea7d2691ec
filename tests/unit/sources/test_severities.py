"""Severity words are translated, never guessed."""

from __future__ import annotations

import pytest

from runbook_engine.sources.severities import severity_of


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("critical", ["critical", " Critical ", "PAGE", "emergency", "fatal", "P1", "Sev0", "9", "10", "9.5"]),
        ("high", ["error", "high", "major", "P2", "sev1", "7", "8.9"]),
        ("warning", ["warning", "WARN", "medium", "minor", "P3", "Sev2", "4", "6.9"]),
        ("low", ["low", "P4", "Sev3", "3.9", "0"]),
        ("info", ["info", "notice", "P5", "Sev4"]),
        ("none", ["none", "No severity"]),
        ("unknown", ["", "urgent", "P6", "11", "-1", "1e1", "٣", "nan", ".", "9.9.9"]),
    ],
)
def test_a_word_has_its_severity(severity: str, words: list[str]) -> None:
    """Whatever its case and the space around it."""
    assert {severity_of(word, {}) for word in words} == {severity}


def test_an_installations_own_word_wins_when_it_has_one() -> None:
    """Over the built-in words too."""
    assert severity_of("Page", {"page": "warning"}) == "warning"
