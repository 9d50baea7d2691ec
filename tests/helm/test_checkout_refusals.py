"""What the chart of the checkout service refuses, and in which words."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.helm.chart import CHECKOUT


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(
            {"chaos": {"enabled": True}},
            "chaos: faults are not injected in production (set environment to development or staging, or "
            "chaos.enabled=false)",
            id="faults in production",
        ),
        pytest.param(
            {"environment": "staging", "chaos": {"errorRate": 0.1}},
            "chaos: a fault is set and chaos.enabled is not: it would do nothing (set chaos.enabled, or every fault to "
            "0)",
            id="a fault that would not come",
        ),
        pytest.param(
            {"environment": "prod"},
            "at '/environment': value must be one of 'development', 'staging', 'production'",
            id="an environment by another name",
        ),
        pytest.param(
            {"environment": "staging", "chaos": {"enabled": True, "errorRate": 10}},
            "at '/chaos/errorRate': maximum: got 10, want 1",
            id="percent for a share",
        ),
        pytest.param(
            {"env": {"ERROR_RATE": "0.5"}},
            "env: the chart sets ERROR_RATE itself, from a value of its own (remove it)",
            id="a fault by the back door",
        ),
        pytest.param(
            {"flags": {"source": "ssm"}},
            "flags.ssm.region is empty: name the region that the parameter is in",
            id="a parameter of no region",
        ),
        pytest.param(
            {"flags": {"configMap": {"name": "mine"}}},
            "flags.configMap.name is set and flags.source is none: the ConfigMap would not be read (set "
            "flags.source=configMap)",
            id="a ConfigMap that is not read",
        ),
        pytest.param(
            {"flags": {"source": "ssm", "name": '/a"; rm'}},
            "at '/flags/name': '/a\"; rm' does not match pattern",
            id="a name that is none",
        ),
        pytest.param(
            {"ingress": {"enabled": True}},
            "ingress.hosts is empty: every name that reaches the load balancer would be answered (name the hosts)",
            id="an ingress for every name",
        ),
        pytest.param(
            {"autoscaling": {"minReplicas": 20}},
            "autoscaling: minReplicas is above maxReplicas (swap them)",
            id="bounds the wrong way round",
        ),
        pytest.param(
            {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}},
            "autoscaling: cpu is a percentage of the requested CPU, and resources.requests.cpu is not set (set it)",
            id="a percentage of nothing",
        ),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/name": "evil"}},
            "podLabels: the chart sets app.kubernetes.io/name itself, and finds its pods by it (remove it)",
            id="the label that the Service selects by",
        ),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/instance": "9"}},
            "podLabels: the chart sets app.kubernetes.io/instance itself, and finds its pods by it (remove it)",
            id="the label that releases are told apart by",
        ),
        pytest.param(
            {"fullnameOverride": "UPPER_case"},
            "at '/fullnameOverride': 'UPPER_case' does not match pattern",
            id="a name that no object can have",
        ),
        pytest.param(
            {"nameOverride": "-check"},
            "at '/nameOverride': '-check' does not match pattern",
            id="a name that begins with a dash",
        ),
        pytest.param({"replicas": "three"}, "at '/replicas': got string, want integer", id="a number in words"),
        pytest.param({"replicaCount": 3}, "additional properties 'replicaCount' not allowed", id="another chart's key"),
        pytest.param(
            {"podDisruptionBudget": {"maxUnavailable": 0}},
            "at '/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1",
            id="a budget that holds every node",
        ),
        pytest.param(
            {"revisionHistoryLimit": 0},
            "at '/revisionHistoryLimit': minimum: got 0, want 2",
            id="nothing to roll back to",
        ),
        pytest.param(
            {"serviceAccount": {"create": False}},
            'serviceAccount.name is empty: name the ServiceAccount that exists, since rights of "default" belong to '
            "every pod of the namespace (or set serviceAccount.create)",
            id="the default ServiceAccount",
        ),
    ],
)
def test_values_are_refused(values: Mapping[str, Any], sentence: str) -> None:
    """What would fail or be unsafe in the cluster does not get there."""
    said = CHECKOUT.refusal(values)

    assert sentence in said
