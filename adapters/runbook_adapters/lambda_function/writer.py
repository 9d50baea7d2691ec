"""Touching functions: where an alias points, its canary, and the brake. Each is held to what was seen."""

from __future__ import annotations

from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import THROTTLE_WAIT, part, touching
from runbook_adapters.aws.touching import Moved, Receipt, before_touching, compare_and_set, send
from runbook_adapters.lambda_function.looks import Answer, Looks
from runbook_adapters.lambda_function.names import LATEST, Named, named
from runbook_adapters.lambda_function.reader import arn_of, state_of, version_of
from runbook_adapters.lambda_function.weights import canary_of, normal, weights_of
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, Permanent, Retryable, Unreadable
from runbook_engine.model.target import Target

UNCHANGED: Receipt = {"unchanged": True}
BUSY = "ResourceConflictException"
MOVED = "PreconditionFailedException"
TOO_LITTLE_LEFT = "UnreservedConcurrentExecution"  # in what Lambda says then; there is no code of its own


class LambdaFunctionWriter:
    """Touches functions and their aliases."""

    def __init__(self, looks: Looks, clients: Clients) -> None:
        self._looks = looks
        self._clients = clients

    def point(self, target: Target, version: int, *, expected: int) -> Receipt:
        """Make the alias point to a published version, if it points to `expected`; whatever canary there is ends."""
        return compare_and_set(lambda: self._point(target, version, expected), str(target))

    def shift(self, target: Target, canary: str, *, expected: str, version: int) -> Receipt:
        """Send a share of the alias' calls to a second version, if `expected` is the share now; empty = to none."""
        return compare_and_set(lambda: self._shift(target, canary, expected, version), str(target))

    def limit(self, target: Target, concurrency: int | None, *, expected: int | None) -> Receipt:
        """Reserve so many concurrent calls for the function, no more; None = nothing reserved."""
        with before_touching():
            name = named(target)
            self._check_same(target, name)
            live = self._looks.concurrency(name)
        if live == concurrency:
            return UNCHANGED
        if live != expected:
            raise Conflict(
                f"the reserved concurrency of {target} is {_reserved(live)} by now and not {_reserved(expected)}; "
                "nothing was overwritten"
            )
        send(lambda: self._reserve(target, name, concurrency), lambda: self._reserved_as(name, concurrency))
        return self._read_back(target, name, before=live, after=concurrency)

    def _point(self, target: Target, version: int, expected: int) -> Receipt:
        with before_touching():
            name = _with_alias(target)
            self._check_same(target, name)
            alias = self._looks.alias(name)
        live, canary = version_of(alias), canary_of(alias)
        if live == version and not canary:
            return UNCHANGED
        if live != expected:
            raise Conflict(
                f"{target} points to {_version(live)} by now and not to {_version(expected)}; nothing was changed"
            )
        if version:
            self._check_usable(name, version)
        return self._update(target, name, alias, FunctionVersion=str(version or LATEST), weights={})

    def _shift(self, target: Target, canary: str, expected: str, version: int) -> Receipt:
        weights = weights_of(canary)
        with before_touching():
            name = _with_alias(target)
            self._check_same(target, name)
            alias = self._looks.alias(name)
        if version_of(alias) != version:
            raise Conflict(
                f"{target} points to version {version_of(alias)} by now and not {version}; nothing was changed"
            )
        live = canary_of(alias)
        if live == normal(canary):
            return UNCHANGED
        if live != normal(expected):
            raise Conflict(
                f"the canary of {target} is {live or 'none'} by now and not {expected or 'none'}; nothing was changed"
            )
        for second in weights:
            _check_second(target, version_of(alias), int(second))
            self._check_usable(name, int(second))
        return self._update(target, name, alias, FunctionVersion=str(alias["FunctionVersion"]), weights=weights)

    def _update(
        self, target: Target, name: Named, alias: Answer, *, weights: dict[str, float], **wanted: str
    ) -> Receipt:
        """Write the alias whole: a canary that is left out of the request would stay."""
        request = {
            "FunctionName": name.function,
            "Name": name.alias,
            "RoutingConfig": {"AdditionalVersionWeights": weights},
            "RevisionId": revision_of(alias, target),
            **wanted,
        }

        def ask() -> Receipt:
            with touching(f"cannot move {target}", lambda code, reason: meaning(code, reason, target)):
                return {"revisionId": str(part(self._clients.touching("lambda").update_alias(**request), "RevisionId"))}

        def look() -> Receipt | None:
            live = self._looks.alias(name)
            is_done = live["FunctionVersion"] == wanted["FunctionVersion"] and canary_of(live) == _canary(weights)
            return {"revisionId": str(live.get("RevisionId", ""))} if is_done else None

        return send(ask, look)

    def _reserve(self, target: Target, name: Named, concurrency: int | None) -> Receipt:
        client: Any = self._clients.touching("lambda")
        with touching(f"cannot limit {target}", lambda code, reason: meaning(code, reason, target)):
            if concurrency is None:
                client.delete_function_concurrency(FunctionName=name.function)
            else:
                client.put_function_concurrency(FunctionName=name.function, ReservedConcurrentExecutions=concurrency)
        return {}

    def _reserved_as(self, name: Named, concurrency: int | None) -> Receipt | None:
        return {} if self._looks.concurrency(name) == concurrency else None

    def _read_back(self, target: Target, name: Named, *, before: int | None, after: int | None) -> Receipt:
        """Return what is reserved now: there is no revision that would have held us to what we saw."""
        says = f"the reserved concurrency of {target} was set to {_reserved(after)}"
        try:
            live = self._looks.concurrency(name)
        except (InvalidTarget, Unreadable) as error:
            raise EffectUnknown(f"{says}, and cannot be read back: {error}") from error
        if live == after:
            return {"concurrency": live}
        if live == before:
            raise EffectUnknown(f"{says}, and still reads {_reserved(live)}: it may be done or not")
        raise Conflict(f"{says}, and is {_reserved(live)}: somebody else sets it too (look who, before another try)")

    def _check_usable(self, name: Named, version: int) -> None:
        """Raise what forbids calls of a version now."""
        with before_touching():
            state, reason = state_of(self._looks.version(name.function, version))
        if state == "failed":
            raise Permanent(
                f"version {version} of function {name.function} cannot be called: {reason} (name another one)"
            )
        if state == "updating":
            raise Retryable(f"version {version} of function {name.function} is not ready: {reason}", THROTTLE_WAIT)

    def _check_same(self, target: Target, name: Named) -> None:
        if target.uid and arn_of(self._looks.configuration(Named(function=name.function)), name) != target.uid:
            raise Conflict(f"{target} is another function than the one that was looked at; nothing was changed")


