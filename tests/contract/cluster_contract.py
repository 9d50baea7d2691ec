"""The contract of ClusterReader and ClusterWriter: import the class into a test module that has a `rig` fixture.

A rig is one workload with at least two replicas, at its newest revision, with an older revision that is kept, not
paused, nothing rolling out. `settle()` lets time pass until what was written has taken effect.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import pytest

from runbook_engine.errors import Conflict, InvalidTarget, Permanent
from runbook_engine.model.observation import Workload
from runbook_engine.model.target import Target
from runbook_engine.ports import ClusterReader, ClusterWriter


class ClusterRig(Protocol):
    """What an adapter brings to be judged."""

    reader: ClusterReader
    writer: ClusterWriter
    target: Target

    def settle(self) -> None:
        """Let time pass until nothing rolls out."""


class ClusterContract:
    """What every cluster adapter, simulated or real, does alike."""

    def test_workload_is_complete_when_nothing_rolls_out(self, rig: ClusterRig) -> None:
        """At rest, every replica is ready and updated and the newest generation has been observed."""
        workload = rig.reader.workload(rig.target)

        assert (workload.replicas, workload.replicas) == (workload.ready, workload.updated)
        assert workload.observed_generation >= workload.generation
        assert workload.rollout == "complete"
        assert workload.target.key == rig.target.key

    def test_workload_is_refused_when_unknown(self, rig: ClusterRig) -> None:
        """A workload that does not exist is an invalid target, never an empty workload."""
        with pytest.raises(InvalidTarget):
            rig.reader.workload(_unknown(rig.target))

    def test_scale_takes_effect_when_expected(self, rig: ClusterRig) -> None:
        """The wanted count is there at once, and ready in the end."""
        before = rig.reader.workload(rig.target)

        receipt = rig.writer.scale(rig.target, before.replicas + 1, expected=before.replicas)

        assert not receipt.get("unchanged")
        assert rig.reader.workload(rig.target).replicas == before.replicas + 1
        rig.settle()
        _assert_at_rest(rig, before.replicas + 1)

    def test_scale_shrinks_when_expected(self, rig: ClusterRig) -> None:
        """A smaller count is reached in the end, and no replica too many counts as ready."""
        before = rig.reader.workload(rig.target)

        rig.writer.scale(rig.target, before.replicas - 1, expected=before.replicas)

        rig.settle()
        _assert_at_rest(rig, before.replicas - 1)

    def test_scale_conflicts_when_the_count_has_moved(self, rig: ClusterRig) -> None:
        """Somebody else's count is never overwritten."""
        before = rig.reader.workload(rig.target)

        with pytest.raises(Conflict):
            rig.writer.scale(rig.target, before.replicas + 2, expected=before.replicas + 1)

        assert rig.reader.workload(rig.target).replicas == before.replicas

    def test_scale_is_left_alone_when_already_so(self, rig: ClusterRig) -> None:
        """A repeat of a write whose answer was lost finds its own value and sends nothing."""
        before = rig.reader.workload(rig.target)
        rig.writer.scale(rig.target, before.replicas + 1, expected=before.replicas)
        rig.settle()
        generation = rig.reader.workload(rig.target).generation

        receipt = rig.writer.scale(rig.target, before.replicas + 1, expected=before.replicas)

        assert receipt["unchanged"] is True
        assert rig.reader.workload(rig.target).generation == generation

    def test_scale_is_undone_when_written_backwards(self, rig: ClusterRig) -> None:
        """Scaling back restores the count."""
        before = rig.reader.workload(rig.target)
        rig.writer.scale(rig.target, before.replicas + 1, expected=before.replicas)
        rig.settle()

        rig.writer.scale(rig.target, before.replicas, expected=before.replicas + 1)

        rig.settle()
        _assert_at_rest(rig, before.replicas)

    def test_restart_takes_effect_when_the_mark_is_new(self, rig: ClusterRig) -> None:
        """The mark can be read back, the generation has risen, the count has not moved."""
        before = rig.reader.workload(rig.target)

        receipt = rig.writer.restart(rig.target, "contract-1")
        rig.settle()

        after = rig.reader.workload(rig.target)
        assert not receipt.get("unchanged")
        assert after.restarted_at == "contract-1"
        assert after.generation > before.generation
        _assert_at_rest(rig, before.replicas)

    def test_restart_does_nothing_when_the_mark_is_the_same(self, rig: ClusterRig) -> None:
        """A restart that is sent twice happens once."""
        rig.writer.restart(rig.target, "contract-1")
        rig.settle()
        generation = rig.reader.workload(rig.target).generation

        receipt = rig.writer.restart(rig.target, "contract-1")

        assert receipt["unchanged"] is True
        assert rig.reader.workload(rig.target).generation == generation

    def test_receipt_names_the_generation_when_written(self, rig: ClusterRig) -> None:
        """The receipt's generation is the one that must be observed before the effect counts."""
        before = rig.reader.workload(rig.target)

        receipt = rig.writer.restart(rig.target, "contract-1")

        generation = receipt["generation"]
        assert isinstance(generation, int)
        assert generation > before.generation
        rig.settle()
        assert rig.reader.workload(rig.target).observed_generation >= generation

    def test_rollback_takes_effect_when_expected(self, rig: ClusterRig) -> None:
        """The older revision's settings are live; its number, or the new one in the receipt, is the revision."""
        before = rig.reader.workload(rig.target)
        older = _older(before)

        receipt = rig.writer.rollback(rig.target, older, expected=before.revision)
        rig.settle()

        assert rig.reader.workload(rig.target).revision in (older, receipt.get("revision"))
        _assert_at_rest(rig, before.replicas)

    def test_rollback_conflicts_when_somebody_released(self, rig: ClusterRig) -> None:
        """A rollback that was decided for another revision does not happen."""
        before = rig.reader.workload(rig.target)

        with pytest.raises(Conflict):
            rig.writer.rollback(rig.target, _older(before), expected=before.revision + 1)

        assert rig.reader.workload(rig.target).revision == before.revision

    def test_rollback_is_left_alone_when_sent_twice(self, rig: ClusterRig) -> None:
        """A repeat of a rollback whose answer was lost rolls nothing back again."""
        before = rig.reader.workload(rig.target)
        rig.writer.rollback(rig.target, _older(before), expected=before.revision)
        rig.settle()
        after = rig.reader.workload(rig.target)

        receipt = rig.writer.rollback(rig.target, _older(before), expected=before.revision)

        assert receipt["unchanged"] is True
        assert rig.reader.workload(rig.target).generation == after.generation

    def test_rollback_is_refused_when_the_revision_is_unknown(self, rig: ClusterRig) -> None:
        """A revision that is not kept cannot be returned to."""
        before = rig.reader.workload(rig.target)

        with pytest.raises(Permanent):
            rig.writer.rollback(rig.target, 9999, expected=before.revision)

    @pytest.mark.parametrize("method", ["scale", "restart", "rollback"])
    def test_write_is_refused_when_the_workload_is_unknown(self, rig: ClusterRig, method: str) -> None:
        """A workload that does not exist is not created by a write."""
        target = _unknown(rig.target)
        calls = {
            "scale": lambda: rig.writer.scale(target, 3, expected=2),
            "restart": lambda: rig.writer.restart(target, "contract-1"),
            "rollback": lambda: rig.writer.rollback(target, 1, expected=2),
        }

        with pytest.raises(Permanent):
            calls[method]()


def _unknown(target: Target) -> Target:
    return msgspec.structs.replace(target, name="no-such-workload", uid="")


def _older(workload: Workload) -> int:
    return max(revision.number for revision in workload.revisions if revision.number < workload.revision)


def _assert_at_rest(rig: ClusterRig, replicas: int) -> None:
    workload = rig.reader.workload(rig.target)
    assert (workload.replicas, workload.ready, workload.updated) == (replicas, replicas, replicas)
    assert workload.rollout == "complete"
