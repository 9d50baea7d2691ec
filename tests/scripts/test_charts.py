"""Add-ons and services are installed by pinned versions into a named context, and removed in reverse."""

from __future__ import annotations

import re

import pytest

from tests.scripts.rig import ACCOUNT, Rig

HERE = ("--region", "eu-central-1")
SENTENCE = f"destroy runbook-engine in {ACCOUNT} eu-central-1"
ADDONS = [
    "helm install aws-load-balancer-controller",
    "helm install metrics-server",
    "helm install cert-manager",
    "helm install external-dns",
    "helm install mon",
    "helm install observability",
]


def test_add_ons_are_installed_in_order(rig: Rig) -> None:
    """What others build on comes first."""
    said = rig.run("install-addons.sh", *HERE)

    assert said.code == 0, said.err
    assert [change for change in rig.changes if change.startswith("helm")] == ADDONS


def test_charts_are_pinned_atomic_and_in_a_named_context(rig: Rig) -> None:
    """No call of helm depends on what is newest, or on where kubectl happens to point."""
    rig.run("install-addons.sh", *HERE)

    for call in (call for call in rig.calls if call.startswith("helm")):
        assert call.startswith("helm --kube-context runbook-engine upgrade --install ")
        assert re.search(r" --version v?\d+\.\d+\.\d+ --repo https://\S+ | observability helm/observability ", call)
        assert " --atomic --timeout " in call


def test_dns_is_left_out_without_zones(rig: Rig) -> None:
    """A controller without a role would only fail."""
    rig.answer("terraform * output -raw external_dns_enabled*", "false")

    said = rig.run("install-addons.sh", *HERE)

    assert "left out: external-dns has no zone (dns_zone_ids of terraform/stacks/cluster)\n" in said.out
    assert "helm install external-dns" not in rig.changes


def test_an_add_on_may_be_left_out(rig: Rig) -> None:
    """--without names it."""
    said = rig.run("install-addons.sh", *HERE, "--without", "monitoring", "--without", "cert-manager")

    assert said.code == 0, said.err
    assert not {"helm install mon", "helm install observability", "helm install cert-manager"} & set(rig.changes)


def test_a_release_that_does_not_become_ready_ends_it(rig: Rig) -> None:
    """The next add-on is not begun, and the way on is named."""
    rig.answer("helm * cert-manager *", "Error: context deadline exceeded", 1)

    said = rig.run("install-addons.sh", *HERE)

    assert said.code == 1
    assert rig.changes[-1] == "helm install cert-manager"
    assert said.err.endswith("  scripts/install-addons.sh --region eu-central-1 --from certificates\n")


def test_services_are_deployed_with_exactly_the_image_that_was_named(rig: Rig) -> None:
    """A digest and a tag reach the chart as such."""
    by_tag = rig.run("deploy.sh", *HERE, "--image", "registry.example:5000/team/runbook-engine:0.1.0")
    by_digest = rig.run("deploy.sh", *HERE, "--image", f"registry.example/runbook-engine@sha256:{'0' * 64}")

    assert (by_tag.code, by_digest.code) == (0, 0), by_tag.err + by_digest.err
    installed = [call for call in rig.calls if " upgrade --install runner " in call]
    assert (
        "--set image.repository=registry.example:5000/team/runbook-engine --set-string image.tag=0.1.0" in installed[0]
    )
    assert (
        f"--set image.repository=registry.example/runbook-engine --set image.digest=sha256:{'0' * 64}" in installed[1]
    )


def test_what_has_no_image_is_left_out_and_said(rig: Rig) -> None:
    """Neither runner nor checkout is installed by an image that nobody named."""
    without = rig.run("deploy.sh", *HERE)
    rig.forget()

    named = rig.run("deploy.sh", *HERE, "--checkout-image", "registry.example/checkout:412")

    assert "left out: without --checkout-image there is no checkout service\n" in without.out
    assert (
        "left out: without --image there is no runner (the functions of stacks/pipeline do the work)\n" in without.out
    )
    assert named.code == 0
    assert [change for change in rig.changes if change.startswith("helm")] == ["helm install checkout"]
    assert any(
        call.endswith(" --set image.repository=registry.example/checkout --set-string image.tag=412")
        for call in rig.calls
    )


def test_monitoring_waits_for_its_secrets(rig: Rig) -> None:
    """An Alertmanager without them would not start, and Helm would take ten minutes to say so."""
    rig.answer("kubectl * get secret oncall*", "not found", 1)

    said = rig.run("install-addons.sh", *HERE)

    assert said.code == 2
    assert said.err.startswith(
        "install-addons: there is no secret oncall in the namespace monitoring; make it first, and the namespace too:\n"
        "  kubectl --context runbook-engine --namespace monitoring create secret generic oncall "
        '--from-literal=pager="$ROUTING_KEY" --from-literal=chat="$WEBHOOK"\n'
    )
    assert not {"helm install mon", "helm install observability"} & set(rig.changes)


def test_monitoring_takes_both_files_of_values(rig: Rig) -> None:
    """Prometheus without Alertmanager's would alert nobody."""
    rig.run("install-addons.sh", *HERE)

    (call,) = [call for call in rig.calls if " upgrade --install mon " in call]
    assert call.endswith(
        " --values helm/observability/kube-prometheus-stack-values.yaml"
        " --values helm/observability/alertmanager-values.yaml"
    )


