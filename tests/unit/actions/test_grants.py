"""What each action needs of a cluster: all that it uses, and nothing of what it does not."""

from __future__ import annotations

import re

import pytest

from runbook_engine.actions import degrade, restart, rollback, scale
from runbook_engine.ports import ActionSpec

PERMISSION = re.compile(r"([a-z0-9.]+/[a-z]+(/[a-z]+)?:[a-z]+|(ssm|lambda):[A-Za-z]+)")
LOOKS = (
    *("core/pods:list", "core/namespaces:get", "core/resourcequotas:list"),
    *("autoscaling/horizontalpodautoscalers:list", "keda.sh/scaledobjects:list"),
)
ACTIONS = [degrade.ACTION, restart.ACTION, rollback.ACTION, scale.ACTION]


@pytest.mark.parametrize(
    ("action", "arguments", "kind", "needed"),
    [
        pytest.param(
            degrade.ACTION,
            {"parameter": "/a", "value": "b"},
            "deployment",
            (
                *("ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter", "ssm:DeleteParameter"),
                *("ssm:LabelParameterVersion", "ssm:UnlabelParameterVersion"),
            ),
            id="a parameter needs no cluster",
        ),
        pytest.param(
            degrade.ACTION,
            {"configMap": "a", "key": "b", "value": "c"},
            "deployment",
            ("core/configmaps:get", "core/namespaces:get", "core/configmaps:patch"),
            id="a ConfigMap needs no workload",
        ),
        pytest.param(
            degrade.ACTION,
            {"env": "A", "value": "b"},
            "deployment",
            ("apps/deployments:get", "apps/replicasets:list", *LOOKS, "apps/deployments:patch"),
            id="an environment value is part of the template",
        ),
        pytest.param(
            restart.ACTION,
            {},
            "daemonset",
            (
                *("apps/daemonsets:get", "apps/controllerrevisions:list", "core/pods:list", "core/nodes:get"),
                *("core/namespaces:get", "core/resourcequotas:list", "apps/daemonsets:patch"),
            ),
            id="a restart writes the template, and of a daemonset a node may hold it up",
        ),
        pytest.param(
            rollback.ACTION,
            {"to": "previous"},
            "deployment",
            ("apps/deployments:get", "apps/replicasets:list", *LOOKS, "apps/deployments:patch"),
            id="a rollback of a deployment writes the template",
        ),
        pytest.param(
            rollback.ACTION,
            {},
            "statefulset",
            (
                *("apps/statefulsets:get", "apps/controllerrevisions:list", *LOOKS),
                *("apps/statefulsets:patch", "core/pods:delete"),
            ),
            id="a rollback of a statefulset may have to take a broken pod away",
        ),
        pytest.param(
            scale.ACTION,
            {"by": "50%"},
            "deployment",
            (
                *("apps/deployments:get", "apps/replicasets:list", *LOOKS),
                "apps/deployments/scale:patch",
            ),
            id="scaling cannot touch the template",
        ),
        pytest.param(
            scale.ACTION,
            {"by": "50%", "autoscaler": "minReplicas"},
            "statefulset",
            (
                *("apps/statefulsets:get", "apps/controllerrevisions:list", *LOOKS),
                "apps/statefulsets/scale:patch",
                *("autoscaling/horizontalpodautoscalers:patch", "keda.sh/scaledobjects:patch"),
            ),
            id="the autoscaler, when the author says so",
        ),
    ],
)
def test_needs_are_narrowed_by_arguments_and_kind(
    action: ActionSpec, arguments: dict[str, str], kind: str, needed: tuple[str, ...]
) -> None:
    """What a step needs is what its own arguments make it do."""
    assert action.needs is not None
    assert action.needs(arguments, kind) == needed
    assert set(needed) <= set(action.permissions)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_permissions_are_written_as_grants_are(action: ActionSpec) -> None:
    """GROUP/RESOURCE:VERB, each once."""
    assert [entry for entry in action.permissions if not PERMISSION.fullmatch(entry)] == []
    assert len(set(action.permissions)) == len(action.permissions)
