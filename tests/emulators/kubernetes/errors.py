"""The errors of the API: a `Status` with its code, reason, message and causes, worded as the real server does."""

from tests.emulators.kubernetes.resources import Resource
from tests.emulators.kubernetes.trees import Tree

REJECTED = "the server rejected our request due to an error in our request"
PATCH_TYPES = (
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, "
    "application/strategic-merge-patch+json"
)


class ApiError(Exception):
    """A refusal. `reason` None leaves the field out, as plain errors of the server do."""

    def __init__(self, code: int, reason: str | None, message: str, **details: object) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.delay_ms = 0  # the server may take its time to refuse
        self.details = {key: value for key, value in details.items() if value not in (None, "", 0, [])}

    def status(self) -> Tree:
        """Return the Status object."""
        found: Tree = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        found["message"] = self.message
        if self.reason:
            found["reason"] = self.reason
        if self.details or self.reason == "Invalid":
            found["details"] = self.details
        return found | {"code": self.code}


def _named(resource: Resource, name: str) -> dict[str, object]:
    return {"name": name, "group": resource.group, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    """404."""
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', **_named(resource, name))


def no_such_path() -> ApiError:
    """404 for a path no resource is served at."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 for a second create."""
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', **_named(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """409 for a stale write."""
    text = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", text, **_named(resource, name))


def stale(resource: Resource, name: str) -> ApiError:
    """409 for a resourceVersion that is not the latest."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def wrong_uid(resource: Resource, name: str, wanted: str, live: str) -> ApiError:
    """409 for a uid precondition."""
    return conflict(resource, name, f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {live}")


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def rejected_patch() -> ApiError:
    """422 without causes: a JSON patch that did not apply."""
    return ApiError(422, "Invalid", REJECTED)


def unsupported_media(accepted: str = PATCH_TYPES) -> ApiError:
    """415."""
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(415, "UnsupportedMediaType", text)


def invalid(kind: str, name: str, causes: list[Tree]) -> ApiError:
    """422 with its causes; the kind is qualified ("Deployment.apps") or empty for a patch that cannot be decoded."""
    lines = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    plain, _, group = kind.partition(".")
    message = f'{kind} "{name}" is invalid: {text}'
    return ApiError(422, "Invalid", message, name=name, group=group, kind=plain, causes=causes)


def forbidden(resource: Resource, name: str, why: str, causes: list[Tree] | None = None) -> ApiError:
    """403 by admission."""
    text = f'{resource.qualified} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", text, **_named(resource, name), causes=causes)


def expired(message: str) -> ApiError:
    """410."""
    return ApiError(410, "Expired", message)


def too_many_requests(message: str, causes: list[Tree], retry_after: int = 0) -> ApiError:
    """429 of an eviction."""
    return ApiError(429, "TooManyRequests", message, causes=causes, retryAfterSeconds=retry_after)
