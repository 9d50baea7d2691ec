"""`runbook permissions`: what these runbooks need, as text, JSON, manifests and values, and against what is given."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_engine.entrypoints.cli import main
from runbook_engine.entrypoints.cli.desk import Desk
from tests.unit.cli.desks import Result, Stream

CONFIG = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
metadata: {name: lab}
clusters: [prod]
adapters:
  cluster: [{adapter: kubernetes, place: prod, auth: inCluster, watch: WATCH, namespaces: [shop]}]
receivers: {chat: {adapter: console}}
teams: {team-shop: {receiver: chat}}
targets: [deployment=shop/cart, "node=*"]
modeCeiling: auto
"""
RUNBOOKS = """\
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: cart-slow, owner: team-shop}
matchers: [alertname = CartSlow]
target: {namespace: shop, deployment: cart}
mode: auto
diagnostics: [logs: {}]
guardrails: {cooldown: 30m, deadline: 60m}
steps:
  - {name: add-capacity, action: scale, with: {by: 50%, upTo: 9}, compensate: whenResolved}
---
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: node-full, owner: team-shop}
matchers: [alertname = NodeFull]
inputs: {node: {type: node, from: alert.labels.node}}
target: {node: "{{ inputs.node }}"}
mode: auto
guardrails: {cooldown: 30m, deadline: 60m}
steps:
  - {name: stop-new-pods, action: cordon, compensate: onFailure}
"""


