"""Where questions are answered over signed links, and what signs them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from runbook_engine.documents.document import Document
from runbook_engine.documents.field_types import Url, refuse
from runbook_engine.documents.secret import SecretField
from runbook_engine.model.approval_address import is_approval_address


def _of_pages(value: str) -> str:
    if not is_approval_address(value):
        hint = "write https://host/approvals; http is for 127.0.0.1 and localhost alone"
        raise refuse("approvals-url", f'"{value}" is no address of approval pages', hint)
    return value


class ApprovalsDocument(Document):
    """Signed links: every question that a receiver is told carries the one by which it is answered."""

    url: Annotated[Url, AfterValidator(_of_pages)]
    """Where people reach the path /approvals of the runner, as in https://runbooks.example/approvals."""
    key: SecretField
    """What signs the links: 32 characters or more that nobody else knows."""
