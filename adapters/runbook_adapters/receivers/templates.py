"""Templates: what a service wants to be told, as a JSON document of ours or of the installation's, checked at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from runbook_adapters.receivers.fields import NAMES, fields_of
from runbook_adapters.receivers.filling import FIELD, NOTHING, Escape, fill
from runbook_engine.errors import NoAdapter
from runbook_engine.model.observation import Message

SHIPPED = Path(__file__).parent / "templates"
LARGEST = 256 * 1024  # bytes
DEEPEST = 32
SHAPE = "a template is an object with body, and if it likes about and escape"


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """One template; `values` are the installation's own, named in it as `{{ values.NAME }}`."""

    name: str
    body: Any
    escape: Escape = "none"
    values: Mapping[str, str] = {}

    def render(self, receiver: str, message: Message) -> bytes:
        """Return the body of a request as JSON."""
        fields = {**fields_of(receiver, message), **_named(self.values)}
        return msgspec.json.encode(fill(self.body, fields, self.escape))


def load_template(wanted: str | Mapping[str, Any], base: Path, values: Mapping[str, str]) -> Template:
    """Return a template: a shipped one by its name, a file that ends in .json, or what engine.yaml itself holds.

    Raises NoAdapter with the place of what is wrong.
    """
    if isinstance(wanted, Mapping):
        return _checked("in engine.yaml", wanted, values)
    if wanted.endswith(".json"):
        return _checked(wanted, _read(base / wanted, wanted), values)
    known = shipped_names()
    if wanted not in known:
        raise NoAdapter(f"there is no template {wanted!r}", _hint(wanted, known, "write one of them, or a .json file"))
    return _checked(wanted, _read(SHIPPED / f"{wanted}.json", wanted), values)


def shipped_names() -> tuple[str, ...]:
    """Return the names of the templates that come with the adapter."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.json")))


def _read(path: Path, name: str) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NoAdapter(f"template {name} cannot be read: {error.strerror}", "correct its path") from error
    if len(content) > LARGEST:
        raise NoAdapter(f"template {name} is larger than {LARGEST} bytes", "make it smaller")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoAdapter(f"template {name} cannot be used: {error}", "correct it") from error


def _checked(name: str, document: Any, values: Mapping[str, str]) -> Template:
    known = (*NAMES, *_named(values))
    if not isinstance(document, Mapping) or "body" not in document or set(document) - {"about", "escape", "body"}:
        raise NoAdapter(f"template {name} is none", SHAPE)
    escape = document.get("escape", "none")
    if escape not in get_args(Escape):
        raise NoAdapter(f"template {name}: escape is one of {', '.join(get_args(Escape))}", "correct it")
    body = _plain(document["body"])
    for place, problem, hint in _problems(body, "body", known, 0):
        raise NoAdapter(f"template {name}: {problem} at {place}", hint)
    template = Template(name=name, body=body, escape=escape, values=values)
    if fill(body, dict.fromkeys(known, ""), escape) is NOTHING:
        raise NoAdapter(f"template {name} says nothing at all at body", "a $when stands within a list or an object")
    return template


def _problems(node: Any, place: str, known: tuple[str, ...], depth: int) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong, with its place and the remedy."""
    if depth > DEEPEST:
        yield place, f"more than {DEEPEST} levels", "make it flatter"
        return
    match node:
        case str():
            yield from _problems_of_text(node, place, known)
        case dict():
            yield from _problems_of_object(node, place, known)
            for key, inner in node.items():
                if key not in ("$choose", "$when"):
                    yield from _problems(inner, f"{place}.{key}", known, depth + 1)
        case list():
            for index, inner in enumerate(node):
                yield from _problems(inner, f"{place}[{index}]", known, depth + 1)
        case _:
            return  # a number, true, false or null is what it is


def _problems_of_text(text: str, place: str, known: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for found in FIELD.finditer(text):
        if found["name"] not in known:
            yield place, f"unknown field {found['name']!r}", _hint(found["name"], known, "")
    rest = FIELD.sub("", text)
    if "{{" in rest or "}}" in rest:
        yield place, "a field is not closed or not named", "write {{ message.title }} or {{ message.title : 130 }}"


def _problems_of_object(node: Mapping[str, Any], place: str, known: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for word, keys in (("$choose", {"$choose", "cases", "else"}), ("$when", {"$when", "then"})):
        if word not in node:
            continue
        if set(node) != keys or not isinstance(node.get("cases", {}), dict):
            yield place, f"a {word} has the keys {', '.join(sorted(keys))}", "write them all, and no other"
        elif node[word] not in known:
            yield place, f"unknown field {node[word]!r}", _hint(str(node[word]), known, "")
    for key in node:
        if key.startswith("$") and key not in ("$choose", "$when", "$schema"):
            yield place, f"unknown word {key!r}", "it knows $choose and $when"


def _plain(node: Any) -> Any:
    """Return what engine.yaml holds as plain lists and objects."""
    match node:
        case Mapping():
            return {str(key): _plain(inner) for key, inner in node.items()}
        case list() | tuple():
            return [_plain(inner) for inner in node]
        case _:
            return node


def _named(values: Mapping[str, str]) -> dict[str, str]:
    return {f"values.{name}": value for name, value in values.items()}


def _hint(name: str, known: tuple[str, ...], otherwise: str) -> str:
    if name.startswith("values."):
        return f"add {name.removeprefix('values.')} under values of the receiver"
    close = difflib.get_close_matches(name, known, n=1)
    said = f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(known)}"
    return f"{said}; {otherwise}" if otherwise else said
