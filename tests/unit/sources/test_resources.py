"""What labels name and where links lead: what is kept of the answers is bounded, whatever a sender sends."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from runbook_engine.model.alert import Resource
from runbook_engine.sources.resources import MAX_URL, is_link, read_links, read_resource

LONG = 100_000


def test_an_address_is_a_link_up_to_the_longest_that_is_taken() -> None:
    """One character more is dropped, with a warning."""
    longest = "https://".ljust(MAX_URL, "a")
    warnings: list[str] = []

    links = read_links({"runbook": longest, "dashboard": f"{longest}a"}, warnings)

    assert (longest, None, ["link_dropped"]) == (links.runbook, links.dashboard, warnings)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda text: is_link(f"https://{text}"), id="addresses"),
        pytest.param(lambda text: read_resource({"cluster": text}) != Resource(), id="places"),
    ],
)
def test_nothing_of_a_long_text_is_kept(ask: Callable[[str], bool]) -> None:
    """A sender cannot fill the memory with texts that are all different, and as long as a body may be."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(200):
            assert not ask(f"{number}".ljust(LONG, "a"))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert held < LONG
