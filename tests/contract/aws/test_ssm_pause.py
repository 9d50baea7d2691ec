"""The kill switch in an SSM parameter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from runbook_adapters.ssm import ADAPTER
from runbook_engine.errors import Permanent, Unreadable
from runbook_engine.model.observation import Pause
from runbook_engine.ports import PauseReader, PauseWriter
from tests.contract.aws.account import ACCOUNT, NOW, REGION, account, client, refusal, serve, service
from tests.contract.pause_contract import PauseContract

NAME = "/runbook-engine/pause"
REMEDY = "no change is made until it can be read: runbook resume ends the pause, runbook pause writes it anew"


class SsmPauseRig:
    """A kill switch that was never thrown."""

    def __init__(self) -> None:
        served = serve(ADAPTER, "pause", parameter=NAME)
        self.reader: PauseReader = served.reader
        self.writer: PauseWriter = served.writer
        self.probe = served.probe
        self.aws = client("ssm")

    def spoil(self) -> None:
        """Write something else into the parameter."""
        self.put("on")

    def put(self, value: str) -> None:
        """Write the parameter as somebody else."""
        self.aws.put_parameter(Name=NAME, Value=value, Type="String", Overwrite=True)


@pytest.fixture
def rig() -> Iterator[SsmPauseRig]:
    """An empty account."""
    with account():
        yield SsmPauseRig()


class TestPauseContract(PauseContract):
    """A parameter keeps the contract that every kill switch keeps."""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param("off", "JSON is malformed: invalid character (byte 0)", id="a word"),
        pytest.param('{"by": "alice"}', "Object missing required field `until`", id="no end"),
        pytest.param(
            '{"until": "2026-03-01T04:00:00", "by": "alice"}', "until has no offset from UTC", id="naive time"
        ),
        pytest.param(
            '{"until": "2026-03-01T04:00:00Z", "by": "alice", "untl": 1}',
            "Object contains unknown field `untl`",
            id="another key",
        ),
    ],
)
def test_switch_counts_as_unreadable_when_its_value_is(rig: SsmPauseRig, value: str, says: str) -> None:
    """What cannot be read stops everything, and says how to go on."""
    rig.put(value)

    with pytest.raises(Unreadable) as caught:
        rig.reader.pause(NOW)

    assert f"the kill switch {NAME} is corrupt: {says} ({REMEDY})" == str(caught.value)


def test_switch_counts_as_unreadable_when_it_may_not_be_read() -> None:
    """A grant that is missing is not the absence of a pause."""
    with service() as running:
        running.tell(refusal("AccessDeniedException", message="not authorized"))
        served = serve(ADAPTER, "pause", parameter=NAME)

        with pytest.raises(Unreadable) as looked:
            served.reader.pause(NOW)
        with pytest.raises(Permanent) as thrown:
            served.writer.throw(Pause(until=NOW, by="alice"))

    grants = "AccessDeniedException: not authorized (see `runbook permissions --format iam` for what the engine needs)"
    assert f"the kill switch {NAME} cannot be read: {grants}" == str(looked.value)
    assert f"writing the kill switch {NAME}: {grants}" == str(thrown.value)


def test_parameter_stays_when_the_pause_is_lifted(rig: SsmPauseRig) -> None:
    """SSM asks to wait half a minute between a removal and a creation, and nobody waits to pause."""
    rig.writer.throw(Pause(until=NOW + timedelta(minutes=5), by="alice"))

    rig.writer.lift()

    found = rig.aws.get_parameter(Name=NAME)["Parameter"]
    assert (2, '{"until":"2000-01-01T00:00:00Z","by":"","reason":"lifted"}') == (found["Version"], found["Value"])


def test_pause_fits_when_its_reason_is_very_long(rig: SsmPauseRig) -> None:
    """A parameter holds 4 KB, and whoever pasted a log still gets the pause."""
    rig.writer.throw(Pause(until=NOW + timedelta(minutes=5), by="alice", reason="✓" * 9000))

    found = rig.reader.pause(NOW)
    assert found is not None
    assert "✓" * 500 == found.reason


def test_doctor_says_whether_it_is_thrown(rig: SsmPauseRig) -> None:
    """The parameter that was read is named."""
    assert rig.probe is not None
    before = rig.probe()
    rig.writer.throw(Pause(until=NOW + timedelta(minutes=5), by="alice"))

    who = f"answers for account {ACCOUNT}, region {REGION}, as user/moto"
    assert f"{who}; {NAME} is readable, not thrown" == before
    assert f"{who}; {NAME} is readable, thrown" == rig.probe()
