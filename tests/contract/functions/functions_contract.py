"""The contract of FunctionReader and FunctionWriter: import the class into a test module that has a `rig` fixture.

A rig is a function with the published versions 1, 2 and 3 and nothing reserved, and `target` is an alias of it that
points to version 3 and has no canary.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import pytest

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.target import Target
from runbook_engine.ports import FunctionReader, FunctionWriter


class FunctionsRig(Protocol):
    """What an adapter brings to be judged."""

    reader: FunctionReader
    writer: FunctionWriter
    target: Target

    def settle(self) -> None:
        """Let time pass until what was written has taken effect."""


class FunctionsContract:
    """What every adapter for functions, simulated or real, does alike."""

    def test_function_is_what_its_alias_points_to_when_one_is_named(self, rig: FunctionsRig) -> None:
        """The version, the versions that it may return to, and nothing that is not there."""
        function = rig.reader.function(rig.target)

        assert function.target.key == rig.target.key
        assert function.version == 3
        assert function.canary == ""
        assert [3, 2, 1] == [revision.number for revision in function.versions]
        assert function.concurrency is None
        assert function.state == "active"

    def test_function_has_no_version_when_no_alias_is_named(self, rig: FunctionsRig) -> None:
        """The unpublished code is no version."""
        assert rig.reader.function(_plain(rig.target)).version == 0

    def test_function_is_refused_when_it_is_unknown(self, rig: FunctionsRig) -> None:
        """What does not exist is an invalid target."""
        with pytest.raises(InvalidTarget):
            rig.reader.function(_unknown(rig.target))

    def test_function_is_refused_when_the_alias_is_unknown(self, rig: FunctionsRig) -> None:
        """An alias that nobody made is not the function itself."""
        with pytest.raises(InvalidTarget):
            rig.reader.function(msgspec.structs.replace(rig.target, name=f"{_plain(rig.target).name}:nobody"))

    def test_alias_moves_when_it_points_to_what_was_expected(self, rig: FunctionsRig) -> None:
        """The older version is live, and the receipt says that something was written."""
        receipt = rig.writer.point(rig.target, 2, expected=3)

        assert not receipt.get("unchanged")
        assert rig.reader.function(rig.target).version == 2

    def test_alias_stays_when_it_points_elsewhere(self, rig: FunctionsRig) -> None:
        """Somebody else's release is not undone."""
        with pytest.raises(Conflict):
            rig.writer.point(rig.target, 1, expected=2)

        assert rig.reader.function(rig.target).version == 3

    def test_alias_is_left_alone_when_it_points_there_already(self, rig: FunctionsRig) -> None:
        """A repeat of a write whose answer was lost finds its own, whatever was expected."""
        rig.writer.point(rig.target, 2, expected=3)
        rig.settle()

        assert rig.writer.point(rig.target, 2, expected=3)["unchanged"] is True

    def test_alias_is_back_when_pointed_backwards(self, rig: FunctionsRig) -> None:
        """The former version is live again."""
        rig.writer.point(rig.target, 2, expected=3)
        rig.settle()

        rig.writer.point(rig.target, 3, expected=2)

        assert rig.reader.function(rig.target).version == 3

    def test_canary_ends_when_the_alias_moves(self, rig: FunctionsRig) -> None:
        """No share of the calls is left with a version that was rolled back."""
        rig.writer.shift(rig.target, "2=10", expected="", version=3)
        rig.settle()

        rig.writer.point(rig.target, 1, expected=3)

        function = rig.reader.function(rig.target)
        assert (function.version, function.canary) == (1, "")

    def test_canary_ends_when_the_alias_is_to_stay(self, rig: FunctionsRig) -> None:
        """Pointing to the version that it points to is more than nothing while a canary runs."""
        rig.writer.shift(rig.target, "2=10", expected="", version=3)
        rig.settle()

        receipt = rig.writer.point(rig.target, 3, expected=3)

        assert not receipt.get("unchanged")
        assert rig.reader.function(rig.target).canary == ""

    def test_version_is_refused_when_it_was_never_published(self, rig: FunctionsRig) -> None:
        """An alias never points to what is not there, nor does a share of it."""
        with pytest.raises(Permanent):
            rig.writer.point(rig.target, 9, expected=3)
        with pytest.raises(Permanent):
            rig.writer.shift(rig.target, "9=10", expected="", version=3)

        function = rig.reader.function(rig.target)
        assert (function.version, function.canary) == (3, "")

    def test_alias_is_wanted_when_none_is_named(self, rig: FunctionsRig) -> None:
        """The function itself points nowhere."""
        with pytest.raises(Permanent):
            rig.writer.point(_plain(rig.target), 2, expected=3)
        with pytest.raises(Permanent):
            rig.writer.shift(_plain(rig.target), "2=10", expected="", version=3)

    def test_share_is_shifted_when_there_is_no_canary(self, rig: FunctionsRig) -> None:
        """The second version gets its share, and the first keeps the rest."""
        receipt = rig.writer.shift(rig.target, "2=12.5", expected="", version=3)

        assert not receipt.get("unchanged")
        function = rig.reader.function(rig.target)
        assert (function.version, function.canary) == (3, "2=12.5")

    def test_canary_ends_when_nothing_is_to_be_shifted(self, rig: FunctionsRig) -> None:
        """An abort leaves every call with the first version."""
        rig.writer.shift(rig.target, "2=10", expected="", version=3)
        rig.settle()

        rig.writer.shift(rig.target, "", expected="2=10", version=3)

        assert rig.reader.function(rig.target).canary == ""

    def test_canary_stays_when_it_is_another_one(self, rig: FunctionsRig) -> None:
        """Somebody else's canary is not ended."""
        rig.writer.shift(rig.target, "2=10", expected="", version=3)
        rig.settle()

        with pytest.raises(Conflict):
            rig.writer.shift(rig.target, "", expected="2=50", version=3)

        assert rig.reader.function(rig.target).canary == "2=10"

    def test_canary_is_left_alone_when_the_alias_has_moved(self, rig: FunctionsRig) -> None:
        """Nine calls of ten would go to a version that nobody has approved."""
        rig.writer.point(rig.target, 1, expected=3)
        rig.settle()

        with pytest.raises(Conflict):
            rig.writer.shift(rig.target, "2=10", expected="", version=3)

        assert rig.reader.function(rig.target).canary == ""

    def test_canary_is_left_alone_when_it_is_so_already(self, rig: FunctionsRig) -> None:
        """A repeat finds its own, whatever was expected."""
        rig.writer.shift(rig.target, "2=10", expected="", version=3)
        rig.settle()

        assert rig.writer.shift(rig.target, "2=10", expected="", version=3)["unchanged"] is True

    def test_canary_is_refused_when_it_is_what_runs_already(self, rig: FunctionsRig) -> None:
        """A canary is another version."""
        with pytest.raises(Permanent):
            rig.writer.shift(rig.target, "3=10", expected="", version=3)

        assert rig.reader.function(rig.target).canary == ""

    @pytest.mark.parametrize("concurrency", [0, 5], ids=["stopped", "slowed"])
    def test_calls_are_limited_when_nothing_was_reserved(self, rig: FunctionsRig, concurrency: int) -> None:
        """The brake holds, and none is a number of its own."""
        receipt = rig.writer.limit(rig.target, concurrency, expected=None)

        assert not receipt.get("unchanged")
        assert rig.reader.function(rig.target).concurrency == concurrency

    def test_limit_is_gone_when_it_is_lifted(self, rig: FunctionsRig) -> None:
        """Nothing reserved is what was there before."""
        rig.writer.limit(rig.target, 0, expected=None)
        rig.settle()

        rig.writer.limit(rig.target, None, expected=0)

        assert rig.reader.function(rig.target).concurrency is None

    def test_limit_stays_when_it_is_another_one(self, rig: FunctionsRig) -> None:
        """Somebody else's reservation is not overwritten."""
        rig.writer.limit(rig.target, 7, expected=None)
        rig.settle()

        with pytest.raises(Conflict):
            rig.writer.limit(rig.target, 0, expected=None)

        assert rig.reader.function(rig.target).concurrency == 7

    def test_limit_is_left_alone_when_it_is_so_already(self, rig: FunctionsRig) -> None:
        """A repeat finds its own, whatever was expected."""
        rig.writer.limit(rig.target, 0, expected=None)
        rig.settle()

        assert rig.writer.limit(rig.target, 0, expected=None)["unchanged"] is True

    def test_writes_are_refused_when_the_function_is_unknown(self, rig: FunctionsRig) -> None:
        """A write creates nothing."""
        unknown = _unknown(rig.target)

        with pytest.raises(Permanent):
            rig.writer.point(unknown, 2, expected=3)
        with pytest.raises(Permanent):
            rig.writer.shift(unknown, "2=10", expected="", version=3)
        with pytest.raises(Permanent):
            rig.writer.limit(unknown, 0, expected=None)


def _plain(target: Target) -> Target:
    return msgspec.structs.replace(target, name=target.name.partition(":")[0])


def _unknown(target: Target) -> Target:
    return msgspec.structs.replace(target, name="no-such-function:live")
