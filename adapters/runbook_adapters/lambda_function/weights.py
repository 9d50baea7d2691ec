"""Weights: the canary of an alias, as `8=10` (version 8 gets 10 % of the calls) and as Lambda has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runbook_engine.errors import Permanent

_CANARY = re.compile(r"(?P<version>[1-9]\d{0,17})=(?P<share>\d{1,3}(?:\.\d{1,6})?)", re.ASCII)


def canary_of(alias: Mapping[str, Any]) -> str:
    """Return the canary of an alias, empty when every call goes to one version."""
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return ",".join(f"{version}={_percent(share)}" for version, share in sorted(weights.items()) if share > 0)


def weights_of(canary: str) -> dict[str, float]:
    """Return the weights that a canary means. Raises Permanent."""
    if not canary:
        return {}
    found = _CANARY.fullmatch(canary)
    if found is None or not 0 <= float(found["share"]) <= 100:
        raise Permanent(f"{canary!r} is no canary (write VERSION=PERCENT as in 8=10, or nothing for none)")
    share = round(float(found["share"]) / 100, 8)
    return {found["version"]: share} if share > 0 else {}


def normal(canary: str) -> str:
    """Return a canary as `canary_of` writes it. Raises Permanent."""
    return canary_of({"RoutingConfig": {"AdditionalVersionWeights": weights_of(canary)}})


def _percent(share: float) -> str:
    return f"{round(share * 100, 6):g}"
