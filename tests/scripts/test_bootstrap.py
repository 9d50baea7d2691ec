"""Bootstrapping goes in order, may be repeated, and goes on where it stopped."""

from __future__ import annotations

from tests.scripts.rig import ACCOUNT, Rig

HERE = ("--region", "eu-central-1", "--yes")
GOOD = (*HERE, "--allow-from", "203.0.113.7/32")
BUCKET = f"runbook-engine-tfstate-{ACCOUNT}-eu-central-1"
LATER = [
    "terraform cluster init",
    "terraform cluster apply",
    "terraform pipeline init",
    "terraform pipeline apply",
    "terraform cluster init",
    "terraform cluster apply",
    "aws eks update-kubeconfig",
]
ALL = ["make lambda", "terraform bootstrap init", "terraform bootstrap apply", *LATER]


def test_everything_is_made_in_order(rig: Rig) -> None:
    """The function's role is entered into the cluster after the pipeline has made it."""
    said = rig.run("bootstrap.sh", *GOOD)

    assert said.code == 0, said.err
    assert rig.changes == ALL
    assert said.out.endswith("Done. Next: scripts/install-addons.sh --region eu-central-1\n")


def test_a_second_run_does_the_same_and_leaves_nothing(rig: Rig) -> None:
    """Repeating is harmless: the same commands, no file of the first time."""
    rig.run("bootstrap.sh", *GOOD)
    before, first = rig.digest(), list(rig.calls)
    rig.forget()

    said = rig.run("bootstrap.sh", *GOOD)

    assert said.code == 0
    assert rig.calls == first
    assert rig.digest() == before


