"""A release is built, scanned, pushed and rolled out in this order, and stops where something is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scripts.rig import PROGRAMS, USUAL, Rig

REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
COMMIT = "3f2a9c1d5b7e"
CHECKOUT = ("--service", "checkout", "--registry", REGISTRY, "--tag", COMMIT)
DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"{REGISTRY}/checkout:{COMMIT}"


@pytest.fixture
def release(tmp_path: Path) -> Rig:
    """A machine with docker and trivy, and a registry that knows the image."""
    answers = [("aws ecr describe-images*", DIGEST, 0), ("helm version*", "v4.3.1", 0), *USUAL]
    return Rig(tmp_path, answers=answers, programs=(*PROGRAMS, "docker", "trivy"))


def test_a_release_is_built_scanned_pushed_and_rolled_out_by_its_digest(release: Rig) -> None:
    """A tag could be moved between the scan and the pull; a digest cannot."""
    said = release.run("release.sh", *CHECKOUT, "--cause", "build 412, commit 3f2a9c1d")

    assert said.code == 0, said.err
    order = [re.sub(r"^(\S+ \S+).*", r"\1", call) for call in release.calls]
    wanted = ["docker build", "trivy image", "docker push", "aws ecr", "helm version", "helm --kube-context"]
    assert wanted == [call for call in order if call in wanted and call != "aws ecr"][:3] + wanted[3:]
    rollout = release.calls[-1]
    assert "upgrade --install checkout helm/checkout --namespace apps --create-namespace " in rollout
    assert f" --set image.repository={REGISTRY}/checkout --set image.digest={DIGEST} " in rollout
    assert "release.cause=build 412, commit 3f2a9c1d" in rollout
    assert rollout.endswith("--rollback-on-failure --wait --timeout 10m")
    assert " --create-namespace --reset-then-reuse-values --set " in rollout


def test_values_that_are_named_are_all_that_counts(release: Rig) -> None:
    """What is written in the repository is what runs."""
    release.run("release.sh", *CHECKOUT, "--from", "rollout", "--values", "prod.yaml")

    assert " --create-namespace --values prod.yaml --set " in release.calls[-1]
    assert "reuse-values" not in release.calls[-1]


def test_a_first_release_without_values_is_refused(release: Rig) -> None:
    """The chart's defaults would take away the volume, the configuration and the alerts of an installation."""
    release.answer("helm --kube-context runbook-engine status*", "Error: release: not found", 1)

    said = release.run("release.sh", *CHECKOUT, "--from", "rollout")

    sentence = "release: there is no release checkout in apps yet, so its values must be named (--values FILE)\n"
    assert (1, True) == (said.code, sentence in said.err)
    assert [call for call in release.calls if "upgrade" in call] == []


def test_helm_3_rolls_back_by_its_own_name(release: Rig) -> None:
    """The option was renamed in Helm 4."""
    release.answer("helm version*", "v3.17.2")

    release.run("release.sh", *CHECKOUT, "--from", "rollout")

    assert " --atomic --wait " in release.calls[-1]


@pytest.mark.parametrize(
    ("fails", "never"),
    [
        pytest.param("docker build*", ("trivy", "docker push", "helm"), id="what cannot be built is not scanned"),
        pytest.param("trivy *", ("docker push", "helm"), id="what is broken is not pushed"),
        pytest.param("docker push*", ("helm",), id="what was not pushed is not rolled out"),
    ],
)
def test_a_release_stops_at_the_first_failure(fails: str, never: tuple[str, ...], release: Rig) -> None:
    """The way on is named."""
    release.answer(fails, "no", 1)

    said = release.run("release.sh", *CHECKOUT)

    assert said.code != 0
    assert [call for call in release.calls if call.startswith(never)] == []
    assert "Mend the cause, then go on with:\n  scripts/release.sh --service checkout " in said.err


def test_what_the_registry_does_not_know_is_not_rolled_out(release: Rig) -> None:
    """Without a digest the cluster would wait for an image that nobody has."""
    release.answer("aws ecr describe-images*", "None")

    said = release.run("release.sh", *CHECKOUT, "--from", "rollout")

    assert said.code == 1
    assert f"release: the registry knows no image {IMAGE} (push it first)\n" in said.err
    assert [call for call in release.calls if "upgrade" in call] == []


def test_one_step_may_be_done_alone(release: Rig) -> None:
    """A pipeline shows each as a stage of its own, and needs only what the stage needs."""
    release.programs = ("trivy",)

    said = release.run("release.sh", *CHECKOUT, "--from", "scan", "--to", "scan")

    assert said.code == 0, said.err
    assert [
        f"trivy image --exit-code 1 --severity HIGH,CRITICAL --ignore-unfixed --no-progress {IMAGE}"
    ] == release.calls


def test_a_dry_run_runs_nothing(release: Rig) -> None:
    """Every command is shown."""
    said = release.run("release.sh", *CHECKOUT, "--dry-run")

    assert (0, []) == (said.code, release.calls)
    assert f"+ docker push {IMAGE}\n" in said.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param((), "release: which service? name it with --service: checkout or runner", id="no service"),
        pytest.param(("--service", "x"), "release: there is no service x: checkout or runner", id="another service"),
        pytest.param(
            ("--service", "runner", "--registry", "example"),
            "release: which registry? name it with --registry: ACCOUNT.dkr.ecr.REGION.amazonaws.com, not example",
            id="another registry",
        ),
        pytest.param(
            ("--service", "runner", "--registry", REGISTRY, "--tag", "latest"),
            "release: which tag? name it with --tag: at least seven characters that stay what they are, as a commit; "
            "not latest",
            id="a tag that moves",
        ),
        pytest.param(
            (*CHECKOUT, "--to", "moon"),
            "release: there is no step moon: the steps are build scan push rollout",
            id="no step",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_touched(
    arguments: tuple[str, ...], sentence: str, release: Rig
) -> None:
    """Exit code 2, and one sentence."""
    said = release.run("release.sh", *arguments)

    assert (2, f"{sentence}\n", []) == (said.code, said.err, release.calls)
