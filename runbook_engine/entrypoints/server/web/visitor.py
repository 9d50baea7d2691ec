"""Who looks at the web page, and what they may do there."""

from __future__ import annotations

import msgspec

from runbook_engine.model.configuration import Role


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is signed in. `csrf` goes into every form; it is worth nothing in another session."""

    name: str
    roles: tuple[Role, ...]
    csrf: str

    @property
    def may_act(self) -> bool:
        """Whether they may answer, stop, pause."""
        return "operate" in self.roles
