"""A plain client, one connection per call, for tests that look at the API itself."""

import http.client
import json
import ssl
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode

from tests.emulators.kubernetes.cluster import FakeCluster

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Reply:
    """What came back; `body` is the text when it is not JSON."""

    status: int
    headers: Message
    body: Any

    @property
    def reason(self) -> str | None:
        return self.body.get("reason")  # type: ignore[no-any-return]

    @property
    def message(self) -> str:
        return self.body["message"]  # type: ignore[no-any-return]

    @property
    def causes(self) -> list[dict[str, str]]:
        return (self.body.get("details") or {}).get("causes", [])  # type: ignore[no-any-return]


def call(
    cluster: FakeCluster,
    method: str,
    path: str,
    body: Any = None,
    *,
    media: str = "application/json",
    token: str = "",
    **query: str,
) -> Reply:
    """Send one request; `from_` style names are not needed, `continue` goes in as continue_."""
    headers = {"Content-Type": media, "User-Agent": "test/1"} | ({"Authorization": f"Bearer {token}"} if token else {})
    if cluster.ca_file:
        context = ssl.create_default_context(cafile=str(cluster.ca_file))
        connection: http.client.HTTPConnection = http.client.HTTPSConnection("127.0.0.1", cluster.port, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", cluster.port)
    target = path + ("?" + urlencode({key.rstrip("_"): value for key, value in query.items()}) if query else "")
    try:
        connection.timeout = 60
        payload = body if isinstance(body, str) or body is None else json.dumps(body)
        connection.request(method, target, payload, headers)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    try:
        return Reply(response.status, response.headers, json.loads(text))
    except ValueError:
        return Reply(response.status, response.headers, text)


def patch(cluster: FakeCluster, path: str, *operations: tuple[Any, ...], **query: str) -> Reply:
    """Send a JSON patch of (op, path) and (op, path, value) operations."""
    listed = [dict(zip(("op", "path", "value"), operation, strict=False)) for operation in operations]
    return call(cluster, "PATCH", path, listed, media=JSON_PATCH, **query)


def evict(cluster: FakeCluster, pod: str, namespace: str = "default", token: str = "", **wish: Any) -> Reply:
    """Evict a pod; `wish` are delete options."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
        "deleteOptions": wish,
    }
    return call(cluster, "POST", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body, token=token)


def deployments(name: str = "", namespace: str = "default") -> str:
    """Return the path of Deployments or one of them."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" + (f"/{name}" if name else "")
