"""Questions about raw objects: selectors, owners, marks of GitOps tools, opt-outs, and the room that quotas leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.kubernetes.gitops import gitops_owner
from runbook_adapters.kubernetes.objects import (
    controller_of,
    ignored_because,
    managers_of,
    matches,
    owned_by,
    parse_time,
    path_to,
    selector_of,
)
from runbook_adapters.kubernetes.quota import quota_left
from runbook_engine.errors import InvalidTarget, Unreadable

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("selector", "query", "takes"),
    [
        ({"matchLabels": {"app": "web"}}, "app=web", True),
        ({"matchLabels": {"tier": "front", "app": "web"}}, "app=web,tier=front", True),
        ({"matchLabels": {"app": "api"}}, "app=api", False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]}, "app in (api,web)", True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, "app notin (web)", False),
        ({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, "zone notin (a)", True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, "tier", True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, "!tier", False),
        ({}, "", True),
        (None, "", False),
    ],
    ids=[
        "one label",
        "two labels",
        "another label",
        "one of several",
        "none of several",
        "none of several, and absent",
        "there at all",
        "not there at all",
        "an empty selector takes all",
        "an absent selector takes none",
    ],
)
def test_selector_takes_labels_when_it_says_so(selector: dict | None, query: str, takes: bool) -> None:
    """The query that a list is asked with, and the same judgement on labels."""
    assert query == selector_of({"selector": selector})
    assert takes is matches(selector, LABELS)


def owned(uid: str, *, controller: bool = True) -> dict:
    """Return an object with one owner."""
    return {
        "metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": "web", "uid": uid, "controller": controller}]}
    }


def test_owner_is_the_controller_when_there_are_others() -> None:
    """Only what controls an object brings it back."""
    item = {"metadata": {"ownerReferences": owned("a", controller=False)["metadata"]["ownerReferences"] * 2}}

    assert controller_of(item) is None
    assert [owned("b")] == owned_by([owned("a"), owned("b"), owned("b", controller=False), {"metadata": {}}], "b")


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({}, ""),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:apps/web"}},
            "Argo CD application web",
        ),
        ({"labels": {"app.kubernetes.io/instance": "web"}}, "Argo CD application web"),
        (
            {
                "labels": {"app.kubernetes.io/instance": "web"},
                "annotations": {"meta.helm.sh/release-name": "web"},
            },
            "",
        ),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "Flux kustomization shop"),
        (
            {
                "labels": {"helm.toolkit.fluxcd.io/name": "shop", "app.kubernetes.io/instance": "shop"},
                "annotations": {"meta.helm.sh/release-name": "shop"},
            },
            "Helm release shop of Flux",
        ),
        (
            {"managedFields": [{"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]},
            "kustomize-controller by server-side apply",
        ),
        ({"managedFields": [{"manager": "flux", "operation": "Apply", "fieldsV1": {"f:metadata": {}}}]}, ""),
        ({"managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}]}, ""),
        ({"managedFields": [{"manager": "operator", "operation": "Update", "fieldsV1": {"f:spec": {}}}]}, ""),
    ],
    ids=[
        "nobody",
        "Argo CD by its tracking id",
        "Argo CD by its older label",
        "the label of a chart that the Helm command line has installed",
        "a kustomization of Flux",
        "a Helm release of Flux",
        "somebody who applies",
        "somebody who applies labels only",
        "a person who applies",
        "somebody who updates",
    ],
)
def test_git_owns_an_object_when_its_tools_have_marked_it(metadata: dict, owner: str) -> None:
    """The marks by which a change of ours would be taken back."""
    assert owner == gitops_owner({"metadata": metadata})


@pytest.mark.parametrize(
    ("own", "of_namespace", "says"),
    [
        (None, None, ""),
        ("database of record", None, "is marked runbook-engine/ignore: database of record"),
        ("", None, "is marked runbook-engine/ignore"),
        (None, "payroll", "is in namespace apps, which is marked runbook-engine/ignore: payroll"),
        ("two\nlines", "payroll", "is marked runbook-engine/ignore: two lines"),
    ],
    ids=["not at all", "itself", "itself without a reason", "its namespace", "both"],
)
def test_object_is_out_of_bounds_when_marked(own: str | None, of_namespace: str | None, says: str) -> None:
    """The mark, where it is, and the reason that somebody gave."""

    def marked(mark: str | None) -> dict:
        return {"metadata": {"name": "apps", "annotations": {} if mark is None else {"runbook-engine/ignore": mark}}}

    assert says == ignored_because(marked(own), marked(of_namespace))


def test_managers_are_newest_first_when_asked_for_a_field() -> None:
    """Who holds a field, or a part of it."""
    fields = {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}}
    entries = [
        {"manager": "old", "operation": "Update", "time": "2026-03-01T03:00:00Z", "fieldsV1": fields},
        {
            "manager": "new",
            "operation": "Apply",
            "time": "2026-03-01T03:05:00Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        },
        {"manager": "status", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
    ]
    item = {"metadata": {"managedFields": entries}}

    assert ["new", "old"] == [manager.name for manager in managers_of(item, ("spec", "replicas"))]
    assert ["old"] == [manager.name for manager in managers_of(item, ("spec", "template"))]
    assert ["new", "old", "status"] == [manager.name for manager in managers_of(item)]


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-03-01T03:07:00", 7], ids=repr)
def test_time_is_none_when_it_is_no_time(text: object) -> None:
    """What is no aware time is no time."""
    assert parse_time(text) is None


@pytest.mark.parametrize("name", ["../secrets", "a/b", "web?x=1", "Web", "a b", "%2e"], ids=repr)
def test_path_is_refused_when_a_name_is_not_plain(name: str) -> None:
    """A label of an alert may have chosen the name, and it never chooses the path."""
    with pytest.raises(InvalidTarget):
        path_to("deployment", "apps", name)


def quota(hard: dict, used: dict, **spec) -> dict:
    """Return a quota that has counted."""
    return {"spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used}}


POD = {
    "spec": {"containers": [{"resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"cpu": "1"}}}]}
}
ENDING = {"spec": {**POD["spec"], "activeDeadlineSeconds": 60}}


def asks(**requests: str) -> dict:
    """Return the resources of a container that asks for so much."""
    return {"requests": {name.replace("_", "."): amount for name, amount in requests.items()}}


LIMITED = {
    "spec": {"containers": [{"resources": asks(cpu="500m")}, {"resources": {"limits": {"cpu": "1500m"}}}]}
}  # of a template the API does not write what a container asks for unsaid
PREPARED = {
    "spec": {
        "initContainers": [{"restartPolicy": "Always", "resources": asks(cpu="1")}, {"resources": asks(cpu="2")}],
        "containers": [{"resources": asks(cpu="1")}],
    }
}
GPU = {"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]}}
WHOLE = {"spec": {"resources": asks(cpu="2"), "containers": [{"resources": asks(cpu="1")}]}}


@pytest.mark.parametrize(
    ("quotas", "template", "left"),
    [
        ([], POD, None),
        ([quota({"services": "3"}, {"services": "3"})], POD, None),
        ([quota({"pods": "10"}, {"pods": "4"})], POD, 6),
        ([quota({"count/pods": "10"}, {})], POD, 10),
        ([quota({"pods": "10", "requests.cpu": "2"}, {"pods": "4", "requests.cpu": "900m"})], POD, 2),
        ([quota({"limits.cpu": "4"}, {"limits.cpu": "1500m"})], POD, 2),
        ([quota({"memory": "1Gi"}, {"memory": "1Gi"})], POD, 0),
        ([quota({"pods": "2"}, {"pods": "5"})], POD, 0),
        ([quota({"pods": "10"}, {}), quota({"pods": "3"}, {})], POD, 3),
        ([quota({"pods": "3"}, {}, scopes=["Terminating"])], POD, None),
        ([quota({"pods": "3"}, {}, scopes=["Terminating"])], ENDING, 3),
        ([quota({"pods": "3"}, {}, scopes=["BestEffort"])], POD, None),
        ([quota({"requests.cpu": "4"}, {})], LIMITED, 2),
        ([quota({"requests.cpu": "6"}, {})], PREPARED, 2),
        ([quota({"requests.nvidia.com/gpu": "3"}, {"requests.nvidia.com/gpu": "2"})], GPU, 1),
        ([quota({"cpu": "4"}, {})], WHOLE, 2),
        (
            [
                quota(
                    {"pods": "3"},
                    {},
                    scopeSelector={
                        "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                    },
                )
            ],
            POD,
            None,
        ),
    ],
    ids=[
        "no quota",
        "a quota of other things",
        "pods",
        "pods by count",
        "the processor is what is short",
        "limits",
        "nothing is left",
        "more is used than allowed",
        "the smaller of two",
        "a scope that the pods are not in",
        "a scope that the pods are in",
        "only for pods that ask for nothing",
        "a container that only has a limit asks for as much",
        "a sidecar stays beside what prepares the pod",
        "devices",
        "asked for by the whole pod",
        "only for another priority",
    ],
)
def test_quota_leaves_room_when_it_counts_the_pods(quotas: list, template: dict, left: int | None) -> None:
    """How many more pods of this template a namespace admits."""
    assert left == quota_left(quotas, template)


def test_quota_is_unreadable_when_it_holds_no_amount() -> None:
    """What cannot be counted is not as if it were nothing."""
    with pytest.raises(Unreadable):
        quota_left([quota({"pods": "many"}, {})], POD)


KEYS = st.sampled_from(["app", "tier", "zone"])
VALUES = st.sampled_from(["web", "api", "front", "a"])
CLAUSES = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        KEYS,
        st.sampled_from(["In", "NotIn"]),
        st.lists(VALUES, min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator}, KEYS, st.sampled_from(["Exists", "DoesNotExist"])
    ),
)


@given(
    clauses=st.lists(CLAUSES, max_size=3),
    plain=st.dictionaries(KEYS, VALUES, max_size=2),
    labels=st.dictionaries(KEYS, VALUES, max_size=3),
)
def test_query_and_judgement_agree_when_labels_are_given(clauses: list, plain: dict, labels: dict) -> None:
    """The query, read as the server reads it, takes exactly what the selector takes."""
    selector = {"matchLabels": plain, "matchExpressions": clauses}

    query = selector_of({"selector": selector})

    assert matches(selector, labels) is all(_holds(term, labels) for term in _terms(query))


def _terms(query: str) -> list[str]:
    terms, depth, start = [], 0, 0
    for position, letter in enumerate(f"{query},"):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            terms.append(query[start:position])
            start = position + 1
    return [term for term in terms if term]


def _holds(term: str, labels: dict) -> bool:
    if " in (" in term or " notin (" in term:
        key, _, values = term.partition(" ")
        word, _, listed = values.partition(" ")
        inside = labels.get(key) in listed.strip("()").split(",")
        return inside if word == "in" else not inside
    if "=" in term:
        key, _, value = term.partition("=")
        return labels.get(key) == value
    return term.removeprefix("!") not in labels if term.startswith("!") else term in labels
