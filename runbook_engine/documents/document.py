"""The form that every document shares: frozen, camelCase, nothing unknown, every field described."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict

API_VERSION = "runbook-engine/v1"


class Document(BaseModel):
    """A part of a document that an author writes."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        regex_engine="python-re",
    )


def exactly_one(*names: str) -> JsonDict:
    """Return what a JSON Schema adds for a map that has exactly one of these keys."""
    return {"oneOf": [{"required": [name]} for name in names]}


class Envelope(Document):
    """What every document begins with."""

    api_version: Literal["runbook-engine/v1"]
    """The version of this format."""
