"""Use: a runbook together with the part that it names, as one tree in which everything keeps its place.

The runbook that comes out is whole: the same rules judge it, the same digest covers it, and no host ever hears of
parts. Lists are joined, the part's first; guardrails only tighten; what can stand once stands in one of the two. One
level: a part uses no other, so that nobody reads more than two files at three in the morning.
"""

from __future__ import annotations

from typing import Final

from runbook_engine.loading.diagnostics import Source
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.library import Library, NoPart, Part
from runbook_engine.loading.parameters import fill, values_for
from runbook_engine.loading.tightening import tighten
from runbook_engine.loading.yaml_tree import Entries, Items, Node, Scalar

JOINED: Final = ("require", "diagnostics", "verify", "steps", "notify")
ONE_OR_MANY: Final = ("require", "verify")  # one check may stand without its list
SHARED: Final = (*JOINED, "doNoHarm", "guardrails")


def expand(source: Source, root: Node, library: Library) -> Findings:
    """Return the findings of a document, over the tree that it is together with its part."""
    if not isinstance(root, Entries) or not _is_user(root):
        return Findings(source, root)
    findings = Findings(source, root)
    named = root.entries.get("uses")
    if named is None:
        findings.error_at_key(("with",), "part-values", '"with" fills in the part that "uses" names', "add uses: FILE")
        return findings
    if not isinstance(named, Scalar) or not isinstance(named.value, str):
        findings.error(("uses",), "part", '"uses" names one file', "write uses: lib/shed-then-scale.yaml")
        return findings
    try:
        part = library.part(named.value, source.file)
    except NoPart as error:
        findings.error(("uses",), "part", error.message, error.hint)
        return findings
    values = values_for(findings, part.root, named.value)
    if values is None:
        return findings
    shared = {key: fill(part.root.entries[key], values) for key in SHARED if key in part.root.entries}
    filled = Entries(shared, part.root.keys, part.root.place, part.root.style)
    return _together(source, root, Part(part.source, filled), named.place.line)


def _is_user(root: Entries) -> bool:
    kind = root.entries.get("kind")
    return isinstance(kind, Scalar) and kind.value == "Runbook" and ("uses" in root.entries or "with" in root.entries)


def _together(source: Source, root: Entries, part: Part, line: int) -> Findings:
    """Return a runbook and its filled part as one tree."""
    entries = {key: value for key, value in root.entries.items() if key not in ("uses", "with")}
    keys = {key: place for key, place in root.keys.items() if key in entries}
    clashes = Findings(source, root)
    for key, theirs in part.root.entries.items():
        own = entries.get(key)
        entries[key] = theirs if own is None else _joined(clashes, key, own, theirs)
        keys.setdefault(key, part.root.keys[key])
    findings = Findings(source, Entries(entries, keys, root.place, root.style), part=part.source, used_at=line)
    findings.diagnostics.extend(clashes.diagnostics)
    return findings


def _joined(findings: Findings, key: str, own: Node, theirs: Node) -> Node:
    if key in JOINED and (isinstance(own, Items) or (isinstance(own, Entries) and key in ONE_OR_MANY)):
        return Items((*_items(theirs), *_items(own)), own.place, own.style)
    if key == "guardrails" and isinstance(own, Entries) and isinstance(theirs, Entries):
        return tighten(findings, own, theirs)
    if key == "doNoHarm":
        message = f'"{key}" stands in {theirs.place.file}:{theirs.place.line} already'
        findings.error_at_key((key,), "loosened", message, "keep one of the two")
    return own  # of another form than it must have, which its own type says


def _items(node: Node) -> tuple[Node, ...]:
    """Return the items of a list; one check may stand without its list."""
    return node.items if isinstance(node, Items) else (node,)