def test_the_first_state_is_local_and_then_moves(rig: Rig) -> None:
    """Without a bucket the state begins in a file, which moves and is kept as a copy."""
    rig.answer(
        "aws s3api head-bucket*", "An error occurred (404) when calling the HeadBucket operation: Not Found", 254
    )
    folder = rig.stacks / "bootstrap"
    (folder / "terraform.tfstate").write_text("{}")  # what the first apply leaves

    said = rig.run("bootstrap.sh", *GOOD)

    assert said.code == 0, said.err
    assert rig.changes[1:4] == [
        "terraform bootstrap init",
        "terraform bootstrap apply",
        "terraform bootstrap init (migrate)",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["terraform.tfstate.migrated"]
    assert f"-backend-config=bucket={BUCKET}" in next(call for call in rig.calls if "-migrate-state" in call)


def test_an_interrupted_first_run_is_finished(rig: Rig) -> None:
    """The bucket exists and the state has not moved: it is moved now, not begun anew."""
    folder = rig.stacks / "bootstrap"
    rig.answer("aws s3api head-bucket*", "Not Found (404)", 254)
    rig.answer("terraform * init * -migrate-state*", "no network", 1)
    (folder / "terraform.tfstate").write_text("{}")
    failed = rig.run("bootstrap.sh", *GOOD)
    rig.forget()
    rig.answer("aws s3api head-bucket*")
    rig.answer("terraform * init * -migrate-state*")

    said = rig.run("bootstrap.sh", *GOOD, "--from", "state")

    assert failed.code == 1
    assert said.code == 0, said.err
    assert rig.changes[:3] == [
        "terraform bootstrap init",
        "terraform bootstrap apply",
        "terraform bootstrap init (migrate)",
    ]


def test_a_bucket_that_cannot_be_asked_for_ends_it(rig: Rig) -> None:
    """ "Forbidden" is not "there is none": nothing is begun anew beside an old state."""
    rig.answer(
        "aws s3api head-bucket*", "An error occurred (403) when calling the HeadBucket operation: Forbidden", 254
    )

    said = rig.run("bootstrap.sh", *GOOD)

    assert said.code == 1
    assert said.err.startswith(
        f"bootstrap: whether the bucket {BUCKET} exists cannot be told: "
        "An error occurred (403) when calling the HeadBucket operation: Forbidden\n"
    )
    assert rig.changes == ["make lambda"]


def test_a_failure_in_the_middle_says_how_to_go_on(rig: Rig) -> None:
    """The sentence names the step and the command to type; nothing after the step was begun."""
    rig.answer("terraform -chdir=terraform/stacks/pipeline apply*", "Error: no such zip", 1)

    said = rig.run("bootstrap.sh", *GOOD)

    assert said.code == 1
    assert rig.changes == ALL[: ALL.index("terraform pipeline apply") + 1]
    assert said.err == (
        "Error: no such zip\n"
        "\n"
        "bootstrap: the step pipeline failed (exit 1, see above); the steps before it are done, "
        "those after it not begun.\n"
        "Mend the cause, then go on with:\n"
        "  scripts/bootstrap.sh --region eu-central-1 --yes --allow-from 203.0.113.7/32 --from pipeline\n"
    )


def test_going_on_begins_with_the_step_that_failed(rig: Rig) -> None:
    """What is done is not done again."""
    said = rig.run("bootstrap.sh", *GOOD, "--from", "pipeline")

    assert said.code == 0, said.err
    assert rig.changes == LATER[2:]


def test_who_signed_in_administers_by_role_and_not_by_session(rig: Rig) -> None:
    """The role is asked for with its path, which a session's ARN does not have."""
    rig.run("bootstrap.sh", *GOOD)

    applied = [call for call in rig.calls if call.startswith("terraform -chdir=terraform/stacks/cluster apply")]
    assert all(f'-var=administrators=["arn:aws:iam::{ACCOUNT}:role/people/platform"]' in call for call in applied)


def test_what_was_said_before_stays_when_it_is_not_said_again(rig: Rig) -> None:
    """A colleague who repeats the script takes away neither administrators, addresses nor the repository."""
    (rig.stacks / "cluster" / ".terraform").mkdir()
    rig.answer("terraform * output -json administrators*", '["arn:aws:iam::123456789012:role/first"]')
    rig.answer("terraform * output -json public_access_cidrs*", '["198.51.100.9/32"]')
    rig.answer("terraform * output -json github_repository*", '"acme/runbooks"')

    said = rig.run("bootstrap.sh", *HERE)

    assert said.code == 0, said.err
    applied = "\n".join(call for call in rig.calls if " apply " in call)
    assert '-var=administrators=["arn:aws:iam::123456789012:role/first"]' in applied
    assert '-var=public_access_cidrs=["198.51.100.9/32"]' in applied
    assert "-var=github_repository=acme/runbooks" in applied


def test_no_repository_is_invented(rig: Rig) -> None:
    """Without --github, and without one before, none is set: an empty one would take the workflows' roles away."""
    rig.run("bootstrap.sh", *GOOD)

    assert not any("github_repository" in call for call in rig.calls if " apply " in call)


def test_the_installation_may_say_more_in_a_file(rig: Rig) -> None:
    """Settings in installation.auto.tfvars are left to Terraform."""
    (rig.stacks / "cluster" / "installation.auto.tfvars").write_text("zone_count = 3\n")
    (rig.stacks / "pipeline" / "terraform.tfvars").write_text("network = null\n")

    said = rig.run("bootstrap.sh", *HERE)

    assert said.code == 0, said.err
    applied = [call for call in rig.calls if " apply " in call]
    assert not any("administrators" in call or "public_access_cidrs" in call or "network" in call for call in applied)


def test_the_function_goes_into_the_clusters_network(rig: Rig) -> None:
    """The pipeline gets the network as the cluster stack answers it."""
    rig.run("bootstrap.sh", *GOOD)

    assert any(
        call.startswith("terraform -chdir=terraform/stacks/pipeline apply")
        and '-var=network={"vpc_id":"vpc-1"}' in call
        for call in rig.calls
    )


def test_private_means_no_address(rig: Rig) -> None:
    """--private turns the public endpoint off."""
    rig.run("bootstrap.sh", *HERE, "--private")

    assert any("-var=public_access_cidrs=[] " in call for call in rig.calls)
