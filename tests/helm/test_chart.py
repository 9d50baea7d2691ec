"""The chart as a whole: it lints, renders, refuses what it does not know, and says what it is."""

import tomllib

import pytest
import yaml

from tests.helm.chart import CHART, NAMESPACE, ROOT, RUNNER, VALUES, lint, notes, render
from tests.helm.values_of import given_values, named_values, unexplained_values

SETS = pytest.mark.parametrize("values", VALUES)
CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}


@SETS
def test_chart_lints_strictly(values: str) -> None:
    """Helm's own linter has nothing to say against any set of values."""
    done = lint(values)

    assert "0 chart(s) failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@SETS
def test_manifests_carry_the_standard_labels_and_their_namespace(values: str) -> None:
    """Every manifest says whose it is; only what is cluster-wide has no namespace."""
    rendered = render(values)

    assert len(rendered) > 5
    for manifest in rendered:
        metadata = manifest["metadata"]
        assert set(metadata["labels"]) >= LABELS, manifest["kind"]
        assert (manifest["kind"] in CLUSTER_WIDE) == ("namespace" not in metadata), manifest["kind"]


@SETS
def test_no_manifest_is_rendered_twice(values: str) -> None:
    """Kind, namespace and name tell the manifests of a release apart."""
    manifests = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in render(values)]

    assert len(manifests) == len(set(manifests))


def test_releases_of_one_name_in_two_namespaces_share_no_cluster_wide_name() -> None:
    """The names of cluster-wide manifests begin with the namespace."""
    rendered = render("everything-admission")

    names = [manifest["metadata"]["name"] for manifest in rendered if manifest["kind"] in CLUSTER_WIDE]

    assert len(names) == 10
    assert all(name.startswith(f"{NAMESPACE}.") for name in names)


def test_selectors_all_find_the_pod() -> None:
    """Deployment, Service, budget, policy and monitor mean the labels that pod and Service carry."""
    rendered = render("everything-admission")
    labels = rendered.pod["metadata"]["labels"]
    service = rendered.one("Service")

    selectors = [
        rendered.one("Deployment")["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        rendered.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        rendered.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    assert all(selector and selector.items() <= labels.items() for selector in selectors)
    monitor = rendered.one("ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert monitor
    assert monitor.items() <= service["metadata"]["labels"].items()


def test_service_monitor_scrapes_a_port_that_the_service_has() -> None:
    """The operator looks for ports by name, in the namespaces that are said."""
    rendered = render("everything-admission")
    spec = rendered.one("ServiceMonitor")["spec"]

    assert [{"port": "http", "path": "/metrics", "interval": "15s"}] == spec["endpoints"]
    assert "http" in {port["name"] for port in rendered.one("Service")["spec"]["ports"]}
    assert {"matchNames": [NAMESPACE]} == spec["namespaceSelector"]
    assert rendered.one("ServiceMonitor")["metadata"]["labels"]["release"] == "monitoring"


def test_version_is_the_one_of_the_project() -> None:
    """An image tag that is not said is the version of the engine in this repository."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == chart["appVersion"]
    assert f"runbook-engine:{project['version']}" == render().container["image"]


def test_schema_names_exactly_the_values() -> None:
    """A value without a schema would be refused, a schema without a value would be a lie."""
    required = {"config.apiVersion", "config.kind"}

    assert given_values(RUNNER) | {"global"} == named_values(RUNNER) - required


def test_readme_explains_every_value() -> None:
    """Whoever reads the README finds each value by its name."""
    assert set() == unexplained_values(RUNNER)


def test_notes_warn_loudly_when_the_state_dies_with_the_pod() -> None:
    """An installation without a volume is told what it loses; one with a volume is not."""
    warning = "WARNING: PERSISTENCE IS OFF. THE STATE DIES WITH THE POD."

    assert warning in notes()
    assert warning not in notes("persistent-irsa")


def test_notes_say_where_alerts_go_and_what_must_exist() -> None:
    """The address of the webhook, the scopes and the Secrets are what a newcomer needs next."""
    said = notes()

    assert (
        "Alerts go to  http://runner-runbook-engine.runbooks.svc:8930/hooks/<scope>  (scopes: alertmanager)\n" in said
    )
    assert "Secrets that must exist in runbooks: runbook-engine-tokens\n" in said
    assert "WARNING: there is no runbook." in said
    assert "No target is allowed (config.targets), so nothing can be changed." in said
