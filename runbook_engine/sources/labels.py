"""Clean the labels and annotations of one alert.

Labels are identity: they are kept verbatim or the alert is refused, never shortened. Annotations are prose: they
are shortened where they are absurdly long.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

MAX_LABELS = 128
MAX_NAME_BYTES = 256
MAX_VALUE_BYTES = 4 * 1024
MAX_ANNOTATION_BYTES = 16 * 1024
WIDEST_RUNE = 4  # bytes of one character in UTF-8, at most


class RefusedAlert(ValueError):
    """One alert of a delivery cannot be used; the rest of the delivery can."""


def read_labels(values: object, warnings: list[str]) -> dict[str, str]:
    """Return the labels as text, or raise RefusedAlert; numbers and booleans become their JSON text."""
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RefusedAlert("labels are not an object")
    if any(isinstance(value, dict | list) for value in values.values()):
        raise RefusedAlert("a label value is an array or an object; only text, numbers and booleans are values")
    return _texts(values, "label_coerced", warnings)


def read_annotations(values: object, warnings: list[str]) -> dict[str, str]:
    """Return the annotations as text; prose that is no text is left out, because it decides nothing."""
    if values is None:
        return {}
    readable = values if isinstance(values, dict) else {}
    kept = {name: value for name, value in readable.items() if not isinstance(value, dict | list)}
    if not isinstance(values, dict) or len(kept) < len(readable):
        _warn(warnings, "annotation_dropped")
    return _texts(kept, "annotation_coerced", warnings)


def _texts(values: Mapping[str, object], coerced: str, warnings: list[str]) -> dict[str, str]:
    if any(not isinstance(value, str) and value is not None for value in values.values()):
        _warn(warnings, coerced)
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


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
    if _longest(labels, MAX_NAME_BYTES) > MAX_NAME_BYTES:
        raise RefusedAlert(f"a label name is longer than {MAX_NAME_BYTES} bytes")
    if _longest(labels.values(), MAX_VALUE_BYTES) > MAX_VALUE_BYTES:
        raise RefusedAlert(f"a label value is longer than {MAX_VALUE_BYTES} bytes")
    return labels


def shorten_annotations(annotations: Mapping[str, str], warnings: list[str]) -> Mapping[str, str]:
    """Return the annotations, each cut at a character boundary where it is too long."""
    if _longest(annotations.values(), MAX_ANNOTATION_BYTES) <= MAX_ANNOTATION_BYTES:
        return annotations
    _warn(warnings, "annotation_truncated")
    return {name: value.encode()[:MAX_ANNOTATION_BYTES].decode(errors="ignore") for name, value in annotations.items()}


def _longest(texts: Iterable[str], limit: int) -> int:
    """Return the bytes of the longest text, or fewer than the limit where all of them together have fewer."""
    together = "".join(texts)
    if len(together) * (1 if together.isascii() else WIDEST_RUNE) <= limit:
        return 0
    return max(len(text.encode()) for text in texts)


def _warn(warnings: list[str], code: str) -> None:
    if code not in warnings:
        warnings.append(code)
