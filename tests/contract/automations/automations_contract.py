"""The contract of AutomationReader and AutomationWriter: import the class into a test module that has a `rig` fixture.

A rig has the one template `TEMPLATE`. `finish` lets the newest run end.
"""

from __future__ import annotations

from typing import Protocol

import pytest

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.ports import AutomationReader, AutomationWriter

ARGUMENTS = {"InstanceId": "i-0123456789"}
TEMPLATE = AutomationTemplate(
    name="reboot",
    document="AWS-RestartEC2Instance",
    version="1",
    says="Reboots one instance.",
    parameters=("InstanceId",),
    fixed={"Reason": "runbook"},
    role="arn:aws:iam::123456789012:role/reboot",
)
TOKEN = "0b0f1a3c-9d39-5a52-8f3d-6d4c3f1e2a10"


class AutomationsRig(Protocol):
    """What an adapter brings to be judged."""

    reader: AutomationReader
    writer: AutomationWriter

    def finish(self, *, well: bool) -> None:
        """Let the newest run end, well or not."""


class AutomationsContract:
    """What every adapter for automations, simulated or real, does alike."""

    def test_template_is_what_is_pinned_when_named(self, rig: AutomationsRig) -> None:
        """The whole of it, with its digest."""
        assert TEMPLATE == rig.reader.template("reboot")

    def test_template_is_refused_when_nobody_pinned_it(self, rig: AutomationsRig) -> None:
        """Only what engine.yaml names is ever started."""
        with pytest.raises(InvalidTarget) as caught:
            rig.reader.template("wipe")

        assert "unknown automation 'wipe'; known are reboot (add it under automations in engine.yaml)" == str(
            caught.value
        )

    def test_run_is_under_way_when_started(self, rig: AutomationsRig) -> None:
        """The receipt names it."""
        receipt = rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN)

        run = rig.reader.run("reboot", str(receipt["run"]))
        assert run is not None
        assert (receipt["run"], "running") == (run.id, run.status)

    def test_run_is_the_same_when_the_token_is(self, rig: AutomationsRig) -> None:
        """A repeat of a start whose answer was lost starts nothing."""
        first = rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN)

        second = rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN)

        assert first["run"] == second["run"]

    def test_run_is_another_one_when_the_token_is(self, rig: AutomationsRig) -> None:
        """The same automation may be started again."""
        first = rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN)

        second = rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN.replace("0", "1"))

        assert first["run"] != second["run"]

    @pytest.mark.parametrize(("well", "status"), [(True, "succeeded"), (False, "failed")], ids=["well", "badly"])
    def test_run_says_how_it_ended_when_it_has(self, rig: AutomationsRig, well: bool, status: str) -> None:
        """And why, when it failed."""
        receipt = rig.writer.start("reboot", ARGUMENTS, digest=TEMPLATE.digest, token=TOKEN)
        rig.finish(well=well)

        run = rig.reader.run("reboot", str(receipt["run"]))

        assert run is not None
        assert status == run.status
        assert bool(run.reason) is not well

    def test_run_is_none_when_there_is_none(self, rig: AutomationsRig) -> None:
        """Absence is an answer."""
        assert rig.reader.run("reboot", "b0a1c2d3-0000-4000-8000-000000000000") is None

    def test_start_conflicts_when_the_template_is_another_one(self, rig: AutomationsRig) -> None:
        """Nobody has approved what it is now."""
        with pytest.raises(Conflict):
            rig.writer.start("reboot", ARGUMENTS, digest="0" * 12, token=TOKEN)

    def test_start_is_refused_when_nobody_pinned_it(self, rig: AutomationsRig) -> None:
        """A write creates nothing."""
        with pytest.raises(Permanent):
            rig.writer.start("wipe", ARGUMENTS, digest="0" * 12, token=TOKEN)
