"""Double-quoted text as Go writes it, for the names and values of matchers.

Go's escapes are not Python's: `\\d` is an error and not two characters, and `\\xNN` names bytes that must add
up to valid UTF-8.
"""

from __future__ import annotations

SIMPLE_ESCAPES = {
    "a": 7,
    "b": 8,
    "f": 12,
    "n": 10,
    "r": 13,
    "t": 9,
    "v": 11,
    "\\": 92,
    '"': 34,
}
NUMBER_ESCAPES = {"x": 2, "u": 4, "U": 8}
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
OCTAL = frozenset("01234567")


class BadQuoting(ValueError):
    """Quoted text that is not well formed; `offset` is the character in the whole text."""

    def __init__(self, message: str, offset: int) -> None:
        self.offset = offset
        super().__init__(message)


def quote(text: str) -> str:
    """Return the text in double quotes, with backslash, newline and quote escaped."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str, start: int) -> tuple[str, int]:
    """Return what the quoted text at `start` stands for, and the offset after its closing quote."""
    parts = bytearray()
    offset = start + 1
    while offset < len(text):
        character = text[offset]
        if character == '"':
            return _decoded(parts, start), offset + 1
        if character == "\n":
            raise BadQuoting("a line break inside double quotes is written \\n", offset)
        if character == "\\":
            encoded, offset = _escape(text, offset)
            parts += encoded
        else:
            parts += _encoded(character, offset)
            offset += 1
    raise BadQuoting("the double quote is not closed", start)


def _escape(text: str, offset: int) -> tuple[bytes, int]:
    letter = text[offset + 1 : offset + 2]
    if letter in SIMPLE_ESCAPES:
        return bytes([SIMPLE_ESCAPES[letter]]), offset + 2
    if letter in NUMBER_ESCAPES:
        after = offset + 2 + NUMBER_ESCAPES[letter]
        digits = text[offset + 2 : after]
        if len(digits) == NUMBER_ESCAPES[letter] and HEXADECIMAL.issuperset(digits):
            number = int(digits, 16)
            return (bytes([number]) if letter == "x" else _rune(number, offset)), after
    digits = text[offset + 1 : offset + 4]
    if len(digits) == 3 and OCTAL.issuperset(digits) and int(digits, 8) < 256:
        return bytes([int(digits, 8)]), offset + 4
    raise BadQuoting(f"\\{letter} is not an escape (a backslash itself is written \\\\)", offset)


def _rune(number: int, offset: int) -> bytes:
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise BadQuoting("the escape does not name a Unicode character", offset)
    return chr(number).encode()


def _encoded(character: str, offset: int) -> bytes:
    try:
        return character.encode()
    except UnicodeEncodeError as error:
        raise BadQuoting("the text is not valid UTF-8", offset) from error


def _decoded(parts: bytearray, start: int) -> str:
    try:
        return parts.decode()
    except UnicodeDecodeError as error:
        raise BadQuoting("the escapes inside the double quotes do not add up to valid UTF-8", start) from error
