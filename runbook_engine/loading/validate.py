"""Judge one document: its kind, its fields, and what must hold between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from pydantic import ValidationError

from runbook_engine.documents.document import API_VERSION, Envelope
from runbook_engine.documents.engine_config import EngineConfigDocument
from runbook_engine.documents.part import RunbookPartDocument
from runbook_engine.documents.runbook import RunbookDocument
from runbook_engine.documents.runbook_test import RunbookTestDocument
from runbook_engine.loading.adapter_rules import check_adapters
from runbook_engine.loading.automation_rules import check_automations
from runbook_engine.loading.calendar_rules import check_calendars
from runbook_engine.loading.config_rules import check_config_rules
from runbook_engine.loading.diagnostics import Source, did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.job_rules import check_jobs
from runbook_engine.loading.matchers import check_matchers, warn_of_match_all
from runbook_engine.loading.parameters import check_parameters
from runbook_engine.loading.references import check_inputs, check_templates
from runbook_engine.loading.request_rules import check_requests
from runbook_engine.loading.rules import Catalogue, as_list, as_map, check_rules
from runbook_engine.loading.sentences import absent_at, fields_at, report
from runbook_engine.loading.yaml_tree import Entries, Node

KINDS: Final[Mapping[str, type[Envelope]]] = {
    "Runbook": RunbookDocument,
    "RunbookPart": RunbookPartDocument,
    "RunbookTest": RunbookTestDocument,
    "EngineConfig": EngineConfigDocument,
}


class Judged(msgspec.Struct, frozen=True):
    """One document: what was found, and its model unless something found is an error."""

    findings: Findings
    document: Envelope | None = None


def judge_document(source: Source, root: Node, catalogue: Catalogue) -> Judged:
    """Return a document's model with everything that is wrong with it."""
    return judge_findings(Findings(source, root), catalogue)


def judge_findings(findings: Findings, catalogue: Catalogue) -> Judged:
    """Return the model of a tree with everything that is wrong with it; it may have been put together."""
    model = _model(findings)
    if model is None:
        return Judged(findings)
    _check_empties(findings, model)
    _RULES[model](findings, catalogue)
    document = None
    try:
        document = model.model_validate(findings.content)
    except ValidationError as error:
        report(error, findings, model)
    return Judged(findings, None if findings.failed else document)


def _model(findings: Findings) -> type[Envelope] | None:
    if not isinstance(findings.root, Entries):
        findings.error((), "not-a-document", "a document is a map that begins with apiVersion and kind")
        return None
    content = as_map(findings.content)
    version, kind = content.get("apiVersion"), content.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind]
    if kind is None:
        hint = f"begin with apiVersion: {API_VERSION} and kind: Runbook"
        findings.error((), "kind-missing", f'"kind" is missing{"" if version else ", and so is apiVersion"}', hint)
    else:
        sentence = f'unknown kind "{kind}"' if isinstance(kind, str) else "a kind is one word"
        findings.error(("kind",), "unknown-kind", sentence, did_you_mean(str(kind), KINDS))
    return None


def _check_empties(findings: Findings, model: type[Envelope]) -> None:
    """Report keys without a value: most likely a block whose indentation was lost, such as an approval."""
    for path, node in findings.scalars:
        if node.value is not None or not path or isinstance(path[-1], int):
            continue
        written = set(fields_at(model, path[:-1])) - absent_at(model, path[:-1])
        if "with" not in path[:-1] and "diagnostics" not in path and path[-1] in written:
            findings.explained.add(path)
            hint = "write its value, check the indentation below it, or remove the key"
            findings.error_at_key(path, "empty", f'"{path[-1]}" has no value', hint)


def _judge_runbook(findings: Findings, catalogue: Catalogue) -> None:
    if as_map(findings.content).get("matchers") == []:
        findings.explained.add(("matchers",))
        hint = "to match every alert on purpose, write - alertname =~ .+"
        findings.error(("matchers",), "no-matchers", '"matchers" is empty, and that never means every alert', hint)
    matchers = check_matchers(findings, ("matchers",))
    if not findings.failed:
        warn_of_match_all(findings, ("matchers",), matchers)
    content = as_map(findings.content)
    for index in range(len(as_list(content.get("mode")))):
        check_matchers(findings, ("mode", index, "matchers"))
    check_inputs(findings)
    check_templates(findings, as_map(content.get("inputs")))
    check_rules(findings, catalogue)


def _judge_config(findings: Findings, catalogue: Catalogue) -> None:
    for index in range(len(as_list(as_map(findings.content).get("modeCeiling")))):
        check_matchers(findings, ("modeCeiling", index, "matchers"))
    check_config_rules(findings, catalogue)
    check_jobs(findings)
    check_automations(findings)
    check_requests(findings)
    check_calendars(findings)
    check_adapters(findings, catalogue)


def _judge_test(findings: Findings, catalogue: Catalogue) -> None:
    seen: set[str] = set()
    for index, test in enumerate(as_list(as_map(findings.content).get("tests"))):
        name = as_map(test).get("name")
        if isinstance(name, str) and name in seen:
            message = f'two tests are named "{name}"'
            findings.error(("tests", index, "name"), "duplicate-test", message, "rename one of them")
        seen.add(str(name))


def _judge_part(findings: Findings, catalogue: Catalogue) -> None:
    """Report what is wrong with a part by itself; what it holds is judged where it is used."""
    if "uses" in as_map(findings.content):
        findings.explained.add(("uses",))
        message = "a part uses no other part: a reader would have to follow them"
        findings.error_at_key(("uses",), "part-of-part", message, "write it out here")
    check_parameters(findings)


_RULES: Final[Mapping[type[Envelope], Callable[[Findings, Catalogue], None]]] = {
    RunbookDocument: _judge_runbook,
    RunbookPartDocument: _judge_part,
    RunbookTestDocument: _judge_test,
    EngineConfigDocument: _judge_config,
}
