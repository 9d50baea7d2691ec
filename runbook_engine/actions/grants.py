"""Grants: what actions on workloads need of a cluster, by the kind of the workload, as in `apps/deployments:patch`.

One permission too few is found at three in the morning, one too many by whoever breaks in: so each action says what
it needs for one kind of target, and what the guardrails before it read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runbook_engine.model.looking import RESOURCES, together

CONFIG_MAP_LOOKS = ("core/configmaps:get", "core/namespaces:get")


def on_workload(kind: str, *verbs: str, part: str = "") -> tuple[str, ...]:
    """Return verbs on a workload, or on a part of it such as `scale`; nothing for what is no workload."""
    if kind not in RESOURCES:
        return ()
    return tuple(f"{RESOURCES[kind]}{f'/{part}' if part else ''}:{verb}" for verb in verbs)


def for_kinds(
    needs: Callable[[Mapping[str, Any], str], tuple[str, ...]], arguments: Mapping[str, Any], kinds: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what an action with these arguments needs when its target may be of any of these kinds."""
    return together(*(needs(arguments, kind) for kind in kinds))
