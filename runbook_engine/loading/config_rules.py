"""What must hold inside an engine configuration, and between it and the runbooks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from runbook_engine.documents.target import NAMESPACED, PLACED, TOUCHED
from runbook_engine.loading.calendar_rules import entries_of
from runbook_engine.loading.diagnostics import did_you_mean
from runbook_engine.loading.findings import Findings
from runbook_engine.loading.mapping_rules import check_mappings
from runbook_engine.loading.rules import Catalogue, as_list, as_map, steps_of
from runbook_engine.loading.sender_rules import check_senders
from runbook_engine.loading.web_rules import check_web
from runbook_engine.loading.yaml_tree import Path
from runbook_engine.model.configuration import Configuration
from runbook_engine.templating import is_template

_SECRET = re.compile(r"(?:token|password|passwd|secret|api_?key|routing_?key|credentials?)$", re.IGNORECASE)
_OF_A_NAMESPACE: Final = ("configmap", "job")  # what a step changes that is no target of a runbook
_CHANGED: Final = (*TOUCHED, *_OF_A_NAMESPACE, "automation", "request")
_OF_A_CLUSTER: Final = ("cluster", "nodes", "jobs", "events")  # ports whose places are clusters and nothing else
_WITHOUT_CLUSTER: Final = ("functions", "queues", "automations")  # ports that name places of their own
_WRITE: Final = "write {env: NAME}, {file: path} or {ssm: /path}, and change this secret: it has been in a file"


def check_config_rules(findings: Findings, catalogue: Catalogue) -> None:
    """Report what breaks a rule between fields of a configuration."""
    content = as_map(findings.content)
    for path, pattern, may_be_all in _target_patterns(content):
        _check_pattern(findings, path, pattern, may_be_all)
    for path, target in _targets_of_changes(content):
        _check_pattern(findings, path, target.partition("@")[0] if isinstance(target, str) else target, False)
    for name, scope in as_map(content.get("scopes")).items():
        source = as_map(scope).get("source")
        if isinstance(source, str) and source not in catalogue.sources:
            hint = did_you_mean(source, catalogue.sources)
            findings.error(("scopes", name, "source"), "unknown-source", f'unknown source "{source}"', hint)
    scopes = as_map(content.get("scopes"))
    check_senders(findings, catalogue, scopes)
    check_mappings(findings)
    check_web(findings)
    for name, token in as_map(content.get("tokens")).items():
        for index, scope in enumerate(as_list(as_map(token).get("scopes"))):
            _check_known(findings, ("tokens", name, "scopes", index), "scope", scope, scopes)
            if isinstance(scope, str) and as_map(scopes.get(scope)).get("from"):
                message = f'nobody may post to "{scope}": it has "from", so AWS alone delivers into it'
                findings.error(("tokens", name, "scopes", index), "scope-not-posted", message, "remove it")
    for name, team in as_map(content.get("teams")).items():
        receiver = as_map(team).get("receiver")
        _check_known(findings, ("teams", name, "receiver"), "receiver", receiver, as_map(content.get("receivers")))
    paged = as_map(content.get("storm")).get("receiver")
    _check_known(findings, ("storm", "receiver"), "receiver", paged, as_map(content.get("receivers")))
    _check_places(findings, content)
    _check_settings(findings)


def check_against(findings: Findings, configuration: Configuration, catalogue: Catalogue) -> None:
    """Report what a runbook names and the configuration does not."""
    receivers = {receiver.name for receiver in configuration.receivers}
    teams = {team.name for team in configuration.teams}
    content = as_map(findings.content)
    _check_known(findings, ("metadata", "owner"), "team", as_map(content.get("metadata")).get("owner"), teams)
    for index, rule in enumerate(as_list(content.get("notify"))):
        _check_known(findings, ("notify", index, "receiver"), "receiver", as_map(rule).get("receiver"), receivers)
    _check_cluster(findings, ("target",), content.get("target"), configuration)
    for index, step in steps_of(findings):
        path: Path = ("steps", index)
        approver = as_map(step.get("approval")).get("by")
        _check_known(findings, (*path, "approval", "by"), "team", approver, teams)
        if step.get("target") is not None:
            _check_cluster(findings, (*path, "target"), step["target"], configuration)
        spec = catalogue.actions.get(str(step.get("action")))
        told, job = (as_map(step.get("with")).get(word) for word in ("receiver", "job"))
        if step.get("action") == "kubernetesJob" and isinstance(job, str) and not is_template(job):
            _check_known(findings, (*path, "with", "job"), "job", job, {each.name for each in configuration.jobs})
        automation = as_map(step.get("with")).get("automation")
        if step.get("action") == "ssmAutomation" and isinstance(automation, str) and not is_template(automation):
            pinned = {each.name for each in configuration.automations}
            _check_known(findings, (*path, "with", "automation"), "automation", automation, pinned)
        request = as_map(step.get("with")).get("request")
        if step.get("action") == "http" and isinstance(request, str) and not is_template(request):
            _check_known(
                findings, (*path, "with", "request"), "request", request, {each.name for each in configuration.requests}
            )
        if spec is not None and spec.message_only and isinstance(told, str) and not is_template(told):
            _check_known(findings, (*path, "with", "receiver"), "receiver", told, receivers)


def _check_known(findings: Findings, path: Path, noun: str, name: Any, known: Collection[str]) -> None:
    if isinstance(name, str) and name not in known:
        hint = did_you_mean(name, known) or f"engine.yaml names no {noun} yet"
        findings.error(path, f"unknown-{noun}", f'unknown {noun} "{name}"', hint)


def _check_cluster(findings: Findings, path: Path, target: Any, configuration: Configuration) -> None:
    if not isinstance(target, dict):
        return
    if any(kind in target for kind in PLACED):
        _check_place(findings, path, target, configuration)
        return
    cluster = target.get("cluster")
    if cluster is None and len(configuration.clusters) > 1:
        message = f'"cluster" is missing in {findings.where(path)}: there are {", ".join(configuration.clusters)}'
        findings.error(
            path, "cluster-missing", message, 'write cluster: "{{ inputs.cluster }}" with an input of type cluster'
        )
    elif isinstance(cluster, str) and not is_template(cluster):
        _check_known(findings, (*path, "cluster"), "cluster", cluster, configuration.clusters or ("local",))


def _check_place(findings: Findings, path: Path, target: Any, configuration: Configuration) -> None:
    """Report a function or a queue of which nobody can tell where it is."""
    kind = next(kind for kind in PLACED if kind in target)
    known = configuration.places(kind)
    place = target.get("place")
    if place is None and "" not in known and len(known) > 1:
        message = f'"place" is missing in {findings.where(path)}: there are {", ".join(known)}'
        findings.error(path, "place-missing", message, f"write place: {known[0]}, or an input of type place")
    elif isinstance(place, str) and not is_template(place):
        _check_known(findings, (*path, "place"), "place", place, [each for each in known if each])


def _targets_of_changes(content: Any) -> Iterator[tuple[Path, Any]]:
    for name, scope in as_map(content.get("scopes")).items():
        for pattern, target in as_map(as_map(scope).get("about")).items():
            yield ("scopes", name, "about", pattern), target


def _target_patterns(content: Any) -> Iterator[tuple[Path, Any, bool]]:
    for index, pattern in enumerate(as_list(content.get("targets"))):
        yield ("targets", index), pattern, False
    for path, entry in entries_of(content):
        for index, pattern in enumerate(as_list(entry.get("targets"))):
            yield (*path, "targets", index), pattern, True
    for name, scope in as_map(content.get("scopes")).items():
        for index, pattern in enumerate(as_list(as_map(scope).get("targets"))):
            yield ("scopes", name, "targets", index), pattern, True


def _check_pattern(findings: Findings, path: Path, pattern: Any, may_be_all: bool) -> None:
    if not isinstance(pattern, str) or (pattern == "*" and may_be_all):
        return
    kind, equals, rest = pattern.partition("=")
    if pattern == "*" or not equals or not rest:
        message = f'"{pattern}" is no target pattern: it names a kind and a name'
        findings.error(path, "target-pattern", message, "write deployment=apps/* or parameter=/checkout/*")
    elif kind not in _CHANGED:
        findings.error(path, "target-pattern", f'unknown kind "{kind}" of target', did_you_mean(kind, _CHANGED))
    elif kind in (*NAMESPACED, *_OF_A_NAMESPACE) and rest.count("/") != 1:
        message = f"a {kind} is named by its namespace and its name"
        findings.error(path, "target-pattern", message, f"write {kind}=NAMESPACE/{rest.rpartition('/')[2]}")


def _check_places(findings: Findings, content: Any) -> None:
    """Report places that no target can be in: a cluster that is not named, or what no functions or queues are in."""
    clusters = [name for name in as_list(content.get("clusters")) if isinstance(name, str)] or ["local"]
    choices = list(_choices(as_map(content.get("adapters"))))
    others = [place for port, _, place in choices if port in _WITHOUT_CLUSTER]
    for port, path, place in choices:
        if port in _OF_A_CLUSTER:
            _check_known(findings, path, "cluster", place, clusters)
        elif port not in _WITHOUT_CLUSTER:
            _check_known(findings, path, "place" if others else "cluster", place, [*clusters, *others])
    for name, automation in as_map(content.get("automations")).items():
        written = as_map(automation).get("place")
        if written:
            _check_known(findings, ("automations", name, "place"), "place", written, others)


def _choices(adapters: Mapping[str, Any]) -> Iterator[tuple[str, Path, str]]:
    """Yield the port, the path and the text of every place that an adapter is given."""
    for port, written in adapters.items():
        several = isinstance(written, list)
        for index, choice in enumerate(written if several else [written]):
            place = as_map(choice).get("place")
            if isinstance(place, str) and place:
                yield port, ("adapters", port, index, "place") if several else ("adapters", port, "place"), place


def _check_settings(findings: Findings) -> None:
    """Report secrets that stand in the settings of adapters and receivers."""
    for path, node in findings.scalars:
        if not path or path[0] not in ("adapters", "receivers"):
            continue
        literal = isinstance(node.value, str | int | float) and not isinstance(node.value, bool)
        if literal and _SECRET.search(str(path[-1])) and len(path) > 2:
            findings.explained.add(path)
            findings.error(path, "literal-secret", "a secret itself must not stand in a file", _WRITE)
