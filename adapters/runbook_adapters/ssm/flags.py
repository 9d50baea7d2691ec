"""Flags in SSM parameters. Nothing is cached: a guardrail judges what is so now.

SSM has no conditional write. A creation is one call that refuses to overwrite; any other write reads first, and
learns from the version that the write returns whether somebody wrote in between. It cannot take that back, so it
says so. A removal has no version: what is written in the milliseconds between the look and it is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.problems import checking, library_errors, looking, part, reason_of, touching
from runbook_adapters.ssm.names import objection
from runbook_adapters.ssm.parameters import Parameter, fetch, fetch_versions
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, Permanent, Retryable, Unreadable
from runbook_engine.model.observation import Flag
from runbook_engine.model.plan import Value
from runbook_engine.model.target import Target

SERVICE = "ssm"


class SsmFlagReader:
    """Looks at parameters."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def flag(self, target: Target) -> Flag | None:
        """Return a parameter's value and version, None when it was never set. Raises InvalidTarget, Unreadable."""
        if objected := objection(target):
            raise InvalidTarget(objected)
        client = self._clients.looking(SERVICE)
        with looking(str(target)):
            found = fetch(client, target.name)
        if found is None:
            return None
        if found.is_secure:
            raise InvalidTarget(_secret(target))
        return Flag(value=found.value, version=found.version)


class SsmFlagWriter:
    """Sets and removes parameters."""

    def __init__(self, clients: Clients, label: str) -> None:
        self._clients = clients
        self._label = label

    def write(self, target: Target, value: str | None, *, expected: str | None) -> Mapping[str, Value]:
        """Set (or with None remove) a parameter, if its value still is `expected`; what is so already is left alone."""
        if objected := objection(target):
            raise Permanent(objected)
        if value == "":
            raise Permanent(f"{target} cannot be set to an empty text: SSM keeps none (write off, or another word)")
        client = self._clients.looking(SERVICE)
        with checking(f"reading {target} before it is written"):
            live = fetch(client, target.name)
        if live is not None and live.is_secure:
            raise Permanent(_secret(target))
        if (live.value if live else None) == value:
            return {"version": live.version, "unchanged": True} if live else {"unchanged": True}
        if (live.value if live else None) != expected:
            raise Conflict(f"{target} is {_said(live)}, expected was {_shown(expected)}; nothing was changed")
        if live is None:
            return self._create(target, str(value))
        return self._remove(target, live) if value is None else self._replace(target, live, value)

    def _create(self, target: Target, value: str) -> Mapping[str, Value]:
        def known(code: str, reason: str) -> Exception | None:
            says = f"{target} was created by somebody else at the same time, and was to be absent; nothing was changed"
            return Conflict(says) if code == "ParameterAlreadyExists" else None

        client = self._clients.touching(SERVICE)
        with touching(f"setting {target}", known):
            answer = client.put_parameter(Name=target.name, Value=value, Type="String", Overwrite=False)
            return {"version": int(part(answer, "Version"))}

    def _remove(self, target: Target, live: Parameter) -> Mapping[str, Value]:
        client = self._clients.touching(SERVICE)
        with touching(f"removing {target}"):
            try:
                client.delete_parameter(Name=target.name)
            except client.exceptions.ParameterNotFound:
                return {"unchanged": True}
        if self._stands(target, live):  # the SDK takes any 200 for a yes where a yes says nothing
            raise EffectUnknown(f"removing {target} was answered, and it is still there: it may be done or not")
        return {"removed": live.version}

    def _stands(self, target: Target, live: Parameter) -> bool:
        """Whether the very version that was removed can still be read; what cannot be read is left to observing."""
        try:
            with looking(str(target)):
                return fetch(self._clients.looking(SERVICE), target.name) == live
        except Unreadable:
            return False

    def _replace(self, target: Target, live: Parameter, value: str) -> Mapping[str, Value]:
        versions = self._versions(target)
        newest = versions[-1] if versions else None
        if newest is None or newest.version < live.version:
            raise Retryable(f"the versions of {target} do not show version {live.version} yet; nothing was changed")
        if newest.version > live.version:
            raise Conflict(f"{target} is {_said(newest)}, expected was {_shown(live.value)}; nothing was changed")
        client = self._clients.touching(SERVICE)
        with touching(f"setting {target}", _known(target)):
            answer = client.put_parameter(
                Name=target.name, Value=value, Type=newest.kind, Overwrite=True, **newest.kept
            )
            ours = int(part(answer, "Version"))
        if ours != live.version + 1:
            raise Conflict(self._collision(target, live, value, ours))
        problem = self._mark(client, target, versions, live, value) if self._label else ""
        return {"version": ours, "unlabelled": problem} if problem else {"version": ours}

    def _versions(self, target: Target) -> tuple[Parameter, ...]:
        client = self._clients.looking(SERVICE)
        with checking(f"reading the versions of {target} before it is written"):
            return fetch_versions(client, target.name)

    def _collision(self, target: Target, live: Parameter, value: str, ours: int) -> str:
        """Return what happened when somebody wrote between our look and our write: theirs is overwritten by ours."""
        was = f"version {live.version} was {_shown(live.value)}, version {ours} is ours, {_shown(value)}"
        remedy = "(look at both, and set what you want)"
        if ours <= live.version:
            return f"{target} was removed by somebody else while we wrote: {was}, and is live {remedy}"
        theirs = f"version {live.version + 1} is theirs"
        try:
            found = next((each for each in self._versions(target) if each.version == live.version + 1), None)
        except (Permanent, Retryable):
            found = None
        if found is not None:
            theirs += f", {_shown(found.value)}" + (f" by {found.who}" if found.who else "")
        return f"{target} was changed by somebody else while we wrote: {was}, and is live; {theirs} {remedy}"

    def _mark(self, client: Any, target: Target, versions: tuple[Parameter, ...], live: Parameter, value: str) -> str:
        """Label the version before ours, or take the label off when its value is back; return why it did not work.

        A label is for people, and never fails a write. It goes as soon as it can, because SSM takes no version more
        once the oldest of a hundred has one.
        """
        labelled = next((each for each in versions if self._label in each.labels), None)
        try:
            if labelled is not None and labelled.value == value:
                client.unlabel_parameter_version(
                    Name=target.name, ParameterVersion=labelled.version, Labels=[self._label]
                )
                return ""
            answer = client.label_parameter_version(
                Name=target.name, ParameterVersion=live.version, Labels=[self._label]
            )
        except library_errors() as error:
            return reason_of(error)
        return f"SSM takes no label {self._label}" if answer.get("InvalidLabels") else ""


def _known(target: Target) -> Callable[[str, str], Exception | None]:
    def known(code: str, reason: str) -> Exception | None:
        says = f"setting {target}: its oldest version bears a label, so SSM takes no version more (move that label)"
        return Permanent(says) if code == "ParameterMaxVersionLimitExceeded" else None

    return known


def _secret(target: Target) -> str:
    return (
        f"{target} is a SecureString, and plans, messages and the audit trail show what a flag is "
        "(make it a String, or name another parameter)"
    )


def _said(live: Parameter | None) -> str:
    if live is None:
        return "not set"
    return f"{_shown(live.value)} (version {live.version})"


def _shown(value: str | None) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