def test_a_missing_secret_is_told_with_the_command_that_makes_it(rig: Rig) -> None:
    """A runner without its token would hear nobody."""
    rig.answer("kubectl * get secret*", "not found", 1)

    said = rig.run("deploy.sh", *HERE, "--image", "registry.example/runbook-engine:0.1.0")

    assert said.code == 2
    assert said.err.startswith(
        "deploy: there is no secret runbook-engine-tokens in the namespace runbooks; make it first, and keep the token "
        "for Alertmanager:\n"
        "  kubectl --context runbook-engine --namespace runbooks create secret generic runbook-engine-tokens "
        '--from-literal=alertmanager="$(openssl rand -hex 32)"\n'
    )
    assert "helm install runner" not in rig.changes


def test_rights_are_applied_whole_or_not_at_all(rig: Rig) -> None:
    """Manifests that could not be written to the end are not applied."""
    rig.answer("runbook permissions*", "engine.yaml:3:1: error", 2)

    said = rig.run("deploy.sh", *HERE)

    assert said.code == 2
    assert not any(change.startswith("kubectl apply") for change in rig.changes)
    assert said.err.endswith("  scripts/deploy.sh --region eu-central-1 --from rights\n")


def test_rights_are_for_the_group_of_the_access_entry(rig: Rig) -> None:
    """Without more words they are rights to look."""
    rig.run("deploy.sh", *HERE)

    assert (
        "runbook permissions --runbooks runbooks --config runbooks/engine.yaml --mode observe --format rbac "
        "--subject group:runbook-engine"
    ) in rig.calls


def test_rights_wait_for_their_namespaces(rig: Rig) -> None:
    """A role in a namespace that does not exist would be refused, and half of the rights with it."""
    rig.answer("runbook permissions*", "kind: Role\nmetadata:\n  name: a\n  namespace: apps\n---\nkind: ClusterRole")
    rig.answer("kubectl * get namespace apps*", "not found", 1)

    said = rig.run("deploy.sh", *HERE)

    assert said.code == 0, said.err
    assert rig.changes == ["aws eks update-kubeconfig", "kubectl create namespace", "kubectl apply --filename"]


def test_runbooks_without_a_cluster_need_no_rights(rig: Rig) -> None:
    """Nothing is applied, and that is said."""
    rig.answer("runbook permissions*", "")

    said = rig.run("deploy.sh", *HERE)

    assert said.code == 0, said.err
    assert "left out: these runbooks need nothing in a cluster\n" in said.out
    assert "kubectl apply --filename" not in rig.changes


def test_everything_is_destroyed_in_reverse(rig: Rig) -> None:
    """Load balancers before the controller that made them, the pipeline before the network that it lives in."""
    said = rig.run("destroy.sh", *HERE, "--confirm", SENTENCE)

    assert said.code == 0, said.err
    assert rig.changes == [
        "aws eks update-kubeconfig",
        "helm uninstall checkout",
        "helm uninstall runner",
        "kubectl delete ingress",
        "kubectl delete service",
        "helm uninstall observability",
        "helm uninstall mon",
        "helm uninstall external-dns",
        "helm uninstall cert-manager",
        "helm uninstall metrics-server",
        "helm uninstall aws-load-balancer-controller",
        "terraform pipeline init",
        "terraform pipeline apply",
        "terraform pipeline destroy",
        "terraform cluster init",
        "terraform cluster destroy",
    ]
    assert not any("stacks/bootstrap" in call for call in rig.calls)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param((), f"there is no terminal to confirm on: add --confirm '{SENTENCE}'", id="nobody to ask"),
        pytest.param(
            ("--confirm", "yes"),
            f"nothing is destroyed: the confirmation must read: {SENTENCE}",
            id="yes is not enough",
        ),
        pytest.param(
            ("--confirm", f"destroy runbook-engine in {ACCOUNT} us-east-1"),
            f"nothing is destroyed: the confirmation must read: {SENTENCE}",
            id="another region",
        ),
    ],
)
def test_nothing_is_destroyed_without_the_typed_sentence(rig: Rig, arguments: tuple[str, ...], sentence: str) -> None:
    """The sentence names installation, account and region: whoever types it has read them."""
    said = rig.run("destroy.sh", *HERE, *arguments, typed="y\n")

    assert (said.code, said.err) == (2, f"destroy: {sentence}\n")
    assert rig.changes == []


def test_a_cluster_that_is_gone_holds_nothing_up(rig: Rig) -> None:
    """Going on after the cluster was destroyed skips what was in it."""
    rig.answer("aws eks describe-cluster*", "ResourceNotFoundException: No cluster found", 254)

    said = rig.run("destroy.sh", *HERE, "--confirm", SENTENCE)

    assert said.code == 0, said.err
    assert rig.changes[0] == "terraform pipeline init"


def test_a_cluster_that_cannot_be_asked_for_ends_it(rig: Rig) -> None:
    """Not knowing is not a reason to go on destroying."""
    rig.answer("aws eks describe-cluster*", "AccessDeniedException", 254)

    said = rig.run("destroy.sh", *HERE, "--confirm", SENTENCE)

    assert said.code == 1
    assert said.err.startswith(
        "destroy: whether the cluster runbook-engine exists cannot be told: AccessDeniedException\n"
    )
    assert rig.changes == []
