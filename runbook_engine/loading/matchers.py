"""Matchers of a document: parsed, their patterns tried, and YAML's traps around them explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Path, Place, Scalar, plain
from runbook_engine.matching.meta import META_LABELS
from runbook_engine.matching.regexes import compile_pattern
from runbook_engine.model.alert import SEVERITY_NUMBERS
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.matcher_grammar import MatcherError, parse_matcher

_MATCHES_ANYTHING: Final = frozenset({".+", ".*", "(.+)", "(.*)", "", ".+|", "|.+"})
_LOST_TAIL = re.compile(r"\s+#\S")


def check_matchers(findings: Findings, path: Path) -> tuple[Matcher, ...]:
    """Report what is wrong with the matchers at a path, once, and return those that are right."""
    if path not in findings.matchers:
        findings.matchers[path] = tuple(_read(findings, path))
    return findings.matchers[path]


def warn_of_match_all(findings: Findings, path: Path, matchers: tuple[Matcher, ...]) -> None:
    """Warn when no matcher picks anything out."""
    if matchers and all(_is_open(matcher) for matcher in matchers):
        message = "this matches nearly every alert: no matcher names what must be there"
        findings.warning(path, "match-all", message, "add a matcher such as alertname = NAME")


def _read(findings: Findings, path: Path) -> Iterator[Matcher]:
    listed = findings.node(path)
    if isinstance(listed, Items):
        for index, node in enumerate(listed.items):
            yield from _check(findings, (*path, index), node, listed)


def _check(findings: Findings, path: Path, node: Node, parent: Items) -> Iterator[Matcher]:
    if isinstance(node, Entries):
        _explain_map(findings, path, node)
        return
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return
    tail = _lost_tail(findings, node)
    place = Place(node.place.line, node.place.column + (node.style == "quoted"), len(node.value))
    try:
        matcher = parse_matcher(node.value)
    except MatcherError as error:
        hint = _comma_hint(parent, node) or tail or error.hint
        findings.at(_from(place, node.value, error.offset), "matcher", f"not a matcher: {error.message}", hint)
        return
    if tail:
        findings.error(path, "lost-tail", f'YAML ends this matcher before " #": it reads "{node.value}"', tail)
    try:
        if matcher.is_regex:
            compile_pattern(matcher.value)
    except MatcherError as error:
        findings.error(path, "pattern", error.message, error.hint)
        return
    _check_meta(findings, path, matcher)
    yield Matcher(
        *(matcher.name, matcher.op, matcher.value, matcher.text or node.value),
        *(findings.source.file, node.place.line, node.place.column),
    )


def _from(place: Place, text: str, offset: int) -> Place:
    offset = min(offset, max(len(text) - 1, 0))
    return Place(place.line, place.column + offset, max(1, len(text) - offset))


def _explain_map(findings: Findings, path: Path, node: Entries) -> None:
    findings.explained.add(path)
    line = findings.source.lines[node.place.line - 1]
    written = line[node.place.column - 1 :].split(" #")[0].rstrip()
    first = next(iter(node.entries.items()), ("", None))
    if len(node.entries) == 1 and isinstance(first[1], Scalar) and "=" in first[0] and node.style == "block":
        place = Place(node.place.line, node.place.column, len(written))
        message = f'a matcher is text, and YAML reads this one as a map because of its ": " (key "{first[0]}")'
        findings.at(place, "matcher-is-map", message, f"quote this: '{written}'")
        return
    sentence = ", ".join(f"{key} = {plain(value)}" for key, value in node.entries.items())
    findings.error(
        path, "matcher-is-map", "a matcher is text, not a map", f'did you mean "{sentence}"?' if sentence else ""
    )


def _lost_tail(findings: Findings, node: Scalar) -> str:
    """Return the remedy when what looks like a comment is most likely the rest of the matcher."""
    if node.style != "plain":
        return ""
    line = findings.source.lines[node.place.line - 1]
    rest = line[node.place.column - 1 + len(node.text) :]
    if not _LOST_TAIL.match(rest):
        return ""
    whole = (node.text + rest).rstrip()
    return f"quote this: '{whole}' (or put a space after # if it is a comment)"


def _comma_hint(parent: Items, node: Scalar) -> str:
    if parent.style == "flow" and node.style == "plain" and len(parent.items) > 1:
        return "a comma inside [ ] begins a new item: quote the whole matcher"
    return ""


def _check_meta(findings: Findings, path: Path, matcher: Matcher) -> None:
    if matcher.name.startswith("__") and matcher.name not in META_LABELS:
        message = f'unknown label "{matcher.name}": alerts carry no label that begins with __'
        findings.error(path, "meta-label", message, did_you_mean(matcher.name, META_LABELS))
    elif matcher.name == "__severity__" and not matcher.is_regex and matcher.value not in SEVERITY_NUMBERS:
        message = f'"{matcher.value}" is no normalised severity'
        findings.error(path, "severity", message, did_you_mean(matcher.value, SEVERITY_NUMBERS))


def _is_open(matcher: Matcher) -> bool:
    return matcher.is_negative or (matcher.is_regex and matcher.value in _MATCHES_ANYTHING)
