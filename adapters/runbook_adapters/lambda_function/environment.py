"""Environment: one entry of a function's environment, which Lambda only takes as a whole.

Entries may be secrets: no value is ever part of an error, and what Lambda says of an environment that it refuses is
not repeated, since it may quote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import DENIALS, THROTTLE_WAIT, code_of, part, touching
from runbook_adapters.aws.touching import Receipt, before_touching, compare_and_set, send
from runbook_adapters.lambda_function.looks import Answer, Looks
from runbook_adapters.lambda_function.names import Named, named
from runbook_adapters.lambda_function.reader import arn_of, state_of
from runbook_adapters.lambda_function.writer import BUSY, meaning, revision_of
from runbook_engine.errors import ActionFailed, Conflict, EffectUnknown, InvalidTarget, Permanent, Retryable, Unreadable
from runbook_engine.model.observation import Setting
from runbook_engine.model.target import Target

_KEY = re.compile(r"env:/(?P<name>[A-Za-z][A-Za-z0-9_]+)", re.ASCII)


class LambdaSettingReader:
    """Looks at the environment of functions."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def setting(self, target: Target, key: str) -> Setting:
        """Return one entry. Raises InvalidTarget, Unreadable."""
        entry, name = _entry(target, key), _unpublished(target)
        configuration = self._looks.configuration(name)
        text = variables_of(configuration, target).get(entry)
        return Setting(target=msgspec.structs.replace(target, uid=arn_of(configuration, name)), text=text)


class LambdaSettingWriter:
    """Touches the environment of functions."""

    def __init__(self, looks: Looks, clients: Clients) -> None:
        self._looks = looks
        self._clients = clients

    def write(self, target: Target, key: str, text: str | None, *, expected: str | None) -> Receipt:
        """Set (or with None remove) one entry, if it still is `expected`; every other entry stays as it is."""
        return compare_and_set(lambda: self._write(target, key, text, expected), f"the environment of {target}")

    def _write(self, target: Target, key: str, text: str | None, expected: str | None) -> Receipt:
        with before_touching():
            entry, name = _entry(target, key), _unpublished(target)
            configuration = self._looks.configuration(name)
        if target.uid and arn_of(configuration, name) != target.uid:
            raise Conflict(f"{target} is another function than the one that was looked at; nothing was changed")
        variables = _readable(configuration, target)
        if variables.get(entry) == text:
            return {**_receipt(configuration), "unchanged": True}
        if variables.get(entry) != expected:
            raise Conflict(f"{entry} of {target} has been changed by somebody else; nothing was overwritten")
        _refuse_while_updating(configuration, target)
        others = {known: value for known, value in variables.items() if known != entry}
        wanted = others if text is None else {**others, entry: text}
        return self._replace(target, name, entry, wanted, revision_of(configuration, target))

    def _replace(self, target: Target, name: Named, entry: str, wanted: Mapping[str, str], revision: str) -> Receipt:
        """Write the environment whole, held to the revision that it was read with."""

        def look() -> Receipt | None:
            live = self._looks.configuration(name)
            return _receipt(live) if variables_of(live, target).get(entry) == wanted.get(entry) else None

        return send(lambda: self._ask(target, name, entry, wanted, revision), look)

    def _ask(self, target: Target, name: Named, entry: str, wanted: Mapping[str, str], revision: str) -> Receipt:
        what = f"cannot set {entry} of {target}"
        try:
            with touching(what, lambda code, reason: meaning(code, reason, target)):
                answer: Answer = self._clients.touching("lambda").update_function_configuration(
                    FunctionName=name.function, Environment={"Variables": dict(wanted)}, RevisionId=revision
                )
                return {"revisionId": str(part(answer, "RevisionId"))}
        except ActionFailed as error:
            failure = _without_quotes(error, what)
        raise failure  # outside, so that it is not chained to what Lambda said


def _without_quotes(error: ActionFailed, what: str) -> ActionFailed:
    """Return the failure without what Lambda says of an environment: it may quote values."""
    cause = error.__cause__
    code = code_of(cause) if isinstance(cause, Exception) else ""
    kind = code or type(cause).__name__
    if isinstance(error, Retryable):
        return Retryable(str(error) if code == BUSY else f"{what} now: {kind}", error.after)
    if isinstance(error, EffectUnknown):
        return EffectUnknown(f"{what}: {kind}: it may be done or not")
    if code in DENIALS:
        return Permanent(str(error))
    return Permanent(f"{what}: Lambda refuses the change with {kind} (an environment has 4 KB and no reserved names)")


def variables_of(configuration: Answer, target: Target) -> Mapping[str, str]:
    """Return the environment of a function. Raises Unreadable when Lambda itself could not decrypt it."""
    environment = configuration.get("Environment") or {}
    if environment.get("Error"):
        code = environment["Error"].get("ErrorCode") or "an error"
        raise Unreadable(
            f"the environment of {target} cannot be read: Lambda answers {code} for it "
            "(let the engine's role decrypt with the function's KMS key)"
        )
    return dict(environment.get("Variables") or {})


def _readable(configuration: Answer, target: Target) -> Mapping[str, str]:
    """Return the environment. Raises Permanent where it is hidden: writing one entry would wipe all others."""
    try:
        return variables_of(configuration, target)
    except Unreadable as error:
        raise Permanent(str(error)) from error


def _refuse_while_updating(configuration: Answer, target: Target) -> None:
    state, reason = state_of(configuration)
    if state == "updating":
        raise Retryable(f"cannot change {target} now: {reason}", THROTTLE_WAIT)


def _entry(target: Target, key: str) -> str:
    found = _KEY.fullmatch(key)
    if found is None:
        raise InvalidTarget(f"{key!r} names no entry of {target} (write env:/NAME: a function has no containers)")
    return found["name"]


def _unpublished(target: Target) -> Named:
    name = named(target)
    if name.alias:
        raise InvalidTarget(
            f"the environment of {target} never changes: an alias points to a published version "
            f"(name function {name.function} without the alias, or let the alias point to another version)"
        )
    return name


def _receipt(configuration: Answer) -> Receipt:
    return {"revisionId": str(configuration.get("RevisionId") or "")}
