"""The contract of FlagReader and FlagWriter: import the class into a test module that has a `rig` fixture.

A rig is one parameter that was never set.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import pytest

from runbook_engine.errors import Conflict
from runbook_engine.model.observation import Flag
from runbook_engine.model.target import Target
from runbook_engine.ports import FlagReader, FlagWriter


class FlagRig(Protocol):
    """What an adapter brings to be judged."""

    reader: FlagReader
    writer: FlagWriter
    target: Target

    def settle(self) -> None:
        """Let time pass until what was written can be read."""


class FlagsContract:
    """What every flag store, simulated or real, does alike."""

    def test_flag_is_none_when_never_set(self, rig: FlagRig) -> None:
        """Absence is an answer, and not an error."""
        assert rig.reader.flag(rig.target) is None

    def test_write_creates_when_absence_is_expected(self, rig: FlagRig) -> None:
        """A parameter that is absent, and is expected to be, is created; the receipt names its version."""
        receipt = rig.writer.write(rig.target, "true", expected=None)
        rig.settle()

        flag = rig.reader.flag(rig.target)
        assert flag is not None
        assert (flag.value, flag.version) == ("true", receipt["version"])

    def test_write_replaces_when_the_value_is_expected(self, rig: FlagRig) -> None:
        """The version rises with every write."""
        first = _written(rig, "false", expected=None)

        second = _written(rig, "true", expected="false")

        assert second.value == "true"
        assert second.version > first.version

    def test_write_removes_when_the_value_is_none(self, rig: FlagRig) -> None:
        """Undoing a creation leaves nothing behind."""
        _written(rig, "true", expected=None)

        rig.writer.write(rig.target, None, expected="true")
        rig.settle()

        assert rig.reader.flag(rig.target) is None

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            pytest.param("true", "other", id="another value than expected"),
            pytest.param("true", None, id="present and expected absent"),
            pytest.param(None, "other", id="removal of another value"),
        ],
    )
    def test_write_conflicts_when_the_value_has_moved(
        self, rig: FlagRig, wanted: str | None, expected: str | None
    ) -> None:
        """Somebody else's value is never overwritten."""
        before = _written(rig, "false", expected=None)

        with pytest.raises(Conflict):
            rig.writer.write(rig.target, wanted, expected=expected)

        assert rig.reader.flag(rig.target) == before

    def test_write_conflicts_when_the_parameter_was_removed(self, rig: FlagRig) -> None:
        """A parameter that is gone is not created by a change that expected a value."""
        with pytest.raises(Conflict):
            rig.writer.write(rig.target, "true", expected="false")

        assert rig.reader.flag(rig.target) is None

    def test_write_is_left_alone_when_already_so(self, rig: FlagRig) -> None:
        """A repeat of a write whose answer was lost finds its own value and writes nothing."""
        before = _written(rig, "true", expected=None)

        receipt = rig.writer.write(rig.target, "true", expected=None)

        assert receipt["unchanged"] is True
        assert rig.reader.flag(rig.target) == before

    def test_removal_is_left_alone_when_already_absent(self, rig: FlagRig) -> None:
        """A repeat of a removal is no conflict."""
        receipt = rig.writer.write(rig.target, None, expected="true")

        assert receipt["unchanged"] is True

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("", id="empty text"),
            pytest.param("ünïcode ✓", id="beyond ASCII"),
            pytest.param('{"a": [1, "b"]}', id="JSON"),
            pytest.param("line one\nline two\n", id="line breaks"),
        ],
    )
    def test_value_is_kept_as_written_when_unusual(self, rig: FlagRig, value: str) -> None:
        """A value comes back as it went in, byte for byte."""
        assert _written(rig, value, expected=None).value == value

    def test_parameters_are_separate_when_names_differ(self, rig: FlagRig) -> None:
        """Writing one parameter leaves another as it was."""
        other = msgspec.structs.replace(rig.target, name=f"{rig.target.name}_other")
        _written(rig, "true", expected=None)

        rig.writer.write(other, "false", expected=None)
        rig.settle()

        flag = rig.reader.flag(rig.target)
        assert flag is not None
        assert flag.value == "true"


def _written(rig: FlagRig, value: str, *, expected: str | None) -> Flag:
    rig.writer.write(rig.target, value, expected=expected)
    rig.settle()
    flag = rig.reader.flag(rig.target)
    assert flag is not None
    return flag
