"""Reading requests: those that engine.yaml pins, and what became of one that was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runbook_adapters.http.wire import Wire
from runbook_adapters.web import Answer, NoAnswer
from runbook_engine.errors import InvalidTarget, Unreadable
from runbook_engine.model.configuration import RequestTemplate
from runbook_engine.model.request import RequestState, find_pointed

LONGEST_WORD = 100


class HttpReader:
    """Looks at pinned requests, and asks what became of them."""

    def __init__(self, templates: Mapping[str, RequestTemplate], wire: Wire) -> None:
        self._templates = templates
        self._wire = wire

    def template(self, name: str) -> RequestTemplate:
        """Return a pinned request. Raises InvalidTarget."""
        return known(name, self._templates)

    def state(self, name: str, arguments: Mapping[str, str], answer_id: str) -> RequestState:
        """Return how far a request is. Raises Unreadable."""
        template = self.template(name)
        if template.status is None:
            return RequestState(status="done", reason="its answer said so")
        try:
            answer = self._wire.ask_status(template, arguments, answer_id)
        except NoAnswer as error:
            raise Unreadable(f"what became of request {name} cannot be read: {error}") from error
        if not 200 <= answer.status < 300:
            raise Unreadable(f"what became of request {name} cannot be read: HTTP {answer.status}")
        word = word_at(answer, template.status.pointer)
        if not word:
            raise Unreadable(
                f"what became of request {name} cannot be read: no {template.status.pointer} in the answer"
            )
        if word in template.status.done:
            return RequestState(status="done", reason=word)
        return RequestState(status="failed" if word in template.status.failed else "running", reason=word)

    def probe(self) -> str:
        """Return that every secret is there; a request is never sent to see whether it works. Raises as secrets do."""
        for template in self._templates.values():
            try:
                self._wire.secrets(template)
            except NoAnswer as error:
                raise Unreadable(f"request {template.name}: {error}") from error
        count = len(self._templates)
        return f"knows the pinned requests: {count}" if count else "engine.yaml pins no request"


def known(name: str, templates: Mapping[str, RequestTemplate]) -> RequestTemplate:
    """Return the template of that name. Raises InvalidTarget."""
    if name not in templates:
        names = ", ".join(templates) or "none is named"
        raise InvalidTarget(f"unknown request {name!r}; known are {names} (add it under requests in engine.yaml)")
    return templates[name]


def word_at(answer: Answer, pointer: str) -> str:
    """Return the word that a pointer leads to in an answer; empty = none."""
    try:
        found: Any = find_pointed(json.loads(answer.body), pointer)
    except (ValueError, LookupError, RecursionError):
        return ""
    if isinstance(found, bool):
        return "true" if found else "false"
    text = str(found) if isinstance(found, str | int) else ""
    return text if text.isprintable() and len(text) <= LONGEST_WORD else ""
