"""Absent: what stands where an installation has no adapter. Whatever is asked of it, nothing serves the port."""

from __future__ import annotations

from typing import Any

from runbook_engine.errors import NoAdapter


class _Absent:
    """A port that nothing serves."""

    def __init__(self, port: str) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        raise NoAdapter(f"nothing serves {self._port}", f"name an adapter under adapters.{self._port}")


def absent(port: str) -> Any:
    """Return a stand-in for a port that nothing serves: each of its methods raises NoAdapter."""
    return _Absent(port)
