"""What is out of bounds, and what git owns, is left alone: said in a sentence, and read once."""

from __future__ import annotations

from dataclasses import replace as replaced
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.errors import InvalidTarget, NoAdapter, Unreadable
from runbook_engine.guardrails import Case, bounds, budget, gitops, judge
from runbook_engine.model.guardrail import BudgetRule, Guardrails, Verdict
from runbook_engine.model.node import Node, Pod
from runbook_engine.model.observation import Autoscaler, Setting, Workload
from runbook_engine.model.plan import Change
from runbook_engine.model.target import Target
from runbook_engine.ports.absent import absent
from tests.scenario.rig import MINUTE, SECOND, Rig, runbook

CHECKOUT = Target("deployment", "local", "apps", "checkout")
FLAGS = Target("configmap", "local", "apps", "flags")
POD = Target("pod", "local", "apps", "checkout-1")
NODE = Target("node", "local", "", "ip-10-0-0-1")
ARGO = "Argo CD application checkout"
RULES = Guardrails(cooldown=30 * MINUTE, deadline=40 * MINUTE)
IGNORED = "is marked runbook-engine/ignore: moving to another cluster"


class Counting:
    """A cluster that answers with facts, and counts how often it was asked."""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        self.asked: list[str] = []

    def workload(self, target: Target) -> Workload:
        self.asked.append(f"workload {target}")
        fields: dict[str, object] = {"replicas": 4, "ready": 4, "updated": 4, "generation": 1, "observed_generation": 1}
        return Workload(target=target, **fields, **self.facts)  # type: ignore[arg-type]  # a table of fields

    def setting(self, target: Target, key: str) -> Setting:
        self.asked.append(f"setting {key} of {target}")
        return Setting(target=target, text="false", **self.facts)  # type: ignore[arg-type]  # a table of fields

    def node(self, target: Target) -> Node:
        self.asked.append(f"node {target}")
        return Node(target=target, ready=True, **self.facts)  # type: ignore[arg-type]  # a table of fields

    def pod(self, target: Target) -> Pod:
        self.asked.append(f"pod {target}")
        return Pod(target=target, **self.facts)  # type: ignore[arg-type]  # a table of fields


class Silent(Counting):
    """A cluster that cannot be read."""

    def workload(self, target: Target) -> Workload:
        super().workload(target)
        raise Unreadable("deployments.apps is forbidden")

    def setting(self, target: Target, key: str) -> Setting:
        super().setting(target, key)
        raise Unreadable("configmaps is forbidden")


def case(target: Target, seen: Counting, *, field: str = "replicas", rules: Guardrails = RULES) -> Case:
    """Return a change of a target in a world that answers so."""
    rig = Rig(runbook(guardrails=rules))
    rig.fire()
    rig.simulated.push(timedelta(minutes=1))
    world = replaced(rig.simulated.world, cluster=seen, settings=seen, nodes=seen)
    return Case(
        execution=rig.execution(),
        runbook=runbook(guardrails=rules),
        configuration=rig.engine.bundle.configuration,
        change=Change(target=target, field=field, before=4, after=6),
        world=world,
        ledger=rig.journal,
        now=rig.now,
        fill=str,
        ceiling="auto",
    )


@pytest.mark.parametrize(
    ("target", "facts", "says"),
    [
        pytest.param(CHECKOUT, {"ignored": IGNORED}, f"apps/deployment/checkout {IGNORED}", id="workload"),
        pytest.param(CHECKOUT, {"deleting": True}, "apps/deployment/checkout is being deleted", id="on its way out"),
        pytest.param(FLAGS, {"ignored": IGNORED}, f"apps/configmap/flags {IGNORED}", id="ConfigMap"),
        pytest.param(POD, {"ignored": IGNORED}, f"apps/pod/checkout-1 {IGNORED}", id="pod"),
        pytest.param(NODE, {"ignored": IGNORED}, f"node/ip-10-0-0-1 {IGNORED}", id="node"),
    ],
)
def test_what_is_out_of_bounds_is_refused_for_good(target: Target, facts: dict[str, object], says: str) -> None:
    """The thing itself says so, and waiting does not help."""
    refused = bounds(case(target, Counting(**facts)))
    allowed = bounds(case(target, Counting()))

    assert refused == Verdict(guardrail="bounds", ok=False, says=says)
    assert allowed == Verdict(guardrail="bounds", ok=True, says=f"nothing puts {target} out of bounds")


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
@pytest.mark.parametrize("kind", ["deployment", "pod", "configmap", "job"])
def test_what_the_cluster_itself_lives_in_is_refused_unseen(namespace: str, kind: str) -> None:
    """Whatever it is, and whatever the allow-list says."""
    seen = Counting()

    verdict = bounds(case(Target(kind, "local", namespace, "dns"), seen))

    assert verdict == Verdict(
        guardrail="bounds",
        ok=False,
        says=f"{namespace}/{kind}/dns is in the protected namespace {namespace}, where nothing is changed",
    )
    assert seen.asked == []


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(Target("parameter", "local", "", "/checkout/degraded_mode"), id="a parameter"),
        pytest.param(Target("job", "local", "apps", "heap-dump"), id="a job that is not there yet"),
        pytest.param(Target("receiver", "", "", "chat"), id="a receiver"),
    ],
)
def test_what_lives_in_no_cluster_yet_is_not_looked_for(target: Target) -> None:
    """No adapter is asked for what it cannot know."""
    seen = Silent()

    verdicts = (bounds(case(target, seen)), gitops(case(target, seen)))

    assert [verdict.ok for verdict in verdicts] == [True, True]
    assert seen.asked == []


