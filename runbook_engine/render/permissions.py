"""Permissions as a table for people, as RBAC manifests for a cluster, and as values of the Helm chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook_engine.model.grant import EVERYWHERE, Grant
from runbook_engine.render.lines import Lines, Mark, Piece, Span, line, table
from runbook_engine.render.wording import count

Rule = dict[str, Any]
MANAGED_BY = {"app.kubernetes.io/managed-by": "runbook-engine"}


def render_permissions(grants: Sequence[Grant]) -> Lines:
    """Return every grant with what needs it, those that change something marked."""
    rows: list[list[Piece]] = []
    for (place, resource), group in sorted(_by_resource(grants).items()):
        verbs = sorted({grant.verb for grant in group})
        mark: Mark = "change" if any(not grant.reads for grant in group) else ""
        names = sorted({name for grant in group for name in grant.names})
        which = f" ({', '.join(names)})" if names else ""
        needs = "; ".join(sorted({grant.because for grant in group}))
        rows.append([Span(place, "strong"), f"{resource}{which}", Span(", ".join(verbs), mark), Span(needs, "faint")])
    writes = sum(1 for grant in {_what(grant): grant for grant in grants}.values() if not grant.reads)
    return (*table(rows), line(f"{count(len({_what(grant) for grant in grants}), 'grant')}, {writes} of them write"))


def record_permissions(grants: Sequence[Grant]) -> dict[str, Any]:
    """Return the grants for scripts."""
    return {
        "grants": [
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
    }


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


def _by_resource(grants: Sequence[Grant]) -> dict[tuple[str, str], list[Grant]]:
    found: dict[tuple[str, str], list[Grant]] = {}
    for grant in grants:
        place = {"": "cluster", EVERYWHERE: "every namespace"}.get(grant.namespace, grant.namespace)
        resource = f"{grant.group}/{grant.resource}" if grant.group else grant.resource
        found.setdefault((place, resource), []).append(grant)
    return found


def _what(grant: Grant) -> tuple[str, str, str, str, tuple[str, ...]]:
    return grant.namespace, grant.group, grant.resource, grant.verb, grant.names
