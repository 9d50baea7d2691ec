"""Routing: what a path means."""

from dataclasses import dataclass

from tests.emulators.kubernetes.access import Attributes
from tests.emulators.kubernetes.errors import no_such_path
from tests.emulators.kubernetes.resources import BY_PATH, NAMESPACES, PODS, Resource

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Route:
    """One resource, object or subresource."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def attributes(self, method: str, *, watching: bool) -> Attributes:
        """Return what a request at this route wants."""
        match method:
            case "GET":
                verb = "watch" if watching else "get" if self.name else "list"
            case "DELETE":
                verb = "delete" if self.name else "deletecollection"
            case _:
                verb = _VERBS[method]
        group, plural = self.resource.group, self.resource.plural
        return Attributes(verb, group, plural, self.namespace, self.name, self.subresource)


def route(parts: list[str]) -> Route | None:
    """Read a path; None when it is for discovery."""
    if parts[:2] == ["api", "v1"] and len(parts) > 2:
        return _route("", "v1", parts[2:])
    if parts[:1] == ["apis"] and len(parts) > 3:
        return _route(parts[1], parts[2], parts[3:])
    return None


def _route(group: str, version: str, rest: list[str]) -> Route:
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and not group:
        name = rest[1] if len(rest) > 1 else ""
        return Route(NAMESPACES, name, name, rest[2] if len(rest) > 2 else "")
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None or len(rest) > 3 or (namespace != "") != (resource.namespaced and (namespace != "")):
        raise no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if (name and resource.namespaced and not namespace) or not _serves(resource, subresource):
        raise no_such_path()
    return Route(resource, namespace, name, subresource)


def _serves(resource: Resource, subresource: str) -> bool:
    match subresource:
        case "":
            return True
        case "status":
            return resource.status
        case "scale":
            return resource.scalable
        case "eviction" | "log":
            return resource is PODS
        case _:
            return False
