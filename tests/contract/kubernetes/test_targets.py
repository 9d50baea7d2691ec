"""Targets: a write names one object, and what names none is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook_adapters.kubernetes.eviction import KubernetesNodeWriter
from runbook_adapters.kubernetes.jobs import KubernetesJobWriter
from runbook_adapters.kubernetes.setting_ports import KubernetesSettingWriter
from runbook_adapters.kubernetes.transport import Transport
from runbook_adapters.kubernetes.wire import Wire
from runbook_adapters.kubernetes.writer import KubernetesWriter
from runbook_engine.errors import InvalidTarget, Permanent
from runbook_engine.model.eviction import EvictionRules
from runbook_engine.model.target import Target
from tests.contract.kubernetes.conftest import Nobody, SystemClock
from tests.contract.kubernetes.test_jobs import template

NOWHERE = "http://localhost:1"  # nobody listens: whatever is sent is another error
NAMES = {
    "no name": ("apps", ""),
    "no namespace": ("", "web"),
    "a path": ("apps", "../nodes"),
    "a case": ("Apps", "web"),
}


def transport() -> Transport:
    """A transport to nobody."""
    return Transport(Wire(NOWHERE), Nobody(), SystemClock(), sleep=lambda seconds: None)


def nodes() -> KubernetesNodeWriter:
    """The writer of nodes and pods."""
    return KubernetesNodeWriter(transport(), "test", SystemClock())


def target(kind: str, names: tuple[str, str]) -> Target:
    """Return a target of these names; a node has no namespace, so there its name is what may be wrong."""
    return Target(kind, "test", *names) if kind != "node" else Target(kind, "test", "", names[1] and "../" + names[1])


WRITES: dict[str, Callable[[tuple[str, str]], Any]] = {
    "evict a pod": lambda names: nodes().remove(target("pod", names), evict=True),
    "delete a pod": lambda names: nodes().remove(target("pod", names), evict=False),
    "cordon": lambda names: nodes().cordon(target("node", names)),
    "uncordon": lambda names: nodes().uncordon(target("node", names)),
    "drain": lambda names: nodes().evict(target("node", names), EvictionRules(), limit=1),
    "restart": lambda names: KubernetesWriter(transport(), SystemClock()).restart(target("deployment", names), "mark"),
    "roll back": lambda names: KubernetesWriter(transport(), SystemClock()).rollback(
        target("deployment", names), 1, expected=2
    ),
    "set a key": lambda names: KubernetesSettingWriter(transport()).write(
        target("configmap", names), "data:a", "b", expected=None
    ),
    "start a job": lambda names: KubernetesJobWriter(transport(), [template()]).start(
        target("job", names), "dump", {"pod": "web-0"}, digest=template().digest
    ),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_write_is_refused_when_it_names_no_object(write: Callable[[Any], Any], names: tuple[str, str]) -> None:
    """A writer says so in a writer's words, and nothing is sent."""
    with pytest.raises(Permanent) as refused:
        write(names)

    assert "connection" not in str(refused.value)


@pytest.mark.parametrize("verb", ["delete", "patch"])
def test_collection_is_never_changed_whole(verb: str) -> None:
    """DELETE of a path without a name means all of them."""
    change: Callable[..., Any] = {
        "delete": lambda path: transport().delete(path),
        "patch": lambda path: transport().patch(path, [], kind="json"),
    }[verb]

    with pytest.raises(InvalidTarget) as refused:
        change("/api/v1/namespaces/apps/pods")

    assert str(refused.value) == f"cannot {verb} pods in namespace apps: no object is named, and all of them never are"
