"""A dry run prints what would be done, and does not even ask anybody."""

from __future__ import annotations

import re

import pytest

from tests.scripts.rig import Rig

HERE = ("--region", "eu-central-1")
SCRIPTS = [
    pytest.param(
        ("bootstrap.sh", *HERE, "--allow-from", "203.0.113.7/32"),
        ["lambda", "state", "cluster", "pipeline", "access", "kubectl"],
        id="bootstrap",
    ),
    pytest.param(
        ("install-addons.sh", *HERE),
        ["context", "load-balancers", "metrics", "certificates", "dns", "monitoring"],
        id="install-addons",
    ),
    pytest.param(
        ("deploy.sh", *HERE, "--image", "registry.example/runbook-engine:0.1.0"),
        ["context", "rights", "runner", "checkout"],
        id="deploy",
    ),
    pytest.param(("destroy.sh", *HERE), ["services", "load-balancers", "addons", "pipeline", "cluster"], id="destroy"),
]


@pytest.mark.parametrize(("command", "steps"), SCRIPTS)
def test_dry_run_prints_every_step_and_calls_nothing(rig: Rig, command: tuple[str, ...], steps: list[str]) -> None:
    """All steps are shown in order with their commands, no program is called, no file is touched."""
    before = rig.digest()

    said = rig.run(*command, "--dry-run")

    assert said.code == 0, said.err
    assert re.findall(r"^== \d/\d ([a-z-]+):", said.out, re.MULTILINE) == steps
    assert "\n+ " in said.out
    assert rig.calls == []
    assert rig.digest() == before


@pytest.mark.parametrize(("command", "steps"), SCRIPTS)
def test_dry_run_only_notes_what_is_missing(rig: Rig, command: tuple[str, ...], steps: list[str]) -> None:
    """Without any of the programs a dry run still shows the way, and says what will be needed."""
    rig.programs = ()

    said = rig.run(*command, "--dry-run")

    assert said.code == 0, said.err
    assert "there is no aws: install the AWS CLI, version 2 (docs/deploying.md)" in said.err
    assert len(re.findall(r"^== ", said.out, re.MULTILINE)) == len(steps)


@pytest.mark.parametrize(("command", "steps"), SCRIPTS)
def test_help_is_the_head_of_the_script(rig: Rig, command: tuple[str, ...], steps: list[str]) -> None:
    """Every option that a script takes stands in its help, and so does every step."""
    said = rig.run(command[0], "--help")
    text = (rig.root / "scripts" / command[0]).read_text()
    options = set(re.findall(r"^\s+(--[a-z-]+)\)", text, re.MULTILINE)) | set(
        re.findall(r"(?<=[| ])--[a-z-]+(?= \||\)$)", text)
    )

    assert said.code == 0
    assert sorted(option for option in options if option not in said.out) == []
    assert [step for step in steps if step not in said.out] == []
    assert rig.calls == []


def test_dry_run_prints_commands_that_can_be_typed(rig: Rig) -> None:
    """A word with signs that a shell would read is quoted."""
    said = rig.run(
        "bootstrap.sh", *HERE, "--allow-from", "203.0.113.7/32", "--admin", "arn:aws:iam::1:role/a", "--dry-run"
    )

    assert (
        "+ terraform -chdir=terraform/stacks/cluster apply -var=region=eu-central-1 -var=name=runbook-engine "
        """'-var=public_access_cidrs=["203.0.113.7/32"]' '-var=administrators=["arn:aws:iam::1:role/a"]'\n"""
    ) in said.out
