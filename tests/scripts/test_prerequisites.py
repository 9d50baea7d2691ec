"""What is missing is told at once, each with its remedy, before anything is touched."""

from __future__ import annotations

import pytest

from tests.scripts.rig import ACCOUNT, PROGRAMS, Rig

GOOD = ("--region", "eu-central-1", "--allow-from", "203.0.113.7/32", "--yes")


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        pytest.param("aws", "there is no aws: install the AWS CLI, version 2 (docs/deploying.md)", id="aws"),
        pytest.param(
            "terraform", "there is no terraform: install Terraform 1.11 or newer (docs/deploying.md)", id="terraform"
        ),
        pytest.param(
            "kubectl",
            "there is no kubectl: install kubectl, or run make tools and put .tools first on PATH",
            id="kubectl",
        ),
        pytest.param("make", "there is no make: install make (Debian: apt-get install make)", id="make"),
    ],
)
def test_bootstrap_says_which_program_is_missing(rig: Rig, program: str, sentence: str) -> None:
    """One sentence a program, with where to get it."""
    rig.programs = tuple(each for each in PROGRAMS if each != program)

    said = rig.run("bootstrap.sh", *GOOD)

    assert said.code == 2
    assert said.err == f"bootstrap: {sentence}\n"
    assert rig.changes == []


def test_helm_is_needed_where_charts_are_installed(rig: Rig) -> None:
    """The sentence names the pinned one too."""
    rig.programs = tuple(each for each in PROGRAMS if each != "helm")

    said = rig.run("install-addons.sh", "--region", "eu-central-1")

    assert said.code == 2
    assert said.err == (
        "install-addons: there is no helm: install Helm 3.17 or newer, or run make tools and put .tools first on PATH\n"
    )


def test_everything_that_is_missing_is_told_at_once(rig: Rig) -> None:
    """Nobody has to run a script four times to learn four things."""
    rig.answer("aws sts*", "Unable to locate credentials", 253)
    rig.answer("terraform version*", "Terraform v1.9.8")

    said = rig.run("bootstrap.sh")

    assert said.code == 2
    assert said.err.splitlines() == [
        "bootstrap: which region? name it with --region REGION, or set AWS_REGION",
        "bootstrap: AWS knows no credentials: sign in (aws sso login, or set AWS_PROFILE), then try again",
        "bootstrap: terraform is 1.9.8: 1.11.0 or newer is needed",
        "bootstrap: who may reach the API server? name addresses with --allow-from ADDRESS/32, or say --private",
        "bootstrap: there is no terminal to confirm on: add --yes",
    ]
    assert rig.changes == []


@pytest.mark.parametrize("script", ["bootstrap.sh", "install-addons.sh", "deploy.sh", "destroy.sh"])
def test_another_account_is_refused(rig: Rig, script: str) -> None:
    """Who is signed in to the wrong account changes nothing there."""
    more = ("--private", "--yes") if script == "bootstrap.sh" else ()

    said = rig.run(script, "--region", "eu-central-1", "--account", "999999999999", *more)

    assert said.code == 2
    assert f"the credentials are those of account {ACCOUNT}, not of 999999999999: sign in to the right one" in said.err
    assert rig.changes == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ("--regoin", "x"), "bootstrap: what is --regoin? (--help lists the options)", id="a misspelt option"
        ),
        pytest.param(("--region",), "bootstrap: --region needs a value", id="an option without a value"),
        pytest.param(("--admin", 'a"b'), 'bootstrap: --admin: a"b has a quote or a backslash in it', id="a quote"),
        pytest.param(
            (*GOOD, "--from", "clutser"),
            "bootstrap: there is no step clutser: the steps are lambda state cluster pipeline access kubectl",
            id="an unknown step",
        ),
        pytest.param(
            ("--region", "Frankfurt", "--private", "--yes"),
            "bootstrap: Frankfurt is no region of AWS, as eu-central-1 is",
            id="no region",
        ),
    ],
)
def test_wrong_arguments_get_a_sentence(rig: Rig, arguments: tuple[str, ...], sentence: str) -> None:
    """The sentence says what, and what would be right."""
    said = rig.run("bootstrap.sh", *arguments)

    assert (said.code, said.err) == (2, f"{sentence}\n")
    assert rig.changes == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ("--image", "registry.example/runbook-engine"),
            "deploy: --image registry.example/runbook-engine has neither a tag nor a digest: "
            "what runs must be said exactly",
            id="an image without a tag",
        ),
        pytest.param(
            ("--mode", "wild"), "deploy: --mode wild: it is observe, propose, approve or auto", id="an unknown mode"
        ),
        pytest.param(
            ("--values", "none.yaml"), "deploy: --values none.yaml: there is no such file", id="missing values"
        ),
        pytest.param(
            ("--runbooks", "none", "--config", "runbooks/engine.yaml"),
            "deploy: --runbooks none: there is no such folder",
            id="missing runbooks",
        ),
    ],
)
def test_deploy_refuses_before_it_begins(rig: Rig, arguments: tuple[str, ...], sentence: str) -> None:
    """Nothing is applied for half an order."""
    said = rig.run("deploy.sh", "--region", "eu-central-1", *arguments)

    assert (said.code, said.err) == (2, f"{sentence}\n")
    assert rig.changes == []


def test_an_unknown_add_on_cannot_be_left_out(rig: Rig) -> None:
    """A misspelt name would install what was not wanted."""
    said = rig.run("install-addons.sh", "--region", "eu-central-1", "--without", "prometheus")

    assert (said.code, said.err) == (
        2,
        "install-addons: --without prometheus: the add-ons are aws-load-balancer-controller, metrics-server, "
        "cert-manager, external-dns and monitoring\n",
    )
