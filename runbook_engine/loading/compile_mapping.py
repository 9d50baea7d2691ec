"""Compile a valid mapping into the value by which a source reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from runbook_engine.documents.mapping import ChoiceDocument, MappingDocument, StatusDocument
from runbook_engine.model.mapping import AlertMapping, Choice, Condition, Pointer, Spread, parse_pointer

PLAIN: Final[Mapping[str, str]] = {"firing": "firing", "resolved": "resolved"}


def compile_mapping(name: str, document: MappingDocument) -> AlertMapping:
    """Return the compiled mapping."""
    return AlertMapping(
        name=name,
        alerts=parse_pointer(document.alerts),
        alert_name=_choice(document.name, required=True),
        status=_status(document.status),
        expect=_conditions(document.expect),
        ignore=_conditions(document.ignore),
        kind=document.kind,
        identity=tuple(_choice(each, required=True) for each in document.identity),
        cycle=_choice(document.cycle) if document.cycle is not None else None,
        severity=_choice(document.severity) if document.severity is not None else None,
        labels=_choices(document.labels),
        spreads=tuple(Spread(place=parse_pointer(each.place), prefix=each.prefix) for each in document.label_maps),
        annotations=_choices(document.annotations),
        links=_choices(document.links),
        values={number: parse_pointer(place) for number, place in document.values.items()},
        starts_at=_places(document.starts_at),
        ends_at=_places(document.ends_at),
        observed_at=_places(document.observed_at),
        times=document.times,
    )


def _status(document: StatusDocument) -> Choice:
    """Return where a status comes from: a word that nobody said the meaning of means nothing that could act."""
    told = _choice(document, required=True)
    return replace(told, words=told.words or PLAIN, otherwise=told.otherwise or "unknown")


def _choice(document: ChoiceDocument, *, required: bool = False) -> Choice:
    otherwise = document.value or document.otherwise or ""
    return Choice(
        places=_places(document.places),
        words={word.strip().lower(): meaning for word, meaning in document.words.items()},
        otherwise=otherwise,
        required=(required or document.required) and not otherwise,
    )


def _choices(documents: Mapping[str, ChoiceDocument]) -> dict[str, Choice]:
    return {name: _choice(choice) for name, choice in documents.items()}


def _conditions(written: Mapping[str, tuple[str, ...]]) -> tuple[Condition, ...]:
    return tuple(
        Condition(place=parse_pointer(place), words=tuple(word.strip().lower() for word in words))
        for place, words in written.items()
    )


def _places(written: tuple[str, ...] | None) -> tuple[Pointer, ...]:
    return tuple(parse_pointer(place) for place in written or ())
