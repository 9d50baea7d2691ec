"""Clean the labels and annotations of one alert.

Labels are identity: they are kept verbatim or the alert is refused, never shortened. Annotations are prose: they
are shortened where they are absurdly long.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

MAX_LABELS = 128
MAX_NAME_BYTES = 256
MAX_VALUE_BYTES = 4 * 1024
MAX_ANNOTATION_BYTES = 16 * 1024
WIDEST_RUNE = 4  # bytes of one character in UTF-8, at most


class RefusedAlert(ValueError):
    """One alert of a delivery cannot be used; the rest of the delivery can."""


def text_of(values: object, what: str, warnings: list[str]) -> dict[str, str]:
    """Return a map of text to text, or raise RefusedAlert; numbers and booleans become their JSON text."""
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RefusedAlert(f"{what}s are not an object")
    cleaned: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            cleaned[name] = value
        elif isinstance(value, bool | int | float):
            cleaned[name] = json.dumps(value)
            _warn(warnings, f"{what}_coerced")
        elif value is not None:
            raise RefusedAlert(f"a {what} value is an array or an object; only text, numbers and booleans are values")
    return cleaned


def check_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels without the empty ones, or raise RefusedAlert where they break a limit."""
    if "" in labels.values():
        labels = {name: value for name, value in labels.items() if value}
    if not labels:
        raise RefusedAlert("no labels")
    if len(labels) > MAX_LABELS:
        raise RefusedAlert(f"more than {MAX_LABELS} labels")
    if "" in labels:
        raise RefusedAlert("a label name is empty")
    for name, value in labels.items():
        if len(name) * WIDEST_RUNE > MAX_NAME_BYTES and len(name.encode()) > MAX_NAME_BYTES:
            raise RefusedAlert(f"a label name is longer than {MAX_NAME_BYTES} bytes")
        if len(value) * WIDEST_RUNE > MAX_VALUE_BYTES and len(value.encode()) > MAX_VALUE_BYTES:
            raise RefusedAlert(f"a label value is longer than {MAX_VALUE_BYTES} bytes")
    return labels


def shorten_annotations(annotations: Mapping[str, str], warnings: list[str]) -> Mapping[str, str]:
    """Return the annotations, each cut at a character boundary where it is too long."""
    if all(len(value) * WIDEST_RUNE <= MAX_ANNOTATION_BYTES for value in annotations.values()):
        return annotations
    shortened = {
        name: value.encode()[:MAX_ANNOTATION_BYTES].decode(errors="ignore") for name, value in annotations.items()
    }
    if shortened != annotations:
        _warn(warnings, "annotation_truncated")
    return shortened


def _warn(warnings: list[str], code: str) -> None:
    if code not in warnings:
        warnings.append(code)
