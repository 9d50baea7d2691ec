"""Permissions: what runbooks need of a cluster, as narrow as they can be said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runbook_engine.model.check import NodeReadyCheck
from runbook_engine.model.configuration import Configuration, JobTemplate
from runbook_engine.model.grant import EVERYWHERE, Grant, Permission, parse_permission, uncovered
from runbook_engine.model.guardrail import BudgetRule, Guardrails
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


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        pytest.param(("statefulset=apps/db",), {("apps", "statefulsets", "patch", ("db",))}, id="one kind is allowed"),
        pytest.param(
            ("statefulset=apps/db", "daemonset=ops/*"),
            {("apps", "statefulsets", "patch", ("db",)), ("ops", "daemonsets", "patch", ())},
            id="each kind within its own bounds",
        ),
        pytest.param(
            ("*",),
            {(EVERYWHERE, f"{kind}s", "patch", ()) for kind in ("deployment", "statefulset", "daemonset")},
            id="everything",
        ),
        pytest.param(("pod=apps/*", "node=*"), set(), id="no kind that a pod leads to"),
    ],
)
def test_grants_are_those_of_every_kind_that_may_be_found_when_an_alert_names_a_pod(
    targets: tuple[str, ...], expected: set[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    """Whose pod it is shows in the cluster; what may be touched is on the list beforehand."""
    found = grants(runbook(target=TargetTemplate("workloadOf", "{{ inputs.pod }}", "{{ inputs.namespace }}")), *targets)

    assert expected == writes(found)


def test_grants_leave_out_the_kinds_that_an_action_does_not_work_on() -> None:
    """A daemonset has no count."""
    scale = Step(name="more", action="scale", arguments={"by": "50%", "upTo": 9})
    target = TargetTemplate("workloadOf", "{{ inputs.pod }}", "apps")

    found = grants(runbook(target=target, steps=(scale,)), "deployment=apps/*", "daemonset=apps/*")

    assert {("apps", "deployments/scale", "patch", ())} == writes(found)


@pytest.mark.parametrize(
    ("config_map", "expected"),
    [
        pytest.param("flags", {("apps", "configmaps", "patch", ("flags",))}, id="a name"),
        pytest.param("{{ inputs.map }}", {("apps", "configmaps", "patch", ("flags", "limits"))}, id="the alert's wish"),
        pytest.param("other", set(), id="one that is not on the list"),
    ],
)
def test_grants_are_bound_to_the_configmap_when_a_step_names_one(
    config_map: str, expected: set[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    """A ConfigMap is a target of its own: neither the workload nor the other ConfigMaps of its namespace."""
    shed = Step(name="shed", action="degrade", arguments={"configMap": config_map, "key": "mode", "value": "lite"})
    allowed = ("deployment=apps/*", "configmap=apps/flags", "configmap=apps/limits", "configmap=shop/*")

    assert expected == writes(grants(runbook(steps=(shed,)), *allowed))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(
            TargetTemplate("nodeOf", "{{ inputs.instance }}"),
            {("", "nodes", "list"), (EVERYWHERE, "pods", "list")},
            id="by an address",
        ),
        pytest.param(
            TargetTemplate("nodeOf", "{{ inputs.pod }}", "apps"),
            {("", "nodes", "get"), ("apps", "pods", "get")},
            id="by a pod of a namespace",
        ),
    ],
)
def test_grants_hold_what_finding_a_node_reads(target: TargetTemplate, expected: set[tuple[str, str, str]]) -> None:
    """An address is looked for among nodes and pods; a pod is asked where it runs."""
    found = grants(runbook(target=target, steps=()), "node=*")

    assert expected == {(grant.namespace, grant.resource, grant.verb) for grant in found}


@pytest.mark.parametrize(("per", "reads"), [("service", True), ("fleet", False)])
def test_grants_hold_the_look_at_the_workload_when_a_budget_counts_by_its_service(per: str, reads: bool) -> None:
    """The service is a label of the workload."""
    rules = Guardrails(
        cooldown=timedelta(minutes=5),
        deadline=timedelta(minutes=30),
        budget=BudgetRule(changes=3, per=per, window=timedelta(hours=1)),  # type: ignore[arg-type]
    )

    found = grants(runbook(steps=(), guardrails=rules), "deployment=apps/checkout")

    assert reads is any(grant.resource == "deployments" for grant in found)


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


def grant(**changes: object) -> Grant:
    """Return a grant to patch one deployment."""
    settings = {"namespace": "apps", "group": "apps", "resource": "deployments", "verb": "patch", "names": ("web",)}
    return Grant(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "given", "left"),
    [
        pytest.param(grant(), [grant()], [], id="the same"),
        pytest.param(grant(), [grant(names=())], [], id="whatever its name"),
        pytest.param(grant(), [grant(namespace=EVERYWHERE)], [], id="every namespace"),
        pytest.param(grant(namespace=EVERYWHERE), [grant(namespace="")], [], id="a rule of the cluster"),
        pytest.param(grant(), [grant(verb="*", resource="*", group="*", names=())], [], id="everything"),
        pytest.param(grant(), [], [grant()], id="nothing"),
        pytest.param(grant(), [grant(names=("api",))], [grant()], id="another name"),
        pytest.param(grant(names=()), [grant()], [grant(names=())], id="one name where any is wanted"),
        pytest.param(grant(), [grant(namespace="shop")], [grant()], id="another namespace"),
        pytest.param(grant(namespace=EVERYWHERE), [grant()], [grant(namespace=EVERYWHERE)], id="one of all namespaces"),
        pytest.param(grant(), [grant(resource="deployments/scale")], [grant()], id="a part of it"),
        pytest.param(
            grant(names=("api", "web")), [grant(names=("api",)), grant(names=("web",))], [], id="one name each"
        ),
        pytest.param(grant(names=("api", "web")), [grant(names=("api",))], [grant()], id="one name of two"),
    ],
)
def test_uncovered_names_what_is_left_when_rules_are_compared(
    wanted: Grant, given: list[Grant], left: list[Grant]
) -> None:
    """Several rules may cover a grant together, and none is taken for wider than it is."""
    assert tuple(left) == uncovered([wanted], given)
