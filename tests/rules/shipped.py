"""The shipped rule files, read as text and structure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILES = tuple(sorted(ROOT.glob("helm/*/rules/*.yaml")))
ENGINE = "runbook-engine.rules.yaml"
NAME = re.compile(r"\b(?:checkout|runbook|queue)[_:][a-zA-Z0-9_:]+")
LABELS = re.compile(r"\{[^}]*\}|\b(?:by|on|ignoring|group_left|group_right)\s*\([^)]*\)|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a shipped file."""

    file: Path
    name: str
    is_alert: bool
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def __str__(self) -> str:
        """Return where it stands."""
        return f"{self.name} of {self.file.name}"

    @property
    def series(self) -> frozenset[str]:
        """The series of ours that it reads, recorded or exposed."""
        return frozenset(NAME.findall(LABELS.sub(" ", self.expression)))


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule of every file."""
    return tuple(rule for file in FILES for rule in _rules(file))


def alerts() -> tuple[Rule, ...]:
    """Return those that alert."""
    return tuple(rule for rule in rules() if rule.is_alert)


def recorded() -> frozenset[str]:
    """Return the names that are recorded."""
    return frozenset(rule.name for rule in rules() if not rule.is_alert)


def _rules(file: Path) -> Iterator[Rule]:
    document: Any = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    for group in document["groups"]:
        for rule in group["rules"]:
            yield Rule(
                file=file,
                name=rule.get("alert") or rule["record"],
                is_alert="alert" in rule,
                expression=rule["expr"],
                labels=rule.get("labels", {}),
                annotations=rule.get("annotations", {}),
            )
