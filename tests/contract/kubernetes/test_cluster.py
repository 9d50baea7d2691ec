"""The cluster contract on a deployment, a statefulset and a daemonset, each as far as it applies."""

from __future__ import annotations

import pytest

from runbook_engine.errors import Permanent
from tests.contract.cluster_contract import ClusterContract
from tests.contract.kubernetes.bed import Bed
from tests.contract.kubernetes.rig import WorkloadRig, two_releases


class TestDeployment(ClusterContract):
    """A deployment, through its ReplicaSets."""

    @pytest.fixture
    def rig(self, cluster: Bed) -> WorkloadRig:
        return two_releases(cluster, "deployment")


class TestStatefulSet(ClusterContract):
    """A statefulset, through its ControllerRevisions."""

    @pytest.fixture
    def rig(self, cluster: Bed) -> WorkloadRig:
        return two_releases(cluster, "statefulset")


class _AnyCount(ClusterContract):
    """What does not depend on a count that somebody sets."""

    test_scale_takes_effect_when_expected = None
    test_scale_shrinks_when_expected = None
    test_scale_conflicts_when_the_count_has_moved = None
    test_scale_is_left_alone_when_already_so = None
    test_scale_is_undone_when_written_backwards = None


class TestDaemonSet(_AnyCount):
    """A daemonset: its nodes decide how many there are."""

    @pytest.fixture
    def rig(self, cluster: Bed) -> WorkloadRig:
        return two_releases(cluster, "daemonset")

    def test_scale_is_refused_when_nodes_decide(self, rig: WorkloadRig) -> None:
        """One pod on every node is not a count that anybody sets."""
        with pytest.raises(Permanent) as refused:
            rig.writer.scale(rig.target, 5, expected=3)

        assert str(refused.value) == (
            f"cannot scale {rig.target}: a daemonset has a pod on every node that fits (add or remove nodes)"
        )
