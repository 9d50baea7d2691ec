"""Read JSON as strictly as a front door must: what two parsers could read in two ways is refused.

Duplicate keys let a proxy and the engine see different alerts, NaN and 1e400 are not JSON numbers, depth and
digits cost more to read than to send. The usual body is proven clean by counting (keys in the text against
keys in the values), at a fraction of the cost of a parser that is asked at every object.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from runbook_engine.errors import InvalidAlert

MAX_DEPTH = 64
MAX_NUMBER = 64
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_DECODER = msgspec.json.Decoder()
_LONG_NUMBER = re.compile(rb"[-+.0-9eE]{%d}" % (MAX_NUMBER + 1))
_DIGIT_LIMIT = 10 ** (MAX_NUMBER - 1)


def decode_json(body: bytes) -> Any:
    """Return the values of a UTF-8 body, or raise InvalidAlert with the code of the first rule that it breaks."""
    return decode_text(read_text(body))


def decode_text(text: bytes) -> Any:
    """Return the values of a text that `read_text` gave back."""
    try:
        values = _DECODER.decode(text)
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.DecodeError as error:
        raise _malformed(text, error) from error
    keys, numbers = _survey(values)
    if numbers and _LONG_NUMBER.search(_outside_strings(text)):
        raise _long_number()
    if repeats_a_key(text, keys):
        raise InvalidAlert("duplicate_key", "an object names the same key twice; each key may be given once")
    return values


def read_text(body: bytes) -> bytes:
    """Return the body without its byte order mark, once it is known to be UTF-8 and not empty."""
    text = body.removeprefix(BYTE_ORDER_MARK)
    try:
        text.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise InvalidAlert("bad_encoding", f"the body is not UTF-8 (byte {error.start})") from error
    if not text or text.isspace():
        raise InvalidAlert("schema", "the body is empty")
    return text


def repeats_a_key(text: bytes, keys: int) -> bool:
    """Whether well-formed JSON, from which `keys` distinct keys were read, names one of them twice.

    Outside strings every colon follows a key. Compact JSON writes `":` there, and `":` can also stand inside
    strings, so an equal count proves that no key is left over; anything else is counted exactly.
    """
    if text.count(b'":') == keys and not _spaced(text):
        return False
    return _outside_strings(text).count(b":") != keys


def _spaced(text: bytes) -> bool:
    """Whether a key may be parted from its colon; line breaks and tabs cannot stand inside strings."""
    return b" :" in text or b"\n" in text.rstrip() or b"\t" in text or b"\r" in text


def _survey(values: Any) -> tuple[int, bool]:
    """Count the keys of all objects, measure the depth, and say whether a number is there that could be long."""
    keys = depth = 0
    numbers = False
    level = [values]
    while level:
        inner: list[Any] = []
        nested = False
        for value in level:
            kind = type(value)
            if kind is dict:
                keys += len(value)
                nested = True
                inner += [item for item in value.values() if type(item) is not str]
            elif kind is list:
                nested = True
                inner += [item for item in value if type(item) is not str]
            elif kind is float or (kind is int and not -_DIGIT_LIMIT < value < _DIGIT_LIMIT):
                numbers = True
        depth += nested
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = inner
    return keys, numbers


def _outside_strings(text: bytes) -> bytes:
    """Return what stands outside the strings of well-formed JSON."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2])


def _malformed(text: bytes, error: msgspec.DecodeError) -> InvalidAlert:
    if isinstance(error, msgspec.ValidationError):  # a number beyond what the decoder takes; the text is JSON so far
        if _LONG_NUMBER.search(text):
            return _long_number()
        return InvalidAlert("invalid_json", "a number is too large to be read without loss")
    return InvalidAlert("invalid_json", f"the body is not valid JSON: {error}")


def _long_number() -> InvalidAlert:
    return InvalidAlert("invalid_json", f"a number is written with more than {MAX_NUMBER} characters")


def _too_deep() -> InvalidAlert:
    return InvalidAlert("too_deep", f"the body is nested more than {MAX_DEPTH} levels deep")
