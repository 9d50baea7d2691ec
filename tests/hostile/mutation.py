"""Mutation: real payloads with one thing or a few things in them made strange."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

SAMPLES = Path(__file__).parent.parent / "data" / "alerts"
STRANGE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**18,
    1.5,
    "",
    " ",
    "\x00",
    "\u202e\u2066gnp.exe",
    "{{ 7 * 7 }}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "<!channel>",
    '"} or vector(1) #',
    "a" * 5000,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999-23:59",
    "2026-13-45T99:99:99Z",
    "\ud7ff\ue000",
    [],
    {},
    [[]],
    {"": ""},
    {"a": {"b": {"c": []}}},
)
Place = tuple[str | int, ...]


def samples(prefix: str) -> list[tuple[str, Any]]:
    """Return the recorded payloads whose file begins with this, by name."""
    found = sorted(SAMPLES.glob(f"{prefix}-*.json"))
    return [(file.stem, json.loads(file.read_text())) for file in found]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Yield where something stands in a payload, the whole included."""
    yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*here, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*here, index))


@st.composite
def mutated(draw: st.DrawFn, payload: Any) -> Any:
    """Return the payload after one to three changes: something replaced, taken away, doubled or moved elsewhere."""
    changed = copy.deepcopy(payload)
    for _ in range(draw(st.integers(1, 3))):
        changed = _changed(draw, changed)
    return changed


def _changed(draw: st.DrawFn, payload: Any) -> Any:
    everywhere = list(places(payload))
    place = draw(st.sampled_from(everywhere))
    strange = copy.deepcopy(
        draw(st.sampled_from(STRANGE) | st.text(max_size=20) | st.integers() | st.floats(allow_nan=False))
    )
    if not place:
        return strange
    owner = payload
    for part in place[:-1]:
        owner = owner[part]
    match draw(st.sampled_from(("replace", "remove", "double", "rename"))):
        case "replace":
            owner[place[-1]] = strange
        case "remove":
            del owner[place[-1]]
        case "double" if isinstance(owner, list):
            owner.append(copy.deepcopy(owner[place[-1]]))
        case _ if isinstance(owner, dict):
            owner[draw(st.text(max_size=8))] = owner.pop(place[-1])
    return payload
