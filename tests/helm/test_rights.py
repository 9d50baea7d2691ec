"""What the runner may do in the cluster, who may reach it, and what it may reach."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.chart import NAMESPACE, ROOT, Rendered, render

READS = {"get", "list", "watch"}
ROLE = "arn:aws:iam::111122223333:role/platform/runbook-engine"
CASES = yaml.safe_load((ROOT / "tests/helm/admission-cases.yaml").read_text())
AGENT = {
    "to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}, {"ipBlock": {"cidr": "fd00:ec2::23/128"}}],
    "ports": [{"port": 80, "protocol": "TCP"}],
}


def granted(rendered: Rendered) -> Iterator[tuple[str, str, str]]:
    """Yield every grant: namespace (empty = everywhere), resource, verb."""
    for role in (*rendered.of("ClusterRole"), *rendered.of("Role")):
        for rule in role["rules"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield role["metadata"].get("namespace", ""), resource, verb


def callers(rendered: Rendered) -> list[Mapping[str, Any]]:
    """Return who may reach the runner."""
    policy = rendered.one("NetworkPolicy")["spec"]
    return [peer for rule in policy["ingress"] for peer in rule["from"]]


def test_nothing_can_be_written_by_default() -> None:
    """The default grants reading, of nothing that holds secrets."""
    grants = list(granted(render()))

    assert len(grants) > 10
    assert [] == [grant for grant in grants if grant[2] not in READS]
    assert set() == {resource for _, resource, _ in grants} & {"secrets", "configmaps", "pods/log", "pods/exec"}


def test_rights_are_bound_where_they_are_granted() -> None:
    """A namespace's rules hold in that namespace alone; every role is bound to the runner's ServiceAccount."""
    rendered = render("everything-admission")
    subject = {"kind": "ServiceAccount", "name": "shop-runner", "namespace": NAMESPACE}

    grants = set(granted(rendered))

    assert {("", "nodes", "patch"), ("apps", "deployments", "patch"), ("jobs", "statefulsets/scale", "get")} <= grants
    assert {"apps", "jobs"} == {role["metadata"]["namespace"] for role in rendered.of("Role")}
    for kind, binding in (("Role", "RoleBinding"), ("ClusterRole", "ClusterRoleBinding")):
        roles = {(one["metadata"].get("namespace"), one["metadata"]["name"]) for one in rendered.of(kind)}
        bound = {(one["metadata"].get("namespace"), one["roleRef"]["name"]) for one in rendered.of(binding)}
        assert roles == bound
        assert all([subject] == one["subjects"] for one in rendered.of(binding))
    assert subject["name"] == rendered.pod["spec"]["serviceAccountName"]


def test_rules_reach_the_role_as_they_were_written() -> None:
    """Names of resources narrow a rule, so they must not get lost."""
    rule = {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "resourceNames": ["checkout"],
        "verbs": ["get", "patch"],
    }

    (role,) = [one for one in render("everything-admission").of("Role") if one["metadata"]["namespace"] == "apps"]

    assert [rule] == role["rules"]


@pytest.mark.parametrize(
    "rbac", [{"create": False}, {"rules": [], "namespaces": {}}], ids=["not asked for", "no rules"]
)
def test_no_role_is_made_when_nothing_is_granted(rbac: Mapping[str, Any]) -> None:
    """An empty role would only look like a right."""
    rendered = render({"rbac": rbac})

    assert [] == rendered.of("ClusterRole") + rendered.of("ClusterRoleBinding") + rendered.of("Role")


def test_service_account_names_the_role_with_irsa() -> None:
    """IRSA finds the AWS role in an annotation."""
    account = render("persistent-irsa").one("ServiceAccount")

    assert {"eks.amazonaws.com/role-arn": ROLE} == account["metadata"]["annotations"]


def test_pod_identity_needs_a_way_to_its_agent_and_no_annotation() -> None:
    """Pod Identity is an association outside the cluster; the pod asks an agent on its node."""
    rendered = render("everything-admission")

    assert {"team": "platform"} == rendered.one("ServiceAccount")["metadata"]["annotations"]
    assert AGENT in rendered.one("NetworkPolicy")["spec"]["egress"]
    assert AGENT not in render("persistent-irsa").one("NetworkPolicy")["spec"]["egress"]


def test_named_callers_alone_reach_the_runner() -> None:
    """Alertmanager, the scraper and operators are named one by one; an empty list is nobody, not everybody."""
    rendered = render("everything-admission")

    names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in callers(rendered)]

    assert ["alerting", "ingress"] == names
    assert {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}} == callers(rendered)[0]["podSelector"]


def test_nobody_reaches_the_runner_when_nobody_is_named() -> None:
    """Without any peer there is no rule, and a policy without rules lets nobody in."""
    rendered = render({"networkPolicy": {"alertmanager": [], "metrics": [], "operators": []}})

    policy = rendered.one("NetworkPolicy")["spec"]

    assert not policy["ingress"]
    assert "Ingress" in policy["policyTypes"]


def test_runner_reaches_names_and_the_api_server_only() -> None:
    """By default the rest of the world is closed on every other port."""
    egress = render().one("NetworkPolicy")["spec"]["egress"]

    ports = [sorted({port["port"] for port in rule["ports"]}) for rule in egress]

    assert [[53], [443, 6443]] == ports


def test_api_server_is_named_by_its_addresses() -> None:
    """With addresses, the ports are open to them alone."""
    rule = render("persistent-irsa").one("NetworkPolicy")["spec"]["egress"][1]

    assert [{"ipBlock": {"cidr": "10.100.0.1/32"}}, {"ipBlock": {"cidr": "fd00::1/128"}}] == rule["to"]
    assert [{"port": 443, "protocol": "TCP"}] == rule["ports"]


def test_extra_ways_out_are_added_as_they_are() -> None:
    """What adapters and receivers call is for the installation to say."""
    egress = render("everything-admission").one("NetworkPolicy")["spec"]["egress"]

    assert [9090] == [port["port"] for port in egress[-1]["ports"]]


def test_budget_lets_a_runner_go_that_cannot_work() -> None:
    """An unready runner blocks no drain; a ready one does only where the installation says so."""
    budget = render().one("PodDisruptionBudget")["spec"]

    assert (1, "AlwaysAllow") == (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"])
    assert 0 == render("everything-admission").one("PodDisruptionBudget")["spec"]["maxUnavailable"]


def test_admission_policies_are_absent_by_default() -> None:
    """They need a newer API server than the rest of the chart."""
    assert [] == render().of("ValidatingAdmissionPolicy")


@pytest.mark.parametrize(
    ("values", "actions", "subject"),
    [
        pytest.param(
            "admission-policy", ["Deny", "Audit"], "'runbook-engine' in request.userInfo.groups", id="a group from EKS"
        ),
        pytest.param(
            "everything-admission",
            ["Deny", "Warn"],
            "request.userInfo.username == 'system:serviceaccount:runbooks:shop-runner'",
            id="the ServiceAccount in the cluster",
        ),
    ],
)
def test_admission_policies_hold_for_the_runner_alone(values: str, actions: list[str], subject: str) -> None:
    """Each fails closed, answers 403, means the runner, and is bound once."""
    rendered = render(values)
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in rendered.of("ValidatingAdmissionPolicy")}

    bindings = {one["spec"]["policyName"]: one["spec"] for one in rendered.of("ValidatingAdmissionPolicyBinding")}

    assert policies.keys() == bindings.keys()
    assert 4 == len(policies)
    for policy in policies.values():
        assert "Fail" == policy["failurePolicy"]
        assert [subject] == [condition["expression"] for condition in policy["matchConditions"]]
        assert {"Forbidden"} == {validation["reason"] for validation in policy["validations"]}
    assert all(actions == binding["validationActions"] for binding in bindings.values())


def test_admission_policies_name_the_requests_that_change_something() -> None:
    """An eviction deletes its pod without a second admission, so it is named beside the deletion."""
    rules = {
        (operation, resource)
        for policy in render("admission-policy").of("ValidatingAdmissionPolicy")
        for rule in policy["spec"]["matchConstraints"]["resourceRules"]
        for operation in rule["operations"]
        for resource in rule["resources"]
    }

    assert {
        ("UPDATE", "deployments"),
        ("UPDATE", "statefulsets"),
        ("UPDATE", "daemonsets"),
        ("UPDATE", "deployments/scale"),
        ("UPDATE", "statefulsets/scale"),
        ("UPDATE", "nodes"),
        ("CREATE", "pods/eviction"),
        ("DELETE", "pods"),
    } == rules


def test_every_admission_policy_has_requests_that_it_allows_and_denies() -> None:
    """The table that scripts/scan evaluates leaves no policy out."""
    policies = {
        one["metadata"]["name"].rpartition(".")[2] for one in render("admission-policy").of("ValidatingAdmissionPolicy")
    }

    answers = {(case["policy"], case["allowed"]) for case in CASES}

    assert {(policy, allowed) for policy in policies for allowed in (True, False)} == answers
    assert {case.get("values", "everything-admission") for case in CASES} <= {
        path.stem for path in Path(ROOT / "tests/helm/values").glob("*.yaml")
    }
