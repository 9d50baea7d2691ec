"""What runbooks send to services that no platform grants: each pinned request, where it goes, with which secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from runbook_engine.model.configuration import Configuration, RequestTemplate, SecretReference
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.permissions.needs import Need, may_write, needs_of
from runbook_engine.registry import Registry
from runbook_engine.templating import is_template

SENDING = "requests:send"


class Sending(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One request that runbooks send."""

    request: str
    method: str
    url: str
    secrets: tuple[str, ...]  # headers and where each is found, as in Authorization from env POOL_TOKEN
    because: str  # which runbook needs it, and for what


def sendings_of(
    runbooks: Iterable[Runbook], configuration: Configuration, registry: Registry, mode: Mode | None = None
) -> tuple[Sending, ...]:
    """Return every request that these runbooks send; whoever pins them grants them, and no role or policy does."""
    found = {
        _sending(template, need.because)
        for runbook in runbooks
        if may_write(runbook, mode)
        for need in needs_of(runbook, registry)
        if SENDING in need.permissions
        for template in _templates(need, configuration)
    }
    return tuple(sorted(found))


def _templates(need: Need, configuration: Configuration) -> Iterator[RequestTemplate]:
    """Yield what a step may send: what it names, or any when a template names it."""
    name = str(need.step.arguments.get("request", "")) if need.step is not None else ""
    for template in configuration.requests:
        if template.name == name or is_template(name):
            yield template


def _sending(template: RequestTemplate, because: str) -> Sending:
    secrets = tuple(f"{header} from {_found(each)}" for header, each in sorted(template.secret_headers.items()))
    return Sending(request=template.name, method=template.method, url=template.url, secrets=secrets, because=because)


def _found(secret: SecretReference) -> str:
    return next(f"{where} {name}" for where in ("env", "file", "ssm") if (name := getattr(secret, where)))
