"""The labels that a PromQL expression leaves on its results, as far as its outside tells for certain.

This is no PromQL parser: it follows the operators, aggregations and functions whose effect on labels is documented,
from the outside in, and whatever it does not know for certain makes the answer "unknown", never a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from runbook_engine.alertrules.carried import EMPTY, NONE, NUMBER, UNKNOWN, Carried, Matching, combined
from runbook_engine.alertrules.promql_words import (
    ABSENT,
    AGGREGATIONS,
    KEEPING_AGGREGATIONS,
    KEEPING_FUNCTIONS,
    PRECEDENCE,
    SCALARS,
)
from runbook_engine.matching.conditions import holds
from runbook_engine.model.matcher import Matcher, Operator
from runbook_engine.model.matcher_grammar import MatcherError

MAX_LENGTH: Final = 20_000
MAX_DEPTH: Final = 50
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<number>(?:\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\.\d+))
    |(?P<word>[A-Za-z_:][\w:]*)
    |(?P<operator>==|!=|=~|!~|<=|>=|[-+*/%^<>=,@(){}\[\]])""",
    re.VERBOSE,
)
_OPERATORS: Final[dict[str, Operator]] = {"=": "=", "!=": "!=", "=~": "=~", "!~": "!~"}


class _Token(NamedTuple):
    kind: str
    text: str


class _Unknown(Exception):
    """Something that this reader leaves alone."""


def carried_labels(expression: str) -> Carried:
    """Return the labels that the results of an expression carry."""
    try:
        reader = _Reader(_tokens(expression))
        found = reader.expression()
        return found if reader.at_end and not found.is_number else UNKNOWN
    except _Unknown:
        return UNKNOWN


def _tokens(expression: str) -> list[_Token]:
    if len(expression) > MAX_LENGTH:
        raise _Unknown
    tokens: list[_Token] = []
    position = 0
    while position < len(expression):
        found = _TOKEN.match(expression, position)
        if found is None:
            raise _Unknown
        if found.lastgroup:
            tokens.append(_Token(found.lastgroup, found.group()))
        position = found.end()
    return tokens


