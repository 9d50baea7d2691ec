"""Who serves a place: its own adapter, else the one without a place, and never another one's."""

from __future__ import annotations

import pytest

from runbook_engine.entrypoints.routing import Places
from runbook_engine.errors import NoAdapter


@pytest.mark.parametrize(
    ("place", "served"),
    [
        pytest.param("eu", "of eu", id="named"),
        pytest.param("us", "of all others", id="not named"),
        pytest.param("", "of all others", id="no place at all"),
    ],
)
def test_a_place_is_served_by_its_own_adapter_else_by_the_one_for_all(place: str, served: str) -> None:
    """The empty place stands for every other."""
    assert served == Places("cluster", {"eu": "of eu", "": "of all others"}).at(place)


def test_a_place_whose_adapter_only_looks_is_touched_by_nobody() -> None:
    """The adapter for all others would write to another cluster."""
    writers: Places[str] = Places("cluster", {"eu": None, "": "of all others"})

    with pytest.raises(NoAdapter) as caught:
        writers.at("eu")

    assert "nothing serves cluster at eu (name an adapter under adapters.cluster)" == str(caught.value)
