"""JSON that two readers could understand differently, or that costs too much to read, is refused with a code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_engine.errors import InvalidAlert
from runbook_engine.sources.strict_json import decode_json
from tests.length import examples

pytestmark = pytest.mark.slow

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('": \\'), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", '":', " :", "é", ""]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        pytest.param(b"", "schema", "the body is empty", id="nothing"),
        pytest.param(b" \n", "schema", "the body is empty", id="only space"),
        pytest.param(b'{"a":1,"a":2}', "duplicate_key", None, id="a key twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', "duplicate_key", None, id="a key twice, once escaped"),
        pytest.param(b'{"a" : 1, "a"\n:2}', "duplicate_key", None, id="a key twice, spaced"),
        pytest.param(b'{"x":"\\":","a":1,"a":2}', "duplicate_key", None, id="a key twice behind a string like a key"),
        pytest.param(b'[{"a":{"b":1,"b":1}}]', "duplicate_key", None, id="a key twice, deep inside"),
        pytest.param(b'{"a":NaN}', "invalid_json", None, id="NaN"),
        pytest.param(b"[Infinity]", "invalid_json", None, id="Infinity"),
        pytest.param(b"[-Infinity]", "invalid_json", None, id="minus Infinity"),
        pytest.param(
            b"[1e400]", "invalid_json", "a number is too large to be read without loss", id="a number beyond infinity"
        ),
        pytest.param(
            b"[" + b"1" * 5000 + b"]",
            "invalid_json",
            "a number is written with more than 64 characters",
            id="an integer of 5000 digits",
        ),
        pytest.param(b"[" + b"1" * 65 + b"]", "invalid_json", None, id="an integer of 65 digits"),
        pytest.param(b"[-" + b"1" * 64 + b"]", "invalid_json", None, id="a negative integer of 65 characters"),
        pytest.param(b"[0." + b"1" * 63 + b"]", "invalid_json", None, id="a fraction of 65 characters"),
        pytest.param(
            b"[" * 100_000, "too_deep", "the body is nested more than 64 levels deep", id="a hundred thousand lists"
        ),
        pytest.param(b"[" * 65 + b"]" * 65, "too_deep", None, id="65 lists"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep", None, id="65 objects"),
        pytest.param(b'"\xff"', "bad_encoding", "the body is not UTF-8 (byte 1)", id="no UTF-8"),
        pytest.param('{"a":1}'.encode("utf-16"), "bad_encoding", None, id="UTF-16 with its mark"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "invalid_json", None, id="UTF-16 without a mark"),
        pytest.param(b'"\xed\xa0\x80"', "bad_encoding", None, id="an encoded surrogate"),
        pytest.param(b'"\\ud800"', "invalid_json", None, id="half a surrogate pair"),
        pytest.param(b'"\\ude00\\ud83d"', "invalid_json", None, id="a surrogate pair the wrong way round"),
        pytest.param(b'{"\\ud800":1}', "invalid_json", None, id="half a surrogate pair in a key"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbf{}", "invalid_json", None, id="two byte order marks"),
        pytest.param(b"{} {}", "invalid_json", None, id="two values"),
        pytest.param(b"[1,]", "invalid_json", None, id="a trailing comma"),
        pytest.param(b"[01]", "invalid_json", None, id="a leading zero"),
        pytest.param(b'"a\nb"', "invalid_json", None, id="a raw line break in a string"),
    ],
)
def test_a_body_is_refused_with_its_code_when_it_breaks_a_rule(body: bytes, code: str, message: str | None) -> None:
    """No crash, whatever arrives: one exception with one code."""
    with pytest.raises(InvalidAlert) as caught:
        decode_json(body)

    assert caught.value.code == code
    assert message is None or caught.value.message == message


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'\xef\xbb\xbf{"a":1}', {"a": 1}, id="one byte order mark"),
        pytest.param(b'"\\ud83d\\ude42"', "🙂", id="a surrogate pair"),
        pytest.param(b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64), id="64 lists"),
        pytest.param(b"[" + b"1" * 64 + b"]", [int("1" * 64)], id="an integer of 64 digits"),
        pytest.param(b'["%s"]' % (b"1" * 200), ["1" * 200], id="many digits in a string"),
        pytest.param(b'["%s", 1.5]' % (b"1" * 200), ["1" * 200, 1.5], id="many digits in a string beside a fraction"),
        pytest.param(
            b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
            {"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]},
            id="one key in several objects",
        ),
        pytest.param(b'{"a":"x\\\\","b":"\\":"}', {"a": "x\\", "b": '":'}, id="backslashes and quotes"),
        pytest.param(b"null", None, id="null"),
    ],
)
def test_a_body_is_read_when_it_keeps_the_rules(body: bytes, expected: object) -> None:
    """What only looks like a broken rule is not one."""
    assert decode_json(body) == expected


@settings(max_examples=examples(120))
@given(values, st.sampled_from([None, 1]), st.booleans(), st.sampled_from([(",", ":"), (" , ", " : "), (",", "\t:")]))
def test_reading_agrees_with_the_standard_library_when_the_json_is_good(
    value: object, indent: int | None, ascii_only: bool, separators: tuple[str, str]
) -> None:
    """However it is spaced and escaped, good JSON means the same."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=separators)

    assert decode_json(text.encode()) == json.loads(text)


@settings(max_examples=examples(120))
@given(values, st.sampled_from([(",", ":"), (" , ", " : ")]), st.sampled_from(["k", '":', "é"]))
def test_a_repeated_key_is_found_when_it_is_anywhere(value: object, separators: tuple[str, str], key: str) -> None:
    """The counting proof never lets a second key pass."""
    inner = json.dumps(value, separators=separators)
    name = json.dumps(key)
    comma, colon = separators

    body = f"[{inner}{comma}{{{name}{colon}{inner}{comma}{name}{colon}1}}]"

    with pytest.raises(InvalidAlert) as caught:
        decode_json(body.encode())
    assert caught.value.code == "duplicate_key"


@settings(max_examples=examples(120))
@given(st.binary(max_size=40) | st.text('{}[]":,\\u0dtrfnalse1.e-+ ', max_size=30).map(str.encode))
def test_any_bytes_are_read_or_refused_when_they_are_anything(body: bytes) -> None:
    """InvalidAlert is the only exception."""
    try:
        value = decode_json(body)
    except InvalidAlert:
        return
    assert value == json.loads(body.decode("utf-8-sig"))
