"""The environment of a function: the contract of settings, and what only Lambda has."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import msgspec
import pytest

from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, Permanent, Retryable, RunbookError, Unreadable
from runbook_engine.model.target import Target
from runbook_engine.ports import SettingReader, SettingWriter
from tests.contract.functions.lambda_rig import NAME, LambdaRig
from tests.contract.settings_contract import SettingsContract

UPDATE = "UpdateFunctionConfiguration"


@dataclass
class EnvironmentRig:
    """One entry of the environment of a function."""

    reader: SettingReader
    writer: SettingWriter
    target: Target
    key: str
    text: str
    absent: str

    def settle(self) -> None:
        """Nothing of moto takes time."""


class TestLambdaEnvironment(SettingsContract):
    """The environment of a function over moto."""

    @pytest.fixture
    def rig(self, lambda_rig: LambdaRig) -> EnvironmentRig:
        """A function of which one entry is set."""
        found = lambda_rig
        return EnvironmentRig(
            found.setting_reader, found.setting_writer, found.function, found.key, found.text, found.absent
        )


def write(rig: LambdaRig, text: str | None = "on") -> object:
    """Set the one entry as a runbook does."""
    return rig.setting_writer.write(rig.function, rig.key, text, expected="off")


def test_other_entries_stay_when_one_is_written(lambda_rig: LambdaRig) -> None:
    """Lambda replaces the whole map, so the whole map is written."""
    write(lambda_rig)

    assert {"FAIL_MODE": "on", "PASSWORD": "hunter2"} == lambda_rig.environment()


def test_other_entries_stay_when_one_is_removed(lambda_rig: LambdaRig) -> None:
    """What is left is all the rest."""
    write(lambda_rig, None)

    assert {"PASSWORD": "hunter2"} == lambda_rig.environment()


def test_both_writes_stay_when_another_entry_is_written_in_between(lambda_rig: LambdaRig) -> None:
    """The revision has moved, the entry has not: the next look takes the other one along."""
    other = {"FAIL_MODE": "off", "PASSWORD": "hunter3"}
    lambda_rig.touching.before(UPDATE, lambda: _set(lambda_rig, other))

    write(lambda_rig)

    assert {"FAIL_MODE": "on", "PASSWORD": "hunter3"} == lambda_rig.environment()


def test_the_other_write_stays_when_the_entry_itself_is_written_in_between(lambda_rig: LambdaRig) -> None:
    """Somebody else was faster."""
    lambda_rig.touching.before(UPDATE, lambda: _set(lambda_rig, {"FAIL_MODE": "half"}))

    with pytest.raises(Conflict, match=r"^FAIL_MODE of function/orders has been changed by somebody else; nothing was"):
        write(lambda_rig)

    assert {"FAIL_MODE": "half"} == lambda_rig.environment()


def test_write_ends_in_conflict_when_the_revision_never_stands_still(lambda_rig: LambdaRig) -> None:
    """There is an end to looking again."""
    lambda_rig.touching.refuse(UPDATE, "PreconditionFailedException", status=412, times=99)

    with pytest.raises(Conflict) as caught:
        write(lambda_rig)

    assert (
        "the environment of function/orders is being changed again and again by somebody else; nothing was overwritten"
        == str(caught.value)
    )


def test_entry_is_written_once_when_the_answer_is_lost(lambda_rig: LambdaRig) -> None:
    """The next look finds it, and nothing is sent twice."""
    lambda_rig.touching.count(UPDATE)
    lambda_rig.touching.lose_answer(UPDATE)

    receipt = write(lambda_rig)

    assert receipt
    assert {UPDATE: 1} == lambda_rig.touching.sent
    assert "on" == lambda_rig.environment()["FAIL_MODE"]


def test_write_is_in_doubt_when_the_answer_is_lost_and_nothing_is_to_be_seen(lambda_rig: LambdaRig) -> None:
    """It may still be on its way."""
    lambda_rig.touching.refuse(UPDATE, "ServiceException", status=500)

    with pytest.raises(EffectUnknown):
        write(lambda_rig)


def test_write_waits_when_an_update_is_in_progress(lambda_rig: LambdaRig) -> None:
    """Lambda takes one update at a time; nothing was sent."""
    live = lambda_rig.client.get_function_configuration(FunctionName=NAME)
    lambda_rig.looking.answer("GetFunctionConfiguration", {**live, "LastUpdateStatus": "InProgress"})
    lambda_rig.touching.count(UPDATE)

    with pytest.raises(Retryable, match=r"^cannot change function/orders now: an update of it is in progress$"):
        write(lambda_rig)

    assert {} == lambda_rig.touching.sent


def test_write_waits_when_lambda_says_that_it_is_busy(lambda_rig: LambdaRig) -> None:
    """ResourceConflictException is passing, and nothing was done."""
    lambda_rig.touching.refuse(UPDATE, "ResourceConflictException", status=409)

    with pytest.raises(Retryable, match=r"^cannot change function/orders now: another update of it is in progress$"):
        write(lambda_rig)


@pytest.fixture
def hidden(lambda_rig: LambdaRig) -> LambdaRig:
    """A function whose environment Lambda could not decrypt for us."""
    live = lambda_rig.client.get_function_configuration(FunctionName=NAME)
    error = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "Lambda was unable to decrypt"}}
    lambda_rig.looking.answer("GetFunctionConfiguration", {**live, "Environment": error}, times=9)
    return lambda_rig


HIDDEN = (
    "the environment of function/orders cannot be read: Lambda answers AccessDeniedException for it "
    "(let the engine's role decrypt with the function's KMS key)"
)


def test_setting_is_unreadable_when_the_environment_is_hidden(hidden: LambdaRig) -> None:
    """Hidden is not absent."""
    with pytest.raises(Unreadable) as caught:
        hidden.setting_reader.setting(hidden.function, hidden.key)

    assert HIDDEN == str(caught.value)


def test_write_is_refused_when_the_environment_is_hidden(hidden: LambdaRig) -> None:
    """Writing one entry would wipe all others."""
    with pytest.raises(Permanent) as caught:
        hidden.setting_writer.write(hidden.function, hidden.absent, "on", expected=None)

    assert HIDDEN == str(caught.value)
    assert {"FAIL_MODE": "off", "PASSWORD": "hunter2"} == hidden.environment()


ALIAS = (
    "the environment of function/orders:live never changes: an alias points to a published version "
    "(name function orders without the alias, or let the alias point to another version)"
)


def test_setting_is_refused_when_the_target_is_an_alias(lambda_rig: LambdaRig) -> None:
    """What an alias runs was frozen when it was published."""
    with pytest.raises(InvalidTarget) as read:
        lambda_rig.setting_reader.setting(lambda_rig.target, lambda_rig.key)
    with pytest.raises(Permanent) as written:
        lambda_rig.setting_writer.write(lambda_rig.target, lambda_rig.key, "on", expected="off")

    assert [ALIAS, ALIAS] == [str(read.value), str(written.value)]


def test_setting_is_refused_when_the_key_names_a_container(lambda_rig: LambdaRig) -> None:
    """A function has none."""
    with pytest.raises(InvalidTarget) as caught:
        lambda_rig.setting_reader.setting(lambda_rig.function, "env:main/FAIL_MODE")

    assert (
        "'env:main/FAIL_MODE' names no entry of function/orders (write env:/NAME: a function has no containers)"
        == str(caught.value)
    )


def test_setting_is_refused_when_the_target_is_no_function(lambda_rig: LambdaRig) -> None:
    """A deployment is a cluster's."""
    deployment = Target("deployment", "", "apps", "orders")

    with pytest.raises(InvalidTarget, match=r"^apps/deployment/orders names no function"):
        lambda_rig.setting_reader.setting(deployment, lambda_rig.key)


