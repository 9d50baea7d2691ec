"""Credentials as the environment of a function holds them: a key, its secret, and the token of the role's session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook_engine.errors import NoAdapter

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs. Neither the secret nor the token is ever shown."""

    key: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


def credentials_of(environment: Mapping[str, str]) -> Credentials:
    """Return the credentials of an environment that has them. Raises NoAdapter, naming variables and never values."""
    check_credentials(environment)
    return Credentials(environment[KEY], environment[SECRET], environment.get(TOKEN, ""))


def check_credentials(environment: Mapping[str, str]) -> None:
    """Raise NoAdapter when a character is in one that no header takes, naming the variable and never the value.

    It is found here because the HTTP library's own complaint would quote the whole value.
    """
    for name in (KEY, SECRET, TOKEN):
        value = environment.get(name, "")
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise NoAdapter(f"{name} holds a character that no credential has", "set it again, without line breaks")
