"""Loading: runbooks from YAML and from a bundle, each beside the least that it can be; and a start from a bundle.

From YAML everything is judged: templates, patterns, arguments, names, limits. The reference parses with the best parser
that is installed, and checks the types of fields. From a bundle, the reference decodes what matching needs, and nothing
else. Times are CPU time, without garbage collection for all of them; of a fresh interpreter for the start.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from time import process_time
from unittest import mock

import msgspec

from benchmarks.loading_reference import CONFIG, MatchSection, parsers, texts, validated
from benchmarks.loading_start import STARTED, compare_starts
from benchmarks.timing import table
from runbook_engine.loading import files as loading
from runbook_engine.loading.bundle import dump_bundle, load_bundle
from runbook_engine.loading.yaml_source import parse_yaml
from runbook_engine.matching.index import Index
from runbook_engine.matching.prepared import entries_of, index_of, prepare_index
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.uncollected import uncollected
from runbook_engine.registry import Registry

WRITTEN, QUICK_WRITTEN = 1000, 100
MANY, QUICK_MANY = 100_000, 10_000
TURNS = 3
STARTS, QUICK_STARTS = 7, 3
A_RULE = 8e-6  # seconds that filing one rule may take


def run(quick: bool) -> str:
    """Return what loading costs, as ratios, and a start from a bundle."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        written = texts(QUICK_WRITTEN if quick else WRITTEN)
        runbooks = _write(place / "runbooks", written)
        shown = [_from_yaml(runbooks, written), _changed(runbooks)]
        read = loading.load_valid_files([runbooks], Registry()).bundle
        many = _multiplied(read, QUICK_MANY if quick else MANY)
        sizes = [_multiplied(read, min(1000, len(many.runbooks))), many]
        shown.append(_from_bundle(sizes))
        bundle = place / "bundle.msgpack"
        bundle.write_bytes(dump_bundle(_multiplied(read, STARTED)))
        shown.append(compare_starts(bundle, QUICK_STARTS if quick else STARTS))
    return "\n\n".join(shown)


def _write(folder: Path, written: Sequence[str]) -> Path:
    folder.mkdir()
    (folder / "engine.yaml").write_text(CONFIG)
    for number, text in enumerate(written):
        (folder / f"runbook-{number}.yaml").write_text(text)
    return folder


def _from_yaml(folder: Path, written: Sequence[str]) -> str:
    """Compare reading a folder with what each parser and a check of types take for the same texts."""
    registry = Registry()
    loading.load_valid_files([folder], registry)  # what is imported at the first use
    references = {name: partial(validated, parse, written) for name, parse in parsers().items()}
    encoded = [text.encode() for text in written]
    entries = entries_of(loading.load_valid_files([folder], registry).bundle.runbooks)
    whole, parsing, filing, *others = _in_turns(
        lambda: loading.load_valid_files([folder], registry),
        lambda: [parse_yaml(content, "runbook.yaml") for content in encoded],
        lambda: prepare_index(entries),
        *references.values(),
    )
    count, best, rivals = len(written), min(others), zip(references, others, strict=True)
    rows = [
        ("read, parsed and judged", whole / count * 1e6, whole / best, "<= 1.15"),
        ("parsed alone, every value with its place", parsing / count * 1e6, parsing / best, "-"),
        ("judged and filed, without parsing", (whole - parsing + filing) / count * 1e6, "-", "<= 60 us"),
        *((f"{name}, and types", spent / count * 1e6, spent / best, "-") for name, spent in rivals),
    ]
    return table((f"{count:,} runbooks of YAML", "us each", "x the best parser and types", "goal"), rows)


def _changed(folder: Path) -> str:
    """Count the files that are parsed when one of them has changed since the last time."""
    registry = Registry()
    loading.load_valid_files([folder], registry)
    changed = folder / "runbook-0.yaml"
    changed.write_text(changed.read_text() + "# changed\n")
    with mock.patch.object(loading, "parse_yaml", side_effect=parse_yaml) as counted:
        loading.load_valid_files([folder], registry)
    return f"one file changed: {counted.call_count:,} files parsed (wanted: 1)"


def _multiplied(bundle: Bundle, count: int) -> Bundle:
    """Return a bundle of so many runbooks: those of another one, under names of their own."""
    rounds = range(-(-count // len(bundle.runbooks)))
    copies = chain.from_iterable((_renamed(runbook, number) for runbook in bundle.runbooks) for number in rounds)
    return msgspec.structs.replace(bundle, runbooks=tuple(copies)[:count])


def _renamed(runbook: Runbook, number: int) -> Runbook:
    matchers = tuple(
        msgspec.structs.replace(matcher, value=f"{matcher.value}{number}") if matcher.name == "alertname" else matcher
        for matcher in runbook.matchers
    )
    return msgspec.structs.replace(runbook, name=f"{runbook.name}-{number}", matchers=matchers)


def _from_bundle(bundles: Sequence[Bundle]) -> str:
    rows = []
    for bundle in bundles:
        count, content = len(bundle.runbooks), dump_bundle(bundle)
        sections = [
            MatchSection(entry.name, entry.order, [(one.name, one.op, one.value) for one in entry.matchers])
            for entry in entries_of(bundle.runbooks)
        ]
        packed = msgspec.msgpack.encode(sections)
        decoder = msgspec.msgpack.Decoder(list[MatchSection])
        ready, decoded, least = _in_turns(
            partial(_ready, content), partial(load_bundle, content), partial(decoder.decode, packed)
        )
        wanted = 2 * least + A_RULE * count
        rows.append(
            (f"{count:,} runbooks", ready * 1e3, decoded * 1e3, least * 1e3, wanted * 1e3, ready / wanted, "<= 1")
        )
    head = ("a bundle", "ready ms", "decoded ms", "match section ms", "2 x that + 8 us a rule", "x", "goal")
    return table(head, rows)


def _ready(content: bytes) -> Index:
    return index_of(load_bundle(content))


def _in_turns(*works: Callable[[], object]) -> list[float]:
    """Return the seconds of CPU of each, the least of a few turns."""
    kept: list[list[float]] = [[] for _ in works]
    for _ in range(TURNS):
        for work, spent in zip(works, kept, strict=True):
            with uncollected():  # as the loader works: else the others would pay for what its results weigh
                started = process_time()
                work()
                spent.append(process_time() - started)
    return [min(spent) for spent in kept]
