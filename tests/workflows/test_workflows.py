"""The sandbox's workflows hold what a review would otherwise have to look for, each time.

actionlint and zizmor judge their form (`make scan`); here is what they mean.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = {path.stem: path for path in sorted((GITHUB / "workflows").glob("*.yml"))}
ACTION = GITHUB / "actions" / "terraform" / "action.yml"
SANDBOX = ("deploy-lambda", "inject-failure", "rollback-lambda", "destroy")
PINNED = re.compile(r"^\s*(?:- )?uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def read(name: str) -> dict[str, Any]:
    """Return a workflow; YAML 1.1 reads its key `on` as true."""
    document: dict[Any, Any] = yaml.safe_load(WORKFLOWS[name].read_text())
    document["on"] = document.pop(True)
    return document


def jobs_of(name: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow."""
    jobs: dict[str, dict[str, Any]] = read(name)["jobs"]
    return jobs


def steps_of(name: str) -> Iterator[dict[str, Any]]:
    """Yield every step of a workflow."""
    for job in jobs_of(name).values():
        yield from job["steps"]


def script_of(name: str, step: str) -> str:
    """Return what a step runs."""
    (script,) = (each["run"] for each in steps_of(name) if each["name"] == step)
    return str(script)


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as the runner does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_four_workflows_are_there() -> None:
    """Their names are the ones that people know."""
    assert set(SANDBOX) <= set(WORKFLOWS)
    assert [read(name)["name"] for name in SANDBOX] == list(SANDBOX)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in (*WORKFLOWS.values(), ACTION)])
def test_every_action_is_pinned_by_its_whole_hash(path: Path) -> None:
    """A tag can be moved to other code, a hash cannot; the version stands beside it for people."""
    used = [line for line in path.read_text().splitlines() if "uses:" in line and "uses: ./" not in line]

    assert used
    assert [line for line in used if not PINNED.match(line)] == []


def test_one_action_is_pinned_to_one_hash_everywhere() -> None:
    """Two versions of one action in one repository are a mistake."""
    text = "".join(path.read_text() for path in (*WORKFLOWS.values(), ACTION))
    hashes: dict[str, set[str]] = {}
    for action, pinned in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text):
        hashes.setdefault(action, set()).add(pinned)

    assert [action for action, pinned in hashes.items() if len(pinned) > 1] == []


@pytest.mark.parametrize("name", SANDBOX)
def test_rights_are_given_to_jobs_that_need_them(name: str) -> None:
    """The workflow has none; a job may read the code, and gets a token for AWS only where it assumes a role."""
    assert read(name)["permissions"] == {}
    for job in jobs_of(name).values():
        assumes = any(step.get("uses") == "./.github/actions/terraform" for step in job["steps"])
        assert job["permissions"] == {"contents": "read"} | ({"id-token": "write"} if assumes else {})


@pytest.mark.parametrize("name", SANDBOX)
def test_workflows_wait_for_each_other(name: str) -> None:
    """All four share one state, so they share one queue, and none is cut off in the middle."""
    assert read(name)["concurrency"] == {"group": "sandbox", "cancel-in-progress": False}


@pytest.mark.parametrize("name", SANDBOX)
def test_only_a_protected_environment_gets_the_role_that_changes(name: str) -> None:
    """Its name is in the role's trust, and its rules say who confirms; a plan gets the role that reads."""
    for job in jobs_of(name).values():
        (role,) = (step["with"]["role"] for step in job["steps"] if step.get("uses") == "./.github/actions/terraform")
        assert role == ("${{ vars.AWS_APPLY_ROLE_ARN }}" if "environment" in job else "${{ vars.AWS_PLAN_ROLE_ARN }}")
        assert job.get("environment", "sandbox") == "sandbox"


