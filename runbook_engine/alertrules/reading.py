"""Read rule files: Prometheus' own, and PrometheusRule objects of a cluster; recording rules are passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec

from runbook_engine.alertrules.carried import NONE, Carried
from runbook_engine.alertrules.listing import Listed, list_files, said_of
from runbook_engine.alertrules.promql import carried_labels
from runbook_engine.alertrules.rule import AlertRule
from runbook_engine.loading.diagnostics import Source, did_you_mean, ordered
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.yaml_source import parse_yaml
from runbook_engine.loading.yaml_tree import Entries, Node, Path, Place, Scalar, value_place
from runbook_engine.model.diagnostic import Diagnostic

KIND: Final = "PrometheusRule"
FIELDS: Final = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
OTHER_FILES: Final = ({"apiVersion", "kind"}, {"rule_files"}, {"tests"})  # objects of a cluster, tests of promtool


class RuleFiles(msgspec.Struct, frozen=True):
    """What was read: the alert rules in their order, and everything that is wrong."""

    rules: tuple[AlertRule, ...]
    errors: tuple[Diagnostic, ...]


def read_rules(paths: Sequence[FilePath | str], external: frozenset[str] = NONE) -> RuleFiles:
    """Read every alert rule under the paths; `external` names labels that the server adds to all of its alerts."""
    reader = _Reader(external)
    for file in list_files([FilePath(path) for path in paths]):
        reader.read(file)
    return RuleFiles(tuple(reader.rules), ordered(reader.errors))


class _Reader:
    """Collects rules and errors, file by file."""

    def __init__(self, external: frozenset[str]) -> None:
        self.external = external
        self.rules: list[AlertRule] = []
        self.errors: list[Diagnostic] = []

    def read(self, file: Listed) -> None:
        """Read one file."""
        try:
            content = b"" if file.error else file.path.read_bytes()
        except OSError as error:
            file = file._replace(error=said_of(error))
        if file.error:
            message = f"cannot be read: {file.error}"
            self._refuse(Source(str(file.path), ()), "unreadable-file", message, "")
            return
        parsed = parse_yaml(content, str(file.path))
        broken = [found for found in parsed.diagnostics if found.severity == "error"]
        self.errors += broken
        documents = [Findings(parsed.source, root) for root in parsed.documents]
        found = [self._read_groups(findings) for findings in documents]
        if not any(found) and not broken and (file.named or not all(_is_other(each.content) for each in documents)):
            hint = f"a rule file begins with groups:, a cluster's object with kind: {KIND}"
            self._refuse(parsed.source, "no-rules", "there are no rule groups in this file", hint)

    def _refuse(self, source: Source, code: str, message: str, hint: str) -> None:
        self.errors.append(source.diagnostic(Place(1, 1), code, message, hint))

    def _read_groups(self, findings: Findings) -> bool:
        """Read every group of a document, and return whether it has a place for them."""
        places = tuple(_places(findings.content))
        for base in places:
            groups = _at(findings.content, base)
            if not isinstance(groups, list):
                findings.error(base, "rule-groups", '"groups" must be a list', "write - name: ... for each group")
            for index, _ in enumerate(groups if isinstance(groups, list) else ()):
                self._read_group(findings, (*base, index))
        self.errors += findings.diagnostics
        return bool(places)

    def _read_group(self, findings: Findings, path: Path) -> None:
        group = _at(findings.content, path)
        rules = group.get("rules") if isinstance(group, dict) else None
        if not isinstance(group, dict) or not (rules is None or isinstance(rules, list)):
            findings.error(path, "rule-group", "a group is a map with name and rules", "write rules: and a list")
            return
        shared = _labels(findings, (*path, "labels"))
        for index, rule in enumerate(rules or ()):
            inner = (*path, "rules", index)
            if not isinstance(rule, dict):
                findings.error(inner, "rule", "a rule is a map with alert and expr", "")
            elif "record" not in rule:
                self._read_rule(findings, inner, rule, (str(group.get("name", "")), shared))

    def _read_rule(
        self, findings: Findings, path: Path, rule: dict[str, Any], group: tuple[str, Mapping[str, str]]
    ) -> None:
        before = len(findings.diagnostics)
        for key in rule:
            if key not in FIELDS:
                hint = did_you_mean(key, FIELDS)
                findings.error_at_key((*path, key), "rule-field", f'unknown field "{key}" in a rule', hint)
        name, expression = (_text(findings.node((*path, key))) for key in ("alert", "expr"))
        if not name:
            message = "a rule has a name: alert for an alert, record for a series"
            findings.error(path, "rule-name", message, "write alert: NAME")
        if not expression:
            message = f'the rule "{name}" has no expression' if name else "a rule has an expression"
            findings.error(path, "rule-expression", message, "write expr: and the PromQL that fires it")
        labels = {**group[1], **_labels(findings, (*path, "labels"))}
        if len(findings.diagnostics) == before:
            self.rules.append(self._rule(findings, path, (name, expression, group[0]), labels))

    def _rule(self, findings: Findings, path: Path, said: tuple[str, str, str], labels: dict[str, str]) -> AlertRule:
        name, expression, group = said
        carried = carried_labels(expression)
        may = None if carried.may is None else carried.may | self.external
        templated = frozenset(label for label, value in labels.items() if "{{" in value)
        constants = {label: value for label, value in labels.items() if label not in templated}
        return AlertRule(
            name=name,
            expression=expression,
            group=group,
            file=findings.source.file,
            line=value_place(findings.root, (*path, "alert")).line,
            labels={**constants, "alertname": name},
            templated=templated - {"alertname"},
            carried=Carried(carried.sure | self.external, may),
        )


def _places(content: Any, base: Path = ()) -> Iterator[Path]:
    """Yield where groups stand in a document: at the top, in an object's spec, or in those of a list of objects."""
    if not isinstance(content, dict):
        return
    kind = content.get("kind")
    if kind is None and "groups" in content:
        yield (*base, "groups")
    elif kind == KIND and isinstance(content.get("spec"), dict) and "groups" in content["spec"]:
        yield (*base, "spec", "groups")
    elif isinstance(kind, str) and kind.endswith("List") and isinstance(content.get("items"), list):
        for index, item in enumerate(content["items"]):
            yield from _places(item, (*base, "items", index))


def _is_other(content: Any) -> bool:
    """Whether a document says of itself that it is something else, or is empty; what may be a slip does not."""
    keys = set(content) if isinstance(content, dict) and content.get("kind") != KIND else set()
    return content is None or any(each <= keys for each in OTHER_FILES)


def _at(content: Any, path: Path) -> Any:
    for part in path:
        content = content[part]
    return content


def _labels(findings: Findings, path: Path) -> dict[str, str]:
    """Return the labels that a rule sets, as they are written."""
    node = findings.node(path)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, Entries):
        findings.error(path, "rule-labels", '"labels" must be a map of texts', "write NAME: value")
        return {}
    for name, value in node.entries.items():
        if not isinstance(value, Scalar):
            findings.error((*path, name), "rule-labels", f'the label "{name}" must be a text', "write NAME: value")
    return {name: _text(value) for name, value in node.entries.items()}


def _text(node: Node | None) -> str:
    """Return a scalar as it is written: Prometheus reads numbers and truths as text here."""
    if not isinstance(node, Scalar) or node.value is None:
        return ""
    return node.value if isinstance(node.value, str) else node.text
