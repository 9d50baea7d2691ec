"""Given rights: what a file of RBAC manifests, or of values of the chart, allows, as grants to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runbook_engine.entrypoints.cli.failure import UsageError
from runbook_engine.model.grant import EVERYWHERE, Grant

Document = Mapping[str, Any]
ROLES = ("Role", "ClusterRole")
BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def read_given(path: str) -> tuple[Grant, ...]:
    """Return what a file allows. Raises UsageError when it cannot be read as rights."""
    documents = [document for document in _documents(path) if document is not None]
    if not all(isinstance(document, Mapping) for document in documents):
        raise UsageError(f"{path} holds no manifests (give it RBAC manifests, or values with rbac)")
    flat = [item for document in documents for item in _items(document)]
    try:
        found = tuple(_of_values(flat) if any("rbac" in document for document in flat) else _of_manifests(path, flat))
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not as Kubernetes writes rights: {error!r} (correct it)") from error
    if not found and not any(document.get("kind") in ROLES or "rbac" in document for document in flat):
        raise UsageError(f"{path} holds no rights (give it RBAC manifests, or values with rbac)")
    return found


def _documents(path: str) -> list[Any]:
    import yaml  # loaded with the runbooks already

    try:
        return list(yaml.safe_load_all(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror} (correct --check)") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is not YAML (give it RBAC manifests, or values with rbac)") from error


def _items(document: Document) -> Sequence[Document]:
    """Return a document, or what `kubectl get --output yaml` puts into a List."""
    return document.get("items") or () if str(document.get("kind", "")).endswith("List") else (document,)


def _of_values(documents: Sequence[Document]) -> Iterator[Grant]:
    for document in documents:
        rbac = document.get("rbac") or {}
        if rbac.get("create") is False:
            continue
        yield from _of_rules(rbac.get("rules") or (), EVERYWHERE, "rbac.rules")
        for namespace, rules in (rbac.get("namespaces") or {}).items():
            yield from _of_rules(rules or (), namespace, f"rbac.namespaces.{namespace}")


def _of_manifests(path: str, documents: Sequence[Document]) -> Iterator[Grant]:
    """Yield what is bound: a role that nobody holds allows nothing."""
    roles = {_key(document): document.get("rules") or () for document in documents if document.get("kind") in ROLES}
    for binding in documents:
        if binding.get("kind") not in BINDINGS:
            continue
        home = binding["metadata"].get("namespace", "default") if binding["kind"] == "RoleBinding" else ""
        reference = binding["roleRef"]
        key = (reference["kind"], home if reference["kind"] == "Role" else "", reference["name"])
        if key not in roles:
            raise UsageError(
                f"{path}: {binding['kind']} {binding['metadata']['name']} binds {reference['kind']} "
                f"{reference['name']}, which the file does not hold (add it)"
            )
        yield from _of_rules(roles[key], home or EVERYWHERE, f"{reference['kind']} {reference['name']}")


def _key(role: Document) -> tuple[str, str, str]:
    home = role["metadata"].get("namespace", "default") if role["kind"] == "Role" else ""
    return str(role["kind"]), str(home), str(role["metadata"]["name"])


def _of_rules(rules: Sequence[Document], namespace: str, because: str) -> Iterator[Grant]:
    for rule in rules:
        places = [(group, name) for group in rule.get("apiGroups") or () for name in rule.get("resources") or ()]
        places += [("", url) for url in rule.get("nonResourceURLs") or ()]
        for group, resource in places:
            for verb in rule.get("verbs") or ():
                yield Grant(
                    namespace=namespace,
                    group=str(group),
                    resource=str(resource),
                    verb=str(verb),
                    names=tuple(map(str, rule.get("resourceNames") or ())),
                    because=because,
                )
