"""Load files: every runbook, test and configuration under some paths, with every error of every file at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path as FilePath

import msgspec

from runbook_engine.documents.engine_config import EngineConfigDocument
from runbook_engine.documents.part import RunbookPartDocument
from runbook_engine.documents.runbook import RunbookDocument
from runbook_engine.documents.runbook_test import RunbookTestDocument
from runbook_engine.errors import InvalidRunbook
from runbook_engine.loading.calendar_rules import warn_of_unknown_runbooks
from runbook_engine.loading.compile import compile_runbook
from runbook_engine.loading.compile_config import compile_config
from runbook_engine.loading.config_rules import check_against
from runbook_engine.loading.diagnostics import Source, did_you_mean, ordered
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.library import Library
from runbook_engine.loading.parting import parted_by
from runbook_engine.loading.rules import Catalogue
from runbook_engine.loading.uses import expand
from runbook_engine.loading.validate import Judged, judge_document, judge_findings
from runbook_engine.loading.walk import SUFFIXES, read_file, walk
from runbook_engine.loading.yaml_source import parse_yaml
from runbook_engine.loading.yaml_tree import Node, Path, Place
from runbook_engine.model.bundle import Bundle
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.diagnostic import Diagnostic
from runbook_engine.model.group import batch_of
from runbook_engine.model.quantity import duration_text
from runbook_engine.model.runbook import Runbook
from runbook_engine.model.uncollected import uncollected
from runbook_engine.model.worst_case import worst_case

JudgeSet = Callable[[Sequence[tuple[Runbook, Findings]], Catalogue, Configuration | None], None]


class LoadedTest(msgspec.Struct, frozen=True):
    """A test document and the file that it stands in, from which its own paths start."""

    file: str
    document: RunbookTestDocument


class Loaded(msgspec.Struct, frozen=True):
    """What was read: everything that is right, and every finding."""

    bundle: Bundle
    tests: tuple[LoadedTest, ...]
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    worst_cases: Mapping[str, str] = {}  # runbook name -> as people write it

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings that make a file unusable."""
        return tuple(found for found in self.diagnostics if found.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings that do not."""
        return tuple(found for found in self.diagnostics if found.severity == "warning")


@uncollected()
def load_files(
    paths: Sequence[FilePath | str],
    catalogue: Catalogue,
    config_path: FilePath | str | None = None,
    *,
    judge_set: JudgeSet | None = None,
) -> Loaded:
    """Read everything under the paths. With a configuration at hand, names of teams and receivers are checked too.

    `judge_set` holds the valid runbooks against each other and against themselves; only lint has any use for it.
    """
    files, told = walk([FilePath(path) for path in paths], FilePath(config_path) if config_path is not None else None)
    found = list(told)
    folders = [FilePath(path).resolve() for path in paths if FilePath(path).is_dir()]
    library = Library(folders, lambda source, root: judge_document(source, root, catalogue).findings)
    judged = [entry for file in files for entry in _judge_file(file, catalogue, library, found)]
    found.extend(library.diagnostics)
    configuration, configured = _configuration(judged)
    compiled = tuple(_compile(judged, configuration if configured else None, catalogue))
    if judge_set is not None:
        judge_set(compiled, catalogue, configuration if configured else None)
    runbooks = tuple(runbook for runbook, _ in compiled)
    names = frozenset(runbook.name for runbook in runbooks)
    for entry in judged:
        _check_named_files(entry, library)
        if not isinstance(entry.document, RunbookDocument) and _lies_in(entry, folders):
            _warn_of_unused(entry, library)
            warn_of_unknown_runbooks(entry.findings, names)
        found.extend(entry.findings.diagnostics)
    tests = tuple(
        LoadedTest(entry.findings.source.file, entry.document)
        for entry in judged
        if isinstance(entry.document, RunbookTestDocument) and not entry.findings.failed
    )
    return Loaded(
        Bundle(runbooks, configuration),
        tests,
        ordered(found),
        tuple(str(file) for file in files),
        {runbook.name: duration_text(worst_case(runbook, catalogue.time_limit)) for runbook in runbooks},
    )


def load_valid_files(
    paths: Sequence[FilePath | str], catalogue: Catalogue, config_path: FilePath | str | None = None
) -> Loaded:
    """Read everything under the paths. Raises InvalidRunbook when anything has an error."""
    loaded = load_files(paths, catalogue, config_path)
    if loaded.errors:
        raise InvalidRunbook(loaded.errors)
    return loaded


def _judge_file(file: FilePath, catalogue: Catalogue, library: Library, found: list[Diagnostic]) -> Iterator[Judged]:
    content = read_file(file)
    if isinstance(content, Diagnostic):
        found.append(content)
        return
    parsed = parse_yaml(content, str(file))
    found.extend(parsed.diagnostics)
    if not parsed.documents and not parsed.diagnostics:
        message = "the file is empty"
        found.append(parsed.source.diagnostic(Place(1, 1), "empty-file", message, severity="warning"))
    broken = any(finding.severity == "error" for finding in parsed.diagnostics)
    for root in parsed.documents:
        judged = _judge_root(parsed.source, root, catalogue, library)
        yield Judged(judged.findings) if broken else judged


def _judge_root(source: Source, root: Node, catalogue: Catalogue, library: Library) -> Judged:
    """Return what becomes of one document together with the part that it uses."""
    findings = expand(source, root, library)
    unusable = findings.failed and findings.root is root
    return Judged(findings) if unusable else judge_findings(findings, catalogue)


def _lies_in(entry: Judged, folders: Sequence[FilePath]) -> bool:
    """Whether a document was found in one of the folders, and is not a file that was named by itself."""
    above = FilePath(entry.findings.source.file).resolve().parents
    return any(folder in above for folder in folders)


def _warn_of_unused(entry: Judged, library: Library) -> None:
    """Warn of a part that nothing uses: what it holds has been judged by nobody."""
    file = FilePath(entry.findings.source.file)
    if isinstance(entry.document, RunbookPartDocument) and file.resolve() not in library.used:
        message = "no runbook uses this part, so nobody has checked what it holds"
        entry.findings.warning(("metadata", "name"), "unused-part", message, f"write uses: {file.name} in a runbook")


def _configuration(judged: Sequence[Judged]) -> tuple[Configuration, bool]:
    """Return the configuration, and whether there is a valid one; a second one is an error."""
    configs = [entry for entry in judged if isinstance(entry.document, EngineConfigDocument)]
    for entry in configs[1:]:
        first = configs[0].findings
        message = f"a second EngineConfig, the first is {first.source.file}:{first.root.place.line}"
        entry.findings.error(("kind",), "second-config", message, "keep one of the two")
    if not configs:
        return Configuration(), False
    document = configs[0].document
    assert isinstance(document, EngineConfigDocument)
    return compile_config(document, configs[0].findings), True


def _compile(
    judged: Sequence[Judged], configuration: Configuration | None, catalogue: Catalogue
) -> Iterator[tuple[Runbook, Findings]]:
    names: dict[str, str] = {}
    for entry in judged:
        findings = entry.findings
        if not isinstance(findings.content, dict) or findings.content.get("kind") != "Runbook":
            continue
        if configuration is not None:
            check_against(findings, configuration, catalogue)
        _check_unique(entry, names)
        if isinstance(entry.document, RunbookDocument) and not findings.failed:
            runbook = compile_runbook(entry.document, findings)
            runbook = msgspec.structs.replace(runbook, apart=parted_by(runbook, catalogue))
            _warn_of_deadline(entry, runbook, catalogue)
            yield runbook, findings


def _check_named_files(entry: Judged, library: Library) -> None:
    """Report the files that a test names and that are not there, or that nobody meant to be read."""
    document, folder = entry.document, FilePath(entry.findings.source.file).parent
    if not isinstance(document, RunbookTestDocument):
        return
    named: list[tuple[Path, str]] = [(("runbooks", index), name) for index, name in enumerate(document.runbooks)]
    named += [(("config",), document.config)] if document.config else []
    for path, name in named:
        if not (folder / name).is_file():
            siblings = [file.name for file in folder.iterdir() if file.suffix in SUFFIXES]
            hint = did_you_mean(name, siblings)
            message = f'there is no file "{name}" beside this one'
            entry.findings.error(path, "no-such-file", message, hint if hint.startswith("did") else "")
        elif library.shows(folder / name, FilePath(entry.findings.source.file)):
            continue
        elif library.reaches(folder / name, FilePath(entry.findings.source.file)):
            message = f'"{name}" is no YAML file'
            entry.findings.error(path, "no-yaml", message, "name a file that ends in .yaml or .yml")
        else:
            message = f'"{name}" leads out of the folder of the runbooks, and of the one that you work in'
            entry.findings.error(path, "leads-out", message, "put the file there")


def _check_unique(entry: Judged, names: dict[str, str]) -> None:
    findings = entry.findings
    metadata = findings.content.get("metadata") if isinstance(findings.content, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        return
    place = f"{findings.source.file}:{findings.root.place.line}"
    first = names.setdefault(name, place)
    if first != place:
        message = f'a second runbook named "{name}", the first is {first}'
        findings.error(("metadata", "name"), "duplicate-runbook", message, "rename one of them")


def _warn_of_deadline(entry: Judged, runbook: Runbook, catalogue: Catalogue) -> None:
    longest = worst_case(runbook, catalogue.time_limit)
    if longest <= runbook.guardrails.deadline:
        _warn_of_batches(entry, runbook, longest)
    else:
        message = f"the worst case of a run is {duration_text(longest)}, longer than its deadline"
        hint = "raise the deadline, or shorten approval, verify or settle; a run ends at its deadline"
        entry.findings.warning(("guardrails", "deadline"), "worst-case", message, hint)


def _warn_of_batches(entry: Judged, runbook: Runbook, longest: timedelta) -> None:
    """Warn when the last batch of a full group may come to its turn too late: waiting counts against the deadline."""
    group = runbook.group
    if group is None:
        return
    batches, _ = batch_of(group.batches, group.max_targets - 1)
    whole = group.wait + longest * batches
    if whole > runbook.guardrails.deadline:
        times = f"{batches} batches, one after the other, take {duration_text(whole)} in the worst case"
        hint = "raise the deadline, lower maxTargets, or make the batches larger; who waits for its turn ends at it too"
        entry.findings.warning(("guardrails", "deadline"), "worst-case", f"{times}, longer than the deadline", hint)