def test_write_is_refused_when_lambda_names_no_revision(lambda_rig: LambdaRig) -> None:
    """Without one, a change would overwrite whatever came in between."""
    live = lambda_rig.client.get_function_configuration(FunctionName=NAME)
    bare = {key: value for key, value in live.items() if key != "RevisionId"}
    lambda_rig.looking.answer("GetFunctionConfiguration", bare)

    with pytest.raises(Permanent) as caught:
        write(lambda_rig)

    assert "cannot change function/orders: Lambda named no revision to hold the change to" == str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        pytest.param(
            "InvalidParameterValueException",
            400,
            "cannot set FAIL_MODE of function/orders: Lambda refuses the change with InvalidParameterValueException "
            "(an environment has 4 KB and no reserved names)",
            id="refused",
        ),
        pytest.param(
            "ServiceException",
            500,
            "cannot set FAIL_MODE of function/orders: ServiceException: it may be done or not",
            id="broken",
        ),
        pytest.param(
            "TooManyRequestsException",
            429,
            "cannot set FAIL_MODE of function/orders now: TooManyRequestsException",
            id="throttled",
        ),
        pytest.param(
            "ResourceConflictException",
            409,
            "cannot change function/orders now: another update of it is in progress",
            id="busy",
        ),
    ],
)
def test_no_value_is_told_when_lambda_quotes_it(lambda_rig: LambdaRig, code: str, status: int, says: str) -> None:
    """Neither the sentence nor what it is chained to shows a secret."""
    lambda_rig.touching.refuse(
        UPDATE, code, status=status, says="1 validation error at 'environment': {PASSWORD=hunter2}"
    )

    with pytest.raises(RunbookError) as caught:
        write(lambda_rig)

    assert says == str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_no_value_is_told_when_another_one_was_expected(lambda_rig: LambdaRig) -> None:
    """A conflict names the entry only."""
    with pytest.raises(Conflict) as caught:
        lambda_rig.setting_writer.write(lambda_rig.function, "env:/PASSWORD", "s3cret", expected="wrong")

    told = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in ("hunter2", "s3cret") if secret in told.replace('"s3cret", expected', "")]


def test_write_conflicts_when_the_function_is_of_another_account(lambda_rig: LambdaRig) -> None:
    """The ARN is what a function is known by."""
    elsewhere = msgspec.structs.replace(lambda_rig.function, uid=lambda_rig.arn.replace("123456789012", "210987654321"))

    with pytest.raises(Conflict, match=r"^function/orders is another function than the one that was looked at"):
        lambda_rig.setting_writer.write(elsewhere, lambda_rig.key, "on", expected="off")


def _set(rig: LambdaRig, variables: dict[str, str]) -> None:
    rig.client.update_function_configuration(FunctionName=NAME, Environment={"Variables": variables})
