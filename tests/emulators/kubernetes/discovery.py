"""Discovery: what the server serves, in the unaggregated form that every client understands."""

from tests.emulators.kubernetes.errors import no_such_path
from tests.emulators.kubernetes.resources import BY_PLURAL, RESOURCES, Resource
from tests.emulators.kubernetes.trees import Tree

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "70d3cc986aa8221cd1dfb1121852688902d3bf53",
    "gitTreeState": "clean",
    "buildDate": "2024-12-11T17:59:15Z",
    "goVersion": "go1.23.3",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_REVIEW = {"name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": False}
_GROUPS = ("apps", "autoscaling", "batch", "policy", "coordination.k8s.io", "keda.sh", "authorization.k8s.io")


def discover(parts: list[str]) -> Tree:
    """Answer a discovery path."""
    match parts:
        case ["version"]:
            return VERSION
        case ["openapi", "v3"]:
            paths = {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash=1"} for name in _documents()}
            return {"paths": paths}
        case ["openapi", "v3", *rest] if "/".join(rest) in _documents():
            return _openapi("/".join(rest))
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in _GROUPS]}
        case ["apis", group] if group in _GROUPS:
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group)
        case ["api", "v1"]:
            return _resources("", "v1")
        case ["apis", group, version] if group in _GROUPS and version == _version(group):
            return _resources(group, version)
        case _:
            raise no_such_path()


def _documents() -> list[str]:
    return sorted({_prefix(resource) for resource in RESOURCES})


def _prefix(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else "api/v1"


def _openapi(document: str) -> Tree:
    """Return what clients look for before a write: that the server validates fields and knows dry runs."""
    names = ("dryRun", "fieldManager", "fieldValidation")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    media = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"]
    paths = {}
    for each in RESOURCES:
        if _prefix(each) == document:
            kind = {"group": each.group, "version": each.version, "kind": each.kind}
            accepted = media[:2] if each.custom else media
            body: Tree = {"content": {name: {} for name in accepted}}
            patch = {"parameters": parameters, "x-kubernetes-group-version-kind": kind, "requestBody": body}
            home = "namespaces/{namespace}/" if each.namespaced else ""
            paths[f"/{document}/{home}{each.plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.32.0"}, "paths": paths}


def _version(group: str) -> str:
    return next((resource.version for resource in RESOURCES if resource.group == group), "v1")


def _group(group: str) -> Tree:
    version = {"groupVersion": f"{group}/{_version(group)}", "version": _version(group)}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _resources(group: str, version: str) -> Tree:
    listed = [entry for each in RESOURCES if each.group == group for entry in _entries(each)]
    if group == "authorization.k8s.io":
        listed = [_REVIEW | {"kind": "SelfSubjectAccessReview", "verbs": ["create"]}]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _entries(resource: Resource) -> list[Tree]:
    entry = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
        "shortNames": list(resource.short),
        "categories": list(resource.categories),
    }
    below = {"singularName": "", "namespaced": resource.namespaced}
    found = [entry]
    if resource.status:
        status = below | {"name": f"{resource.plural}/status", "kind": resource.kind}
        found.append(status | {"verbs": ["get", "patch", "update"]})
    if resource.scalable:
        scale = below | {"name": f"{resource.plural}/scale", "kind": "Scale", "group": "autoscaling", "version": "v1"}
        found.append(scale | {"verbs": ["get", "patch", "update"]})
    if resource is BY_PLURAL["pods"]:
        eviction = below | {"name": "pods/eviction", "kind": "Eviction", "group": "policy", "version": "v1"}
        found.append(eviction | {"verbs": ["create"]})
        found.append(below | {"name": "pods/log", "kind": "Pod", "verbs": ["get"]})
    return found
