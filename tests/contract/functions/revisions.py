"""Revisions of functions and aliases for moto, which has none of the first and never checks the second.

AWS refuses a change that names another RevisionId than the present one with PreconditionFailedException. Whatever
tests an adapter over moto needs this, or its compare-and-set is never put to the test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.awslambda.exceptions import PreconditionFailedException
from moto.awslambda.models import LambdaAlias, LambdaFunction
from moto.awslambda.responses import LambdaResponse

FIRST = "revision-0"
SAYS = (
    "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve "
    "the latest RevisionId"
)


@contextmanager
def revisions() -> Iterator[None]:
    """Give every function a RevisionId that moves with each change, and hold changes to those that they name."""
    with (
        patch.object(LambdaFunction, "get_configuration", _told(LambdaFunction.get_configuration)),
        patch.object(LambdaFunction, "update_configuration", _moving(LambdaFunction.update_configuration)),
        patch.object(LambdaFunction, "update_function_code", _moving(LambdaFunction.update_function_code)),
        patch.object(LambdaAlias, "update", _moving(LambdaAlias.update)),
        patch.object(LambdaResponse, "update_alias", _held(LambdaResponse.update_alias, _alias_revision)),
        patch.object(
            LambdaResponse,
            "update_function_configuration",
            _held(LambdaResponse.update_function_configuration, _function_revision),
        ),
    ):
        yield


def _told(get_configuration: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def told(self: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        configuration = get_configuration(self, *arguments, **named)
        return {**configuration, "RevisionId": getattr(self, "revision_id", FIRST)}

    return told


def _moving(update: Callable[..., Any]) -> Callable[..., Any]:
    def moving(self: Any, *arguments: Any, **named: Any) -> Any:
        self.revision_id = str(uuid.uuid4())
        return update(self, *arguments, **named)

    return moving


def _held(respond: Callable[..., Any], live: Callable[[Any], str]) -> Callable[..., Any]:
    def held(self: Any) -> Any:
        if self.json_body.get("RevisionId", live(self)) != live(self):
            raise PreconditionFailedException(SAYS)
        return respond(self)

    return held


def _alias_revision(response: Any) -> str:
    function, _, alias = response.path.split("/functions/")[1].partition("/aliases/")
    return str(response.backend.get_alias(alias, function).revision_id)


def _function_revision(response: Any) -> str:
    function = response.path.split("/functions/")[1].partition("/")[0]
    return str(response.backend.get_function(function).get_configuration()["RevisionId"])
