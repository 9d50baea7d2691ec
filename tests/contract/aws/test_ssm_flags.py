"""Flags in SSM parameters: the contract of every flag store, and what is SSM's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from runbook_adapters.ssm import ADAPTER
from runbook_engine.errors import Conflict, EffectUnknown, InvalidTarget, NoAdapter, Permanent, Retryable, Unreadable
from runbook_engine.model.observation import Flag
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext, FlagReader, FlagWriter
from tests.contract.aws.account import (
    ACCOUNT,
    REGION,
    account,
    client,
    context,
    meanwhile,
    of_aws,
    refusal,
    serve,
    service,
)
from tests.contract.flags_contract import FlagRig, FlagsContract
from tests.contract.http_service import Asked, HttpService, Told

NAME = "/checkout/degraded_mode"
DEGRADED = Target("parameter", "", "", NAME)
LABEL = "runbook-engine-before"
GRANTS = "(see `runbook permissions --format iam` for what the engine needs)"


class SsmFlagRig:
    """One parameter that was never set."""

    target = DEGRADED

    def __init__(self, **settings: Any) -> None:
        self.within: AdapterContext = context()
        served = serve(ADAPTER, "flags", self.within, **settings)
        self.reader: FlagReader = served.reader
        self.writer: FlagWriter = served.writer
        self.aws = client("ssm")

    def settle(self) -> None:
        """What was written is read at once."""

    def put(self, value: str, **more: Any) -> int:
        """Write the parameter as somebody else."""
        wanted = {"Type": "String", "Overwrite": True, **more}
        return int(self.aws.put_parameter(Name=NAME, Value=value, **wanted)["Version"])

    def versions(self) -> list[dict[str, Any]]:
        """Return what SSM keeps of the parameter."""
        return list(self.aws.get_parameter_history(Name=NAME)["Parameters"])

    def labels(self) -> dict[str, list[str]]:
        """Return the values that bear labels."""
        return {each["Value"]: each["Labels"] for each in self.versions() if each["Labels"]}


@pytest.fixture
def rig() -> Iterator[SsmFlagRig]:
    """An empty account."""
    with account():
        yield SsmFlagRig()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpService]:
    """A service for every test here that wants one."""
    with service() as running:
        yield running


@pytest.fixture
def told(server: HttpService) -> HttpService:
    """A service that says what the test wants."""
    server.asked.clear()
    return server


class TestFlagsContract(FlagsContract):
    """Parameters keep the contract that every flag store keeps."""

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("ünïcode ✓", id="beyond ASCII"),
            pytest.param('{"a": [1, "b"]}', id="JSON"),
            pytest.param("line one\nline two\n", id="line breaks"),
        ],
    )
    def test_value_is_kept_as_written_when_unusual(self, rig: FlagRig, value: str) -> None:
        """SSM keeps no empty text: that one has a test of its own."""
        super().test_value_is_kept_as_written_when_unusual(rig, value)


def test_empty_text_is_refused_when_it_is_written(rig: SsmFlagRig) -> None:
    """Said before SSM says it, in words that help."""
    with pytest.raises(Permanent) as caught:
        rig.writer.write(DEGRADED, "", expected=None)

    assert f"{NAME} cannot be set to an empty text: SSM keeps none (write off, or another word)" == str(caught.value)


def test_sentence_says_what_is_live_when_somebody_else_wrote(rig: SsmFlagRig) -> None:
    """Value and version, as the console shows them."""
    rig.put('say "hi"')

    with pytest.raises(Conflict) as caught:
        rig.writer.write(DEGRADED, "true", expected=None)

    assert f'{NAME} is "say \\"hi\\"" (version 1), expected was not set; nothing was changed' == str(caught.value)


def test_what_else_a_parameter_is_stays_when_it_is_written(rig: SsmFlagRig) -> None:
    """Tier, type, pattern and description are not ours to change."""
    rig.put("a,b", Type="StringList", Tier="Advanced", AllowedPattern="[a-z,]+", Description="who sees what")

    rig.writer.write(DEGRADED, "a", expected="a,b")

    before, after = rig.versions()
    kept = ("Type", "Tier", "AllowedPattern", "Description", "DataType")
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}


def test_version_before_ours_is_labelled_when_we_write(rig: SsmFlagRig) -> None:
    """A person finds in the console what was so before the engine came; the label moves with each change."""
    rig.put("one")

    first = rig.writer.write(DEGRADED, "two", expected="one")
    one = rig.labels()
    rig.writer.write(DEGRADED, "three", expected="two")

    assert {"version": 2} == first
    assert ({"one": [LABEL]}, {"two": [LABEL]}) == (one, rig.labels())


def test_label_is_taken_off_when_our_change_is_undone(rig: SsmFlagRig) -> None:
    """A label on the oldest of a hundred versions would forbid the next one, for whoever writes it."""
    rig.put("false")
    rig.writer.write(DEGRADED, "true", expected="false")

    rig.writer.write(DEGRADED, "false", expected="true")

    assert {} == rig.labels()


def test_other_labels_stay_when_we_write(rig: SsmFlagRig) -> None:
    """Labels of a release are its own."""
    rig.put("one")
    rig.aws.label_parameter_version(Name=NAME, ParameterVersion=1, Labels=["release"])

    rig.writer.write(DEGRADED, "two", expected="one")

    assert {"one": ["release", LABEL]} == rig.labels()


def test_no_version_is_labelled_when_settings_say_so() -> None:
    """An empty label is none."""
    with account():
        rig = SsmFlagRig(label="")
        rig.put("one")

        receipt = rig.writer.write(DEGRADED, "two", expected="one")

        assert ({"version": 2}, {}) == (receipt, rig.labels())


@pytest.mark.parametrize(
    ("label", "says"),
    [
        pytest.param("aws-is-forbidden", "SSM takes no label aws-is-forbidden", id="a label that SSM does not take"),
    ],
)
def test_write_holds_when_the_label_does_not(label: str, says: str) -> None:
    """The receipt says why nothing is labelled; what was asked for is done."""
    with account():
        rig = SsmFlagRig(label=label)
        rig.put("one")

        receipt = rig.writer.write(DEGRADED, "two", expected="one")

        assert {"version": 2, "unlabelled": says} == receipt


def test_write_holds_when_labelling_is_denied(told: HttpService) -> None:
    """A grant that is missing costs the label, and not the change."""
    told.answer = lambda asked: answers(asked, Label=refusal("AccessDeniedException", message="not authorized"))

    receipt = serve(ADAPTER, "flags").writer.write(DEGRADED, "true", expected="false")

    assert {"version": 8, "unlabelled": "not authorized"} == receipt


def test_hundred_versions_are_no_limit_when_we_write(rig: SsmFlagRig) -> None:
    """The live version stands on the last page of the history."""
    for number in range(120):
        rig.put(str(number))

    receipt = rig.writer.write(DEGRADED, "now", expected="119")

    assert {"version": 121} == receipt


def test_nothing_is_overwritten_when_somebody_writes_while_we_look(rig: SsmFlagRig) -> None:
    """The window is one call wide: what comes before it is seen."""
    rig.put("false")
    meanwhile(rig.within, "ssm", "GetParameterHistory", lambda: rig.put("maintenance"), "looking")

    with pytest.raises(Conflict) as caught:
        rig.writer.write(DEGRADED, "true", expected="false")

    assert f'{NAME} is "maintenance" (version 2), expected was "false"; nothing was changed' == str(caught.value)
    assert 2 == len(rig.versions())


def test_collision_is_told_when_somebody_writes_between_our_look_and_our_write(rig: SsmFlagRig) -> None:
    """SSM cannot refuse our write any more: theirs is named with its value, and nothing is hidden."""
    rig.put("false")
    meanwhile(rig.within, "ssm", "PutParameter", lambda: rig.put("maintenance"))

    with pytest.raises(Conflict) as caught:
        rig.writer.write(DEGRADED, "true", expected="false")

    assert (
        f'{NAME} was changed by somebody else while we wrote: version 1 was "false", version 3 is ours, "true", and is '
        'live; version 2 is theirs, "maintenance" by N/A (look at both, and set what you want)'
    ) == str(caught.value)
    assert {} == rig.labels()


def test_collision_is_told_when_the_parameter_is_removed_between_our_look_and_our_write(rig: SsmFlagRig) -> None:
    """Our write has created it anew: the version gives it away."""
    rig.put("false")
    meanwhile(rig.within, "ssm", "PutParameter", lambda: rig.aws.delete_parameter(Name=NAME))

    with pytest.raises(Conflict) as caught:
        rig.writer.write(DEGRADED, "true", expected="false")

    assert (
        f'{NAME} was removed by somebody else while we wrote: version 1 was "false", version 1 is ours, "true", and is '
        "live (look at both, and set what you want)"
    ) == str(caught.value)


def test_nothing_is_overwritten_when_somebody_creates_between_our_look_and_our_creation(rig: SsmFlagRig) -> None:
    """A creation has no window."""
    meanwhile(rig.within, "ssm", "PutParameter", lambda: rig.put("theirs"))

    with pytest.raises(Conflict) as caught:
        rig.writer.write(DEGRADED, "true", expected=None)

    assert (f"{NAME} was created by somebody else at the same time, and was to be absent; nothing was changed") == str(
        caught.value
    )
    assert Flag(value="theirs", version=1) == rig.reader.flag(DEGRADED)


def test_removal_is_left_alone_when_somebody_removes_between_our_look_and_ours(rig: SsmFlagRig) -> None:
    """It is as wanted."""
    rig.put("true")
    meanwhile(rig.within, "ssm", "DeleteParameter", lambda: rig.aws.delete_parameter(Name=NAME))

    assert {"unchanged": True} == rig.writer.write(DEGRADED, None, expected="true")


def test_secret_is_refused_when_it_is_named_as_a_flag(rig: SsmFlagRig) -> None:
    """Neither read into a plan nor overwritten in the clear."""
    rig.put("hush", Type="SecureString")
    says = (
        f"{NAME} is a SecureString, and plans, messages and the audit trail show what a flag is "
        "(make it a String, or name another parameter)"
    )

    with pytest.raises(InvalidTarget) as looked:
        rig.reader.flag(DEGRADED)
    with pytest.raises(Permanent) as touched:
        rig.writer.write(DEGRADED, "true", expected=None)

    assert (says, says) == (str(looked.value), str(touched.value))
    assert 1 == len(rig.versions())


@pytest.mark.parametrize(
    ("target", "says"),
    [
        pytest.param(
            Target("node", "", "", "ip-10-0-0-1"),
            "node/ip-10-0-0-1 is a node; SSM holds parameters only",
            id="another kind",
        ),
        *(
            pytest.param(
                Target("parameter", "", "", name),
                f"{name!r} is not the name of an SSM parameter (write letters, digits, _ . - and, between up to 15 "
                "levels, /, beginning with / when there is one)",
                id=phrase,
            )
            for phrase, name in (
                ("a version", "/checkout/degraded_mode:1"),
                ("an ARN", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/x"),
                ("a line break", "/a\n"),
                ("levels without a beginning", "a/b"),
                ("an empty level", "/a//b"),
                ("too many levels", "/a" * 16),
                ("too long", "a" * 1012),
                ("nothing", ""),
            )
        ),
    ],
)
def test_target_is_refused_when_it_is_no_parameter(rig: SsmFlagRig, target: Target, says: str) -> None:
    """A name cannot choose a version, a label or another account."""
    with pytest.raises(InvalidTarget) as looked:
        rig.reader.flag(target)
    with pytest.raises(Permanent) as touched:
        rig.writer.write(target, "true", expected=None)

    assert (says, says) == (str(looked.value), str(touched.value))


def answers(asked: Asked, **instead: Told) -> Told:
    """Answer as SSM does for a parameter at version 7, save for the operations that are named."""
    operation = asked.headers["X-Amz-Target"].removeprefix("AmazonSSM.")
    for beginning, told in instead.items():
        if operation.startswith(beginning):
            return told
    live = {"Name": NAME, "Type": "String", "Value": "false", "Version": 7}
    bodies = {
        "GetParameter": {"Parameter": live},
        "GetParameterHistory": {"Parameters": [live]},
        "PutParameter": {"Version": 8},
    }
    return of_aws(msgspec.json.encode(bodies.get(operation, {})))


@pytest.mark.parametrize(
    ("operation", "answer", "kind", "says"),
    [
        pytest.param(
            "GetParameterHistory",
            refusal("AccessDeniedException", message="not authorized"),
            Permanent,
            f"reading the versions of {NAME} before it is written: AccessDeniedException: not authorized {GRANTS}",
            id="the history may not be read",
        ),
        pytest.param(
            "GetParameterHistory",
            of_aws(b'{"Parameters": []}'),
            Retryable,
            f"the versions of {NAME} do not show version 7 yet; nothing was changed",
            id="the history lags behind",
        ),
        pytest.param(
            "PutParameter",
            refusal("TooManyUpdates", message="wait"),
            Retryable,
            f"setting {NAME}: TooManyUpdates: wait",
            id="somebody is writing",
        ),
        pytest.param(
            "PutParameter",
            refusal("ParameterMaxVersionLimitExceeded"),
            Permanent,
            f"setting {NAME}: its oldest version bears a label, so SSM takes no version more (move that label)",
            id="an old label",
        ),
        pytest.param(
            "PutParameter",
            refusal("ParameterPatternMismatchException", message="the value does not match"),
            Permanent,
            f"setting {NAME}: ParameterPatternMismatchException: the value does not match",
            id="a value that is not allowed there",
        ),
        pytest.param(
            "PutParameter",
            refusal("InternalServerError", 500),
            EffectUnknown,
            f"setting {NAME}: InternalServerError: so it is: it may be done or not",
            id="in doubt",
        ),
    ],
)
def test_write_says_what_came_of_it_when_ssm_says_no(
    told: HttpService, operation: str, answer: Told, kind: type[Exception], says: str
) -> None:
    """Told over HTTP, as SSM tells it."""
    told.answer = lambda asked: answers(asked, **{operation: answer})

    with pytest.raises(kind) as caught:
        serve(ADAPTER, "flags").writer.write(DEGRADED, "true", expected="false")

    assert says == str(caught.value)


def test_flag_is_unreadable_when_it_may_not_be_read(told: HttpService) -> None:
    """Never read as absent."""
    told.tell(refusal("AccessDeniedException", message="not authorized"))

    with pytest.raises(Unreadable) as caught:
        serve(ADAPTER, "flags").reader.flag(DEGRADED)

    assert f"{NAME} cannot be read: AccessDeniedException: not authorized {GRANTS}" == str(caught.value)


def test_every_look_asks_ssm_when_a_flag_is_read(rig: SsmFlagRig) -> None:
    """A guardrail judges what is so now."""
    rig.put("false")
    before = rig.reader.flag(DEGRADED)

    rig.put("true")

    assert (Flag(value="false", version=1), Flag(value="true", version=2)) == (before, rig.reader.flag(DEGRADED))


def test_doctor_reads_the_parameters_that_are_named_outright(rig: SsmFlagRig) -> None:
    """A pattern cannot be read; whatever is listed can."""
    targets = ("parameter=/checkout/*", f"parameter={NAME}", "deployment=apps/checkout")
    probe = serve(ADAPTER, "flags", context(targets=targets)).probe
    bare = serve(ADAPTER, "flags").probe
    assert probe is not None
    assert bare is not None

    who = f"answers for account {ACCOUNT}, region {REGION}, as user/moto"
    assert (f"{who}; readable: {NAME}", who) == (probe(), bare())


@pytest.mark.parametrize(
    ("port", "settings", "says"),
    [
        pytest.param(
            "metrics", {}, "ssm does not serve metrics (it serves flags, pause and secrets)", id="another port"
        ),
        pytest.param(
            "flags",
            {"parameter": "/x"},
            "ssm serves flags from every parameter, not from one (remove parameter: it is for pause)",
            id="flags of one parameter",
        ),
        pytest.param(
            "pause",
            {},
            "ssm cannot keep the kill switch: no parameter is named (set parameter: /runbook-engine/pause)",
            id="a kill switch nowhere",
        ),
        pytest.param(
            "pause",
            {"parameter": "/x:1"},
            "ssm cannot keep the kill switch: '/x:1' is no parameter's name (set parameter: /runbook-engine/pause)",
            id="a kill switch that cannot be thrown",
        ),
    ],
)
def test_adapter_is_not_built_when_its_settings_do_not_fit(port: Any, settings: dict[str, Any], says: str) -> None:
    """What cannot work is said at start."""
    with pytest.raises(NoAdapter) as caught:
        serve(ADAPTER, port, **settings)

    assert says == str(caught.value)
