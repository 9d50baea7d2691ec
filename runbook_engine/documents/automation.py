"""An automation that runbooks may start: pinned and named in engine.yaml, so that no alert can say what runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import refuse
from runbook_engine.documents.job import EffectDocument

DOCUMENT = r"^(arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:document/)?[A-Za-z0-9_.-]{3,128}$"
VERSION = r"^[1-9][0-9]{0,7}$"
PARAMETER = r"^[A-Za-z][A-Za-z0-9_]{0,49}$"
ROLE = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$"


def _fits(pattern: str, meaning: str, remedy: str) -> AfterValidator:
    """Return the check of a text that must fit a pattern, with one sentence for those that do not."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise refuse("automation", f'"{text}" is not {meaning}', remedy)
        return text

    return AfterValidator(check)


def _shown(pattern: str) -> Any:
    return Field(json_schema_extra={"pattern": pattern})


DocumentName = Annotated[
    str,
    _fits(DOCUMENT, "the name of an automation document", "write its name, or the ARN of a shared one"),
    _shown(DOCUMENT),
]
Version = Annotated[
    str, _fits(VERSION, "a version that stays what it is", 'write its number in quotes, as in "3"'), _shown(VERSION)
]
AutomationParameter = Annotated[
    str,
    _fits(PARAMETER, "the name of a parameter", "write it as the document does, as in InstanceId"),
    _shown(PARAMETER),
]
RoleArn = Annotated[
    str, _fits(ROLE, "the ARN of a role", "write it as in arn:aws:iam::ACCOUNT:role/NAME"), _shown(ROLE)
]


class AutomationDocument(Document):
    """One automation document of engine.yaml, for the action ssmAutomation."""

    document: DocumentName
    """The document's name, or the ARN of one that another account shares."""
    version: Version
    """Its version, a number in quotes: what was reviewed is what runs."""
    effect: EffectDocument
    """What it does, and what doing it twice means."""
    parameters: tuple[AutomationParameter, ...] = ()
    """What a runbook may hand over, as the document names it."""
    fixed: Mapping[AutomationParameter, str] = {}
    """Parameters that are always these, and that no runbook sets."""
    role: RoleArn | None = None
    """The ARN of the role that the automation works under; the engine's own when absent."""
    place: str = ""
    """The place of the adapter that starts it; empty = the one for all."""
    approval: Literal["ask", "none"] = "ask"
    """ask: a person says yes first, whatever the mode; none: the runbook's own mode and approval decide."""
