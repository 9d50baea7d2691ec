"""Somebody else's client: what a test arranges and looks with, under another field manager than the engine's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from runbook_adapters.kubernetes.credentials import Credentials
from runbook_adapters.kubernetes.objects import path_to
from runbook_adapters.kubernetes.wire import Wire

Json = dict[str, Any]
TESTER = "tester"
TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Refusal(Exception):
    """The server said no; tests look at the number."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        super().__init__(f"HTTP {status}: {body[:300]}")


class Client:
    """Objects of one namespace by kind, as `objects.KINDS` spells them."""

    def __init__(self, wire: Wire, credentials: Credentials | None, namespace: str = "") -> None:
        self._wire = wire
        self._credentials = credentials
        self.namespace = namespace

    def get(self, kind: str, name: str, subresource: str = "") -> Json:
        return self.send("GET", path_to(kind, self.namespace, name, subresource))

    def find(self, kind: str, name: str) -> Json | None:
        try:
            return self.get(kind, name)
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, kind: str, labels: str = "") -> list[Json]:
        query = {"labelSelector": labels} if labels else {}
        items: list[Json] = self.send("GET", path_to(kind, self.namespace), query)["items"]
        return items

    def create(self, kind: str, body: Json, manager: str = TESTER) -> Json:
        return self.send("POST", path_to(kind, self.namespace), {"fieldManager": manager}, body)

    def patch(
        self, kind: str, name: str, body: Any, *, how: str = "merge", subresource: str = "", manager: str = TESTER
    ) -> Json:
        query = {"fieldManager": manager} | ({"force": "true"} if how == "apply" else {})
        return self.send("PATCH", path_to(kind, self.namespace, name, subresource), query, body, TYPES[how])

    def delete(self, kind: str, name: str, grace: int | None = None) -> None:
        body = {"propagationPolicy": "Background"} | ({"gracePeriodSeconds": grace} if grace is not None else {})
        self.send("DELETE", path_to(kind, self.namespace, name), {}, body)

    def send(
        self, method: str, path: str, query: Json | None = None, body: Any = None, media: str = "application/json"
    ) -> Json:
        headers = {"Accept": "application/json"} | ({"Content-Type": media} if body is not None else {})
        who = self._credentials.authorization(datetime.now(UTC)) if self._credentials else ""
        headers |= {"Authorization": who} if who else {}
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        with self._wire.send(method, target, headers, content, 30) as opened:
            text = opened.body().decode()
            if opened.status >= 300:
                raise Refusal(opened.status, text)
        found: Json = json.loads(text)
        return found
