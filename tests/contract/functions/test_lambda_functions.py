"""What only Lambda has: revisions, weights, the account's concurrency, callers that go round the alias, tags."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_adapters.lambda_function import ADAPTER
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, NoAdapter, Permanent, Retryable, Unreadable
from runbook_engine.model.target import Target
from tests.contract.functions.bed import Bed
from tests.contract.functions.lambda_rig import NAME, LambdaRig

MOVE = "UpdateAlias"
RESERVE = "PutFunctionConcurrency"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_function_says_whose_it_is_when_its_tags_say_so(lambda_rig: LambdaRig) -> None:
    """The service is what budgets count by, and what else deploys it is a warning."""
    function = lambda_rig.reader.function(lambda_rig.target)

    assert ("shop", "terraform") == (function.service, function.managed)
    assert lambda_rig.arn == function.target.uid


@pytest.mark.parametrize(
    ("tags", "managed"),
    [
        pytest.param({"aws:cloudformation:stack-name": "web"}, "CloudFormation stack web", id="a stack"),
        pytest.param({"managed_by": "OpenTofu 1.9"}, "opentofu", id="with a version"),
        pytest.param({"terraform": "true"}, "terraform", id="a flag"),
        pytest.param({"terraform": "false"}, "", id="a flag that says no"),
        pytest.param({"ManagedBy": "hand"}, "", id="by nobody known"),
        pytest.param({}, "", id="no tags"),
    ],
)
def test_deployer_is_known_when_tags_name_it(lambda_rig: LambdaRig, tags: dict[str, str], managed: str) -> None:
    """Only what a tag says is said."""
    lambda_rig.looking.answer("ListTags", {"Tags": tags})

    assert managed == lambda_rig.reader.function(lambda_rig.target).managed


def test_versions_are_told_with_time_and_words_when_published(lambda_rig: LambdaRig) -> None:
    """What a person would choose one by."""
    newest = lambda_rig.reader.function(lambda_rig.target).versions[0]

    assert "third" == newest.summary
    assert newest.released_at is not None
    assert newest.released_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        pytest.param(
            "2026-03-01T03:07:00.250+0000", datetime(2026, 3, 1, 3, 7, 0, 250_000, tzinfo=UTC), id="as AWS does"
        ),
        pytest.param("2026-03-01T03:07:00", None, id="no zone"),
        pytest.param("last week", None, id="no time"),
    ],
)
def test_time_of_a_version_is_told_when_it_can_be_read(
    lambda_rig: LambdaRig, written: str, at: datetime | None
) -> None:
    """An unknown time is unknown, and never now."""
    versions = [{"Version": "3", "LastModified": written}]
    lambda_rig.looking.answer("ListVersionsByFunction", {"Versions": versions})

    (newest,) = lambda_rig.reader.function(lambda_rig.target).versions

    assert at == newest.released_at


def test_versions_are_ordered_by_number_when_there_are_more_than_nine(lambda_rig: LambdaRig) -> None:
    """Ten comes after nine."""
    for number in range(4, 12):
        lambda_rig.release(f"release {number}")

    numbers = [revision.number for revision in lambda_rig.reader.function(lambda_rig.target).versions]

    assert [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1] == numbers


def test_versions_are_read_to_the_last_page_when_there_are_several(lambda_rig: LambdaRig) -> None:
    """Lambda lists fifty at a time, in an order that nothing promises."""
    pages = lambda_rig.client.list_versions_by_function(FunctionName=NAME)["Versions"]
    lambda_rig.looking.answer("ListVersionsByFunction", {"Versions": [pages[1], pages[3], pages[0]], "NextMarker": "2"})
    lambda_rig.looking.answer("ListVersionsByFunction", {"Versions": pages[2:3]})

    assert [3, 2, 1] == [each.number for each in lambda_rig.reader.function(lambda_rig.target).versions]


def test_version_is_left_out_when_it_is_the_live_one_again(lambda_rig: LambdaRig) -> None:
    """Returning to what runs already would mend nothing."""
    same = lambda_rig.release("second")
    again = lambda_rig.release("third")
    lambda_rig.client.update_alias(FunctionName=NAME, Name="live", FunctionVersion=str(again))

    numbers = [revision.number for revision in lambda_rig.reader.function(lambda_rig.target).versions]

    assert [again, same, 2, 1] == numbers


def test_version_stays_when_only_its_environment_differs(lambda_rig: LambdaRig) -> None:
    """The same code with other settings is another release."""
    lambda_rig.client.update_function_configuration(FunctionName=NAME, Environment={"Variables": {"FAIL_MODE": "on"}})
    newest = int(lambda_rig.client.publish_version(FunctionName=NAME)["Version"])
    lambda_rig.client.update_alias(FunctionName=NAME, Name="live", FunctionVersion=str(newest))

    assert [4, 3, 2, 1] == [each.number for each in lambda_rig.reader.function(lambda_rig.target).versions]


def test_version_stays_when_its_environment_is_hidden(lambda_rig: LambdaRig) -> None:
    """Without its key Lambda shows no environment: then nobody can tell that two versions are the same."""
    hidden = {"Environment": {"Error": {"ErrorCode": "AccessDeniedException", "Message": "no"}}, "CodeSha256": "same"}
    versions = [{"Version": number, **hidden} for number in ("$LATEST", "1", "2", "3")]
    lambda_rig.looking.answer("ListVersionsByFunction", {"Versions": versions})

    assert [3, 2, 1] == [each.number for each in lambda_rig.reader.function(lambda_rig.target).versions]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param({"State": "Active"}, ("active", ""), id="active"),
        pytest.param({"State": "Inactive"}, ("active", ""), id="idle"),
        pytest.param(
            {"State": "Pending", "StateReason": "The function is being created."},
            ("updating", "The function is being created."),
            id="being created",
        ),
        pytest.param({"LastUpdateStatus": "InProgress"}, ("updating", "an update of it is in progress"), id="updating"),
        pytest.param(
            {
                "LastUpdateStatus": "Failed",
                "LastUpdateStatusReason": "The role cannot be assumed.",
                "LastUpdateStatusReasonCode": "InsufficientRolePermissions",
            },
            ("failed", "InsufficientRolePermissions: The role cannot be assumed."),
            id="update failed",
        ),
        pytest.param({"State": "Failed"}, ("failed", "it is Failed"), id="failed"),
        pytest.param({"State": "Deleting"}, ("failed", "it is Deleting"), id="going away"),
    ],
)
def test_state_is_told_when_lambda_says_it(
    lambda_rig: LambdaRig, answer: dict[str, str], expected: tuple[str, str]
) -> None:
    """What Lambda distinguishes is what a runbook may wait for."""
    live = lambda_rig.client.get_function_configuration(FunctionName=NAME, Qualifier="live")
    lambda_rig.looking.answer("GetFunctionConfiguration", {**live, "LastUpdateStatus": "Successful", **answer})

    function = lambda_rig.reader.function(lambda_rig.target)

    assert expected == (function.state, function.reason)


def _permit(rig: LambdaRig, principal: str, **more: Any) -> None:
    permission = {"Action": "lambda:InvokeFunction", "StatementId": principal.partition(".")[0].strip("*") or "all"}
    rig.client.add_permission(FunctionName=NAME, Principal=principal, **permission, **more)


def test_alias_is_bypassed_when_an_api_may_call_the_function(lambda_rig: LambdaRig) -> None:
    """What the alias says does not reach such callers."""
    _permit(lambda_rig, "apigateway.amazonaws.com")
    _permit(lambda_rig, "events.amazonaws.com")

    assert (
        "apigateway.amazonaws.com, events.amazonaws.com may call orders without the alias"
        == lambda_rig.reader.function(lambda_rig.target).bypassed
    )


def test_alias_is_bypassed_when_everybody_may_call_the_url(lambda_rig: LambdaRig) -> None:
    """A public function URL of the function itself."""
    _permit(lambda_rig, "*", FunctionUrlAuthType="NONE")

    assert lambda_rig.reader.function(lambda_rig.target).bypassed.startswith("everybody may call orders")


def test_alias_is_not_bypassed_when_only_it_may_be_called(lambda_rig: LambdaRig) -> None:
    """A policy may allow other things than calls, or nothing."""
    lambda_rig.client.add_permission(
        FunctionName=NAME, StatementId="look", Action="lambda:GetFunction", Principal="123456789012"
    )

    assert "" == lambda_rig.reader.function(lambda_rig.target).bypassed


@pytest.mark.parametrize(
    ("function", "enabled", "bypassed"),
    [
        pytest.param(NAME, True, "jobs may call orders without the alias", id="the function"),
        pytest.param(NAME, False, "", id="switched off"),
        pytest.param(f"{NAME}:live", True, "", id="the alias"),
    ],
)
def test_alias_is_bypassed_when_a_queue_feeds_the_function(
    lambda_rig: LambdaRig, function: str, enabled: bool, bypassed: str
) -> None:
    """An event source mapping on the alias follows it; one on the function does not."""
    mapping = {
        "FunctionArn": lambda_rig.arn.replace(NAME, function),
        "EventSourceArn": "arn:aws:sqs:eu-central-1:123456789012:jobs",
        "State": "Enabled" if enabled else "Disabled",
    }
    lambda_rig.looking.answer("ListEventSourceMappings", {"EventSourceMappings": [mapping]})

    assert bypassed == lambda_rig.reader.function(lambda_rig.target).bypassed


def test_function_is_unreadable_when_its_policy_is(lambda_rig: LambdaRig) -> None:
    """Who cannot tell whether the alias is bypassed says no."""
    lambda_rig.looking.refuse("GetPolicy", "AccessDeniedException", status=403, times=9)

    with pytest.raises(Unreadable, match=r"^the policy of function orders cannot be read: AccessDeniedException: no"):
        lambda_rig.reader.function(lambda_rig.target)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param(
            "orders:7",
            "function/orders:7 names a published version, which never changes (name an alias)",
            id="a version",
        ),
        pytest.param("", "function names no function (write NAME or NAME:ALIAS)", id="nothing"),
        pytest.param("orders:", "function/orders: names no alias (write NAME or NAME:ALIAS)", id="an empty alias"),
        pytest.param(
            "arn:aws:lambda:eu-central-1:1:function:orders",
            "function/arn:aws:lambda:eu-central-1:1:function:orders names no alias (write NAME or NAME:ALIAS)",
            id="an ARN",
        ),
        pytest.param("../orders", "function/../orders names no function (write NAME or NAME:ALIAS)", id="a path"),
        pytest.param(
            "orders:live:x", "function/orders:live:x names no alias (write NAME or NAME:ALIAS)", id="two colons"
        ),
        pytest.param(
            "nothing:live",
            "function nothing or its alias live does not exist (check the name, the account and the region)",
            id="unknown",
        ),
    ],
)
def test_name_is_refused_when_it_names_no_function(lambda_rig: LambdaRig, name: str, says: str) -> None:
    """A name comes from an alert, so it is only ever a name."""
    with pytest.raises(InvalidTarget) as caught:
        lambda_rig.reader.function(Target("function", "", "", name))

    assert says == str(caught.value)


def test_alias_stays_when_it_was_moved_in_between(lambda_rig: LambdaRig) -> None:
    """The revision shows what the first look could not."""
    lambda_rig.touching.before(
        MOVE, lambda: lambda_rig.client.update_alias(FunctionName=NAME, Name="live", FunctionVersion="1")
    )

    with pytest.raises(Conflict) as caught:
        lambda_rig.writer.point(lambda_rig.target, 2, expected=3)

    assert "function/orders:live points to version 1 by now and not to version 3; nothing was changed" == str(
        caught.value
    )
    assert "1" == lambda_rig.alias()["FunctionVersion"]


def test_alias_moves_when_only_its_description_was_changed_in_between(lambda_rig: LambdaRig) -> None:
    """Another revision alone is no conflict: the next look says so."""
    lambda_rig.touching.before(
        MOVE, lambda: lambda_rig.client.update_alias(FunctionName=NAME, Name="live", Description="live traffic")
    )

    lambda_rig.writer.point(lambda_rig.target, 2, expected=3)

    alias = lambda_rig.alias()
    assert ("2", "live traffic") == (alias["FunctionVersion"], alias["Description"])


def test_alias_moves_once_when_the_answer_is_lost(lambda_rig: LambdaRig) -> None:
    """The next look finds it, and nothing is sent twice."""
    lambda_rig.touching.count(MOVE)
    lambda_rig.touching.lose_answer(MOVE)

    receipt = lambda_rig.writer.point(lambda_rig.target, 2, expected=3)

    assert lambda_rig.alias()["RevisionId"] == receipt["revisionId"]
    assert {MOVE: 1} == lambda_rig.touching.sent


def test_move_is_in_doubt_when_nobody_can_look(lambda_rig: LambdaRig) -> None:
    """Neither done nor not done."""
    lambda_rig.touching.lose_answer(MOVE)
    looking = lambda_rig.looking
    lambda_rig.touching.before(MOVE, lambda: looking.refuse("GetAlias", "ServiceException", status=500))

    with pytest.raises(EffectUnknown):
        lambda_rig.writer.point(lambda_rig.target, 2, expected=3)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        pytest.param("ResourceConflictException", 409, Retryable, id="busy"),
        pytest.param("TooManyRequestsException", 429, Retryable, id="throttled"),
        pytest.param("AccessDeniedException", 403, Permanent, id="denied"),
        pytest.param("InvalidParameterValueException", 400, Permanent, id="refused"),
        pytest.param("ServiceException", 500, EffectUnknown, id="broken"),
    ],
)
def test_move_fails_as_lambda_says_when_it_does(
    lambda_rig: LambdaRig, code: str, status: int, error: type[Exception]
) -> None:
    """What the engine does next depends on the kind of the error alone."""
    lambda_rig.touching.refuse(MOVE, code, status=status)

    with pytest.raises(error):
        lambda_rig.writer.point(lambda_rig.target, 2, expected=3)

    assert "3" == lambda_rig.alias()["FunctionVersion"]


def test_alias_is_not_touched_when_it_cannot_be_looked_at(lambda_rig: LambdaRig) -> None:
    """Throttled is passing, and denied is not."""
    lambda_rig.looking.refuse("GetAlias", "TooManyRequestsException", status=429)
    with pytest.raises(Retryable):
        lambda_rig.writer.point(lambda_rig.target, 2, expected=3)

    lambda_rig.looking.refuse("GetAlias", "AccessDeniedException", status=403)
    with pytest.raises(Permanent):
        lambda_rig.writer.point(lambda_rig.target, 2, expected=3)


@pytest.mark.parametrize(
    ("state", "error", "says"),
    [
        pytest.param(
            {"State": "Failed", "StateReason": "The subnet is gone."},
            Permanent,
            "version 2 of function orders cannot be called: The subnet is gone. (name another one)",
            id="broken",
        ),
        pytest.param(
            {"State": "Pending", "StateReason": "The function is being created."},
            Retryable,
            "version 2 of function orders is not ready: The function is being created.",
            id="not ready yet",
        ),
    ],
)
def test_alias_stays_when_the_version_cannot_be_called(
    lambda_rig: LambdaRig, state: dict[str, str], error: type[Exception], says: str
) -> None:
    """An older release may not be there any more in all its parts."""
    live = lambda_rig.client.get_function_configuration(FunctionName=NAME, Qualifier="2")
    lambda_rig.looking.answer("GetFunctionConfiguration", {**live, **state}, times=2)

    with pytest.raises(error, match=f"^{re.escape(says)}$"):
        lambda_rig.writer.point(lambda_rig.target, 2, expected=3)
    with pytest.raises(error):
        lambda_rig.writer.shift(lambda_rig.target, "2=10", expected="", version=3)

    assert "3" == lambda_rig.alias()["FunctionVersion"]


def test_alias_returns_to_the_unpublished_code_when_it_came_from_there(lambda_rig: LambdaRig) -> None:
    """An undo restores what was, even where that was no release."""
    lambda_rig.client.update_alias(FunctionName=NAME, Name="live", FunctionVersion="$LATEST")
    lambda_rig.writer.point(lambda_rig.target, 3, expected=0)

    lambda_rig.writer.point(lambda_rig.target, 0, expected=3)

    assert "$LATEST" == lambda_rig.alias()["FunctionVersion"]


def test_share_is_refused_when_the_alias_is_the_unpublished_code(lambda_rig: LambdaRig) -> None:
    """Lambda shares calls between published versions only."""
    lambda_rig.client.update_alias(FunctionName=NAME, Name="live", FunctionVersion="$LATEST")

    with pytest.raises(Permanent) as caught:
        lambda_rig.writer.shift(lambda_rig.target, "2=10", expected="", version=0)

    assert (
        "function/orders:live points to the unpublished code, which shares no calls (let it point to a version first)"
        == str(caught.value)
    )


@pytest.mark.parametrize("canary", ["2", "2=", "=10", "2=101", "2=-1", "2=ten", "$LATEST=10", "02=10"], ids=repr)
def test_canary_is_refused_when_it_can_be_none(lambda_rig: LambdaRig, canary: str) -> None:
    """A canary is a published version and a percentage."""
    with pytest.raises(Permanent) as caught:
        lambda_rig.writer.shift(lambda_rig.target, canary, expected="", version=3)

    assert f"{canary!r} is no canary (write VERSION=PERCENT as in 8=10, or nothing for none)" == str(caught.value)


def test_weights_are_as_lambda_wants_them_when_shifted(lambda_rig: LambdaRig) -> None:
    """A share of one, not a percentage, and an abort leaves nothing behind."""
    lambda_rig.writer.shift(lambda_rig.target, "2=12.5", expected="", version=3)
    assert {"2": 0.125} == lambda_rig.alias()["RoutingConfig"]["AdditionalVersionWeights"]

    lambda_rig.writer.shift(lambda_rig.target, "", expected="2=12.50", version=3)
    assert {} == lambda_rig.alias()["RoutingConfig"]["AdditionalVersionWeights"]


def test_reservation_is_made_once_when_the_answer_is_lost(lambda_rig: LambdaRig) -> None:
    """Read back, and not sent twice."""
    lambda_rig.touching.count(RESERVE)
    lambda_rig.touching.lose_answer(RESERVE)

    lambda_rig.writer.limit(lambda_rig.target, 0, expected=None)

    assert {RESERVE: 1} == lambda_rig.touching.sent
    assert 0 == lambda_rig.client.get_function_concurrency(FunctionName=NAME)["ReservedConcurrentExecutions"]


def test_reservation_conflicts_when_somebody_else_sets_it_too(lambda_rig: LambdaRig) -> None:
    """There is no revision, so it is read back."""
    lambda_rig.looking.answer("GetFunctionConcurrency", {})
    lambda_rig.looking.answer("GetFunctionConcurrency", {"ReservedConcurrentExecutions": 9})

    with pytest.raises(Conflict) as caught:
        lambda_rig.writer.limit(lambda_rig.target, 0, expected=None)

    assert (
        "the reserved concurrency of function/orders:live was set to 0, and is 9: somebody else sets it too "
        "(look who, before another try)" == str(caught.value)
    )


def test_reservation_is_in_doubt_when_the_old_one_is_read_back(lambda_rig: LambdaRig) -> None:
    """It may take a moment to be seen."""
    lambda_rig.looking.answer("GetFunctionConcurrency", {}, times=2)

    with pytest.raises(EffectUnknown, match=r"was set to 0, and still reads none: it may be done or not$"):
        lambda_rig.writer.limit(lambda_rig.target, 0, expected=None)


def test_reservation_is_refused_when_too_little_would_be_left(lambda_rig: LambdaRig) -> None:
    """The other functions of the account keep their hundred."""
    says = (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
        "below its minimum value of [100]."
    )
    lambda_rig.touching.refuse(RESERVE, "InvalidParameterValueException", says=says)

    with pytest.raises(Permanent) as caught:
        lambda_rig.writer.limit(lambda_rig.target, 950, expected=None)

    assert f"cannot limit function/orders:live: {says} (reserve less, or ask AWS for more concurrency)" == str(
        caught.value
    )


def test_changes_are_what_was_published_when_asked(lambda_rig: LambdaRig) -> None:
    """Newest first, each with its number and its words."""
    reader = lambda_rig.bed.serve(ADAPTER, "changes").reader

    changes = reader.changes(lambda_rig.target, LONG_AGO)

    assert ["published version 3: third", "published version 2: second", "published version 1: first"] == [
        change.what for change in changes
    ]
    assert [3, 2, 1] == [change.revision for change in changes]
    assert {(False, "change", "somebody")} == {(change.ours, change.kind, change.who) for change in changes}


def test_changes_are_none_when_all_of_them_are_older(lambda_rig: LambdaRig) -> None:
    """Only what came since then."""
    reader = lambda_rig.bed.serve(ADAPTER, "changes").reader

    assert () == reader.changes(lambda_rig.target, datetime.now(UTC) + timedelta(minutes=1))


def test_changes_are_unreadable_when_the_function_is_unknown(lambda_rig: LambdaRig) -> None:
    """Evidence has no invalid targets."""
    reader = lambda_rig.bed.serve(ADAPTER, "changes").reader

    with pytest.raises(Unreadable):
        reader.changes(Target("function", "", "", "nobody"), LONG_AGO)


def test_logs_are_those_of_the_function_when_it_serves_them_too(lambda_rig: LambdaRig) -> None:
    """One choice in engine.yaml serves a function whole."""
    lambda_rig.bed.looking("logs").answer("FilterLogEvents", {"events": [{"logStreamName": "a", "message": "boom"}]})

    (excerpt,) = lambda_rig.bed.serve(ADAPTER, "logs").reader.logs(lambda_rig.target, 1)

    assert ("a", ("boom",)) == (excerpt.name, excerpt.lines)


def test_probe_says_who_asks_when_it_is_answered(lambda_rig: LambdaRig) -> None:
    """Account and region are what is wrong most often."""
    probe = lambda_rig.bed.serve(ADAPTER, "functions").probe

    assert probe is not None
    assert probe().startswith("account 123456789012, region eu-central-1, as ")


def test_adapter_is_refused_when_it_does_not_serve_the_port(lambda_rig: LambdaRig) -> None:
    """It says what it does serve."""
    bed: Bed = lambda_rig.bed

    with pytest.raises(NoAdapter) as caught:
        bed.serve(ADAPTER, "queues")

    assert "lambda does not serve queues (it serves functions, settings, changes and logs)" == str(caught.value)
