"""Calls: what is asked of the API server, as a path that holds nothing but plain names, and as words for people."""

from __future__ import annotations

import re

import msgspec

from runbook_engine.errors import InvalidTarget

_GROUP_VERSION = re.compile(r"api/v1|apis/[a-z0-9]([-a-z0-9.]*[a-z0-9])?/v[0-9][a-z0-9]*")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_WORD = re.compile(r"[a-z][a-z0-9]*")
_PATH = re.compile(r"(/[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?)+")
LONGEST_NAME = 253


class Call(msgspec.Struct, frozen=True):
    """One call in the words that RBAC uses."""

    verb: str
    resource: str  # with its subresource: deployments/scale
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        return " ".join(
            [self.verb, self.resource, *([self.name] if self.name else [])]
            + ([f"in namespace {self.namespace}"] if self.namespace else [])
        )

    @property
    def reads(self) -> bool:
        """Whether it only looks, so that a lost answer loses nothing."""
        return self.verb in ("get", "list", "watch")


def path_of(group_version: str, namespace: str, resource: str, name: str = "", subresource: str = "") -> str:
    """Return the path of a resource, a collection or a subresource; an empty namespace is the cluster's scope.

    Raises InvalidTarget for anything that is not a plain name: a label of an alert may have chosen it.
    """
    if not _GROUP_VERSION.fullmatch(group_version) or ".." in group_version:
        raise InvalidTarget(f"{group_version!r} is no API group and version (such as apis/apps/v1 or api/v1)")
    if not _WORD.fullmatch(resource) or (subresource and not _WORD.fullmatch(subresource)):
        raise InvalidTarget(f"{resource!r} {subresource!r} is no resource of Kubernetes (such as deployments, scale)")
    for what, given in (("namespace", namespace), ("name", name)):
        if given and not is_name(given):
            raise InvalidTarget(
                f"{given!r} is no {what} that Kubernetes can have (lower-case letters, digits, dashes and dots)"
            )
    if subresource and not name:
        raise InvalidTarget(f"{resource}/{subresource} needs the name of its object")
    scope = ("namespaces", namespace) if namespace else ()
    return "/" + "/".join(part for part in (group_version, *scope, resource, name, subresource) if part)


def is_name(text: str) -> bool:
    """Whether Kubernetes could have an object of this name; no such name changes the meaning of a path."""
    return len(text) <= LONGEST_NAME and ".." not in text and _NAME.fullmatch(text) is not None


def checked_path(path: str) -> str:
    """Return the path again. Raises InvalidTarget when a part of it is not a plain name."""
    if not _PATH.fullmatch(path) or ".." in path:
        raise InvalidTarget(f"{path!r} is no path of the Kubernetes API (make it with path_of)")
    return path


def change_of(verb: str, path: str) -> Call:
    """Return what a path names, to be changed. Raises InvalidTarget for a whole collection, except to create in it."""
    call = call_of(verb, path)
    if verb != "create" and not call.name:
        raise InvalidTarget(f"cannot {call}: no object is named, and all of them never are")
    return call


def call_of(verb: str, path: str) -> Call:
    """Return what a path names."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if not rest:
        return Call(verb, path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    return Call(verb, f"{resource}/{subresource}" if subresource else resource, name, namespace)