def revision_of(answer: Answer, target: Target) -> str:
    """Return the revision that a change is held to. Raises Permanent: without one it would overwrite blindly."""
    if not answer.get("RevisionId"):
        raise Permanent(f"cannot change {target}: Lambda named no revision to hold the change to")
    return str(answer["RevisionId"])


def meaning(code: str, reason: str, target: Target) -> Exception | None:
    """Return what a code means when a function is changed, None where it means what it means everywhere."""
    if code == BUSY:
        return Retryable(f"cannot change {target} now: another update of it is in progress", THROTTLE_WAIT)
    if code == MOVED:
        return Moved()
    if TOO_LITTLE_LEFT in reason:
        return Permanent(f"cannot limit {target}: {reason} (reserve less, or ask AWS for more concurrency)")
    return None


def _with_alias(target: Target) -> Named:
    name = named(target)
    if not name.alias:
        raise InvalidTarget(f"{target} names no alias, and only an alias points to a version (write NAME:ALIAS)")
    return name


def _check_second(target: Target, version: int, second: int) -> None:
    if not version:
        raise Permanent(
            f"{target} points to the unpublished code, which shares no calls (let it point to a version first)"
        )
    if second == version:
        raise Permanent(f"{target} points to version {second} already: a canary is another one")


def _canary(weights: dict[str, float]) -> str:
    return canary_of({"RoutingConfig": {"AdditionalVersionWeights": weights}})


def _version(number: int) -> str:
    return f"version {number}" if number else "the unpublished code"


def _reserved(concurrency: int | None) -> str:
    return "none" if concurrency is None else str(concurrency)
