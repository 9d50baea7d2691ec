"""Compile a pinned request into the value that its adapter sends."""

from __future__ import annotations

import json

from runbook_engine.documents.request import RequestDocument, StatusDocument
from runbook_engine.documents.secret import SecretDocument
from runbook_engine.loading.compile import given
from runbook_engine.model.configuration import RequestTemplate, SecretReference, StatusRequest


def compile_request(name: str, request: RequestDocument) -> RequestTemplate:
    """Return one pinned request."""
    headers = request.headers.items()
    return RequestTemplate(
        name=name,
        method=request.method,
        url=request.url,
        says=request.effect.says,
        repeat=request.effect.repeat,
        changes=request.effect.changes or "",
        parameters=request.parameters,
        headers={header: value for header, value in headers if isinstance(value, str)},
        secret_headers={header: _secret(value) for header, value in headers if isinstance(value, SecretDocument)},
        body=json.dumps(request.body, sort_keys=True) if request.body is not None else "",
        approval=request.approval == "ask",
        expect=request.expect,
        status=_status(request.status),
        **given(time_limit=request.time_limit),
    )


def _secret(secret: SecretDocument) -> SecretReference:
    return SecretReference(**given(env=secret.env, file=secret.file, ssm=secret.ssm))


def _status(status: StatusDocument | None) -> StatusRequest | None:
    if status is None:
        return None
    return StatusRequest(
        url=status.url, pointer=status.pointer, done=status.done, failed=status.failed, **given(id=status.id)
    )
