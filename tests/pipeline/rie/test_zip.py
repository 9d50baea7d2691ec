"""The built zip in real processes: every handler as it is shipped, from the webhook to the flag and back."""

import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlencode

from tests.pipeline.installation import SHED
from tests.pipeline.rie.deployed import Deployed

Deploy = Callable[..., Deployed]
ASKING = SHED.replace("holdFor: 10m", "holdFor: 1s").replace("mode: auto", "mode: approve")
HEAVY = ("boto3", "botocore", "kubernetes", "pydantic", "jinja2", "yaml", "flask", "rich", "pytest")
LIMIT = 20.0  # seconds of a function; nothing new is begun in the last twelve, and a start may take the rest
PATIENCE = 90.0  # real seconds: several cold starts on a busy machine


def test_an_alert_is_acted_on_and_undone_by_the_functions_of_the_zip(deploy: Deploy) -> None:
    """Webhook, journal, bus, state machine, question, flag, sweep: all through processes that know only the zip."""
    deployed = deploy(runbooks=(ASKING,))
    installed, aws = deployed.installed, deployed.aws
    deployed.run("ingest", "drive", "approve", "sweep")
    alert = installed.fires()

    reply = installed.post(alert)
    aws.settle(PATIENCE)

    assert (reply.status, reply.json()["accepted"]) == (202, 1)
    assert (installed.flag(), installed.execution().status) == ("false", "awaiting_approval")
    (link,) = [message["links"]["approve"] for message in installed.told() if message["event"] == "approval"]
    assert installed.follow(link).status == 200
    assert installed.follow(link, "POST", urlencode({"answer": "approve"})).status == 200
    aws.settle(PATIENCE)
    assert installed.flag() == "true"

    assert installed.post(installed.resolved(alert)).status == 202
    time.sleep(1.1)  # the functions go by the real clock: so long is the change held
    aws.wait_idle(PATIENCE)

    assert installed.writes() == ["false", "true", "false"]
    assert installed.execution().status == "succeeded"
    assert aws.invoke("runbook-engine-sweep", {}).reply == {"overdue": 0, "expired": 0, "pauses_ended": 0}
    assert [call.error for each in deployed.functions.values() for call in each.invocations if call.error] == []


def test_taking_an_alert_in_loads_nothing_heavy(deploy: Deploy) -> None:
    """What the front door does not need is not paid for at its cold start, not even boto3."""
    deployed = deploy()
    installed = deployed.installed
    deployed.run_mortal("census")
    deployed.aws.route("POST /hooks/{scope}", deployed.functions["census"].name)

    reply = installed.post(installed.fires())

    answer = reply.json()
    assert answer["status"] == 202
    assert [name for name in HEAVY if name in answer["modules"]] == []


def test_a_bundle_of_a_bucket_is_used_when_its_digest_is_the_reviewed_one(deploy: Deploy) -> None:
    """The zip stays as it is while runbooks come and go."""
    deployed = deploy()
    deployed.run("ingest", bundle=deployed.put_bundle())
    installed = deployed.installed

    reply = installed.post(installed.fires())

    assert (reply.status, len(reply.json()["executions"])) == (202, 1)


def test_a_bundle_of_a_bucket_is_refused_when_its_digest_is_another(deploy: Deploy) -> None:
    """Who can write to the bucket cannot say what may be done: the function does not start, and says why."""
    deployed = deploy()
    name = deployed.put_bundle(b"something else")
    deployed.run("ingest", bundle=name)
    installed = deployed.installed

    reply = installed.post(installed.fires())

    (call,) = deployed.functions["ingest"].invocations
    assert reply.status == 500
    assert call.error is not None
    assert call.error["errorMessage"] == (
        f"the bundle {name} is not the one that was asked for: its SHA-256 is {sha256(b'something else').hexdigest()}, "
        f"and {installed.digest} is wanted (set the digest when a bundle is uploaded, in the same deployment)"
    )
    assert installed.executions() == ()


def test_a_function_that_uses_up_its_time_is_called_again(deploy: Deploy) -> None:
    """Ended by the emulator in the middle of a change; the next process finds how far it was."""
    deployed = deploy(timeout=LIMIT)
    deployed.run_mortal("drive")
    deployed.hang_at("after-apply")
    installed = deployed.installed

    installed.post(installed.fires())
    deployed.aws.advance(timedelta(minutes=2), PATIENCE)

    errors = {call.error["errorType"] for call in deployed.functions["drive"].invocations if call.error}
    assert errors == {"Sandbox.Timedout"}
    assert installed.writes() == ["false", "true"]
