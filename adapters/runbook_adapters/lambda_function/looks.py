"""Looks: what Lambda answers about one function, each question once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.looks import looking_for
from runbook_adapters.aws.problems import looking, part
from runbook_adapters.lambda_function.names import Named
from runbook_engine.errors import InvalidTarget, Unreadable

NOT_FOUND = "ResourceNotFoundException"
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Looks:
    """Asks about functions; each method raises InvalidTarget for what does not exist, and Unreadable."""

    clients: Clients

    def configuration(self, name: Named) -> Answer:
        """Return how the version that the alias points to is configured, or without an alias the unpublished code."""
        qualifier = {"Qualifier": name.alias} if name.alias else {}
        what = f"the configuration of function {_shown(name)}"
        asked = {"FunctionName": name.function, **qualifier}
        return self._one("get_function_configuration", name, what, "FunctionArn", **asked)

    def version(self, function: str, number: int) -> Answer:
        """Return how a published version is configured."""
        what = f"version {number} of function {function}"
        with looking_for(what, InvalidTarget(f"{what} does not exist (name one that is published)"), NOT_FOUND):
            found = self._ask("get_function_configuration", FunctionName=function, Qualifier=str(number))
            part(found, "FunctionArn")
            return found

    def alias(self, name: Named) -> Answer:
        """Return where the alias points, and what share of the calls a second version gets."""
        asked = {"FunctionName": name.function, "Name": name.alias}
        return self._one("get_alias", name, f"alias {_shown(name)}", "FunctionVersion", **asked)

    def versions(self, name: Named) -> tuple[Answer, ...]:
        """Return every version, the unpublished one included, in no order."""
        found = tuple(self._pages("list_versions_by_function", "Versions", name, "the versions of"))
        if not found:
            raise _unknown(name)  # whatever exists has its unpublished code
        return found

    def mappings(self, name: Named) -> tuple[Answer, ...]:
        """Return the event source mappings of the function, whichever of its versions they call."""
        return tuple(self._pages("list_event_source_mappings", "EventSourceMappings", name, "the event sources of"))

    def concurrency(self, name: Named) -> int | None:
        """Return what is reserved for the function, None when nothing is."""
        what = f"the reserved concurrency of function {name.function}"
        reserved = self._one("get_function_concurrency", name, what, "", FunctionName=name.function)
        found = reserved.get("ReservedConcurrentExecutions")
        return None if found is None else int(found)

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return the tags of a function, whose ARN is not qualified."""
        with looking(f"the tags of {arn}"):
            return dict(self._ask("list_tags", Resource=arn).get("Tags") or {})

    def policy(self, name: Named) -> tuple[Answer, ...]:
        """Return what the policy of the function allows, alias or not; empty when it has none."""
        what = f"the policy of function {name.function}"
        try:
            with looking_for(what, _NoPolicy(), NOT_FOUND):
                document = json.loads(part(self._ask("get_policy", FunctionName=name.function), "Policy"))
        except _NoPolicy:
            return ()
        except ValueError as error:
            raise Unreadable(f"{what} cannot be read: it is no JSON") from error
        statements = document.get("Statement") or []
        return tuple(statements if isinstance(statements, list) else [statements])

    def _one(self, operation: str, name: Named, what: str, always: str, **arguments: Any) -> Answer:
        """Ask once; `always` is what every answer of Lambda has, empty when an answer may be empty."""
        with looking_for(what, _unknown(name), NOT_FOUND):
            answer = self._ask(operation, **arguments)
            if always:
                part(answer, always)
            return answer

    def _pages(self, operation: str, key: str, name: Named, what: str) -> Iterator[Answer]:
        with looking_for(f"{what} function {name.function}", _unknown(name), NOT_FOUND):
            for page in self.clients.looking("lambda").get_paginator(operation).paginate(FunctionName=name.function):
                yield from part(page, key)

    def _ask(self, operation: str, **arguments: Any) -> Answer:
        answer: Answer = getattr(self.clients.looking("lambda"), operation)(**arguments)
        return answer


class _NoPolicy(Exception):
    """A function without a policy: nobody is allowed anything by it."""


def _unknown(name: Named) -> InvalidTarget:
    of_it = f"function {name.function} or its alias {name.alias}" if name.alias else f"function {name.function}"
    return InvalidTarget(f"{of_it} does not exist (check the name, the account and the region)")


def _shown(name: Named) -> str:
    return f"{name.function}:{name.alias}" if name.alias else name.function
