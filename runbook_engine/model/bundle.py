"""A bundle: every compiled runbook and the configuration they run under. All that a host needs to start."""

from __future__ import annotations

import msgspec

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.runbook import Runbook

BUNDLE_VERSION = 1


class Bundle(msgspec.Struct, frozen=True):
    """Compiled runbooks and one installation's configuration, as values; and the index of the runbooks, if prepared."""

    runbooks: tuple[Runbook, ...] = ()
    configuration: Configuration = Configuration()
    schema_version: int = BUNDLE_VERSION
    index: bytes = b""
