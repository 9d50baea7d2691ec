"""The wire: one pinned request, filled in and sent once, and what is known when no answer came."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping

from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from runbook_adapters.http.guarded import GuardedWeb, RefusedAddress
from runbook_adapters.web import Answer, NoAnswer, without
from runbook_engine.model.configuration import RequestTemplate, SecretReference
from runbook_engine.model.request import ANSWER_ID, fill_address, fill_body

MOST_BYTES = 256 * 1024


class NeverSent(NoAnswer):
    """Surely nothing was sent; `passing` says whether trying again may help."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


class Wire:
    """Sends what a template says; secrets are looked up for each request, so that a rotated one is used at once."""

    def __init__(self, secret: Callable[[SecretReference], str]) -> None:
        self._secret = secret

    def send(self, template: RequestTemplate, arguments: Mapping[str, str], token: str) -> Answer:
        """Send the request. Raises NeverSent, other NoAnswer, Permanent, Unreadable."""
        values, headers = _values(arguments), {}
        if template.repeat == "token":
            headers["Idempotency-Key"] = token
        body = b""
        if template.body:
            headers["Content-Type"] = "application/json"
            body = fill_body(template.body, values)
        return self._ask(template, template.method, fill_address(template.url, values), headers, body)

    def ask_status(self, template: RequestTemplate, arguments: Mapping[str, str], answer_id: str) -> Answer:
        """Ask what became of it. Raises NoAnswer, Permanent."""
        assert template.status is not None, "only a request that says how is asked"
        values = {**_values(arguments), ANSWER_ID: answer_id}
        url = fill_address(template.status.url, values)
        return self._ask(template, "GET", url, {}, b"")

    def secrets(self, template: RequestTemplate) -> dict[str, str]:
        """Return the headers of a request that are secret. Raises NeverSent, or what looking up a secret raises."""
        return {name: _sendable(name, self._secret(each)) for name, each in template.secret_headers.items()}

    def _ask(self, template: RequestTemplate, method: str, url: str, more: dict[str, str], body: bytes) -> Answer:
        secrets = self.secrets(template)
        headers = {**template.headers, **secrets, **more, "Connection": "close"}  # a kept connection may break unseen
        web = GuardedWeb(read_time_limit=template.time_limit.total_seconds(), most_bytes=MOST_BYTES)
        try:
            answer = web.send(method, url, body, headers=headers)
        except NoAnswer as error:
            raise _known(error) from error
        return without(secrets.values(), answer)


def _known(error: NoAnswer) -> NoAnswer:
    """Return what is known of a request that has no answer: whether it was surely never sent."""
    cause = error.__cause__
    if isinstance(cause, RefusedAddress):
        return NeverSent(str(cause).rpartition(": ")[2], passing=False)
    if isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return NeverSent(str(error), passing=True)
    if isinstance(cause, SSLError) and isinstance(cause.args[0] if cause.args else None, ssl.SSLCertVerificationError):
        return NeverSent(str(error), passing=False)
    return error


def _values(arguments: Mapping[str, str]) -> dict[str, str]:
    return {f"parameters.{name}": value for name, value in arguments.items()}


def _sendable(name: str, value: str) -> str:
    """Return a header's value. Raises NeverSent when no header can hold it."""
    if not (value.isascii() and value.isprintable() and value):
        message = f"the secret of the header {name} is empty, or holds what no header can hold"
        raise NeverSent(message, passing=False)
    return value
