"""Permissions as a table for people, as RBAC manifests for a cluster, and as values of the Helm chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from runbook_engine.model.grant import EVERYWHERE, Grant
from runbook_engine.render.lines import Lines, Mark, Piece, Span, line, table
from runbook_engine.render.wording import count

Rule = dict[str, Any]
MANAGED_BY = {"app.kubernetes.io/managed-by": "runbook-engine"}


def render_permissions(grants: Sequence[Grant]) -> Lines:
    """Return every grant with what needs it, those that change something marked."""
    grants = _narrowed(grants)
    writes = sum(1 for grant in {_what(grant): grant for grant in grants}.values() if not grant.reads)
    return (
        *table(_rows(grants)),
        line(f"{count(len({_what(grant) for grant in grants}), 'grant')}, {writes} of them write"),
    )


def render_check(missing: Sequence[Grant], extra: Sequence[Grant]) -> Lines:
    """Return by what the rights that are given are narrower and wider than what is needed."""
    if not missing and not extra:
        return (line("exactly what is needed"),)
    rows = [*_difference("missing", missing), *_difference("too much", extra)]
    short = count(len({_what(grant) for grant in missing}), "grant")
    return (*table(rows), line(f"{short} missing, {len({_what(grant) for grant in extra})} too many"))


def record_permissions(grants: Sequence[Grant]) -> dict[str, Any]:
    """Return the grants for scripts."""
    return {"grants": _records(grants)}


def record_check(missing: Sequence[Grant], extra: Sequence[Grant]) -> dict[str, Any]:
    """Return the same as `render_check` for scripts."""
    return {"exact": not missing and not extra, "missing": _records(missing), "extra": _records(extra)}


def rbac_manifests(grants: Sequence[Grant], *, name: str, subject: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """Return the roles that hold exactly these grants, each with its binding to the subject."""
    rules = rules_by_namespace(grants)
    return tuple(
        manifest
        for namespace in sorted(rules)
        for manifest in (
            _role(name, namespace, rules[namespace]),
            _binding(name, namespace, subject),
        )
    )


def helm_values(grants: Sequence[Grant]) -> dict[str, Any]:
    """Return the grants as the values of the chart in helm/runbook-engine."""
    rules = rules_by_namespace(grants)
    namespaces = {namespace: wanted for namespace, wanted in rules.items() if namespace}
    return {"rbac": {"create": True, "rules": rules.get("", []), "namespaces": namespaces}}


def rules_by_namespace(grants: Sequence[Grant]) -> dict[str, list[Rule]]:
    """Return the fewest rules for each namespace; the empty one is the cluster's own."""
    verbs: dict[tuple[str, str, str, tuple[str, ...]], set[str]] = {}
    for grant in grants:
        place = "" if grant.namespace == EVERYWHERE else grant.namespace
        verbs.setdefault((place, grant.group, grant.resource, grant.names), set()).add(grant.verb)
    for (place, group, resource, names), wanted in verbs.items():
        for wider in ((place, ""), ("", "")) if names else (("", ""),) if place else ():
            wanted -= verbs.get((wider[0], group, resource, ()), set())
    together: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (place, group, resource, names), wanted in sorted(verbs.items()):
        if wanted:
            together.setdefault((place, group, tuple(sorted(wanted)), names), []).append(resource)
    found: dict[str, list[Rule]] = {}
    for (place, group, allowed, names), resources in sorted(together.items()):
        rule: Rule = {"apiGroups": [group], "resources": sorted(resources), "verbs": list(allowed)}
        if names:
            rule["resourceNames"] = list(names)
        found.setdefault(place, []).append(rule)
    return found


def _narrowed(grants: Sequence[Grant]) -> Sequence[Grant]:
    """Return the grants without those that others of them include; who needs a wider one needs it all the same."""
    wide = {(grant.namespace, grant.group, grant.resource, grant.verb) for grant in grants if not grant.names}
    return [
        replace(grant, names=()) if (grant.namespace, grant.group, grant.resource, grant.verb) in wide else grant
        for grant in grants
    ]


def _rows(grants: Sequence[Grant]) -> list[list[Piece]]:
    """Return one row for what is read of a resource and one for what is written; of reads, who needs it will do."""
    found: dict[tuple[str, str, tuple[str, ...], bool], list[Grant]] = {}
    for grant in grants:
        resource = f"{grant.group}/{grant.resource}" if grant.group else grant.resource
        found.setdefault((_place(grant), resource, grant.names, not grant.reads), []).append(grant)
    rows: list[list[Piece]] = []
    for (place, resource, names, writes), group in sorted(found.items()):
        mark: Mark = "change" if writes else ""
        verbs = ", ".join(sorted({grant.verb for grant in group}))
        which = f" ({', '.join(names)})" if names else ""
        needs = sorted({grant.because if writes else grant.because.partition(":")[0] for grant in group})
        rows.append([Span(place, "strong"), f"{resource}{which}", Span(verbs, mark), Span("; ".join(needs), "faint")])
    return rows


def _place(grant: Grant) -> str:
    return {"": "cluster", EVERYWHERE: "every namespace"}.get(grant.namespace, grant.namespace)


def _records(grants: Sequence[Grant]) -> list[dict[str, Any]]:
    return [
        {
            "namespace": grant.namespace,
            "group": grant.group,
            "resource": grant.resource,
            "verb": grant.verb,
            "names": list(grant.names),
            "because": grant.because,
        }
        for grant in grants
    ]


def _difference(word: str, grants: Sequence[Grant]) -> list[list[Piece]]:
    return [[Span(word, "bad"), *row] for row in _rows(grants)]


def _role(name: str, namespace: str, rules: Sequence[Rule]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": _metadata(name, namespace),
        "rules": list(rules),
    }


def _binding(name: str, namespace: str, subject: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": _metadata(name, namespace),
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role" if namespace else "ClusterRole",
            "name": name,
        },
        "subjects": [dict(subject)],
    }


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(MANAGED_BY)}


def _what(grant: Grant) -> tuple[str, str, str, str, tuple[str, ...]]:
    return grant.namespace, grant.group, grant.resource, grant.verb, grant.names
