"""What the chart refuses, and in which words."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.helm.chart import refusal

PEOPLE = {"tokens": {"ana": {"roles": ["read"], "secrets": [{"env": "ANA"}]}, "alertmanager": None}}
ELSEWHERE = {"roles": ["ingest"], "secrets": [{"file": "/etc/runbook/secrets/other/token"}]}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"replicas": 3}, "additional properties 'replicas' not allowed", id="a value that does not exist"),
        pytest.param(
            {"persistence": {"sizes": "1Gi"}}, "additional properties 'sizes' not allowed", id="a typo further down"
        ),
        pytest.param(
            {"server": {"listen": "127.0.0.1"}},
            "at '/server/listen': value must be one of '0.0.0.0', '::'",
            id="an address that no probe reaches",
        ),
        pytest.param(
            {"persistence": {"accessMode": "ReadWriteMany"}},
            "at '/persistence/accessMode': value must be one of 'ReadWriteOncePod', 'ReadWriteOnce'",
            id="a volume for many writers",
        ),
        pytest.param(
            {"secrets": {"env": {"ONCALL_URL": "hunter2"}}},
            "at '/secrets/env/ONCALL_URL': got string, want object",
            id="a literal secret",
        ),
        pytest.param(
            {"rbac": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]}},
            "at '/rbac/rules/0/verbs/0': value must be one of "
            "'get', 'list', 'watch', 'create', 'update', 'patch', 'delete'",
            id="every verb",
        ),
        pytest.param(
            {"rbac": {"namespaces": {"apps": [{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}]}}},
            "at '/rbac/namespaces/apps/0/apiGroups/0': '*' does not match pattern '^[^*]*$'",
            id="every group",
        ),
        pytest.param(
            {"rbac": {"namespaces": {"apps": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]}}},
            "rbac: no action needs a right to secrets, and whoever reads them is whoever they belong to "
            "(remove the rule)",
            id="a right to secrets",
        ),
        pytest.param(
            {"runbooks": {"../outside.yaml": "a: b"}}, "'../outside.yaml' does not match pattern", id="a path outwards"
        ),
        pytest.param({"runbooks": {"notes.txt": "a"}}, "'notes.txt' does not match pattern", id="not a YAML file"),
        pytest.param(
            {"podDisruptionBudget": {"maxUnavailable": 2}},
            "at '/podDisruptionBudget/maxUnavailable': value must be one of 0, 1",
            id="more pods than there are",
        ),
        pytest.param(
            {"admissionPolicy": {"group": "x' in [] || true || '"}},
            "at '/admissionPolicy/group':",
            id="an expression in a name",
        ),
        pytest.param(
            {"serviceAccount": {"create": False}},
            'serviceAccount.name is empty: name the ServiceAccount that exists, since rights of "default" belong to '
            "every pod of the namespace (or set serviceAccount.create)",
            id="the default ServiceAccount",
        ),
        pytest.param(
            {"serviceAccount": {"roleArn": "arn:aws:iam::111122223333:role/a", "podIdentity": True}},
            "serviceAccount: roleArn is IRSA and podIdentity is EKS Pod Identity (choose one)",
            id="two ways to AWS",
        ),
        pytest.param(
            {"config": PEOPLE},
            "config.tokens: no token has the role ingest, and without one the runner refuses to listen to other pods "
            "(name one)",
            id="nobody may send",
        ),
        pytest.param(
            {"config": {"tokens": {"alertmanager": ELSEWHERE}}},
            'config.tokens.alertmanager: the Secret "other" is not mounted (add it to secrets.files)',
            id="a Secret that is not mounted",
        ),
        pytest.param(
            {"persistence": {"existingClaim": "journal"}},
            "persistence.existingClaim is set and persistence.enabled is not: the journal would not be in that claim "
            "(set persistence.enabled)",
            id="a claim that is not used",
        ),
        pytest.param(
            {"env": {"RUNBOOK_NODE": "other"}}, "env: the chart sets RUNBOOK_NODE itself (remove it)", id="another node"
        ),
        pytest.param(
            {"secrets": {"env": {"RUNBOOK_STATE": {"secret": "a", "key": "b"}}}},
            "env: the chart sets RUNBOOK_STATE itself (remove it)",
            id="another state folder",
        ),
        pytest.param(
            {"runbooks": {"disk/a.yaml": "a: b"}, "runbooksFrom": [{"configMap": "disks", "folder": "disk"}]},
            'runbooksFrom: the folder "disk" has runbooks already, from runner-runbook-engine-runbooks-disk '
            "(give disks a folder of its own)",
            id="two ConfigMaps for one folder",
        ),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/name": "other"}},
            "podLabels: the chart sets app.kubernetes.io/name itself, and finds its pods by it (remove it)",
            id="the label that the Service selects by",
        ),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/instance": "other"}},
            "podLabels: the chart sets app.kubernetes.io/instance itself, and finds its pods by it (remove it)",
            id="the label that releases are told apart by",
        ),
        pytest.param(
            {"fullnameOverride": "UPPER_case"},
            "at '/fullnameOverride': 'UPPER_case' does not match pattern",
            id="a name that no object can have",
        ),
        pytest.param(
            {"nameOverride": "1st"},
            "at '/nameOverride': '1st' does not match pattern",
            id="a name that no Service takes",
        ),
        pytest.param(
            {"admissionPolicy": {"caps": {"minReplicas": 9, "maxReplicas": 3}}},
            "admissionPolicy.caps: minReplicas is above maxReplicas, so nothing could be scaled (swap them)",
            id="caps the wrong way round",
        ),
    ],
)
def test_values_are_refused(values: Mapping[str, Any], sentence: str) -> None:
    """What would fail or be unsafe in the cluster does not get there."""
    said = refusal(values)

    assert sentence in said


@pytest.mark.parametrize(
    ("values", "kubernetes", "sentence"),
    [
        pytest.param(
            {"admissionPolicy": {"enabled": True}},
            "1.29.3",
            "admissionPolicy: ValidatingAdmissionPolicy needs Kubernetes 1.30, this is v1.29.3 "
            "(set admissionPolicy.enabled=false)",
            id="admission policies before their time",
        ),
        pytest.param(
            {}, "1.26.9", "chart requires kubeVersion: >=1.27.0-0 which is incompatible", id="an old API server"
        ),
    ],
)
def test_versions_are_refused(values: Mapping[str, Any], kubernetes: str, sentence: str) -> None:
    """A cluster that cannot serve what the chart asks for is told so."""
    said = refusal(values, kubernetes=kubernetes)

    assert sentence in said
