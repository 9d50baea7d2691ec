"""What only Systems Manager has: pinned versions, tokens that are UUIDs, and many words for the state of a run."""

from __future__ import annotations

import botocore.session
import pytest

from runbook_adapters.ssm_automation import ADAPTER
from runbook_adapters.ssm_automation.reader import STATUSES
from runbook_adapters.ssm_automation.writer import client_token
from runbook_engine.errors import Conflict, EffectUnknown, NoAdapter, Permanent, Retryable, RunbookError, Unreadable
from tests.contract.automations.automations_contract import ARGUMENTS, TEMPLATE, TOKEN
from tests.contract.automations.rigs import SsmAutomationRig

START = "StartAutomationExecution"
GET = "GetAutomationExecution"


def start(rig: SsmAutomationRig) -> str:
    """Start the automation as a runbook does, and return its run."""
    return str(rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN)["run"])


def test_pinned_version_is_asked_for_when_started(ssm_rig: SsmAutomationRig) -> None:
    """What was reviewed is what runs, as whom engine.yaml says, with what it fixes."""
    start(ssm_rig)

    (request,) = ssm_rig.service.started
    assert {
        "DocumentName": "AWS-RestartEC2Instance",
        "DocumentVersion": "1",
        "Parameters": {
            "InstanceId": ["i-0123456789"],
            "Reason": ["runbook"],
            "AutomationAssumeRole": ["arn:aws:iam::123456789012:role/reboot"],
        },
        "ClientToken": TOKEN,
    } == request


@pytest.mark.parametrize("name", ["Reason", "AutomationAssumeRole", "Other"], ids=["fixed", "the role", "undeclared"])
def test_parameter_is_refused_when_no_runbook_may_set_it(ssm_rig: SsmAutomationRig, name: str) -> None:
    """Only what is declared comes from a runbook."""
    with pytest.raises(Permanent) as caught:
        ssm_rig.writer.start("reboot", {**ARGUMENTS, name: "x"}, digest=TEMPLATE.digest, token=TOKEN)

    assert (
        f"automation reboot takes no parameter {name}; it takes InstanceId "
        "(declare it under automations in engine.yaml)" == str(caught.value)
    )
    assert [] == ssm_rig.service.started


def test_run_is_started_once_when_the_answer_is_lost(ssm_rig: SsmAutomationRig) -> None:
    """In doubt at first; the same token finds it."""
    ssm_rig.service.answers_are_lost = True
    with pytest.raises(EffectUnknown):
        start(ssm_rig)
    ssm_rig.service.answers_are_lost = False

    run = start(ssm_rig)

    assert 1 == len(ssm_rig.service.started)
    assert ssm_rig.reader.run("reboot", run) is not None


def test_start_conflicts_when_the_token_was_used_for_something_else(ssm_rig: SsmAutomationRig) -> None:
    """Nothing else is started under it."""
    start(ssm_rig)

    with pytest.raises(Conflict) as caught:
        ssm_rig.writer.start("reboot", {"InstanceId": "i-other"}, digest=TEMPLATE.digest, token=TOKEN)

    assert "automation reboot was started with this token and other parameters; nothing was started" == str(
        caught.value
    )


def test_start_conflicts_when_the_template_is_another_one(ssm_rig: SsmAutomationRig) -> None:
    """Nobody has approved what it is now."""
    with pytest.raises(Conflict) as caught:
        ssm_rig.writer.start("reboot", ARGUMENTS, digest="0" * 12, token=TOKEN)

    assert (
        "automation reboot of engine.yaml is another one now than the one that was approved; nothing was started"
        == str(caught.value)
    )
    assert [] == ssm_rig.service.started


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        pytest.param("AutomationExecutionLimitExceededException", 400, Retryable, id="too many run"),
        pytest.param("ThrottlingException", 400, Retryable, id="throttled"),
        pytest.param("AccessDeniedException", 400, Permanent, id="denied"),
        pytest.param("InvalidAutomationExecutionParametersException", 400, Permanent, id="wrong parameters"),
        pytest.param("AutomationDefinitionVersionNotFoundException", 400, Permanent, id="no such version"),
        pytest.param("InternalServerError", 500, EffectUnknown, id="broken"),
    ],
)
def test_start_fails_as_aws_says_when_it_does(
    ssm_rig: SsmAutomationRig, code: str, status: int, error: type[RunbookError]
) -> None:
    """What the engine does next depends on the kind of the error alone."""
    ssm_rig.touching.refuse(START, code, status=status)

    with pytest.raises(error):
        start(ssm_rig)


