"""Credentials: who we are to an API server, as the value of one header that may change from minute to minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from runbook_engine.errors import NoAdapter


class NoCredential(Exception):
    """No credential can be had now; the sentence is complete, and never holds one."""


class Credentials(Protocol):
    """Gives the Authorization header. Called before every request, by several threads."""

    def authorization(self, now: datetime) -> str:
        """Return the header's value, empty when a client certificate says who we are. Raises NoCredential."""
        ...

    def refresh(self) -> None:
        """Forget what is kept: the server did not accept it. Raises NoCredential."""
        ...


class GivenToken:
    """A token that somebody else keeps fresh; it is looked up before every request."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def authorization(self, now: datetime) -> str:
        """Return the header's value. Raises NoCredential."""
        try:
            return bearer(self._token())
        except NoAdapter as error:
            raise NoCredential(str(error)) from error

    def refresh(self) -> None:
        """Do nothing: nothing is kept."""


def bearer(token: str) -> str:
    """Return the header of a token. Raises NoCredential when no header can hold it."""
    if not token:
        raise NoCredential("the token is empty")
    return f"Bearer {_plain(token)}"


def checked_header(text: str) -> str:
    """Return a whole header, without what an editor put at its end. Raises NoCredential as `bearer` does."""
    scheme, _, credential = text.strip().partition(" ")
    return f"{scheme} {_plain(credential)}" if scheme else ""


def _plain(token: str) -> str:
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise NoCredential("the token holds a line break or another character that no header can hold")
    return token