@pytest.mark.parametrize(
    ("target", "why"),
    [
        pytest.param(CHECKOUT, "deployments.apps is forbidden", id="workload"),
        pytest.param(FLAGS, "configmaps is forbidden", id="ConfigMap"),
    ],
)
def test_what_cannot_be_read_says_no_and_may_be_asked_again(target: Target, why: str) -> None:
    """It may be readable in a moment."""
    judged = case(target, Silent())

    assert bounds(judged) == Verdict(
        guardrail="bounds",
        ok=False,
        says=f"whether {target} is out of bounds cannot be read: {why}",
        until=judged.now + 5 * SECOND,
    )
    assert gitops(judged) == Verdict(
        guardrail="gitops",
        ok=False,
        says=f"whether a GitOps tool owns {target} cannot be read: {why}",
        until=judged.now + 5 * SECOND,
    )


class Gone(Counting):
    """A cluster without the pod that is asked for."""

    def pod(self, target: Target) -> Pod:
        raise InvalidTarget(f"{target} does not exist")


def test_a_pod_that_is_gone_is_not_out_of_bounds() -> None:
    """A repeat of a deletion whose answer was lost finds no pod, and is not blocked for that."""
    assert bounds(case(POD, Gone())).ok


def test_what_nothing_can_read_says_no_for_good() -> None:
    """An adapter does not appear by waiting."""
    judged = case(FLAGS, Counting())
    judged = replaced(judged, world=replaced(judged.world, settings=absent("settings")))

    with pytest.raises(NoAdapter):
        judged.looks.setting(FLAGS, "replicas")
    assert bounds(judged) == Verdict(
        guardrail="bounds",
        ok=False,
        says="whether apps/configmap/flags is out of bounds cannot be read: nothing serves settings "
        "(name an adapter under adapters.settings)",
    )


SCALER = Autoscaler(kind="ScaledObject", name="web", minimum=1, maximum=9, gitops=ARGO)


@pytest.mark.parametrize(
    ("target", "field", "facts", "what"),
    [
        pytest.param(CHECKOUT, "replicas", {"gitops": ARGO}, "apps/deployment/checkout", id="its replicas"),
        pytest.param(CHECKOUT, "restartedAt", {"gitops": ARGO}, "apps/deployment/checkout", id="the mark of a restart"),
        pytest.param(CHECKOUT, "env:/A", {"gitops": ARGO}, "apps/deployment/checkout", id="its environment"),
        pytest.param(FLAGS, "data:a", {"gitops": ARGO}, "apps/configmap/flags", id="an entry of a ConfigMap"),
        pytest.param(
            CHECKOUT,
            "minReplicas",
            {"autoscaler": SCALER},
            "ScaledObject web of apps/deployment/checkout",
            id="the autoscaler's minimum",
        ),
    ],
)
def test_what_git_owns_is_refused_unless_the_runbook_allows_drift(
    target: Target, field: str, facts: dict[str, object], what: str
) -> None:
    """The sentence names the tool, and the remedy."""
    refused = gitops(case(target, Counting(**facts), field=field))
    allowed = gitops(case(target, Counting(**facts), field=field, rules=replace(RULES, gitops="allowDrift")))

    assert refused == Verdict(
        guardrail="gitops",
        ok=False,
        says=f"{what} belongs to {ARGO}, which may revert the change "
        "(change it in git, or say gitops: allowDrift under guardrails)",
    )
    assert allowed == Verdict(
        guardrail="gitops", ok=True, says=f"{what} belongs to {ARGO}, and the runbook allows drift"
    )


def test_an_autoscaler_of_nobody_may_be_changed_though_git_owns_the_workload() -> None:
    """What is written to counts."""
    scaler = replace(SCALER, gitops="")
    judged = case(CHECKOUT, Counting(gitops=ARGO, autoscaler=scaler), field="minReplicas")

    assert gitops(judged) == Verdict(
        guardrail="gitops", ok=True, says="no GitOps tool owns ScaledObject web of apps/deployment/checkout"
    )


@pytest.mark.parametrize("seen", [Counting(service="checkout"), Silent()], ids=["when it answers", "when it fails"])
def test_a_judgement_reads_the_workload_once(seen: Counting) -> None:
    """All guardrails share one look, and one failure."""
    budget_rule = BudgetRule(changes=5, per="service", window=timedelta(hours=1))
    judged = case(CHECKOUT, seen, rules=replace(RULES, budget=budget_rule))

    judge(judged)
    budget(judged)

    assert seen.asked == ["workload apps/deployment/checkout"]