def test_start_names_the_document_when_there_is_none(ssm_rig: SsmAutomationRig) -> None:
    """The remedy is in engine.yaml."""
    ssm_rig.touching.refuse(START, "AutomationDefinitionNotFoundException")

    with pytest.raises(Permanent) as caught:
        start(ssm_rig)

    assert (
        "cannot start automation reboot: version 1 of document AWS-RestartEC2Instance does not exist "
        "(correct it in engine.yaml)" == str(caught.value)
    )


def test_every_status_is_known_when_aws_has_it() -> None:
    """A word that the service model has and we do not would leave a run unreadable."""
    model = botocore.session.get_session().get_service_model("ssm")

    assert set(model.shape_for("AutomationExecutionStatus").enum) == set(STATUSES)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            {"AutomationExecutionStatus": "PendingApproval", "CurrentStepName": "ask"},
            ("running", "PendingApproval at step ask"),
            id="waits for a person",
        ),
        pytest.param(
            {
                "AutomationExecutionStatus": "TimedOut",
                "CurrentStepName": "reboot",
                "FailureMessage": "Step timed out\n  after 600 s",
            },
            ("failed", "TimedOut at step reboot: Step timed out after 600 s"),
            id="timed out",
        ),
        pytest.param({"AutomationExecutionStatus": "CompletedWithSuccess"}, ("succeeded", ""), id="succeeded"),
        pytest.param({"AutomationExecutionStatus": "Rejected"}, ("failed", "Rejected"), id="rejected"),
    ],
)
def test_run_says_where_it_stands_when_asked(
    ssm_rig: SsmAutomationRig, told: dict[str, str], expected: tuple[str, str]
) -> None:
    """The step, and what went wrong, on one line."""
    run_id = start(ssm_rig)
    ssm_rig.service.tell(**told)

    run = ssm_rig.reader.run("reboot", run_id)

    assert run is not None
    assert expected == (run.status, run.reason)


def test_run_is_unreadable_when_its_status_is_new(ssm_rig: SsmAutomationRig) -> None:
    """What is not understood has not succeeded."""
    run = start(ssm_rig)
    ssm_rig.service.tell(AutomationExecutionStatus="Paused")

    with pytest.raises(Unreadable) as caught:
        ssm_rig.reader.run("reboot", run)

    assert f"run {run} of automation reboot has status Paused, which is not known here" == str(caught.value)


def test_run_is_unreadable_when_it_may_not_be_looked_at(ssm_rig: SsmAutomationRig) -> None:
    """Denied is not absent."""
    run = start(ssm_rig)
    ssm_rig.looking.refuse(GET, "AccessDeniedException")

    with pytest.raises(Unreadable, match=f"^run {run} of automation reboot cannot be read: AccessDeniedException: no"):
        ssm_rig.reader.run("reboot", run)


@pytest.mark.parametrize("token", ["e-7/step-2", "", TOKEN.upper()], ids=["a key", "empty", "a UUID"])
def test_token_is_a_uuid_whatever_it_is_made_of(token: str) -> None:
    """AWS takes no others; the same one comes of the same one."""
    made = client_token(token)

    assert made == client_token(token)
    assert 36 == len(made)
    assert made != client_token(token + "x")


def test_probe_finds_every_pinned_document_when_it_is_there(ssm_rig: SsmAutomationRig) -> None:
    """A document that is not there is known before the incident, not in it."""
    assert ssm_rig.probe is not None
    ssm_rig.looking.answer("DescribeDocument", {"Document": {}})
    assert "answers, and knows the pinned documents: 1" == ssm_rig.probe()

    ssm_rig.looking.refuse("DescribeDocument", "InvalidDocumentVersion")
    with pytest.raises(Unreadable) as caught:
        ssm_rig.probe()

    assert (
        "version 1 of document AWS-RestartEC2Instance (automation reboot) does not exist "
        "(correct document and version in engine.yaml)" == str(caught.value)
    )


def test_adapter_is_refused_when_it_does_not_serve_the_port(ssm_rig: SsmAutomationRig) -> None:
    """It says what it does serve."""
    with pytest.raises(NoAdapter) as caught:
        ssm_rig.bed.serve(ADAPTER, "flags")

    assert "ssmAutomation does not serve flags (it serves automations)" == str(caught.value)
