"""Reading a page as a browser and a screen reader do: its text in lines, and whatever is wrong with its markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

INLINE = ("a", "strong", "span", "code", "time", "br", "em", "text", "tspan", "option", "label")
VOID = ("meta", "link", "input", "br", "line", "rect", "circle", "polyline")
FIELDS = ("input", "textarea", "select")


@dataclass
class Element:
    """One element, what it stands in, and its text so far."""

    tag: str
    attributes: Mapping[str, str]
    parents: tuple[Element, ...]
    text: str = ""

    def inside(self, tag: str) -> Element | None:
        """Return the nearest element of that kind around it."""
        return next((each for each in reversed(self.parents) if each.tag == tag), None)


@dataclass
class Reader(HTMLParser):
    """Reads one page; `problems` is what does not nest."""

    elements: list[Element] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        names = [name for name, _ in attrs]
        self.problems += [f"<{tag}> says {name} twice" for name in {each for each in names if names.count(each) > 1}]
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open))
        self.elements.append(element)
        self.shown.append("" if tag in INLINE else "\n")
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open and close one of SVG."""
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if not self._open or self._open[-1].tag != tag:
            self.problems.append(f"</{tag}> closes nothing that is open there")
            return
        self._open.pop()
        self.shown.append("" if tag in INLINE else "\n")

    def handle_data(self, data: str) -> None:
        """Take text."""
        for each in self._open:
            each.text += data
        if not any(each.tag in ("title", "desc", "script", "svg") for each in self._open):
            self.shown.append(re.sub(r"\s+", " ", data))


def read(page: str) -> Reader:
    """Return a page read to its end."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    reader.problems += [f"<{each.tag}> is never closed" for each in reader._open]
    return reader


def text_of(page: str) -> str:
    """Return what people read, a line for each block."""
    lines = (re.sub(r" +", " ", each).strip() for each in "".join(read(page).shown).split("\n"))
    return "\n".join(each for each in lines if each)


def complaints(page: str) -> list[str]:
    """Return everything that is wrong with a page's markup."""
    reader = read(page)
    found = list(reader.problems)
    for check in (_ids, _headings, _forms, _fields, _tables, _links, _inline):
        found += check(reader.elements)
    return found


def _ids(elements: list[Element]) -> Iterator[str]:
    ids = [each.attributes["id"] for each in elements if "id" in each.attributes]
    yield from (f"two elements are called {name}" for name in {each for each in ids if ids.count(each) > 1})
    for each in elements:
        for name in ("aria-labelledby", "aria-describedby"):
            missing = set(each.attributes.get(name, "").split()) - set(ids)
            yield from (f"{name} names {one}, which is not there" for one in missing)


def _headings(elements: list[Element]) -> Iterator[str]:
    levels = [int(each.tag[1]) for each in elements if re.fullmatch("h[1-6]", each.tag)]
    if levels[:1] != [1] or levels.count(1) != 1:
        yield f"the headings are {levels}: one h1, and it comes first"
    for before, after in pairwise(levels):
        if after > before + 1:
            yield f"h{after} comes after h{before}"
    mains = [each for each in elements if each.tag == "main"]
    if len(mains) != 1:
        yield f"there are {len(mains)} main"
    yield from ("an empty heading" for each in elements if re.fullmatch("h[1-6]", each.tag) and not each.text.strip())


def _forms(elements: list[Element]) -> Iterator[str]:
    for form in (each for each in elements if each.tag == "form"):
        inner = [each for each in elements if form in each.parents]
        names = [each.attributes.get("name") for each in inner]
        action = form.attributes.get("action", "")
        if form.attributes.get("method") != "post" or not action.startswith("/"):
            yield f"the form to {action} is not posted to us"
        if "csrf" not in names and action != "/sign-in":
            yield f"the form to {action} has no csrf"
        if not any(each.tag == "button" and each.text.strip() for each in inner):
            yield f"the form to {action} has no button"


def _fields(elements: list[Element]) -> Iterator[str]:
    for each in elements:
        if each.tag in FIELDS and each.attributes.get("type") != "hidden":
            label = each.inside("label")
            if label is None or not label.text.strip():
                yield f"{each.attributes.get('name')} has no label"
        if each.tag in (*FIELDS, "button") and each.inside("form") is None:
            yield f"{each.tag} {each.attributes.get('name', each.text)} is in no form"


def _tables(elements: list[Element]) -> Iterator[str]:
    for each in elements:
        if each.tag == "th" and each.attributes.get("scope") not in ("row", "col"):
            yield f"the heading {each.text!r} has no scope"
        if each.tag == "table" and not any(one.tag == "caption" and each in one.parents for one in elements):
            yield "a table has no caption"
        if each.tag == "time" and not each.attributes.get("datetime", "").endswith("Z"):
            yield f"the time {each.text!r} has no datetime in UTC"


def _links(elements: list[Element]) -> Iterator[str]:
    for each in elements:
        address = each.attributes.get("href", "")
        if each.tag == "a" and not address.startswith(("/", "#")):
            if not address.startswith(("http://", "https://")):
                yield f"a link leads to {address}"
            if each.attributes.get("rel") != "noreferrer noopener":
                yield f"the link to {address} tells where it was followed"
        if each.tag == "a" and not each.text.strip():
            yield f"the link to {address} has no name"


def _inline(elements: list[Element]) -> Iterator[str]:
    """The policy forbids these; a browser would not heed them."""
    for each in elements:
        if each.tag == "style" or (each.tag == "script" and not each.attributes.get("src", "").startswith("/assets/")):
            yield f"an inline {each.tag}"
        if each.tag in ("iframe", "object", "embed", "base"):
            yield f"a {each.tag}"
        yield from (f"{name} on {each.tag}" for name in each.attributes if name == "style" or name.startswith("on"))
