"""Which pods leave a node, which stay, which are waited for and which forbid the whole: judged on facts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.model.eviction import (
    EvictionRules,
    delays,
    dispose,
    guarding,
    name_of,
    next_batch,
    objections,
    remarks,
    to_go,
)
from runbook_engine.model.node import DisruptionBudget, Owner, Phase, Pod
from runbook_engine.model.target import Target

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = EvictionRules(cordoned_at=NOW - timedelta(minutes=1))
BUDGET = DisruptionBudget(name="web", allowed=1, healthy=3, wanted=2, expected=3)
USED_UP = msgspec.structs.replace(BUDGET, allowed=0, healthy=2)


def pod(name: str = "web-0", **facts: Any) -> Pod:
    """Return a pod of ReplicaSet web, unless the facts say otherwise."""
    owner = facts.pop("owner", Owner(kind="ReplicaSet", name="web", uid="rs-web"))
    return Pod(target=Target("pod", "test", "apps", name, f"uid-{name}"), owner=owner, **facts)


def owned(kind: str, name: str = "one") -> Owner:
    """Return a controller of that kind."""
    return Owner(kind=kind, name=name, uid=f"{kind}-{name}")


@pytest.mark.parametrize(
    ("facts", "rules", "verb"),
    [
        pytest.param({}, {}, "evict", id="a replica of something"),
        pytest.param({"mirror": True, "owner": owned("Node")}, {}, "stay", id="a static pod"),
        pytest.param({"mirror": True, "deleted_at": NOW}, {}, "stay", id="a static pod on its way"),
        pytest.param({"owner": owned("DaemonSet")}, {}, "stay", id="of a DaemonSet"),
        pytest.param({"owner": owned("DaemonSet"), "phase": "Failed"}, {}, "evict", id="of a DaemonSet, and failed"),
        pytest.param(
            {"owner": owned("DaemonSet"), "owner_exists": False}, {}, "block", id="of a DaemonSet that is gone"
        ),
        pytest.param(
            {"owner": owned("DaemonSet"), "owner_exists": False},
            {"unmanaged_pods": "evict"},
            "evict",
            id="of a DaemonSet that is gone, and may be lost",
        ),
        pytest.param({"deleted_at": NOW}, {}, "wait", id="on its way"),
        pytest.param(
            {"deleted_at": NOW, "owner": None, "empty_dirs": ("a",)}, {}, "wait", id="on its way, whatever it is"
        ),
        pytest.param(
            {"deleted_at": NOW - timedelta(seconds=61)},
            {"skip_terminating_after": timedelta(seconds=60)},
            "stay",
            id="on its way for too long",
        ),
        pytest.param(
            {"deleted_at": NOW + timedelta(seconds=30)},
            {"skip_terminating_after": timedelta(0)},
            "wait",
            id="within its grace period",
        ),
        pytest.param({"phase": "Succeeded", "owner": None, "empty_dirs": ("a",)}, {}, "evict", id="has run to its end"),
        pytest.param({"owner": None}, {}, "block", id="alone"),
        pytest.param({"owner": None}, {"unmanaged_pods": "evict"}, "evict", id="alone, and may be lost"),
        pytest.param({"empty_dirs": ("cache",)}, {}, "block", id="with an emptyDir"),
        pytest.param(
            {"empty_dirs": ("cache",)}, {"empty_dir": "delete"}, "evict", id="with an emptyDir that may be lost"
        ),
        pytest.param({"tolerates_cordon": True, "created_at": NOW}, {}, "stay", id="came straight back"),
        pytest.param(
            {"tolerates_cordon": True, "created_at": NOW - timedelta(hours=1)},
            {},
            "evict",
            id="will come straight back",
        ),
        pytest.param(
            {"tolerates_cordon": True, "created_at": NOW}, {"cordoned_at": None}, "evict", id="nobody knows since when"
        ),
        pytest.param({"created_at": NOW}, {}, "evict", id="bound while the cordon was set"),
        pytest.param({"ignored": "is marked"}, {"empty_dir": "delete"}, "block", id="out of bounds"),
        pytest.param({"budgets": (USED_UP,)}, {}, "evict", id="a budget that is used up now"),
        pytest.param(
            {"owner": owned("StatefulSet", "db")},
            {"grace": timedelta(0)},
            "block",
            id="of a StatefulSet, without a grace",
        ),
        pytest.param({}, {"grace": timedelta(0)}, "evict", id="of a ReplicaSet, without a grace"),
    ],
)
def test_a_pod_is_disposed_of_by_the_first_rule_that_applies(
    facts: dict[str, Any], rules: dict[str, Any], verb: str
) -> None:
    """The order is that of `kubectl drain`."""
    assert dispose(pod(**facts), msgspec.structs.replace(RULES, **rules), NOW).verb == verb


@pytest.mark.parametrize(
    ("facts", "rules", "says"),
    [
        pytest.param(
            {"owner": None},
            {},
            "pod apps/web-0 has no controller: nothing brings it back (set unmanagedPods: evict to lose it)",
            id="alone",
        ),
        pytest.param(
            {"empty_dirs": ("cache", "tmp in memory of at most 64Mi")},
            {},
            "pod apps/web-0 keeps data in an emptyDir (cache, tmp in memory of at most 64Mi; "
            "set emptyDir: delete to lose it)",
            id="emptyDir",
        ),
        pytest.param(
            {"owner": owned("DaemonSet", "logs"), "owner_exists": False},
            {},
            "pod apps/web-0 is left over from DaemonSet logs, which is gone: nothing brings it back "
            "(set unmanagedPods: evict to lose it)",
            id="orphan of a DaemonSet",
        ),
        pytest.param(
            {"ignored": "is marked runbook-engine/ignore: in use"},
            {},
            "pod apps/web-0 is marked runbook-engine/ignore: in use",
            id="opted out",
        ),
        pytest.param(
            {"owner": owned("StatefulSet", "db")},
            {"grace": timedelta(0)},
            "pod apps/web-0 is of StatefulSet db: without a grace period it could run twice at once "
            "(set gracePeriod to 1s or more)",
            id="no grace for a StatefulSet",
        ),
        pytest.param(
            {"budgets": (BUDGET, msgspec.structs.replace(BUDGET, name="all"))},
            {},
            "pod apps/web-0 is covered by 2 disruption budgets (all, web), and no eviction can obey more than one",
            id="two budgets",
        ),
        pytest.param(
            {"budgets": (msgspec.structs.replace(USED_UP, wanted=3),)},
            {},
            "pod apps/web-0 can never leave: disruption budget web wants 3 healthy pods "
            "and there are meant to be 3 (lower it, or add replicas)",
            id="a budget that can never allow it",
        ),
        pytest.param(
            {"budgets": (msgspec.structs.replace(USED_UP, observed=False, problem="found no controllers"),)},
            {},
            "pod apps/web-0 cannot leave: disruption budget web does not work (found no controllers)",
            id="a budget that does not work",
        ),
    ],
)
def test_an_objection_names_the_pod_and_the_remedy(facts: dict[str, Any], rules: dict[str, Any], says: str) -> None:
    """Sentences are pinned as people read them."""
    assert objections([pod(**facts)], msgspec.structs.replace(RULES, **rules), NOW) == (says,)


IMPOSSIBLE = msgspec.structs.replace(USED_UP, wanted=3)


@pytest.mark.parametrize(
    ("facts", "budgets", "covered"),
    [
        pytest.param({}, (BUDGET,), True, id="a ready pod"),
        pytest.param({"phase": "Pending"}, (IMPOSSIBLE,), False, id="pending: budgets do not count it"),
        pytest.param({"phase": "Failed"}, (IMPOSSIBLE,), False, id="ended"),
        pytest.param({"deleted_at": NOW}, (IMPOSSIBLE,), False, id="on its way"),
        pytest.param({"ready": False}, (BUDGET,), False, id="not ready and not needed"),
        pytest.param(
            {"ready": False}, (msgspec.structs.replace(BUDGET, healthy=1),), True, id="not ready, and protected"
        ),
        pytest.param(
            {"ready": False},
            (msgspec.structs.replace(BUDGET, healthy=1, frees_unready=True),),
            False,
            id="not ready, and AlwaysAllow",
        ),
        pytest.param({"ready": False}, (BUDGET, BUDGET), True, id="not ready, but of two budgets"),
    ],
)
def test_a_budget_covers_what_serves(
    facts: dict[str, Any], budgets: tuple[DisruptionBudget, ...], covered: bool
) -> None:
    """As the eviction API asks it: only what serves, or would be missed, takes from a budget."""
    assert (guarding(pod(budgets=budgets, **facts)) is not None) is covered


@pytest.mark.parametrize(
    ("counts", "impossible"),
    [
        pytest.param({}, False, id="one may go"),
        pytest.param({"allowed": 0, "healthy": 1}, False, id="some are unready right now"),
        pytest.param({"allowed": 0, "wanted": 3}, True, id="every pod is wanted"),
        pytest.param({"allowed": 0, "wanted": 3, "observed": False}, False, id="nobody has counted yet"),
        pytest.param({"allowed": 0, "expected": 0, "wanted": 0, "healthy": 0}, False, id="it covers nothing"),
        pytest.param({"allowed": 0, "problem": "found no controllers", "observed": False}, True, id="it does not work"),
    ],
)
def test_a_budget_is_impossible_when_no_repair_of_pods_helps(counts: dict[str, Any], impossible: bool) -> None:
    """A budget that is only used up now is waited for; one that can never allow is not."""
    assert msgspec.structs.replace(BUDGET, **counts).impossible is impossible


def test_a_batch_takes_one_of_each_owner_when_several_could_go() -> None:
    """Replicas of one owner leave one after the other, those of different owners together."""
    other = owned("StatefulSet", "db")
    pods = [pod("web-0"), pod("web-1"), pod("db-0", owner=other), pod("db-1", owner=other), pod("alone", owner=None)]

    chosen = next_batch(pods, EvictionRules(unmanaged_pods="evict"), NOW, limit=10)

    assert [name_of(each) for each in chosen] == ["apps/alone", "apps/db-0", "apps/web-0"]


def test_a_batch_leaves_an_owner_alone_when_one_of_its_pods_is_on_its_way() -> None:
    """The next replica is asked when the one before has gone."""
    assert next_batch([pod("web-0", deleted_at=NOW), pod("web-1")], RULES, NOW, limit=10) == ()


def test_a_batch_counts_those_on_their_way_against_the_limit() -> None:
    """At most so many at once, whoever asked them."""
    pods = [pod(f"p-{number}", owner=owned("ReplicaSet", str(number))) for number in range(6)]
    pods[0] = msgspec.structs.replace(pods[0], deleted_at=NOW)

    assert len(next_batch(pods, RULES, NOW, limit=3)) == 2


def test_a_batch_asks_first_whoever_serves_nobody() -> None:
    """What has ended or is not ready goes before what serves."""
    pods = [
        pod("a", owner=owned("ReplicaSet", "a")),
        pod("b", owner=owned("ReplicaSet", "b"), ready=False),
        pod("c", owner=owned("Job", "c"), phase="Succeeded"),
    ]

    assert [each.target.name for each in next_batch(pods, RULES, NOW, limit=10)] == ["c", "b", "a"]


def test_a_batch_goes_on_to_others_when_a_budget_is_used_up() -> None:
    """A pod that must wait does not keep the others from leaving."""
    pods = [pod("a", budgets=(USED_UP,)), pod("z", owner=owned("ReplicaSet", "z"))]

    assert [each.target.name for each in next_batch(pods, RULES, NOW, limit=1)] == ["z"]


def test_a_batch_never_asks_more_than_a_shared_budget_has_left() -> None:
    """Three owners under one budget of one: one now, the rest waits."""
    pods = [pod(f"p-{number}", owner=owned("ReplicaSet", str(number)), budgets=(BUDGET,)) for number in range(3)]

    assert len(next_batch(pods, RULES, NOW, limit=10)) == 1


def test_a_batch_asks_the_server_when_a_budget_has_not_been_counted() -> None:
    """Numbers that are not of the budget as it is written say nothing."""
    stale = msgspec.structs.replace(USED_UP, observed=False)

    assert len(next_batch([pod(budgets=(stale,))], RULES, NOW, limit=10)) == 1


def test_a_delay_says_what_is_waited_for() -> None:
    """The budget with its numbers, what holds a pod that is on its way, and why an unready pod is protected."""
    pods = [
        pod("a", budgets=(USED_UP,)),
        pod("b", deleted_at=NOW, finalizers=("example.org/drain", "example.org/log")),
        pod("c", ready=False, waiting="CrashLoopBackOff", budgets=(msgspec.structs.replace(USED_UP, healthy=1),)),
        pod("d"),
    ]

    assert delays(pods, RULES, NOW) == (
        "pod apps/a waits for disruption budget web: it needs 2 healthy pods and has 2",
        "pod apps/b is terminating, held by example.org/drain, example.org/log",
        "pod apps/c waits for disruption budget web: it needs 2 healthy pods and has 1; the pod is not ready itself "
        "(CrashLoopBackOff), which the budget protects by design "
        "(repair it, or set unhealthyPodEvictionPolicy: AlwaysAllow)",
    )


def test_a_remark_tells_what_stays_against_expectation_and_what_counts_against_a_job() -> None:
    """A DaemonSet's pod staying surprises nobody; these do."""
    pods = [
        pod("agent", owner=owned("DaemonSet")),
        pod("back", tolerates_cordon=True, created_at=NOW),
        pod("stuck", deleted_at=NOW - timedelta(minutes=5)),
        pod("batch", owner=owned("Job", "import")),
        pod("ended", owner=owned("Job", "export"), phase="Succeeded"),
    ]
    rules = msgspec.structs.replace(RULES, skip_terminating_after=timedelta(minutes=1))

    assert remarks(pods, rules, NOW) == (
        "pod apps/back tolerates the cordon and was put straight back: it stays",
        "pod apps/stuck is terminating since 11:55:00 and is no longer waited for: it stays",
        "pod apps/batch counts as a failure of Job import, unless its podFailurePolicy ignores DisruptionTarget",
    )


