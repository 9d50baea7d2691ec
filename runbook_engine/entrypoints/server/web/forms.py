"""Forms: what a person filled in, as the wish that a program would send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from flask import request

from runbook_engine.entrypoints.approvals import LARGEST_FORM, parse_form
from runbook_engine.entrypoints.refusals import InvalidRequest
from runbook_engine.entrypoints.server.bodies import read_body
from runbook_engine.model.decoding import from_values

OURS = ("csrf", "back")  # what every form has besides its wish
ANSWERS = {"yes": True, "no": False}

Wish = TypeVar("Wish")


def read_form() -> Mapping[str, str]:
    """Return the fields of the form that came. Raises InvalidRequest."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise InvalidRequest("the Content-Type must be application/x-www-form-urlencoded", 415)
    request.max_content_length = LARGEST_FORM + 1  # a chunked form shows its excess by one byte
    return parse_form(read_body())


def wish_of(form: Mapping[str, str], kind: type[Wish]) -> Wish:
    """Return what a form wishes, within the same limits as what programs send. Raises InvalidRequest."""
    given: dict[str, object] = {name: value.strip() for name, value in form.items() if name not in OURS}
    if "undo" in given:
        if given["undo"] not in ANSWERS:
            raise InvalidRequest("say whether what was changed is undone: yes or no")
        given["undo"] = ANSWERS[str(given["undo"])]
    try:
        return from_values(given, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the form cannot be used: {_said(error)}") from error


def _said(error: msgspec.ValidationError) -> str:
    """Say it of fields: what the error itself says ends with a path, as in `- at `$.reason``."""
    what, _, where = str(error).partition(" - at ")
    field = where.strip("`").removeprefix("$.")
    return f"{field}: {what}" if field else what
