"""The contract of SettingReader and SettingWriter: import the class into a test module that has a `rig` fixture.

A rig is one target whose key `key` has the text `text`, and whose key `absent` was never set. `settle()` lets time
pass until what was written has taken effect.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import pytest

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.target import Target
from runbook_engine.ports import SettingReader, SettingWriter


class SettingsRig(Protocol):
    """What an adapter brings to be judged."""

    reader: SettingReader
    writer: SettingWriter
    target: Target
    key: str
    text: str
    absent: str

    def settle(self) -> None:
        """Let time pass until what was written has taken effect."""


class SettingsContract:
    """What every adapter for settings, simulated or real, does alike."""

    def test_setting_is_its_text_when_set(self, rig: SettingsRig) -> None:
        """A plain value is its own text, and its holder is known by its uid."""
        setting = rig.reader.setting(rig.target, rig.key)

        assert setting.text == rig.text
        assert setting.target.key == rig.target.key
        assert setting.target.uid

    def test_setting_has_no_text_when_never_set(self, rig: SettingsRig) -> None:
        """Absence is an answer, and not an error."""
        assert rig.reader.setting(rig.target, rig.absent).text is None

    def test_setting_is_refused_when_the_target_is_unknown(self, rig: SettingsRig) -> None:
        """What does not exist is an invalid target, never an absent setting."""
        with pytest.raises(InvalidTarget):
            rig.reader.setting(_unknown(rig.target), rig.key)

    @pytest.mark.parametrize("key", ["", "env:", "env:no-slash", "data:", "file:/etc/passwd"], ids=repr)
    def test_setting_is_refused_when_the_key_names_nothing(self, rig: SettingsRig, key: str) -> None:
        """A key of another form is refused, and not read as absent."""
        with pytest.raises(InvalidTarget):
            rig.reader.setting(rig.target, key)

    def test_write_replaces_when_expected(self, rig: SettingsRig) -> None:
        """The new text can be read at once, and the receipt says that something was written."""
        receipt = rig.writer.write(rig.target, rig.key, "on", expected=rig.text)

        assert receipt
        assert not receipt.get("unchanged")
        assert rig.reader.setting(rig.target, rig.key).text == "on"

    def test_write_adds_when_absence_is_expected(self, rig: SettingsRig) -> None:
        """What was never set is set, and nothing else moves."""
        rig.writer.write(rig.target, rig.absent, "on", expected=None)

        assert rig.reader.setting(rig.target, rig.absent).text == "on"
        assert rig.reader.setting(rig.target, rig.key).text == rig.text

    @pytest.mark.parametrize("text", ["", "no", "1", "true", "a\nb", 'say "hi"', "ünï"], ids=repr)
    def test_write_keeps_the_text_when_it_is_unusual(self, rig: SettingsRig, text: str) -> None:
        """Text is never turned into anything else on its way."""
        rig.writer.write(rig.target, rig.key, text, expected=rig.text)

        assert rig.reader.setting(rig.target, rig.key).text == text

    @pytest.mark.parametrize("expected", ["other", None], ids=["another text", "absence"])
    def test_write_conflicts_when_the_text_has_moved(self, rig: SettingsRig, expected: str | None) -> None:
        """Somebody else's value is never overwritten."""
        with pytest.raises(Conflict):
            rig.writer.write(rig.target, rig.key, "on", expected=expected)

        assert rig.reader.setting(rig.target, rig.key).text == rig.text

    def test_write_conflicts_when_it_is_gone(self, rig: SettingsRig) -> None:
        """What somebody removed is not set again."""
        with pytest.raises(Conflict):
            rig.writer.write(rig.target, rig.absent, "on", expected="off")

        assert rig.reader.setting(rig.target, rig.absent).text is None

    def test_write_is_left_alone_when_already_so(self, rig: SettingsRig) -> None:
        """A repeat of a write whose answer was lost finds its own text, whatever was expected."""
        rig.writer.write(rig.target, rig.key, "on", expected=rig.text)
        rig.settle()

        receipt = rig.writer.write(rig.target, rig.key, "on", expected=rig.text)

        assert receipt["unchanged"] is True

    def test_write_is_left_alone_when_absent_already(self, rig: SettingsRig) -> None:
        """Removing what is not there is done."""
        assert rig.writer.write(rig.target, rig.absent, None, expected="on")["unchanged"] is True

    def test_write_is_undone_when_written_backwards(self, rig: SettingsRig) -> None:
        """The former text is back."""
        rig.writer.write(rig.target, rig.key, "on", expected=rig.text)
        rig.settle()

        rig.writer.write(rig.target, rig.key, rig.text, expected="on")

        assert rig.reader.setting(rig.target, rig.key).text == rig.text

    def test_addition_is_undone_when_removed(self, rig: SettingsRig) -> None:
        """What we added is gone again."""
        rig.writer.write(rig.target, rig.absent, "on", expected=None)
        rig.settle()

        rig.writer.write(rig.target, rig.absent, None, expected="on")

        assert rig.reader.setting(rig.target, rig.absent).text is None

    def test_write_conflicts_when_the_target_is_another_one(self, rig: SettingsRig) -> None:
        """What was deleted and created again is not the one that was planned for."""
        target = msgspec.structs.replace(rig.target, uid="another-one")

        with pytest.raises(Conflict):
            rig.writer.write(target, rig.key, "on", expected=rig.text)

        assert rig.reader.setting(rig.target, rig.key).text == rig.text

    def test_write_is_refused_when_the_target_is_unknown(self, rig: SettingsRig) -> None:
        """A write creates no target."""
        with pytest.raises(Permanent):
            rig.writer.write(_unknown(rig.target), rig.key, "on", expected=rig.text)


def _unknown(target: Target) -> Target:
    return msgspec.structs.replace(target, name="no-such-target", uid="")