@pytest.mark.parametrize("name", SANDBOX)
def test_no_script_is_put_together_from_what_others_wrote(name: str) -> None:
    """Expressions reach scripts through the environment only."""
    assert [step["name"] for step in steps_of(name) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", SANDBOX)
def test_nothing_starts_by_itself_but_a_deployment_from_main(name: str) -> None:
    """Failures are injected, and things destroyed, by a person."""
    triggers = read(name)["on"]

    assert set(triggers) == ({"push", "workflow_dispatch"} if name == "deploy-lambda" else {"workflow_dispatch"})
    assert triggers.get("push", {}).get("branches", ["main"]) == ["main"]
    first = next(iter(jobs_of(name).values()))
    assert "github.ref == 'refs/heads/main'" in first["if"]


@pytest.mark.parametrize("name", SANDBOX)
def test_every_change_is_told_to_the_engine(name: str) -> None:
    """The last job applies and then publishes a change event of the function."""
    scripts = [step.get("run", "") for step in list(jobs_of(name).values())[-1]["steps"]]
    applied = next(place for place, script in enumerate(scripts) if re.search(r"terraform (apply|destroy)", script))
    told = next(place for place, script in enumerate(scripts) if "scripts/publish-change.sh" in script)

    assert applied < told


@pytest.mark.parametrize(
    ("name", "fail_mode"),
    [("deploy-lambda", "false"), ("inject-failure", "true"), ("rollback-lambda", "false")],
)
def test_fail_mode_is_what_the_workflow_is_for(name: str, fail_mode: str) -> None:
    """Only inject-failure makes the function fail."""
    modes = [step["env"]["TF_VAR_fail_mode"] for step in steps_of(name) if "TF_VAR_fail_mode" in step.get("env", {})]

    assert set(modes) == {fail_mode}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        pytest.param("destroy runbook-sandbox", 0, id="the sentence"),
        pytest.param("destroy", 1, id="half of it"),
        pytest.param("yes", 1, id="another word"),
        pytest.param("", 1, id="nothing"),
        pytest.param("destroy runbook-sandbox\n", 1, id="more than it"),
        pytest.param("* ]] || true; [[ x", 1, id="a piece of script"),
    ],
)
def test_nothing_is_destroyed_without_the_typed_sentence(typed: str, code: int) -> None:
    """The first step of the job compares, before there are credentials."""
    first = next(steps_of("destroy"))
    said = bash(script_of("destroy", "Be sure"), CONFIRM=typed)

    assert first["name"] == "Be sure"
    assert said.returncode == code
    assert said.stdout == (
        "::error::nothing is destroyed: the confirmation must read: destroy runbook-sandbox\n" if code else ""
    )


@pytest.mark.parametrize("calls", ["51", "-1", "many", "1; touch x", ""])
def test_calls_are_a_small_number(calls: str) -> None:
    """What somebody types into the form is checked before it is counted with."""
    said = bash(script_of("inject-failure", "Call it"), CALLS=calls)

    assert said.returncode == 1
    assert said.stdout == f"::error::calls is {calls}: it must be 0 to 50\n"


@pytest.mark.parametrize("missing", ["ROLE", "REGION", "BUCKET"])
def test_a_missing_variable_is_told(missing: str) -> None:
    """Who has not set the repository's variables yet learns where they come from."""
    script = yaml.safe_load(ACTION.read_text())["runs"]["steps"][0]["run"]
    given = {name: "x" for name in ("ROLE", "REGION", "BUCKET") if name != missing}

    said = bash(script, **{missing: "", **given})

    assert said.returncode == 1
    assert said.stdout == (
        f"::error::{missing} is empty: set the repository's variables from github_variables of "
        "terraform/stacks/bootstrap (docs/sandbox.md)\n"
    )
    assert bash(script, ROLE="x", REGION="x", BUCKET="x").returncode == 0


def test_state_is_the_one_that_the_roles_may_touch() -> None:
    """The key that the action names is the key that the bootstrap stack allows."""
    rights = (ROOT / "terraform/stacks/bootstrap/ci_rights.tf").read_text()
    (key,) = re.findall(r'-backend-config="key=([^"]+)"', ACTION.read_text())

    assert f'"${{aws_s3_bucket.state.arn}}/{key}"' in rights
    assert f'"${{aws_s3_bucket.state.arn}}/{key}.tflock"' in rights


def test_variables_are_the_ones_that_bootstrap_answers() -> None:
    """Every variable that a workflow reads is in the output github_variables."""
    outputs = (ROOT / "terraform/stacks/bootstrap/outputs.tf").read_text()
    read_by_workflows = {
        name for path in WORKFLOWS.values() for name in re.findall(r"vars\.([A-Z_]+)", path.read_text())
    }

    assert read_by_workflows
    assert sorted(name for name in read_by_workflows if not re.search(rf"^ +{name} +=", outputs, re.MULTILINE)) == []


def test_terraform_is_new_enough_for_the_state() -> None:
    """The lock file in the bucket needs Terraform 1.11, which every stack demands."""
    pinned = re.findall(r"terraform_version: (\S+)", ACTION.read_text())

    assert pinned == ["1.11.4"]
    for stack in ("bootstrap", "cluster", "sandbox"):
        assert 'required_version = ">= 1.11"' in (ROOT / f"terraform/stacks/{stack}/versions.tf").read_text()
