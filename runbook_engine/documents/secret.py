"""A secret as an author names it: where it is found, and never the secret itself."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, model_validator

from runbook_engine.documents.document import Document, exactly_one
from runbook_engine.documents.field_types import Text, refuse


class SecretDocument(Document):
    """Where a secret is found; never the secret itself."""

    model_config = ConfigDict(json_schema_extra=exactly_one("env", "file", "ssm"))

    env: Text | None = None
    """The name of an environment variable."""
    file: Text | None = None
    """The path of a file that holds only the secret."""
    ssm: Text | None = None
    """The path of an SSM parameter."""

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if len(self.model_fields_set) != 1:
            message = f"a secret is found in one place, this one in {len(self.model_fields_set)}"
            raise refuse("secret-place", message, "write one of env, file, ssm")
        return self


def _no_literal(value: Any) -> Any:
    if isinstance(value, str | int | float):
        hint = "write {env: NAME}, {file: path} or {ssm: /path}, and change this secret: it has been in a file"
        raise refuse("literal-secret", "a secret itself must not stand in a file", hint)
    return value


SecretField = Annotated[SecretDocument, BeforeValidator(_no_literal, json_schema_input_type=SecretDocument)]
