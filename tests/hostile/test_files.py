"""Files that authors get wrong, or somebody means to be: findings, never a crash, never without end."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_engine.loading.files import Loaded, load_files
from runbook_engine.registry import Registry

EXAMPLES = 2000 if os.environ.get("RUNBOOK_TESTS") == "long" else 60
ROOT = Path(__file__).parent.parent.parent
SHIPPED = {
    str(file.relative_to(ROOT)): file.read_text()
    for file in (
        ROOT / "runbooks/checkout/high-error-rate.yaml",
        ROOT / "runbooks/kubernetes/node-disk-pressure.yaml",
        ROOT / "runbooks/checkout/crash-looping.test.yaml",
        ROOT / "runbooks/engine.yaml",
    )
}
STRANGE = (
    *("", " ", "null", "~", "yes", "[]", "{}", "- -", "&a", "*a", "!!python/object:os.system", "!!binary aGk="),
    *("{{ ''.__class__ }}", "{% raw %}", "2026-01-01", "1e999", "0x", ".nan", "-1", "9" * 400, "a: b: c", "? :"),
    *("\t", "\x00", "\u2028", "|", ">", "%YAML 9.9", "---", "...", "'", '"', "#", "(" * 500, "[" * 500, "{a: " * 200),
)
REGISTRY = Registry()
often = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


def load(content: bytes, name: str = "given.yaml") -> Loaded:
    """Load one file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_bytes(content)
        return load_files([file], REGISTRY)


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> str:
    """A file with one to three lines of it changed."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(lines) - 1))
        strange = draw(st.sampled_from(STRANGE) | st.text(max_size=12))
        match draw(st.sampled_from(("value", "line", "drop", "double", "indent", "cut"))):
            case "value":
                lines[number] = lines[number].partition(":")[0] + ": " + strange
            case "line":
                lines.insert(number, strange)
            case "drop" if len(lines) > 1:
                del lines[number]
            case "double":
                lines.insert(number, lines[number])
            case "indent":
                lines[number] = " " * draw(st.integers(0, 9)) + lines[number]
            case _:
                lines[number] = lines[number][: draw(st.integers(0, len(lines[number])))]
    return "\n".join(lines)


@pytest.mark.parametrize("text", SHIPPED.values(), ids=SHIPPED)
@often
@given(data=st.data())
def test_every_finding_has_a_place_and_a_sentence_when_a_file_is_spoiled(text: str, data: st.DataObject) -> None:
    """What is spoiled is reported where it stands, or was harmless."""
    loaded = load(data.draw(spoiled(text)).encode("utf-8", "surrogatepass"))

    for found in loaded.diagnostics:
        assert found.line >= 1
        assert found.column >= 1
        assert found.message


@often
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_loading_answers_when_a_file_holds_anything(content: bytes) -> None:
    """No bytes make it crash, and none of them is a runbook by accident."""
    loaded = load(content)

    assert not loaded.bundle.runbooks
    assert loaded.diagnostics


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 50_000, id="fifty thousand lists in each other"),
        pytest.param(b"{a: " * 50_000, id="fifty thousand maps in each other"),
        pytest.param(b"\n".join(b" " * depth + b"a:" for depth in range(2000)), id="two thousand blocks in each other"),
        pytest.param(
            b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 110)),
            id="nine to the power of thirteen by aliases",
        ),
        pytest.param(b"a: !!python/object/apply:os.system ['touch owned']\n", id="a tag that calls"),
        pytest.param(b"a: " + b"9" * 200_000, id="two hundred thousand digits"),
        pytest.param(b"x" * 3_000_000, id="three megabytes of one word"),
        pytest.param(b"a: 1\n" * 10_000, id="a key ten thousand times"),
        pytest.param(b"---\n" * 10_000, id="ten thousand documents"),
    ],
)
def test_file_is_refused_within_bounds_when_it_is_meant_to_exhaust(content: bytes) -> None:
    """With a finding, and with memory that is a multiple of the file's size."""
    tracemalloc.start()
    try:
        loaded = load(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert loaded.errors or all(found.code == "empty-file" for found in loaded.diagnostics)
    assert not loaded.bundle.runbooks
    assert peak < 200 * len(content) + 20_000_000
