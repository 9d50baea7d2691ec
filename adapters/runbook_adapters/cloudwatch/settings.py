"""Settings of adapter `cloudwatch`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runbook_adapters.aws.clients import AwsSettings


class CloudWatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Where, as whom, and the log groups of functions whose own configuration we may not read."""

    region: str = ""
    role: str = ""  # an ARN to assume
    log_groups: Mapping[str, str] = {}  # by function name; absent = what the function's configuration says

    @property
    def access(self) -> AwsSettings:
        """Where, and as whom: what every AWS adapter takes."""
        return AwsSettings(region=self.region, role=self.role)