class _Reader:
    """A recursive descent; every method leaves `position` behind what it read."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.tokens)

    @property
    def next(self) -> _Token:
        return self.tokens[self.position] if not self.at_end else _Token("end", "")

    def expression(self, least: int = 1) -> Carried:
        """Read operands and the operators between them that bind at least so strongly."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unknown
        left = self._operand()
        while (strength := PRECEDENCE.get(self.next.text.lower(), 0)) >= least and self.next.kind != "string":
            operator = self._take().lower()
            matching, labels, grouping, extra = self._matching()
            right = self.expression(strength if operator == "^" else strength + 1)
            left = combined(operator, left, right, Matching(matching, labels, grouping, extra))
        self.depth -= 1
        return left

    def _matching(self) -> tuple[str, frozenset[str], str, frozenset[str]]:
        if self.next.text.lower() == "bool":
            self._take()
        matching, labels, grouping, extra = "", NONE, "", NONE
        if self.next.text.lower() in ("on", "ignoring"):
            matching, labels = self._take().lower(), self._label_list()
        if self.next.text.lower() in ("group_left", "group_right"):
            grouping = self._take().lower()
            extra = self._label_list() if self.next.text == "(" else NONE
        return matching, labels, grouping, extra

    def _operand(self) -> Carried:
        while self.next.text in ("+", "-"):
            self._take()
        found = self._primary()
        while True:
            match self.next.text.lower():
                case "[":
                    self._skip("[", "]")
                case "offset":
                    self._take()
                    if self.next.text in ("-", "+"):
                        self._take()
                    self._take()
                case "@":
                    self._take()
                    self._primary()
                case _:
                    return found

    def _primary(self) -> Carried:
        token = self.next
        if token.kind in ("number", "string"):
            self._take()
            return NUMBER
        if token.text == "(":
            self._take()
            found = self.expression()
            self._expect(")")
            return found
        if token.text == "{":
            return self._selector()
        if token.kind != "word":
            raise _Unknown
        name = self._take()
        if name.lower() in AGGREGATIONS and self.next.text.lower() in ("(", "by", "without"):
            return self._aggregation(name.lower())
        if self.next.text == "(":
            return self._call(name)
        if name.lower() in ("inf", "nan"):
            return NUMBER
        return self._selector() if self.next.text == "{" else Carried(NONE, None, NONE)

    def _selector(self) -> Carried:
        self._expect("{")
        sure: set[str] = set()
        equal: dict[str, bool] = {}  # whether absent() gives the label: once wanted equal to a text, and nothing more
        while self.next.text != "}":
            name = self._name()
            if self.next.text in _OPERATORS:
                operator, value = self._take(), self._string()
                sure |= {name} if value is not None and _wants_one(name, _OPERATORS[operator], value) else set()
                if operator == "=" or name in equal:
                    equal[name] = name not in equal and value != ""
            if self.next.text != "}":
                self._expect(",")
        self._expect("}")
        return Carried(frozenset(sure), None, frozenset(name for name, given in equal.items() if given))

    def _aggregation(self, name: str) -> Carried:
        how, labels = self._grouping()
        arguments = self._known_arguments()
        if not how:
            how, labels = self._grouping()
        inner = arguments[-1][0]
        if name in KEEPING_AGGREGATIONS:
            return inner
        added = {arguments[0][1]} if name == "count_values" and arguments[0][1] else set()
        if how == "without":
            may = None if inner.may is None else (inner.may - labels) | added
            return Carried((inner.sure - labels) | added, may)
        kept = labels if inner.may is None else labels & inner.may
        return Carried(kept | added, kept | added)

    def _known_arguments(self) -> list[tuple[Carried, str]]:
        """Read arguments, or pass over those that are not understood: how they are aggregated may tell all the same."""
        start, depth = self.position, self.depth
        try:
            return self._arguments()
        except _Unknown:
            self.position, self.depth = start, depth
            open_brackets = 0
            while (text := self._take()) != ")" or open_brackets > 1:
                open_brackets += (text == "(") - (text == ")")
            return [(UNKNOWN, "")]

    def _grouping(self) -> tuple[str, frozenset[str]]:
        if self.next.text.lower() in ("by", "without"):
            return self._take().lower(), self._label_list()
        return "", NONE

    def _call(self, name: str) -> Carried:
        arguments = self._arguments()
        carried = [found for found, _ in arguments if not found.is_number]
        if name in SCALARS:
            return NUMBER
        if name == "vector":
            return EMPTY
        if len(carried) != 1:
            raise _Unknown
        inner = carried[0]
        if name in ABSENT:
            return Carried(inner.equal or NONE, inner.equal or NONE)
        if name in ("label_replace", "label_join"):
            made = {arguments[1][1]}
            return Carried(inner.sure - made, None if inner.may is None else inner.may | made)
        if name == "histogram_quantile":
            return Carried(inner.sure - {"le"}, None if inner.may is None else inner.may - {"le"})
        if KEEPING_FUNCTIONS.fullmatch(name):
            return Carried(inner.sure, inner.may)
        raise _Unknown

    def _arguments(self) -> list[tuple[Carried, str]]:
        """Read what stands in parentheses: the labels of each argument, and its text where it is a plain one."""
        self._expect("(")
        arguments: list[tuple[Carried, str]] = []
        while self.next.text != ")":
            text = self.next.text[1:-1] if self.next.kind == "string" else ""
            arguments.append((self.expression(), text))
            if self.next.text != ")":
                self._expect(",")
        self._expect(")")
        return arguments or [(NUMBER, "")]

    def _label_list(self) -> frozenset[str]:
        self._expect("(")
        labels: set[str] = set()
        while self.next.text != ")":
            labels.add(self._name())
            if self.next.text != ")":
                self._expect(",")
        self._expect(")")
        return frozenset(labels)

    def _name(self) -> str:
        if self.next.kind == "string":
            return self._string() or ""
        if self.next.kind != "word":
            raise _Unknown
        return self._take()

    def _string(self) -> str | None:
        """Read a text; None when it has escapes, which are not worth reading here."""
        if self.next.kind != "string":
            raise _Unknown
        text = self._take()[1:-1]
        return None if "\\" in text else text

    def _skip(self, opening: str, closing: str) -> None:
        self._expect(opening)
        while self.next.text != closing:
            self._take()
        self._expect(closing)

    def _expect(self, text: str) -> None:
        if self._take() != text:
            raise _Unknown

    def _take(self) -> str:
        if self.at_end:
            raise _Unknown
        self.position += 1
        return self.tokens[self.position - 1].text


def _wants_one(name: str, operator: Operator, value: str) -> bool:
    """Whether a selector's condition refuses series without the label."""
    try:
        return not holds(Matcher(name, operator, value), "")
    except MatcherError:
        return False
