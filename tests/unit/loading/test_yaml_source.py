"""YAML is read strictly, and every value knows where it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.loading.yaml_source import MAX_BYTES, parse_yaml
from runbook_engine.loading.yaml_tree import Place, Plain, key_place, plain, value_place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("true", True, id="true"),
        pytest.param("True", "True", id="a capital makes it text"),
        pytest.param("null", None, id="null"),
        pytest.param("12", 12, id="a whole number"),
        pytest.param("-0.5", -0.5, id="a number"),
        pytest.param("1e3", 1000.0, id="an exponent"),
        pytest.param("1e999", "1e999", id="a number beyond all bounds is text"),
        pytest.param("010", "010", id="no octal"),
        pytest.param("0x1F", "0x1F", id="no hexadecimal"),
        pytest.param("1_000", "1_000", id="no underscores"),
        pytest.param("10:30", "10:30", id="no sexagesimal"),
        pytest.param("2026-05-11", "2026-05-11", id="no date"),
        pytest.param("2026-05-11T07:40:12Z", "2026-05-11T07:40:12Z", id="no time"),
        pytest.param(".inf", ".inf", id="no infinity"),
        pytest.param("'12'", "12", id="quotes make text"),
        pytest.param('"true"', "true", id="double quotes make text"),
        pytest.param("50%", "50%", id="a percentage is text"),
        pytest.param("1.2.3", "1.2.3", id="a version is text"),
    ],
)
def test_parse_yaml_reads_only_json_values_when_a_word_is_not_quoted(text: str, expected: Plain) -> None:
    """Everything that other readers guess at is text."""
    parsed = parse_yaml(f"a: {text}\n".encode(), "a.yaml")

    assert [{"a": expected}] == [plain(document) for document in parsed.documents]
    assert () == parsed.diagnostics


def test_parse_yaml_keeps_every_document_when_a_file_has_several() -> None:
    """Empty documents are left out."""
    parsed = parse_yaml(b"---\na: 1\n---\n---\n- b\n...\n", "a.yaml")

    assert [{"a": 1}, ["b"]] == [plain(document) for document in parsed.documents]


def test_places_point_at_keys_and_values_when_asked_for_a_path() -> None:
    """Lines and columns count from one, in characters; a byte order mark is none."""
    text = '\ufeffa:\n  bé: [x, "y z"]\n  c:\n    d: 1\n'
    document = parse_yaml(text.encode(), "a.yaml").documents[0]

    assert Place(2, 11, 5) == value_place(document, ("a", "bé", 1))
    assert Place(2, 3, 2) == key_place(document, ("a", "bé"))
    assert Place(3, 3, 1) == value_place(document, ("a", "c"))
    assert Place(4, 8, 1) == value_place(document, ("a", "c", "d", "no such path"))


def test_parse_yaml_refuses_when_a_file_is_too_large() -> None:
    """The size is bounded before anything is read."""
    parsed = parse_yaml(b"#" * (MAX_BYTES + 1), "a.yaml")

    assert ["a.yaml:1:1: error: the file has 1048577 bytes, more than 1048576\n      = split it"] == [
        str(found) for found in parsed.diagnostics
    ]


def test_parse_yaml_finds_every_line_when_line_ends_are_mixed() -> None:
    """The caret stands under the right line whatever ends it."""
    parsed = parse_yaml(b"a: 1\r\nb: 2\nc: &x 3\n", "a.yaml")

    assert ["c: &x 3"] == [found.source_line for found in parsed.diagnostics]


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}\"'#&*!|>%@`\n\t ,?x01é", max_size=80).map(str.encode))
def test_parse_yaml_answers_when_a_file_is_anything(content: bytes) -> None:
    """Any bytes give documents or findings whose place exists, and never an exception."""
    parsed = parse_yaml(content, "a.yaml")

    for found in parsed.diagnostics:
        assert found.line >= 1
        assert found.column >= 1
        assert found.message
