"""Every kind of action in the AWS host, killed where it hurts: the journal in the table, the driver a state machine.

A few places of a few actions run with every test; every place of every action with `make crash-cloud-long`. The world
is simulated, since it must count; tests/pipeline/rie has real processes and the account itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.cases import SIMULATED, Case, cases, once
from tests.crash.invariants import assert_chained, assert_sound, intents
from tests.crash.mortality import Mortality
from tests.crash.test_serverless import SCENES, Scene, ServerlessHost, case_of
from tests.pipeline.cloud_host import CloudHost, gone

LONG = os.environ.get("RUNBOOK_CRASH") == "long"
long_form = pytest.mark.skipif(not LONG, reason="the long form (make crash-cloud-long)")
ON_DEPLOYMENTS = {case.name: case for case in cases(SIMULATED)}
ON_SERVERLESS = {scene.action: scene for scene in SCENES}
DOUBTFUL = ("after-intent", "after-apply")


class First(Mortality):
    """Dies at the first place of a name."""

    def __init__(self, name: str) -> None:
        super().__init__(by=gone)
        self.name = name

    def __call__(self, name: str) -> None:
        """Pass one place, or not."""
        if name == self.name and not self.died_at:
            self._deaths = frozenset({len(self.passed) + 1})
        super().__call__(name)


class SoundCloudHost(CloudHost):
    """Judges the journal while there is an account to ask."""

    def _read(self) -> None:
        super()._read()
        assert_sound(self.kept)


class ServerlessCloudHost(ServerlessHost, SoundCloudHost):
    """One run on a function, a queue or an automation, in functions that die."""


def play(case: Case, folder: Path, mortality: Mortality) -> SoundCloudHost:
    """Play a case on deployments and parameters."""
    folder.mkdir()
    host = SoundCloudHost(case, folder, mortality)
    host.play()
    return host


def play_scene(scene: Scene, folder: Path, mortality: Mortality) -> ServerlessCloudHost:
    """Play a scene on a function, a queue or an automation."""
    folder.mkdir()
    host = ServerlessCloudHost(case_of(scene), folder, mortality)
    host.play()
    return host


def places(host: CloudHost) -> range:
    """Return the number of every place that a run passed."""
    return range(1, len(host.mortality.passed) + 1)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("register-declarative", "after-apply"),
        ("register-token", "after-apply"),
        ("register-observable", "after-apply"),
        ("register-observable", "after-intent"),
    ],
)
def test_each_way_of_repeating_makes_a_change_once(name: str, place: str, tmp_path: Path) -> None:
    """The intent is kept, its outcome is not: what happens next is for the class of the action to say."""
    case = ON_DEPLOYMENTS[name]

    host = play(case, tmp_path / "case", First(place))

    assert host.mortality.died_at == [place]
    assert case.register == tuple(value for _, value in host.register.effects)
    assert (case.status, case.compensation) == (host.execution.status, host.execution.compensation)


@pytest.mark.parametrize("place", DOUBTFUL)
def test_what_must_never_be_repeated_is_left_to_a_person(place: str, tmp_path: Path) -> None:
    """In doubt the run ends unknown, and whoever is on call is told."""
    host = play(once(SIMULATED), tmp_path / "case", First(place))

    assert host.execution.status == "unknown"
    assert sum(key.endswith("/do") for key, _ in host.register.effects) == (place == "after-apply")
    assert ("oncall", "notFixed") in host.told


@pytest.mark.parametrize("name", ["redrive", "ssmAutomation"])
def test_an_action_that_only_aws_has_is_done_once(name: str, tmp_path: Path) -> None:
    """A move of messages is looked for, a run of an automation goes by its token."""
    place = "after-apply"
    scene = ON_SERVERLESS[name]

    host = play_scene(scene, tmp_path / "scene", First(place))

    assert host.mortality.died_at == [place]
    assert [method for method, _ in scene.touches] == [method for method, _ in host.touches]
    assert (scene.after, "succeeded") == (host.left, host.execution.status)


@long_form
@pytest.mark.parametrize("name", ON_DEPLOYMENTS)
def test_no_effect_is_lost_or_doubled_wherever_the_function_dies(name: str, tmp_path: Path) -> None:
    """At every place, one death: the same effects, the same end, the same intents."""
    case = ON_DEPLOYMENTS[name]
    undisturbed = play(case, tmp_path / "0", Mortality(by=gone))
    assert case.effects == undisturbed.effects

    for death in places(undisturbed):
        host = play(case, tmp_path / str(death), Mortality(death, by=gone))

        place = f"killed at {death}, {host.mortality.died_at}"
        assert case.effects == host.effects, place
        assert undisturbed.register.effects == host.register.effects, place
        assert (case.status, case.compensation) == (host.execution.status, host.execution.compensation), place
        assert intents(undisturbed.trail) == intents(host.trail), place
        assert_chained(host.execution, host.trail)


@long_form
@pytest.mark.parametrize("name", ON_SERVERLESS)
def test_no_effect_on_what_only_aws_has_is_lost_or_doubled(name: str, tmp_path: Path) -> None:
    """At every place, one death: the same touches, and the same is left of it."""
    scene = ON_SERVERLESS[name]
    undisturbed = play_scene(scene, tmp_path / "0", Mortality(by=gone))
    assert scene.after == undisturbed.left

    for death in places(undisturbed):
        host = play_scene(scene, tmp_path / str(death), Mortality(death, by=gone))

        place = f"killed at {death}, {host.mortality.died_at}"
        assert undisturbed.touches == host.touches, place
        assert undisturbed.left == host.left, place
        assert ("succeeded", scene.compensation) == (host.execution.status, host.execution.compensation), place
        assert intents(undisturbed.trail) == intents(host.trail), place