def run(*argv: str) -> Result:
    """Run the command where the runbooks are."""
    out, err = Stream(), Stream()
    desk = Desk(stdin=Stream(), stdout=out, stderr=err, environment={"NO_COLOR": "1", "RUNBOOK_DEBUG": "1"})
    return Result(main(("permissions", *argv), desk), out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runbooks and an engine.yaml, which we stand in."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "all.yaml").write_text(RUNBOOKS)
    (tmp_path / "runbooks" / "engine.yaml").write_text(CONFIG.replace("WATCH", "false"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documents(result: Result) -> list[dict[str, Any]]:
    """Return the YAML documents of an answer."""
    assert (0, "") == (result.code, result.err)
    return list(yaml.safe_load_all(result.out))


def rules_of(found: list[dict[str, Any]]) -> dict[str, set[tuple[str, str, tuple[str, ...]]]]:
    """Return by namespace (empty = the cluster): resource, verb, names."""
    return {
        role["metadata"].get("namespace", ""): {
            (resource, verb, tuple(rule.get("resourceNames", ())))
            for rule in role["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        for role in found
        if "rules" in role
    }


def test_text_names_who_needs_each_grant() -> None:
    """What writes is said with its step, what reads with its runbook."""
    result = run()

    assert (0, "") == (result.code, result.err)
    assert (
        result.out
        == """\
cluster  nodes                                 get, list  node-full
cluster  nodes                                 patch      node-full: step stop-new-pods
shop     apps/deployments (cart)               get        cart-slow
shop     apps/deployments/scale (cart)         patch      cart-slow: step add-capacity
shop     apps/replicasets                      list       cart-slow
shop     autoscaling/horizontalpodautoscalers  list       cart-slow
shop     keda.sh/scaledobjects                 list       cart-slow
shop     namespaces                            get        cart-slow
shop     pods                                  list       cart-slow
shop     pods/log                              get        cart-slow
shop     resourcequotas                        list       cart-slow
12 grants, 2 of them write
"""
    )


def test_json_has_one_record_for_each_grant_and_reason() -> None:
    """Scripts get every reason, reads included."""
    grants = run("--format", "json").record["grants"]

    assert {
        "namespace": "shop",
        "group": "",
        "resource": "pods/log",
        "verb": "get",
        "names": [],
        "because": "cart-slow: diagnostics logs",
    } in grants
    assert {"namespace", "group", "resource", "verb", "names", "because"} == {key for grant in grants for key in grant}


def test_rbac_binds_each_role_to_the_subject() -> None:
    """A ClusterRole for nodes, a Role for the namespace, and a binding of each to whoever was named."""
    found = documents(run("--format", "rbac", "--name", "runner", "--subject", "serviceaccount:runbooks/runner"))

    assert [(each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")) for each in found] == [
        ("ClusterRole", "runner", None),
        ("ClusterRoleBinding", "runner", None),
        ("Role", "runner", "shop"),
        ("RoleBinding", "runner", "shop"),
    ]
    assert [each["subjects"] for each in found if "subjects" in each] == [
        [{"kind": "ServiceAccount", "name": "runner", "namespace": "runbooks"}]
    ] * 2
    assert {("nodes", "get", ()), ("nodes", "list", ()), ("nodes", "patch", ())} == rules_of(found)[""]
    assert ("deployments/scale", "patch", ("cart",)) in rules_of(found)["shop"]


@pytest.mark.parametrize(
    ("who", "subject"),
    [
        pytest.param("group:sre", {"kind": "Group", "name": "sre"}, id="a group"),
        pytest.param("user:ann", {"kind": "User", "name": "ann"}, id="a person"),
    ],
)
def test_subject_is_of_the_group_of_rbac_unless_it_is_an_account(who: str, subject: dict[str, str]) -> None:
    """Kubernetes wants it spelled out."""
    found = documents(run("--format", "rbac", "--subject", who))

    assert [subject | {"apiGroup": "rbac.authorization.k8s.io"}] == found[1]["subjects"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(
            ("--subject", "sre"),
            "argument --subject: 'sre' is no subject (write group:NAME, user:NAME or serviceaccount:NAMESPACE/NAME) "
            "(see runbook permissions --help)",
            id="without a kind",
        ),
        pytest.param(
            ("--subject", "serviceaccount:runner"),
            "argument --subject: 'serviceaccount:runner' is no subject (write group:NAME, user:NAME or "
            "serviceaccount:NAMESPACE/NAME) (see runbook permissions --help)",
            id="an account without a namespace",
        ),
        pytest.param(
            ("--name", "My Role"),
            "argument --name: 'My Role' is not a DNS-1123 name (see runbook permissions --help)",
            id="a name that Kubernetes refuses",
        ),
        pytest.param(
            ("--mode", "brave"),
            "argument --mode: invalid choice: 'brave' (choose from 'observe', 'propose', 'approve', 'auto') "
            "(see runbook permissions --help)",
            id="an unknown mode",
        ),
        pytest.param(
            ("--check", "nowhere.yaml"),
            "nowhere.yaml cannot be read: No such file or directory (correct --check)",
            id="no file to compare with",
        ),
        pytest.param(
            ("--check", "runbooks/engine.yaml", "--format", "rbac"),
            "--check compares, and writes no rbac (take --format text or json)",
            id="a comparison as manifests",
        ),
        pytest.param(
            ("--check", "runbooks/engine.yaml"),
            "runbooks/engine.yaml holds no rights (give it RBAC manifests, or values with rbac)",
            id="a file of something else",
        ),
    ],
)
def test_wrong_input_is_said_in_one_sentence(argv: tuple[str, ...], said: str) -> None:
    """What was wrong, and what to write instead."""
    result = run(*argv)

    assert (2, "", f"runbook: {said}\n") == (result.code, result.out, result.err)


def test_mode_observe_needs_no_write() -> None:
    """As if no runbook could go further."""
    found = rules_of(documents(run("--mode", "observe", "--format", "rbac")))

    assert {"get", "list"} == {verb for rules in found.values() for _, verb, _ in rules}
    assert run("--mode", "observe").out.endswith("10 grants, 0 of them write\n")


def test_watching_is_granted_where_the_adapter_watches(folder: Path) -> None:
    """The rollout watcher lists and watches the workloads of the namespaces that it was told."""
    (folder / "runbooks" / "engine.yaml").write_text(CONFIG.replace("WATCH", "true"))

    found = rules_of(documents(run("--mode", "observe", "--format", "rbac")))

    watched = {(place, resource) for place, rules in found.items() for resource, verb, _ in rules if verb == "watch"}
    assert {("shop", "deployments"), ("shop", "statefulsets"), ("shop", "daemonsets")} == watched


def test_values_of_the_chart_hold_the_same_rules_as_the_manifests() -> None:
    """One is for helm, the other for kubectl."""
    (values,) = documents(run("--format", "helm"))
    roles = {each["metadata"].get("namespace", ""): each["rules"] for each in documents(run("--format", "rbac"))[::2]}

    assert values == {"rbac": {"create": True, "rules": roles[""], "namespaces": {"shop": roles["shop"]}}}


# --- compared with what is given ----------------------------------------------------------------------------------


def given(form: str, change: Any = lambda text: text) -> str:
    """Write the rights that are needed, changed, and return the name of the file."""
    Path("given.yaml").write_text(change(run("--format", form).out))
    return "given.yaml"


@pytest.mark.parametrize("form", ["rbac", "helm"])
def test_check_is_content_when_exactly_what_is_needed_is_given(form: str) -> None:
    """Exit 0 and one sentence."""
    result = run("--check", given(form))

    assert (0, "exactly what is needed\n", "") == (result.code, result.out, result.err)


def test_check_reads_what_kubectl_prints() -> None:
    """`kubectl get --output yaml` puts everything into a List."""
    listed = given("rbac", lambda text: yaml.safe_dump({"kind": "List", "items": list(yaml.safe_load_all(text))}))

    assert "exactly what is needed\n" == run("--check", listed).out


@pytest.mark.parametrize(
    ("form", "change", "said"),
    [
        pytest.param(
            "helm",
            lambda text: text.replace("- pods/log", "- pods/exec"),
            "missing   shop  pods/log   get  cart-slow\n"
            "too much  shop  pods/exec  get  rbac.namespaces.shop\n"
            "1 grant missing, 1 too many\n",
            id="another resource",
        ),
        pytest.param(
            "helm",
            lambda text: re.sub(r"( *)- cart\n", r"\1- cart\n\1- till\n", text),
            "too much  shop  apps/deployments (till)        get    rbac.namespaces.shop\n"
            "too much  shop  apps/deployments/scale (till)  patch  rbac.namespaces.shop\n"
            "0 grants missing, 2 too many\n",
            id="another name",
        ),
        pytest.param(
            "rbac",
            lambda text: text.replace("namespace: shop", "namespace: mall"),
            "9 grants missing, 9 too many\n",
            id="another namespace",
        ),
        pytest.param(
            "rbac",
            lambda text: text.replace("- patch", "- '*'"),
            "too much  every namespace  nodes                          *  ClusterRole runbook-engine\n"
            "too much  shop             apps/deployments/scale (cart)  *  Role runbook-engine\n"
            "0 grants missing, 2 too many\n",
            id="every verb",
        ),
        pytest.param(
            "rbac",
            lambda text: text.replace("kind: ClusterRoleBinding", "kind: Note"),
            "missing  cluster  nodes  get, list  node-full\n"
            "missing  cluster  nodes  patch      node-full: step stop-new-pods\n"
            "3 grants missing, 0 too many\n",
            id="a role that nobody holds",
        ),
        pytest.param(
            "helm",
            lambda text: text.replace("create: true", "create: false"),
            "12 grants missing, 0 too many\n",
            id="a chart that makes no roles",
        ),
    ],
)
def test_check_says_by_what_the_rights_differ(form: str, change: Any, said: str) -> None:
    """Verb, resource, namespace and names, which runbook would be stopped, and which rule is too wide."""
    result = run("--check", given(form, change))

    assert (1, "") == (result.code, result.err)
    assert said in result.out


def test_check_in_json_has_stable_keys() -> None:
    """For a pipeline that posts the difference."""
    result = run("--check", given("helm", lambda text: text.replace("- pods/log", "- pods/exec")), "--format", "json")

    assert 1 == result.code
    assert json.loads(result.out) == {
        "exact": False,
        "missing": [
            {
                "namespace": "shop",
                "group": "",
                "resource": "pods/log",
                "verb": "get",
                "names": [],
                "because": "cart-slow: diagnostics logs",
            }
        ],
        "extra": [
            {
                "namespace": "shop",
                "group": "",
                "resource": "pods/exec",
                "verb": "get",
                "names": [],
                "because": "rbac.namespaces.shop",
            }
        ],
    }


def test_check_refuses_when_a_bound_role_is_not_in_the_file() -> None:
    """What it allows cannot be known."""
    result = run("--check", given("rbac", lambda text: text.replace("kind: ClusterRole\n", "kind: View\n", 1)))

    said = (
        "given.yaml: ClusterRoleBinding runbook-engine binds ClusterRole runbook-engine, "
        "which the file does not hold (add it)"
    )
    assert (2, f"runbook: {said}\n") == (result.code, result.err)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("kind: Role\nrules: [{apiGroups: [apps]}]\n", id="a role without a name"),
        pytest.param("rbac: {namespaces: [shop]}\n", id="values of another form"),
    ],
)
def test_check_refuses_when_the_rights_are_malformed(text: str) -> None:
    """What cannot be read is never taken for nothing."""
    Path("given.yaml").write_text(text)

    result = run("--check", "given.yaml")

    assert (2, "") == (result.code, result.out)
    assert result.err.startswith("runbook: given.yaml is not as Kubernetes writes rights: ")
    assert result.err.endswith(" (correct it)\n")
