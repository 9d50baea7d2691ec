"""Names of parameters. A colon would choose a version or a label, so that two names meant one parameter."""

from __future__ import annotations

import re

from runbook_engine.model.target import Target

LONGEST_NAME = 1011
NAME = re.compile(r"(?:/[A-Za-z0-9_.-]+){1,15}|[A-Za-z0-9_.-]+")


def is_name(name: str) -> bool:
    """Whether this is the name of a parameter, and nothing but its name."""
    return len(name) <= LONGEST_NAME and NAME.fullmatch(name) is not None


def objection(target: Target) -> str:
    """Return why a target cannot be a parameter of SSM, empty when it can."""
    if target.kind != "parameter":
        return f"{target} is a {target.kind}; SSM holds parameters only"
    if not is_name(target.name):
        return (
            f"{target.name!r} is not the name of an SSM parameter "
            "(write letters, digits, _ . - and, between up to 15 levels, /, beginning with / when there is one)"
        )
    return ""
