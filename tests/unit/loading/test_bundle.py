"""A bundle is bytes that any host of the same version reads, without an author's tools."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from runbook_engine.loading.bundle import InvalidBundle, dump_bundle, load_bundle
from runbook_engine.loading.files import Loaded
from runbook_engine.matching.prepared import entries_of, prepare_index

HEAVY = ("boto3", "botocore", "kubernetes", "flask", "pydantic", "jinja2", "yaml")


def test_load_bundle_gives_back_the_bundle_when_it_was_dumped(loaded: Loaded) -> None:
    """Runbooks and configuration survive the way through bytes; the index of the runbooks is there besides."""
    found = load_bundle(dump_bundle(loaded.bundle))

    assert found.index == prepare_index(entries_of(loaded.bundle.runbooks))
    assert msgspec.structs.replace(found, index=b"") == loaded.bundle


def test_dump_bundle_gives_equal_bytes_when_bundles_are_equal(loaded: Loaded) -> None:
    """A build of the same files can be compared by its hash."""
    again = load_bundle(dump_bundle(loaded.bundle))

    assert dump_bundle(loaded.bundle) == dump_bundle(again)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(
            b"\xc1", "not a bundle: MessagePack data is malformed: invalid opcode", id="bytes that are no MessagePack"
        ),
        pytest.param(
            msgspec.msgpack.encode({"schema_version": 99}),
            "the bundle has schema version 99, this engine reads 1 (make it again with: runbook bundle)",
            id="a bundle of another version",
        ),
        pytest.param(
            msgspec.msgpack.encode({"schema_version": 1, "runbooks": 3}),
            "not a bundle: Expected `array`, got `int` - at `$.runbooks` (make it again with: runbook bundle)",
            id="a bundle with another shape",
        ),
    ],
)
def test_load_bundle_refuses_when_bytes_are_no_bundle(content: bytes, sentence: str) -> None:
    """The sentence says how to make a new one."""
    with pytest.raises(InvalidBundle) as raised:
        load_bundle(content)

    assert str(raised.value).startswith(sentence)
    assert str(raised.value).endswith("(make it again with: runbook bundle)")


def test_load_bundle_loads_nothing_heavy_when_a_host_starts(loaded: Loaded, tmp_path: Path) -> None:
    """What a Lambda pays at every cold start is counted in a fresh process."""
    file = tmp_path / "bundle"
    file.write_bytes(dump_bundle(loaded.bundle))
    code = (
        "import sys, pathlib; from runbook_engine.loading.bundle import load_bundle;"
        f"load_bundle(pathlib.Path(sys.argv[1]).read_bytes()); print([m for m in {HEAVY!r} if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True).stdout

    assert "[]\n" == printed


@pytest.mark.parametrize("enabled", [pytest.param(True, id="collected"), pytest.param(False, id="not collected")])
def test_load_bundle_leaves_the_collection_of_garbage_as_it_was(loaded: Loaded, enabled: bool) -> None:
    """Also when the bytes are no bundle."""
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()

        load_bundle(dump_bundle(loaded.bundle))
        with pytest.raises(InvalidBundle):
            load_bundle(dump_bundle(loaded.bundle)[:-9])

        assert enabled == gc.isenabled()
    finally:
        (gc.enable if was_enabled else gc.disable)()
