"""Values of parsed JSON, each as the type that is expected or as an empty one: a sender may put anything anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def text_of(value: object) -> str:
    """Return a text, and an empty one for anything else."""
    return value if isinstance(value, str) else ""


def map_of(value: object) -> Mapping[str, Any]:
    """Return a map, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """Return a list, and an empty one for anything else."""
    return value if isinstance(value, list) else []
