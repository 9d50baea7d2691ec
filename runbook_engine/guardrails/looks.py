"""Looks: what the guardrails of one judgement have seen already, so that each thing in the world is read once.

A failure is remembered as an answer is: a service that does not answer is not asked once for every guardrail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from runbook_engine.errors import RunbookError
from runbook_engine.model.node import Node, Pod
from runbook_engine.model.observation import Setting, Workload
from runbook_engine.model.serverless import Function, Queue
from runbook_engine.model.target import Target
from runbook_engine.ports import World

_Answer = TypeVar("_Answer")


class Looks:
    """The world as guardrails see it, for as long as one judgement takes. Raises what readers raise."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[tuple[str, Target, str], Any] = {}

    def workload(self, target: Target) -> Workload:
        """Return a workload."""
        return self._once("workload", target, lambda: self._world.cluster.workload(target))

    def node(self, target: Target) -> Node:
        """Return a node."""
        return self._once("node", target, lambda: self._world.nodes.node(target))

    def pod(self, target: Target) -> Pod:
        """Return a pod."""
        return self._once("pod", target, lambda: self._world.nodes.pod(target))

    def setting(self, target: Target, key: str) -> Setting:
        """Return an entry of a ConfigMap, or of a workload's environment."""
        return self._once("setting", target, lambda: self._world.settings.setting(target, key), key)

    def function(self, target: Target) -> Function:
        """Return a function."""
        return self._once("function", target, lambda: self._world.functions.function(target))

    def queue(self, target: Target) -> Queue:
        """Return a queue."""
        return self._once("queue", target, lambda: self._world.queues.queue(target))

    def _once(self, what: str, target: Target, look: Callable[[], _Answer], key: str = "") -> _Answer:
        if (what, target, key) not in self._seen:
            self._seen[what, target, key] = _answer_or_error(look)
        known: _Answer | RunbookError = self._seen[what, target, key]
        if isinstance(known, RunbookError):
            raise known
        return known


def _answer_or_error(look: Callable[[], _Answer]) -> _Answer | RunbookError:
    try:
        return look()
    except RunbookError as error:
        return error
