"""The API: what each method does at each route, without the transport."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.kubernetes.access import Access, Attributes, User
from tests.emulators.kubernetes.context import Runtime
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.discovery import discover
from tests.emulators.kubernetes.errors import PATCH_TYPES, ApiError, bad_request, no_such_path, unsupported_media
from tests.emulators.kubernetes.eviction import evict
from tests.emulators.kubernetes.listing import Query, list_items, matcher
from tests.emulators.kubernetes.logs import read_log
from tests.emulators.kubernetes.registry import Registry, WriteOptions
from tests.emulators.kubernetes.resources import JOBS, NAMESPACES, PODS
from tests.emulators.kubernetes.routing import Route, route
from tests.emulators.kubernetes.scale import to_scale
from tests.emulators.kubernetes.settings import Settings
from tests.emulators.kubernetes.tables import as_table, wants_table
from tests.emulators.kubernetes.trees import Tree, dig

_KEEPS_PODS = (
    "child pods are preserved by default when jobs are deleted; "
    "set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"
)
_REVIEWS = ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"]


@dataclass(frozen=True)
class Request:
    """One request, as the transport read it."""

    method: str
    path: str
    query: Query
    headers: Any
    body: bytes = b""

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]

    @property
    def watching(self) -> bool:
        return self.query.get("watch") in ("1", "true")

    @property
    def agent(self) -> str:
        return str(self.headers.get("User-Agent", ""))


@dataclass
class Answer:
    """One answer: JSON, text or the stream of a watch."""

    status: int
    body: Tree | str = ""
    warnings: list[str] = field(default_factory=list)
    watch: Route | None = None


class Api:
    """Serves requests against a registry."""

    def __init__(self, registry: Registry, access: Access, settings: Settings, runtime: Runtime) -> None:
        self.registry = registry
        self.store = registry.store
        self.access = access
        self.settings = settings
        self.runtime = runtime

    def serve(self, request: Request, user: User) -> Answer:
        """Answer a request, or raise the error to answer with."""
        if request.parts == _REVIEWS and request.method == "POST":
            return self._review(request, user)
        if request.parts[:1] in (["healthz"], ["readyz"], ["livez"]):
            return Answer(200, "ok")
        place = route(request.parts)
        if place is None:
            if request.method != "GET":
                raise no_such_path()
            return Answer(200, discover(request.parts))
        self.access.check(user, place.attributes(request.method, watching=request.watching))
        with self.store.lock:
            match request.method:
                case "GET":
                    return self._get(request, place)
                case "POST":
                    return self._post(request, place, user)
                case "PUT" | "PATCH":
                    return self._write(request, place, user)
                case _:
                    return self._delete(request, place, user)

    def _get(self, request: Request, place: Route) -> Answer:
        namespace = place.namespace or None
        if not place.name:
            if request.watching:
                matcher(place.resource, request.query)
                return Answer(200, watch=place)
            found = list_items(self.store, place.resource, namespace, request.query)
            return self._shown(request, place, found)
        item = self.registry.get(place.resource, self._home(place), place.name)
        if place.subresource == "scale":
            return Answer(200, to_scale(place.resource, item))
        if place.subresource == "log":
            return Answer(200, read_log(self.runtime, item, request.query))
        return self._shown(request, place, item)

    def _shown(self, request: Request, place: Route, item: Tree) -> Answer:
        if wants_table(request.headers.get("Accept", "")):
            return Answer(200, as_table(place.resource, item, self.registry.clock))
        return Answer(200, item)

    def _home(self, place: Route) -> str:
        return "" if place.resource is NAMESPACES else place.namespace

    def _options(self, request: Request, user: User, body: Tree | None = None) -> WriteOptions:
        wish = request.query.get("dryRun") or (body or {}).get("dryRun") or []
        for each in [wish] if isinstance(wish, str) else wish:
            if each != "All":
                raise _unsupported_dry_run(each)
        validation = request.query.get("fieldValidation") or "Warn"
        if validation not in ("Ignore", "Warn", "Strict"):
            raise bad_request(f'fieldValidation: Unsupported value: "{validation}"')
        manager = request.query.get("fieldManager") or request.agent.partition("/")[0] or "unknown"
        return WriteOptions(manager, bool(wish), validation, user.name)

    def _post(self, request: Request, place: Route, user: User) -> Answer:
        body = _json(request)
        if place.subresource == "eviction":
            return self._evict(request, place, user, body)
        if place.name or (place.resource.namespaced and not place.namespace):
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        options = self._options(request, user)
        created = self.registry.create(place.resource, place.namespace, body, options)
        return Answer(201, created, options.warnings)

    def _evict(self, request: Request, place: Route, user: User, body: Tree) -> Answer:
        options = self._options(request, user, body.get("deleteOptions"))
        delay = self.settings.stale_eviction
        return Answer(201, evict(self.registry, place.namespace, place.name, body, options, delay))

    def _write(self, request: Request, place: Route, user: User) -> Answer:
        if not place.name or place.subresource in ("eviction", "log"):
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        options = self._options(request, user)
        body = _json(request)
        current = self.registry.get(place.resource, self._home(place), place.name)
        if request.method == "PUT":
            item = self.registry.put(place.resource, current, body, options, place.subresource)
        else:
            media = request.headers.get("Content-Type", "").partition(";")[0].strip()
            item = self.registry.patch(place.resource, current, media, body, options, place.subresource)
        shown = to_scale(place.resource, item) if place.subresource == "scale" else item
        return Answer(200, shown, options.warnings)

    def _delete(self, request: Request, place: Route, user: User) -> Answer:
        wish = _json(request) if request.body else {}
        for name in ("propagationPolicy", "gracePeriodSeconds"):
            if name in request.query:
                wish[name] = int(request.query[name]) if name == "gracePeriodSeconds" else request.query[name]
        options = self._options(request, user, wish)
        if not place.name:
            accepts = matcher(place.resource, request.query)
            found = [item for item in list(self.store.items(place.resource, place.namespace or None)) if accepts(item)]
            for item in found:
                delete(self.registry, place.resource, item, wish, options)
            return Answer(200, list_items(self.store, place.resource, place.namespace, request.query))
        item = self.registry.get(place.resource, self._home(place), place.name)
        if place.resource is JOBS and "propagationPolicy" not in wish:
            options.warnings.append(_KEEPS_PODS)
        left, gone = delete(self.registry, place.resource, item, wish, options)
        if gone and place.resource is not PODS:
            return Answer(200, _deleted(place, item), options.warnings)
        return Answer(200, left, options.warnings)

    def _review(self, request: Request, user: User) -> Answer:
        body = _json(request)
        wish = dig(body, "spec", "resourceAttributes", default={})
        names = ("verb", "group", "resource", "namespace", "name", "subresource")
        allowed = self.access.allows(user, Attributes(*(wish.get(name, "") for name in names)))
        return Answer(201, body | {"status": {"allowed": allowed}})


def _json(request: Request) -> Any:
    media = request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
    if not media.endswith("json"):
        raise unsupported_media("application/json" if request.method != "PATCH" else PATCH_TYPES)
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized (must be of type JSON): {error}") from None


def _unsupported_dry_run(value: str) -> ApiError:
    text = f'Unsupported value: "{value}": supported values: "All"'
    cause = {"reason": "FieldValueNotSupported", "message": text, "field": "dryRun"}
    return ApiError(422, "Invalid", f' "" is invalid: dryRun: {text}', causes=[cause])


def _deleted(place: Route, item: Tree) -> Tree:
    details = {"name": place.name, "group": place.resource.group, "kind": place.resource.plural}
    details = {key: value for key, value in details.items() if value} | {"uid": item["metadata"]["uid"]}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
