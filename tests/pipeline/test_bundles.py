"""Bundles: what runs keeps the runbook that it began with, and a function takes no bundle but the reviewed one."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from runbook_engine.entrypoints.aws_lambda.host import build_host
from runbook_engine.entrypoints.settings import InvalidSettings, Settings
from tests.emulators.aws import REGION, Aws
from tests.pipeline.installation import SHED, Installation

Install = Callable[..., Installation]
PATIENT = SHED.replace("holdFor: 10m", "holdFor: 30m").replace('value: "true"', 'value: "most"')
BUCKET = "runbook-engine-bundles"


def redeploy(installed: Installation, runbook: str) -> None:
    """Deploy another bundle; every function begins anew."""
    installed.runbooks = (runbook,)
    installed.digest = installed._compile()
    installed.restart()


def test_a_running_execution_keeps_the_runbook_it_began_with(aws: Aws, install: Install) -> None:
    """The new bundle holds for thirty minutes and sets another value; what runs holds for ten and restores its own."""
    installed = install()
    alert = installed.fires()
    installed.post(alert)
    aws.settle()
    assert installed.flag() == "true"

    redeploy(installed, PATIENT)
    installed.post(installed.resolved(alert))
    aws.advance(timedelta(minutes=11))

    assert installed.writes() == ["false", "true", "false"]
    assert installed.execution().compensation == "undone"


def test_what_starts_after_a_deployment_goes_by_the_new_bundle(aws: Aws, install: Install) -> None:
    """While the old execution is still under way."""
    installed = install()
    alert = installed.fires()
    installed.post(alert)
    aws.settle()

    redeploy(installed, PATIENT)
    installed.post(installed.resolved(alert))
    aws.advance(timedelta(minutes=15))
    installed.post(installed.fires())
    aws.settle()

    assert installed.writes() == ["false", "true", "false", "most"]


def starting(installed: Installation, **environment: str) -> str:
    """Start a function with this environment; return why it refuses."""
    told = {**installed.pipeline.environment, "LAMBDA_TASK_ROOT": str(installed.folder), **environment}
    settings = Settings(environment=told, state=installed.folder / "state", looks_only=True)
    with pytest.raises(InvalidSettings) as caught:
        build_host(settings, acts=False)
    return str(caught.value)


def test_a_bundle_of_the_zip_is_refused_when_another_was_reviewed(install: Install) -> None:
    """A zip and its settings are deployed together, or not at all."""
    installed = install()

    said = starting(installed, RUNBOOK_BUNDLE_DIGEST="0" * 64)

    assert said == (
        f"the bundle bundle.msgpack has the digest {installed.digest[:12]}, and 000000000000 was reviewed "
        "(deploy it together with RUNBOOK_BUNDLE_DIGEST)"
    )


def test_a_bundle_that_is_not_in_the_zip_is_said_with_its_remedy(install: Install) -> None:
    """A typing error in the name of the file."""
    assert starting(install(), RUNBOOK_BUNDLE="bundel.msgpack") == (
        "the bundle bundel.msgpack is not in the zip: No such file or directory (build it with: make lambda)"
    )


@pytest.mark.parametrize("name", [f"s3://{BUCKET}", f"s3://{BUCKET}/", "s3:///key", f"s3://{BUCKET}/key"])
def test_a_bundle_of_a_bucket_needs_a_key_and_a_digest(install: Install, name: str) -> None:
    """Without a digest, whoever can write to the bucket would say what may be done."""
    assert starting(install(), RUNBOOK_BUNDLE=name, RUNBOOK_BUNDLE_DIGEST="") == (
        f"the bundle {name} cannot be fetched (write s3://BUCKET/KEY, and RUNBOOK_BUNDLE_DIGEST beside it)"
    )


def test_a_bundle_of_a_bucket_is_read_by_its_digest(aws: Aws, install: Install) -> None:
    """The file of the zip is not looked at."""
    installed = install()
    path = installed.folder / "bundle.msgpack"
    store = aws.client("s3")
    store.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    store.put_object(Bucket=BUCKET, Key="bundles/one", Body=path.read_bytes())
    path.unlink()
    told = {
        **installed.pipeline.environment,
        "LAMBDA_TASK_ROOT": str(installed.folder),
        "RUNBOOK_BUNDLE": f"s3://{BUCKET}/bundles/one",
        "RUNBOOK_BUNDLE_DIGEST": installed.digest,
    }

    host = build_host(Settings(environment=told, state=installed.folder / "state", looks_only=True), acts=False)

    assert [scope.name for scope in host.configuration.scopes] == ["alertmanager", "alarms"]
