"""What thousands of small tests need done once: a look at what is installed, and a rest for the garbage collector.

A registry looks at every installed package when it is built, and nearly every test builds one: that was most of the
time of the tests of the command line. What is installed stays the same unless `sys.path` does.
"""

from __future__ import annotations

import gc
import importlib.metadata
import sys
from collections.abc import Iterator
from functools import cache

import pytest


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
