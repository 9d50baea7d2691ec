"""IAM: statements of a policy as values, and what their wildcards cover.

A statement allows one action on one resource, so that two policies can be compared piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

import msgspec

READS = ("Get", "List", "Describe", "Filter")
WRITES_IN_READING = frozenset(("sqs:ReceiveMessage",))  # takes messages, though its name does not say so


class Allowance(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One action of a service on one resource; `*` and `?` in either stand for anything."""

    action: str  # as in lambda:UpdateAlias
    resource: str  # an ARN, or *
    conditions: tuple[tuple[str, str, str], ...] = ()  # operator, key, value: all must hold
    why_all: str = ""  # why the resource is no narrower; empty = it is as narrow as can be said
    because: str = ""  # which runbook needs it, and for what

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        verb = self.action.partition(":")[2]
        return verb.startswith(READS) and self.action not in WRITES_IN_READING


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Where resources are: the parts of an ARN that no runbook says."""

    account: str = "*"
    region: str = "*"
    partition: str = "aws"

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """Return the ARN of a resource here."""
        where = self.region if region is None else region
        whose = self.account if account is None else account
        return f"arn:{self.partition}:{service}:{where}:{whose}:{resource}"


def uncovered_allowances(wanted: Iterable[Allowance], given: Iterable[Allowance]) -> tuple[Allowance, ...]:
    """Return what of the first the second does not allow. Who needs it is no part of the question."""
    rules = tuple(given)
    return tuple(sorted({_bare(each) for each in wanted if not any(covers(rule, each) for rule in rules)}))


def covers(rule: Allowance, asked: Allowance) -> bool:
    """Whether a rule allows all that is asked: its wildcards understood, and no condition that was not asked for."""
    if not set(rule.conditions) <= set(asked.conditions):
        return False
    return within(asked.action.casefold(), rule.action.casefold()) and within(asked.resource, rule.resource)


def within(asked: str, pattern: str) -> bool:
    """Whether everything that one text with wildcards stands for is among what the other stands for.

    A wildcard that is asked for is only within a wildcard; said of a literal, it would be more than was given. Of a
    partition, region or account that is not told, `*` is asked for.
    """
    if pattern == "*":
        return True
    return _form(pattern).fullmatch(asked) is not None


@cache
def _form(pattern: str) -> re.Pattern[str]:
    """`*` takes in other wildcards, `?` one character that is none."""
    parts = (".*" if mark == "*" else "[^*]" if mark == "?" else re.escape(mark) for mark in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _bare(allowance: Allowance) -> Allowance:
    return msgspec.structs.replace(allowance, because="", why_all="")


def conditions_of(allowance: Allowance) -> Mapping[str, Mapping[str, str]]:
    """Return the conditions as a policy writes them."""
    found: dict[str, dict[str, str]] = {}
    for operator, key, value in allowance.conditions:
        found.setdefault(operator, {})[key] = value
    return found
