"""What helm/observability holds beside its chart: the values of kube-prometheus-stack, and the platform's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.helm.chart import CHECKOUT, OBSERVABILITY

RULE_FILES = sorted([*CHECKOUT.folder.glob("rules/*.yaml"), *OBSERVABILITY.folder.glob("rules/*.yaml")])


def stack_values(name: str) -> Mapping[str, Any]:
    """Return one of the two files of values."""
    found: Mapping[str, Any] = yaml.load((OBSERVABILITY.folder / f"{name}-values.yaml").read_text(), yaml.CSafeLoader)
    return found


def alerts() -> Iterator[Mapping[str, Any]]:
    """Yield every alerting rule of both charts."""
    for file in RULE_FILES:
        for group in yaml.load(file.read_text(), yaml.CSafeLoader)["groups"]:
            yield from (rule for rule in group["rules"] if "alert" in rule)
