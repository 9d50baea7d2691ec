"""Parse and render matchers: Alertmanager's UTF-8 grammar, and no other.

Alertmanager itself also accepts an older grammar and guesses between the two, so that `a =~ x.{2}` silently
loses its brace. A runbook must mean one thing, so text that only the older grammar accepts is refused, with
the quoted form that says what its author most likely meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runbook_engine.errors import RunbookError
from runbook_engine.model.classic_matcher import read_classic
from runbook_engine.model.matcher import Matcher, Operator
from runbook_engine.model.quoting import BadQuoting, quote, unquote

# Go's unicode.IsSpace, which is not Python's str.isspace.
WHITESPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(c) for c in range(0x2000, 0x200B)
}
RESERVED = WHITESPACE | frozenset("{}!=~,\\\"'`")
OPERATORS: dict[str, Operator] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}


class MatcherError(RunbookError):
    """A matcher cannot be used; `offset` is the character in the text, `hint` the remedy or empty."""

    def __init__(self, message: str, offset: int = 0, hint: str = "") -> None:
        self.message = message
        self.offset = offset
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class _Token(NamedTuple):
    kind: str  # "word", "operator", "comma", "open", "close", "end"
    text: str
    offset: int


_END = "end"
_PUNCTUATION = {"{": "open", "}": "close", ",": "comma"}


def parse_matcher(text: str) -> Matcher:
    """Parse exactly one matcher, written without braces."""
    stripped = text.strip("".join(WHITESPACE))
    if stripped[:1] == "{" or (stripped[-1:] == "}" and "{" not in stripped):
        offset = text.index("{") if stripped[:1] == "{" else text.rindex("}")
        raise MatcherError("a single matcher is written without braces", offset, _hint(text))
    matchers = parse_matchers(text)
    if len(matchers) != 1:
        counted = "no matcher" if not matchers else f"{len(matchers)} matchers"
        raise MatcherError(f"expected one matcher, found {counted}", 0, "write one list item for each matcher")
    return matchers[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Parse a comma-separated set of matchers, in braces or bare; all of them must hold."""
    try:
        return tuple(_read_set(text, _tokens(text)))
    except BadQuoting as error:
        raise MatcherError(str(error), error.offset, _hint(text)) from error
    except MatcherError as error:
        raise MatcherError(error.message, error.offset, _hint(text)) from error


def render_matcher(matcher: Matcher) -> str:
    """Return the matcher as the grammar's own text: the value always quoted, the name only when it must be."""
    name = quote(matcher.name) if RESERVED & set(matcher.name) else matcher.name
    return f"{name}{matcher.op}{quote(matcher.value)}"


def _hint(text: str) -> str:
    """Return how the older grammar's reading is written in this one, or nothing where it has none."""
    read = read_classic(text)
    if read is None:
        return ""
    return "did you mean " + ", ".join(
        render_matcher(Matcher(name=name, op=OPERATORS[op], value=value)) for name, op, value in read
    )


def _read_set(text: str, tokens: Iterator[_Token]) -> Iterator[Matcher]:
    token = next(tokens)
    braced = token.kind == "open"
    if braced:
        token = next(tokens)
    closing = "close" if braced else _END
    while token.kind != closing:
        matcher, token = _read_matcher(text, token, tokens)
        yield matcher
        if token.kind == "comma":
            token = next(tokens)
        elif token.kind != closing:
            raise MatcherError(f"expected a comma or the end, found {_said(token)}", token.offset)
    if braced and (rest := next(tokens)).kind != _END:
        raise MatcherError(f"expected nothing after the closing brace, found {_said(rest)}", rest.offset)


def _read_matcher(text: str, token: _Token, tokens: Iterator[_Token]) -> tuple[Matcher, _Token]:
    if token.kind != "word":
        raise MatcherError(f"expected a label name, found {_said(token)}", token.offset)
    if not token.text:
        raise MatcherError("a label name cannot be empty", token.offset)
    operator = next(tokens)
    if operator.kind != "operator":
        raise MatcherError(
            f"expected =, !=, =~ or !~ after {quote(token.text)}, found {_said(operator)}", operator.offset
        )
    value = next(tokens)
    if value.kind != "word":
        raise MatcherError(f"expected a value after {operator.text}, found {_said(value)}", value.offset)
    following = next(tokens)
    written = text[token.offset : following.offset].strip("".join(WHITESPACE))
    matcher = Matcher(name=token.text, op=OPERATORS[operator.text], value=value.text, text=written)
    return matcher, following


def _tokens(text: str) -> Iterator[_Token]:
    offset = 0
    while offset < len(text):
        character = text[offset]
        if character in WHITESPACE:
            offset += 1
            continue
        if character == '"':
            word, after = unquote(text, offset)
            kind = "word"
        elif character in _PUNCTUATION:
            word, after, kind = character, offset + 1, _PUNCTUATION[character]
        elif character in "=!":
            word, after, kind = *_operator(text, offset), "operator"
        elif character in RESERVED:
            raise MatcherError(f"{character} must be inside double quotes", offset)
        else:
            after = next((i for i in range(offset, len(text)) if text[i] in RESERVED), len(text))
            word, kind = text[offset:after], "word"
        yield _Token(kind, word, offset)
        offset = after
    yield _Token(_END, "", len(text))


def _operator(text: str, offset: int) -> tuple[str, int]:
    pair = text[offset : offset + 2]
    if pair in OPERATORS:
        return pair, offset + 2
    if text[offset] == "=":
        return "=", offset + 1
    raise MatcherError("! must be followed by = or ~", offset)


def _said(token: _Token) -> str:
    return "the end" if token.kind == _END else quote(token.text)
