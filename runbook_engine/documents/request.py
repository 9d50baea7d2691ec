"""A request that runbooks may send: pinned and named in engine.yaml, so that no alert can say what is sent where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Count, Span, Text, refuse
from runbook_engine.documents.job import ParameterName
from runbook_engine.documents.secret import SecretDocument

POINTER = r"^(/[^/]{1,100}){1,16}$"
_POINTER = re.compile(POINTER)


def _pointer(text: str) -> str:
    if not _POINTER.fullmatch(text):
        raise refuse("pointer", f'"{text}" is no JSON pointer', "write it as in /job/state")
    return text


Status = Annotated[Count, Field(ge=200, le=499)]
Pointer = Annotated[str, AfterValidator(_pointer), Field(json_schema_extra={"pattern": POINTER})]


class RequestEffectDocument(Document):
    """What a request does to the world, in the words of whoever allowed it."""

    says: Text
    """What it does; an approver reads this."""
    repeat: Literal["declarative", "token", "once"]
    """When nobody knows whether it arrived: declarative says that once more does no harm; token that the other side
    does it once for each Idempotency-Key; once that it must not be sent again, so that a person is asked."""
    changes: ParameterName | None = None
    """The parameter that names what is changed: locks, cooldowns and budgets count for each of its values. Absent, they
    count for the request, whatever it is told."""


class StatusDocument(Document):
    """How one asks what became of a request, by GET and with the same headers."""

    url: Text
    """The address, of the same host; it may hold the parameters, and {{ answer.id }}."""
    pointer: Pointer
    """Where the answer says how far it is: a JSON pointer, as in /job/state."""
    done: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The words that mean that it is done."""
    failed: tuple[Text, ...] = ()
    """The words that mean that it has failed; any other word means that it is under way."""
    id: Pointer | None = None
    """Where the answer to the request itself holds the id, as in /job/id."""


class RequestDocument(Document):
    """One request of engine.yaml, for the action http."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    """The method."""
    url: Text
    """The address, https; the path may hold {{ parameters.NAME }}, each as a whole segment."""
    effect: RequestEffectDocument
    """What it does, and what doing it twice means."""
    headers: Mapping[str, Text | SecretDocument] = {}
    """Headers; a credential is written as {env: NAME}, {file: path} or {ssm: /path}."""
    body: Mapping[str, Any] | None = None
    """The JSON document that is sent; its texts may hold {{ parameters.NAME }}."""
    parameters: tuple[ParameterName, ...] = ()
    """What a runbook may hand over."""
    approval: Literal["ask", "none"] = "ask"
    """ask: a person says yes first, whatever the mode; none: the runbook's own mode and approval decide."""
    time_limit: Span | None = None
    """How long the answer may take; 10s when absent, 30s at most."""
    expect: tuple[Status, ...] = ()
    """The statuses that mean that it was taken, as in 202, or 404 for what is to be gone; 200 to 299 when absent."""
    status: StatusDocument | None = None
    """How one asks what became of it; absent = the answer itself says that it is done."""
