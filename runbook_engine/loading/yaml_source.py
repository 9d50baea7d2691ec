"""Read YAML strictly: one tree a document, every value with its place, and every trap with its remedy.

The tree is built from parser events, not from a YAML loader: events still show anchors, tags, quotes and keys
that are no text, all of which are refused here, and their nesting is counted without recursion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from runbook_engine.loading.diagnostics import Source
from runbook_engine.loading.scalars import TRUE_WORDS, TRUTHS, read_scalar
from runbook_engine.loading.yaml_problems import Problem, encoding_problem, syntax_problem
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Place, Scalar, Style
from runbook_engine.model.diagnostic import Diagnostic

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LONGEST_TRUTH: Final = max(map(len, TRUTHS))
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Parsed(msgspec.Struct, frozen=True):
    """What one file holds: its documents, and what is wrong with it as YAML."""

    source: Source
    documents: tuple[Node, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def parse_yaml(content: bytes, file: str) -> Parsed:
    """Return every document of a file; a file with a YAML error has none."""
    if len(content) > MAX_BYTES:
        problem = Problem(
            Place(1, 1), "too-large", f"the file has {len(content)} bytes, more than {MAX_BYTES}", "split it"
        )
        return _refused(Source(file, ()), problem)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused(Source(file, ()), encoding_problem(content, error.start))
    source = Source(file, _LINE_BREAK.split(text))
    reader = _Reader(source)
    try:
        documents = tuple(reader.documents(yaml.parse(text, Loader=_LOADER)))
    except Problem as problem:
        return _refused(source, problem)
    except yaml.YAMLError as error:
        return _refused(source, syntax_problem(error, text, source.lines))
    return Parsed(source, documents, tuple(reader.diagnostics))


def _refused(source: Source, problem: Problem) -> Parsed:
    return Parsed(source, (), (source.diagnostic(problem.place, problem.code, problem.message, problem.hint),))


class _Open:
    """A list or map whose end has not been seen."""

    __slots__ = ("entries", "is_map", "items", "key", "keys", "place", "style")

    def __init__(self, start: Any, place: Place) -> None:
        self.is_map = isinstance(start, yaml.MappingStartEvent)
        self.style: Style = "flow" if start.flow_style else "block"
        self.place = place
        self.items: list[Node] = []
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Place] = {}
        self.key: str | None = None

    def close(self) -> Node:
        if self.is_map:
            return Entries(self.entries, self.keys, self.place, self.style)
        return Items(tuple(self.items), self.place, self.style)


class _Reader:
    """Builds trees from the events of one file, and collects what can be reported without giving up."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []

    def documents(self, events: Iterator[Any]) -> Iterator[Node]:
        """Yield the tree of each document that is not empty."""
        stack: list[_Open] = []
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                node: Node = self._scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                stack.append(self._open(event, stack))
                continue
            elif isinstance(event, yaml.CollectionEndEvent):
                node = stack.pop().close()
            elif isinstance(event, yaml.AliasEvent):
                raise Problem(
                    self._place(event), "alias", f"aliases are not read (*{event.anchor})", "write the value out"
                )
            else:
                continue  # where a document or the whole stream begins or ends
            if stack:
                self._add(stack[-1], node)
            elif not (isinstance(node, Scalar) and node.value is None):
                yield node

    def _scalar(self, event: Any) -> Scalar:
        place = self._place(event)
        self._refuse_cleverness(event, place)
        text = event.value
        return Scalar(text, text, place, "quoted") if event.style else Scalar(read_scalar(text), text, place, "plain")

    def _open(self, event: Any, stack: list[_Open]) -> _Open:
        place = self._place(event)
        self._refuse_cleverness(event, place)
        self._refuse_as_key(stack, place)
        if len(stack) >= MAX_DEPTH:
            raise Problem(place, "too-deep", f"nested deeper than {MAX_DEPTH} levels", "")
        return _Open(event, place)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        width = (end.column if end.line == line else len(self._line(line))) - column
        return Place(line + 1, column + 1, width if width > 1 else 1)

    def _line(self, index: int) -> str:
        return self.source.lines[index] if index < len(self.source.lines) else ""

    def _refuse_cleverness(self, event: Any, place: Place) -> None:
        if event.anchor:
            raise Problem(
                place, "anchor", f"anchors are not read (&{event.anchor})", "write the value out where it is used"
            )
        if event.tag:
            raise Problem(place, "tag", f"tags are not read ({event.tag})", "remove it, or quote this if it is text")

    def _refuse_as_key(self, stack: list[_Open], place: Place) -> None:
        if not (stack and stack[-1].is_map and stack[-1].key is None):
            return
        line = self._line(place.line - 1)
        if line[place.column - 2 : place.column] == "{{" or line[place.column - 1 : place.column + 1] == "{{":
            start = place.column - 1 if line[place.column - 2 : place.column] == "{{" else place.column
            end = line.find("}}", start)
            template = line[start - 1 : end + 2] if end > 0 else "{{ ... }}"
            raise Problem(
                Place(place.line, start, len(template)),
                "unquoted-template",
                f"YAML reads the unquoted template {template} as a map",
                f'quote this: "{template}"',
            )
        raise Problem(place, "key-is-no-text", "a key must be text, this one is a list or a map", "")

    def _add(self, parent: _Open, node: Node) -> None:
        if not parent.is_map:
            self._warn_of_truths(node)
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._key(parent, node)
        else:
            self._warn_of_truths(node)
            parent.entries.setdefault(parent.key, node)
            parent.key = None

    def _key(self, parent: _Open, node: Node) -> str:
        assert isinstance(node, Scalar)  # maps and lists were refused when they began
        key = node.value
        if not isinstance(key, str):
            raise Problem(
                node.place, "key-is-no-text", f"a key must be text, {node.text or 'nothing'} is none", _quote(node)
            )
        if _is_truth(node):
            message = f'the key "{node.text}" is read as true or false by other YAML readers'
            self._report(node.place, "truth-key", message, _quote(node))
        first = parent.keys.setdefault(key, node.place)
        if first is not node.place:
            message = f'the key "{key}" is written twice, first in line {first.line}'
            self._report(node.place, "duplicate-key", message, "keep one of the two")
        return key

    def _report(self, place: Place, code: str, message: str, hint: str) -> None:
        self.diagnostics.append(self.source.diagnostic(place, code, message, hint))

    def _warn_of_truths(self, node: Node) -> None:
        if not (isinstance(node, Scalar) and _is_truth(node)):
            return
        word = "true" if node.text.lower() in TRUE_WORDS else "false"
        message = f'"{node.text}" is text here, and {word} to other YAML readers'
        hint = f"{_quote(node)}, or write {word}"
        found = self.source.diagnostic(node.place, "truth-value", message, hint, severity="warning")
        self.diagnostics.append(found)


def _is_truth(node: Scalar) -> bool:
    """Whether other YAML readers take this for true or false."""
    return node.style == "plain" and len(node.text) <= _LONGEST_TRUTH and node.text.lower() in TRUTHS


def _quote(node: Scalar) -> str:
    return f'quote this: "{node.text}"'
