"""Decoders are built by one thread at a time: the first use of a type in several threads does not end the process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runbook_engine.model.decoding import from_json, from_msgpack, from_values

ROOT = Path(__file__).parents[3]
BY_ONE_THREAD = {  # read at a start, before there are threads; or of types that msgspec keeps nothing of
    "runbook_engine/model/decoding.py",
    "runbook_engine/loading/bundle.py",
    "runbook_engine/loading/adapter_rules.py",
    "runbook_engine/entrypoints/adapters.py",
    "runbook_engine/entrypoints/launch.py",
    "runbook_engine/entrypoints/vault.py",
    "runbook_engine/entrypoints/cli/runner_probe.py",
    "adapters/runbook_adapters/kubernetes/revisions.py",
    "adapters/runbook_adapters/kubernetes/differences.py",
}
TYPED = re.compile(r"msgspec\.(?:(?:json|msgpack)\.decode\([^\n]*type=|convert\()")
FIRST_USE = """
import sys, threading, types
import msgspec
from runbook_engine.model.decoding import from_msgpack
sys.setswitchinterval(1e-5)
source = "from __future__ import annotations\\nimport msgspec\\n"
for number in range(40):
    fields = "".join(f"    f{at}: int | None = None\\n" for at in range(24))
    inner = f"    inner: S{number - 1} | None = None\\n" if number else ""
    source += f"class S{number}(msgspec.Struct):\\n{fields}{inner}"
module = types.ModuleType("cold")
sys.modules["cold"] = module
exec(source, module.__dict__)
body = msgspec.msgpack.encode({"f1": 1})
barrier = threading.Barrier(8)
def run():
    barrier.wait()
    from_msgpack(body, module.S39)
threads = [threading.Thread(target=run) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


class Point(msgspec.Struct):
    """A type."""

    x: int
    y: float = 0.5


def test_values_come_back_whichever_way_they_are_written() -> None:
    """JSON, msgpack and plain values mean the same."""
    assert Point(1) == from_json(b'{"x": 1}', Point)
    assert Point(1, 2.0) == from_msgpack(msgspec.msgpack.encode({"x": 1, "y": 2.0}), Point)
    assert Point(1) == from_values({"x": 1}, Point)
    assert (Point(1), Point(2)) == from_msgpack(msgspec.msgpack.encode([{"x": 1}, {"x": 2}]), tuple[Point, ...])


def test_what_is_malformed_raises_what_msgspec_raises() -> None:
    """Callers turn it into a sentence of their own."""
    with pytest.raises(msgspec.ValidationError):
        from_json(b'{"x": "a"}', Point)


@pytest.mark.parametrize("content", [b"\x81\xa1x\xa1\xff", "text", None], ids=["no text", "a text", "nothing"])
def test_damaged_bytes_raise_what_msgspec_raises(content: Any) -> None:
    """A file may hold anything: whoever reads it catches one kind of error."""
    with pytest.raises(msgspec.DecodeError):
        from_msgpack(content, dict[str, str])


def test_the_first_use_in_eight_threads_leaves_the_process_alive() -> None:
    """Types that nobody has decoded yet, by all threads at once."""
    done = subprocess.run([sys.executable, "-c", FIRST_USE], cwd=ROOT, capture_output=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr.decode()


def test_nothing_decodes_to_a_type_by_itself_where_threads_are() -> None:
    """Whoever needs it takes it from here, or reads before there are threads."""
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("runbook_engine", "adapters")
        for path in (ROOT / folder).rglob("*.py")
        if TYPED.search(path.read_text())
    }

    assert found == BY_ONE_THREAD