phases: st.SearchStrategy[Phase] = st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"])
budgets = st.builds(
    DisruptionBudget,
    name=st.sampled_from(["one", "two"]),
    allowed=st.integers(0, 2),
    healthy=st.integers(0, 4),
    wanted=st.integers(0, 4),
    expected=st.integers(0, 4),
    observed=st.just(True),
    frees_unready=st.booleans(),
)


@st.composite
def pods_of_a_node(draw: st.DrawFn) -> list[Pod]:
    """Draw the pods of one node; those of one budget see the same numbers."""
    shared = {budget.name: budget for budget in draw(st.lists(budgets, max_size=3))}
    kinds = st.sampled_from(["ReplicaSet", "StatefulSet", "DaemonSet", "Job"])
    return [
        pod(
            f"p-{number}",
            owner=draw(st.one_of(st.none(), st.builds(owned, kinds, st.sampled_from("ab")))),
            phase=draw(phases),
            ready=draw(st.booleans()),
            deleted_at=draw(st.one_of(st.none(), st.just(NOW))),
            budgets=tuple(draw(st.lists(st.sampled_from(list(shared.values())), max_size=1)) if shared else ()),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


@given(pods=pods_of_a_node(), limit=st.integers(1, 6))
def test_a_batch_never_breaks_a_promise(pods: list[Pod], limit: int) -> None:
    """Within the limit, one of each owner, within every budget, and only pods that have to go."""
    rules = EvictionRules(unmanaged_pods="evict", empty_dir="delete")
    going = to_go(pods, rules, NOW)

    chosen = next_batch(pods, rules, NOW, limit)

    underway = [each for each in going if each.deleted_at is not None]
    busy = {each.owner.uid for each in underway if each.owner is not None}
    asked = [each.owner.uid for each in chosen if each.owner is not None]
    assert all(each in going for each in chosen)
    assert len(chosen) <= max(0, limit - len(underway))
    assert len(set(asked)) == len(asked)
    assert busy.isdisjoint(asked)
    for budget in {each.budgets[0] for each in chosen if each.budgets}:
        assert sum(guarding(each) == budget for each in chosen) <= budget.allowed
