"""A part, the runbook that uses it, and a calendar with requests, each with any piece of it replaced by anything."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.loading.files import load_files
from runbook_engine.registry import Registry
from tests.scenario.test_requests import ENGINE as WITH_REQUESTS
from tests.unit.loading.test_compile_calendar import ENGINE as WITH_CALENDARS
from tests.unit.loading.test_uses import PART, USER

WRITTEN = {"part.yaml": PART, "user.yaml": USER, "calendar.yaml": WITH_CALENDARS, "requests.yaml": WITH_REQUESTS}
DOCUMENTS = {name: yaml.safe_load(text) for name, text in WRITTEN.items()}
VALUES = [
    *(None, 0, -1.5, True, "", "x", [], {}, [1], {"a": {}}, "5m", "lib", "..", ".", "a\x00b", "/", "~"),
    *(
        "{{ parameters.flag }}",
        "{{ parameters.nobody }}",
        "{{ inputs.x }}",
        "{%",
        "https://",
        "https://[::1",
        "http://a:b/",
    ),
    *("FREQ=DAILY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-02-30T00:00", "24:00", "Europe/", "../../etc/passwd"),
]
REGISTRY = Registry()


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(below for key, child in children for below in _paths(child, (*path, key)))]


@pytest.mark.parametrize("name", WRITTEN)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_anything_is_answered_with_sentences(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing raises, and no sentence is anybody's but ours."""
    document = copy.deepcopy(DOCUMENTS[name])
    path = data.draw(st.sampled_from(_paths(document)[1:]))
    parent = document
    for piece in path[:-1]:
        parent = parent[piece]
    parent[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(VALUES)))
    folder = tmp_path_factory.getbasetemp() / "mutants"
    (folder / "lib").mkdir(parents=True, exist_ok=True)
    mutated = yaml.safe_dump(document, sort_keys=False)
    (folder / "lib" / "shed-then-scale.yaml").write_text(mutated if name == "part.yaml" else PART)
    (folder / "user.yaml").write_text(mutated if name == "user.yaml" else USER)
    (folder / "engine.yaml").write_text(mutated if name in ("calendar.yaml", "requests.yaml") else WITH_CALENDARS)

    found = load_files([folder], REGISTRY).diagnostics

    assert [] == [each.message for each in found if "Input should" in each.message or "Value error" in each.message]
