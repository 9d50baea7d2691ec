"""How many examples Hypothesis tries where a test names no number: fewest for `make test-fast`, most by night.

No example has a deadline, and none is drawn too slowly: both would be about how busy the machine is, and promises about
time have tests of their own. Where CI is set, the examples are the same every time (a profile of Hypothesis itself).

And what thousands of tests need done once: a look at what is installed, and a rest for the garbage collector. A
registry looks at every installed package when it is built, and nearly every test builds one. What is installed stays
the same unless `sys.path` does.
"""

from __future__ import annotations

import gc
import importlib.metadata
import sys
from collections.abc import Iterator
from functools import cache

import pytest
from _pytest.nodeid import NodeId
from hypothesis import HealthCheck, settings

from tests.length import LONG, examples

UNHURRIED = [HealthCheck.too_slow]
settings.register_profile("fast", max_examples=20, deadline=None, suppress_health_check=UNHURRIED)
settings.register_profile("gate", max_examples=examples(100), deadline=None, suppress_health_check=UNHURRIED)
settings.register_profile("long", max_examples=500, deadline=None, suppress_health_check=UNHURRIED)
settings.load_profile("long" if LONG else "gate")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without collecting garbage: nothing of what is made there is garbage, and it is left alone afterwards."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def one_look() -> Iterator[None]:
    """Look at what is installed once for each path that is searched."""
    look = importlib.metadata.entry_points
    found = cache(lambda path: look())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(importlib.metadata, "entry_points", lambda **wanted: found(tuple(sys.path)).select(**wanted))
        yield


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests of one `xdist_group` run in one process, as `--dist loadgroup` promises.

    pytest-xdist 3.8 writes the group into a field that pytest 9.2 no longer reads; a test sees to it that this works.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        names = sorted(
            {str(mark.args[0] if mark.args else mark.kwargs["name"]) for mark in item.iter_markers("xdist_group")}
        )
        if names and "@" not in item.nodeid.rpartition("]")[2].rpartition("::")[2]:
            item._id = NodeId.parse(f"{item.nodeid}@{'_'.join(names)}")  # type: ignore[attr-defined]  # pytest's own
