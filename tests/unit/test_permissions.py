"""Permissions: what runbooks need of a cluster, as narrow as they can be said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.model.check import NodeReadyCheck
from runbook_engine.model.configuration import Configuration, JobTemplate
from runbook_engine.model.grant import EVERYWHERE, Grant, Permission, parse_permission
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import ModeRule, Runbook, Step
from runbook_engine.model.target import TargetTemplate
from runbook_engine.permissions import grants_of
from runbook_engine.registry import Registry
from runbook_engine.render.permissions import helm_values, rbac_manifests, rules_by_namespace

CHECKOUT = TargetTemplate("deployment", "checkout", "apps")
ANY_WORKLOAD = TargetTemplate("deployment", "{{ inputs.deployment }}", "{{ inputs.namespace }}")
RESTART = Step(name="again", action="restart")


def runbook(**changes: object) -> Runbook:
    """Return a runbook that restarts a deployment."""
    settings: dict[str, object] = {
        "name": "checkout",
        "owner": "team",
        "matchers": (Matcher("alertname", "=", "Down"),),
        "target": CHECKOUT,
        "mode": (ModeRule(mode="auto"),),
        "guardrails": Guardrails(cooldown=timedelta(minutes=5), deadline=timedelta(minutes=30)),
        "steps": (RESTART,),
    }
    return Runbook(**{**settings, **changes})  # type: ignore[arg-type]


def grants(wanted: Runbook, *targets: str, mode: str | None = None, **settings: object) -> tuple[Grant, ...]:
    """Return what the runbook needs in an installation that allows these targets."""
    configuration = Configuration(targets=targets, **settings)  # type: ignore[arg-type]
    return grants_of((wanted,), configuration, Registry(), mode)  # type: ignore[arg-type]


def writes(found: tuple[Grant, ...]) -> set[tuple[str, str, str, tuple[str, ...]]]:
    """Return what may be changed: namespace, resource, verb, names."""
    return {(grant.namespace, grant.resource, grant.verb, grant.names) for grant in found if not grant.reads}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("apps/deployments:get", Permission("apps", "deployments", "get"), id="a resource"),
        pytest.param(
            "apps/deployments/scale:patch", Permission("apps", "deployments/scale", "patch"), id="a subresource"
        ),
        pytest.param("ssm:GetParameter", Permission("", "ssm", "GetParameter"), id="a service's operation"),
    ],
)
def test_parse_permission_tells_the_parts_when_written_right(text: str, expected: Permission) -> None:
    """Group, resource and verb."""
    assert parse_permission(text) == expected


@pytest.mark.parametrize("text", ["", "apps/deployments", ":get", "apps/deployments:"])
def test_parse_permission_refuses_when_a_part_is_missing(text: str) -> None:
    """A permission that cannot be read is never left out in silence."""
    with pytest.raises(ValueError, match="is no permission"):
        parse_permission(text)


def test_every_action_and_collector_declares_permissions_that_can_be_read() -> None:
    """No grant is lost to a misspelt declaration."""
    registry = Registry()
    declared = [text for spec in registry.actions.values() for text in spec.permissions]
    kinds = ("deployment", "statefulset", "daemonset", "pod", "node", "none")
    declared += [text for spec in registry.collectors.values() for kind in kinds for text in spec.needs(kind)]

    assert declared
    for text in declared:
        parse_permission(text)


@pytest.mark.parametrize(
    ("target", "targets", "expected"),
    [
        pytest.param(
            CHECKOUT, ("deployment=apps/checkout",), {("apps", "deployments", "patch", ("checkout",))}, id="one name"
        ),
        pytest.param(
            ANY_WORKLOAD,
            ("deployment=apps/web", "deployment=apps/api", "deployment=shop/*"),
            {("apps", "deployments", "patch", ("api", "web")), ("shop", "deployments", "patch", ())},
            id="as far as the allow-list goes",
        ),
        pytest.param(
            ANY_WORKLOAD, ("deployment=*/*",), {(EVERYWHERE, "deployments", "patch", ())}, id="every namespace"
        ),
        pytest.param(ANY_WORKLOAD, ("statefulset=apps/*",), set(), id="nothing that is allowed"),
    ],
)
def test_grants_are_bounded_by_the_allow_list_when_the_alert_names_the_target(
    target: TargetTemplate, targets: tuple[str, ...], expected: set[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    """What may not be touched needs no permission."""
    assert expected == writes(grants(runbook(target=target), *targets))


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        pytest.param((ModeRule(mode="observe"),), None, id="the runbook only observes"),
        pytest.param((ModeRule(mode="auto"),), "observe", id="asked for mode observe"),
    ],
)
def test_grants_hold_no_write_when_nothing_may_be_changed(rules: tuple[ModeRule, ...], mode: str | None) -> None:
    """Who only observes needs to look, and no more."""
    found = grants(runbook(mode=rules), "deployment=apps/checkout", mode=mode)

    assert found
    assert all(grant.reads for grant in found)


def test_grants_reach_over_namespaces_when_a_node_is_drained() -> None:
    """The pods of a node may be of any namespace; a node has none."""
    drain = runbook(
        target=TargetTemplate("node", "{{ inputs.node }}"),
        require=(NodeReadyCheck(ready=True),),
        steps=(Step(name="stop", action="cordon"), Step(name="move", action="drain")),
    )

    found = grants(drain, "node=*")

    assert writes(found) == {("", "nodes", "patch", ()), (EVERYWHERE, "pods/eviction", "create", ())}


def test_grants_are_where_the_job_runs_when_a_step_starts_one() -> None:
    """A job runs in the namespace of its template, not in that of the target."""
    job = JobTemplate(name="dump", namespace="ops", spec="{}", says="dumps")
    step = Step(name="dump", action="kubernetesJob", arguments={"job": "dump"})

    found = grants(runbook(steps=(step,)), "deployment=apps/*", jobs=(job,))

    assert writes(found) == {("ops", "jobs", "create", ())}


def test_rules_are_the_fewest_when_a_wider_one_covers_a_narrower() -> None:
    """What is granted whatever its name, or in every namespace, is not granted again."""
    found = rules_by_namespace(
        [
            Grant(namespace="apps", group="apps", resource="deployments", verb="get", names=("web",)),
            Grant(namespace="apps", group="apps", resource="deployments", verb="get"),
            Grant(namespace="apps", group="apps", resource="deployments", verb="patch", names=("web",)),
            Grant(namespace="apps", group="", resource="pods", verb="list"),
            Grant(namespace=EVERYWHERE, group="", resource="pods", verb="list"),
        ]
    )

    assert found == {
        "": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}],
        "apps": [
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"], "resourceNames": ["web"]},
        ],
    }


def test_manifests_bind_each_role_when_there_are_namespaces() -> None:
    """A role for each namespace, one for the cluster, and a binding for each."""
    found = [
        Grant(namespace="apps", group="apps", resource="deployments", verb="patch"),
        Grant(namespace="", group="", resource="nodes", verb="patch"),
    ]

    manifests = rbac_manifests(found, name="runbook-engine", subject={"kind": "Group", "name": "oncall"})

    assert [(each["kind"], each["metadata"].get("namespace")) for each in manifests] == [
        ("ClusterRole", None),
        ("ClusterRoleBinding", None),
        ("Role", "apps"),
        ("RoleBinding", "apps"),
    ]
    assert manifests[3]["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": "runbook-engine",
    }


def test_helm_values_hold_the_rules_by_namespace_when_written_for_the_chart() -> None:
    """The chart takes them as they are."""
    found = [Grant(namespace="apps", group="apps", resource="deployments", verb="get")]

    assert helm_values(found) == {
        "rbac": {
            "create": True,
            "rules": [],
            "namespaces": {"apps": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}]},
        }
    }
