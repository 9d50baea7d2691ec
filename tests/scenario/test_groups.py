"""Groups: many alerts of one runbook at once are counted by what they are about, and act in batches or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from msgspec.structs import replace

from runbook_engine.errors import InvalidTarget, Permanent, RunbookError, Unreadable
from runbook_engine.model.execution import Execution
from runbook_engine.model.group import Group
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.runbook import GroupRule, Input, ModeRule, NotifyRule, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.testing.memory_journal import MemoryJournal
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.crash.invariants import assert_sound
from tests.crash.mortality import Killed, Mortality, MortalJournal, places_to_die
from tests.scenario.pods import Pods, deployment, with_pods
from tests.scenario.rig import MINUTE, SECOND, Rig, runbook

HOUR = 60 * MINUTE
RULE = GroupRule(wait=MINUTE, max_targets=2)
OF_POD = TargetTemplate("workloadOf", "{{ inputs.pod }}", "apps")
NAMED = TargetTemplate("deployment", "{{ inputs.pod }}", "apps")
RESTART = Step(name="restart", action="restart")
RESTART_AGAIN = Step(name="restart-again", action="restart")
POD = Input(name="pod", type="pod", path=("alert", "labels", "pod"))
NAMES = tuple(f"app-{number:02}" for number in range(40))


def crashing(rule: GroupRule | None = RULE, **changes: object) -> Runbook:
    """A runbook that restarts what pods belong to, a group at a time."""
    settings: dict[str, object] = {
        "target": OF_POD,
        "inputs": (POD,),
        "group": rule,
        "steps": (RESTART,),
        "verify": (),
        "strategy": "sequence",
        "guardrails": Guardrails(cooldown=MINUTE, deadline=40 * MINUTE),
        "notify": (NotifyRule(receiver="oncall", events=("notFixed",)),),
    }
    return runbook(**{**settings, **changes})


class Fleet(Rig):
    """A rig with forty deployments of three pods each: app-07 has app-07-a, app-07-b, app-07-c."""

    def __init__(
        self,
        book: Runbook | None = None,
        *,
        journal: Journal | None = None,
        mortality: Mortality | None = None,
        world: SimulatedWorld | None = None,
    ) -> None:
        simulated = world or SimulatedWorld(receivers=("chat", "oncall"))
        if world is None:
            for name in NAMES:
                simulated.deploy("apps", name, replicas=3, released_ago=timedelta(hours=5))
        self.pods = Pods({f"{name}-{pod}": deployment(name) for name in NAMES for pod in "abc"})
        super().__init__(
            book or crashing(),
            journal=journal,
            world=with_pods(simulated, self.pods),
            checkpoint=mortality or (lambda name: None),
        )

    def storm(self, *pods: str, status: str = "firing") -> None:
        """Post one delivery with an alert for each pod."""
        self.post(*(self._alert(status, "CheckoutHighErrorRate", {"pod": pod}) for pod in pods))

    def restarted(self) -> list[str]:
        """What was restarted, in order."""
        return [
            touch.target.rpartition("/")[2]
            for touch in self.simulated.effects_made
            if touch.method == "cluster.restart"
        ]

    def all(self) -> Mapping[str, Execution]:
        """Every execution by the name of its target, joined ones left out."""
        found = self.journal.executions(limit=1000)
        return {execution.target.name: execution for execution in found if not execution.merged_into}

    def ends(self) -> Counter[str]:
        """How often runs ended in each way, joined ones left out."""
        return Counter(execution.status for execution in self.all().values())

    def pages(self) -> list[str]:
        """What on-call was told."""
        return [kept.message.text for kept in self.simulated.inbox.messages if kept.receiver == "oncall"]


# --- how many ---------------------------------------------------------------------------------------------------


def test_nothing_is_changed_before_the_group_is_complete() -> None:
    """A minute for more alerts to come; then one deployment is restarted, however many of its pods crash."""
    fleet = Fleet()
    fleet.storm("app-01-a")
    fleet.run(30 * SECOND)
    fleet.storm("app-01-b", "app-01-c")
    fleet.run(29 * SECOND)
    early = (fleet.restarted(), fleet.all()["app-01"].status, fleet.all()["app-01"].waiting_for)

    fleet.run(MINUTE)

    assert ([], "waiting", "its group, which is complete at 09:01:00 UTC") == early
    assert ["app-01"] == fleet.restarted()
    assert {"succeeded": 1} == fleet.ends()
    assert 3 == len(fleet.all()["app-01"].members)
    assert_sound(fleet.journal)


def test_everything_is_held_and_people_are_told_once_when_there_are_too_many_targets() -> None:
    """Forty deployments at once are a cause that no restart mends."""
    fleet = Fleet()

    fleet.storm(*(f"{name}-a" for name in NAMES))
    fleet.run(5 * MINUTE)

    said = (
        "group of 40 targets, at most 2: nothing was changed (apps/deployment/app-00, apps/deployment/app-01, "
        "apps/deployment/app-02, apps/deployment/app-03, apps/deployment/app-04, apps/deployment/app-05, "
        "apps/deployment/app-06, apps/deployment/app-07, apps/deployment/app-08, apps/deployment/app-09, and 30 more)"
    )
    assert {said} == {execution.reason for execution in fleet.all().values()}
    assert {"blocked": 40} == fleet.ends()
    assert [f"blocked: {said}"] == fleet.pages()
    assert [] == fleet.restarted()
    assert_sound(fleet.journal)


def test_forty_pods_of_one_deployment_are_one_target() -> None:
    """Alerts collapse by what they lead to, not by what they name."""
    fleet = Fleet()
    fleet.pods.workloads |= {f"crash-{number}": deployment("app-07") for number in range(40)}

    fleet.storm(*(f"crash-{number}" for number in range(40)))
    fleet.run(5 * MINUTE)

    assert ["app-07"] == fleet.restarted()
    assert ({"succeeded": 1}, []) == (fleet.ends(), fleet.pages())
    assert_sound(fleet.journal)


def test_an_alert_of_the_last_second_is_counted() -> None:
    """Two are few enough; the third arrives just within the wait."""
    fleet = Fleet()
    fleet.storm("app-01-a", "app-02-a")
    fleet.run(59 * SECOND)

    fleet.storm("app-03-a")
    fleet.run(5 * MINUTE)

    assert ({"blocked": 3}, []) == (fleet.ends(), fleet.restarted())


def test_a_target_whose_alert_has_resolved_still_counts() -> None:
    """Three at once are three at once, even if one of them mends itself."""
    fleet = Fleet()
    fleet.storm("app-01-a", "app-02-a", "app-03-a")
    fleet.run(30 * SECOND)

    fleet.storm("app-03-a", status="resolved")
    fleet.run(5 * MINUTE)

    assert ({"blocked": 2, "cancelled": 1}, []) == (fleet.ends(), fleet.restarted())


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        pytest.param(InvalidTarget("no such pod"), "no such pod", id="the pods are gone"),
        pytest.param(
            Unreadable("the API server does not answer"),
            "the deadline of 40m has passed, waiting for the API server does not answer",
            id="the cluster cannot be read",
        ),
    ],
)
def test_people_hear_only_so_often_of_a_storm_that_nobody_can_place(trouble: RunbookError, reason: str) -> None:
    """Forty runs end, each on record; as many tell of it as might have acted, and not forty."""
    fleet = Fleet()
    fleet.pods.fails = trouble

    fleet.storm(*(f"{name}-a" for name in NAMES))
    fleet.run(42 * MINUTE, step=30 * SECOND)

    assert [f"blocked: {reason}"] * RULE.max_targets == fleet.pages()
    assert {"blocked": 40} == fleet.ends()
    assert {reason} == {execution.reason for execution in fleet.all().values()}


def test_a_group_waits_until_it_is_known_what_its_alerts_are_about() -> None:
    """While the cluster cannot be read nothing can be counted, so nothing is changed."""
    fleet = Fleet()
    fleet.storm("app-01-a")
    fleet.run(SECOND)
    fleet.pods.fails = Unreadable("the API server does not answer")
    fleet.storm("app-02-a")
    fleet.run(2 * MINUTE)
    waits = fleet.all()["app-01"].waiting_for
    fleet.pods.fails = None

    fleet.run(5 * MINUTE)

    assert "its group: it is not known yet what 1 of 2 are about" == waits
    assert ["app-01", "app-02"] == fleet.restarted()


def test_alerts_that_name_their_deployment_are_grouped_as_well() -> None:
    """Nothing is to be looked up, and all the rest is the same."""
    fleet = Fleet(crashing(target=NAMED))

    fleet.storm("app-01", "app-02", "app-03")
    fleet.run(5 * MINUTE)

    assert ({"blocked": 3}, 1) == (fleet.ends(), len(fleet.pages()))


def test_a_plan_says_that_a_run_would_wait_for_its_group() -> None:
    """Before anything of it is done."""
    fleet = Fleet()
    fleet.storm("app-01-a")

    (plan,) = fleet.engine.plan(fleet.all()["app-01-a"].alert, fleet.now)

    assert ("its group, 1m: with more than 2 targets nothing is changed",) == plan.waiting
    assert (1, ()) == (len(plan.changes), plan.blocked)


def test_a_run_by_hand_belongs_to_no_group() -> None:
    """A person has chosen this one."""
    fleet = Fleet(crashing(target=NAMED))
    target = Target("deployment", "local", "apps", "app-01")

    plan, execution = fleet.engine.plan_by_hand(
        crashing().name, target=target, inputs={"pod": "app-01"}, by="ann", reason="why", now=fleet.now
    )
    fleet.engine.start(execution, plan, plan_hash=plan.plan_hash, by="ann", now=fleet.now)
    fleet.run(30 * SECOND)

    assert ["app-01"] == fleet.restarted()


# --- batches ----------------------------------------------------------------------------------------------------


def test_a_batch_begins_when_the_one_before_has_ended() -> None:
    """One first, then two at a time; each says whom it waits for."""
    fleet = Fleet(
        crashing(GroupRule(wait=MINUTE, max_targets=9, batches=(1, 2)), steps=(replace(RESTART, settle=MINUTE),))
    )
    fleet.storm(*(f"app-0{number}-a" for number in range(4)))
    seen: list[tuple[int, str]] = []
    for _ in range(8):
        fleet.run(30 * SECOND)
        seen.append((len(fleet.restarted()), fleet.all()["app-03"].waiting_for))
    fleet.run(2 * MINUTE)

    assert {"succeeded": 4} == fleet.ends()
    assert [0, 1, 1, 1, 3] == [number for number, _ in seen[:5]]
    assert 4 == len(fleet.restarted())
    assert "app-00" == fleet.restarted()[0]
    assert {"its turn: batch 3 of 3, after"} == {waits[:29] for _, waits in seen if "turn" in waits}


def order_of(fleet: Fleet) -> list[str]:
    """The targets of the group in the order of the batches."""
    by_id = {execution.id: execution.target.name for execution in fleet.all().values()}
    group = fleet.journal.newest_group(crashing().name)
    assert group is not None
    return [by_id[member] for member in group.order]


def test_the_rest_is_stopped_when_the_first_of_a_group_fails() -> None:
    """The canary stands between: what did not help once is not done again, and people are told once."""
    fleet = Fleet(crashing(GroupRule(wait=MINUTE, max_targets=9)))
    fleet.simulated.fail_next("cluster.restart", Permanent("denied by an admission policy"))

    fleet.storm("app-01-a", "app-02-a", "app-03-a")
    fleet.run(5 * MINUTE)

    first, *others = order_of(fleet)
    stopped = f"stopped: 1 of the group failed, at most 0 (apps/deployment/{first})"
    assert [] == fleet.restarted()
    assert "failed" == fleet.all()[first].status
    assert [("blocked", stopped)] * 2 == [(fleet.all()[name].status, fleet.all()[name].reason) for name in others]
    failed = "failed: restart failed: denied by an admission policy"
    demoted = "its runbook is demoted to approve until a commit changes it"
    assert [f"{failed}; {demoted}", f"blocked: {stopped}"] == fleet.pages()
    assert_sound(fleet.journal)


def test_a_group_goes_on_when_no_more_fail_than_allowed() -> None:
    """One of three may fail."""
    fleet = Fleet(crashing(GroupRule(wait=MINUTE, max_targets=9, max_failures=1)))
    fleet.simulated.fail_next("cluster.restart", Permanent("denied by an admission policy"))

    fleet.storm("app-01-a", "app-02-a", "app-03-a")
    fleet.run(5 * MINUTE)

    assert {"failed": 1, "succeeded": 2} == fleet.ends()
    assert order_of(fleet)[1:] == fleet.restarted()


def test_a_turn_passes_when_the_alert_of_the_one_before_resolves() -> None:
    """Not needed any more is no failure."""
    fleet = Fleet(crashing(GroupRule(wait=MINUTE, max_targets=9), steps=(replace(RESTART, settle=2 * MINUTE),)))
    fleet.storm("app-01-a", "app-02-a", "app-03-a")
    fleet.run(61 * SECOND)
    second = order_of(fleet)[1]
    fleet.storm(f"{second}-a", status="resolved")

    fleet.run(10 * MINUTE)

    assert {"succeeded": 2, "cancelled": 1} == fleet.ends()
    assert second not in fleet.restarted()


def test_who_waits_for_its_turn_ends_at_the_deadline() -> None:
    """The deadline is of the whole run, its waiting included."""
    book = crashing(
        GroupRule(wait=MINUTE, max_targets=9),
        steps=(replace(RESTART, settle=8 * MINUTE),),
        guardrails=Guardrails(cooldown=MINUTE, deadline=5 * MINUTE),
    )
    fleet = Fleet(book)
    fleet.storm("app-01-a", "app-02-a")

    fleet.run(6 * MINUTE)

    first, second = order_of(fleet)
    said = f"the deadline of 5m has passed, waiting for its turn: batch 2 of 2, after apps/deployment/{first}"
    assert ("blocked", said) == (fleet.all()[second].status, fleet.all()[second].reason)


# --- one group after the other ----------------------------------------------------------------------------------


def held(fleet: Fleet) -> None:
    """Let a group of three be held."""
    fleet.storm("app-01-a", "app-02-a", "app-03-a")
    fleet.run(2 * MINUTE)


def test_a_later_alert_is_held_too_while_the_alerts_of_a_held_group_fire() -> None:
    """One more of a storm is no fault of its own; people know already."""
    fleet = Fleet()
    held(fleet)
    before = fleet.pages()

    fleet.storm("app-09-a")
    fleet.run(10 * MINUTE)

    late = next(each for each in fleet.journal.executions(limit=9) if each.target.name == "app-09-a")
    assert "blocked" == late.status
    assert late.reason.startswith("held with its group: group of 3 targets, at most 2: nothing was changed (")
    assert (1, before, []) == (len(before), fleet.pages(), fleet.restarted())
    assert_sound(fleet.journal)


def test_people_are_told_again_when_a_group_is_still_held_an_hour_later() -> None:
    """A silence that lasts is no silence that somebody chose."""
    fleet = Fleet()
    held(fleet)
    fleet.run(HOUR, MINUTE)

    fleet.storm("app-09-a", "app-10-a")
    fleet.run(MINUTE)

    assert 2 == len(fleet.pages())
    assert fleet.pages()[1].startswith("blocked: held with its group: group of 3 targets, at most 2")


def test_a_new_group_opens_when_the_alerts_of_the_held_one_are_over() -> None:
    """Somebody has mended the cause."""
    fleet = Fleet()
    held(fleet)
    fleet.storm("app-01-a", "app-02-a", status="resolved")
    fleet.storm("app-08-a")
    fleet.run(2 * MINUTE)
    fleet.storm("app-03-a", "app-08-a", status="resolved")

    fleet.storm("app-09-a")
    fleet.run(2 * MINUTE)

    assert ["app-09"] == fleet.restarted()


def test_a_group_whose_alerts_all_resolved_in_time_is_no_part_of_the_next_storm() -> None:
    """Nothing had to be decided about it; a day later one alert is one alert, and waits for others of its own."""
    fleet = Fleet()
    fleet.storm("app-01-a", "app-02-a", "app-03-a")
    fleet.run(10 * SECOND)
    fleet.storm("app-01-a", "app-02-a", "app-03-a", status="resolved")
    fleet.run(5 * MINUTE)

    fleet.simulated.push(24 * HOUR)
    fleet.storm("app-09-a")
    fleet.run(50 * SECOND)
    early = fleet.restarted()
    fleet.run(5 * MINUTE)

    assert [] == early
    assert ["app-09"] == fleet.restarted()
    assert "succeeded" == fleet.all()["app-09"].status


def test_the_next_group_waits_until_the_one_before_is_through() -> None:
    """Two small groups, one a minute after the other, are not four targets at once."""
    fleet = Fleet(crashing(steps=(replace(RESTART, settle=3 * MINUTE),)))
    fleet.storm("app-01-a", "app-02-a")
    fleet.run(70 * SECOND)

    fleet.storm("app-03-a", "app-04-a")
    fleet.run(2 * MINUTE)
    meanwhile, waits = fleet.restarted(), fleet.all()["app-03"].waiting_for
    fleet.run(20 * MINUTE)

    assert 1 == len(meanwhile)
    assert waits.startswith("the group before it, which still works on apps/deployment/app-0")
    assert {"succeeded": 4} == fleet.ends()
    assert ["app-01", "app-02"] == sorted(fleet.restarted()[:2])


def test_the_next_group_is_held_when_the_one_before_is_stopped() -> None:
    """What did not help the first group is not tried on the second, which gathered meanwhile; people hear of both."""
    fleet = Fleet(crashing(steps=(replace(RESTART, settle=3 * MINUTE), RESTART_AGAIN)))
    fleet.storm("app-01-a", "app-02-a")
    fleet.run(70 * SECOND)
    fleet.simulated.fail_next("cluster.restart", Permanent("denied by an admission policy"))

    fleet.storm("app-03-a")
    fleet.run(20 * MINUTE)

    said = "the group before it was stopped: 1 of the group failed, at most 0 (apps/deployment/app-01)"
    assert ("blocked", said) == (fleet.all()["app-03"].status, fleet.all()["app-03"].reason)
    assert ["app-01"] == fleet.restarted()
    assert 3 == len(fleet.pages())


def test_an_alert_is_counted_that_comes_before_a_late_decision() -> None:
    """The cluster could not be read for a while, and the storm went on."""
    fleet = Fleet()
    fleet.pods.fails = Unreadable("the API server does not answer")
    fleet.storm("app-01-a", "app-02-a")
    fleet.run(70 * SECOND)
    fleet.storm("app-03-a")
    fleet.run(70 * SECOND)
    fleet.pods.fails = None

    fleet.run(10 * MINUTE)

    assert ({"blocked": 3}, [], 1) == (fleet.ends(), fleet.restarted(), len(fleet.pages()))


def test_people_are_told_when_the_first_to_ask_only_observes() -> None:
    """A rehearsal tells nobody; whoever is next does."""
    modes = (ModeRule(mode="observe", matchers=(Matcher("stage", "=", "test"),)), ModeRule(mode="auto"))
    fleet = Fleet(crashing(mode=modes))
    for name in ("app-01", "app-02"):
        fleet.fire(pod=f"{name}-a", stage="test")
    fleet.run(SECOND)
    fleet.storm("app-03-a", "app-04-a")

    fleet.run(2 * MINUTE)

    assert ({"blocked": 4}, 1, []) == (fleet.ends(), len(fleet.pages()), fleet.restarted())
    teller = next(each for each in fleet.all().values() if each.announced)
    assert "auto" == teller.mode


class Interrupted(MemoryJournal):
    """A journal that is slow to answer which group is the newest: something else happens before its answer arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], None]] = []

    def newest_group(self, runbook: str) -> Group | None:
        """Return what was so when it was asked."""
        seen = super().newest_group(runbook)
        while self.meanwhile:
            self.meanwhile.pop()()
        return seen


def test_one_group_opens_when_two_deliveries_arrive_at_one_moment() -> None:
    """Both have read that there is none; the later one to be stored is stale, looks again, and adds to that group."""
    journal = Interrupted()
    fleet = Fleet(journal=journal)
    journal.meanwhile.append(lambda: fleet.storm("app-02-a", "app-03-a"))

    fleet.storm("app-01-a")
    fleet.run(2 * MINUTE)

    assert 1 == len({execution.group_id for execution in fleet.all().values()})
    assert ({"blocked": 3}, 1) == (fleet.ends(), len(fleet.pages()))


# --- crashes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [2, 3], ids=["few enough", "too many"])
def test_a_group_comes_to_the_same_end_when_a_process_dies_anywhere(targets: int) -> None:
    """At every place, one death: the same changes, the same ends, and people are told as often."""
    names = NAMES[:targets]
    undisturbed = play(names, Mortality())

    for death in places_to_die(undisturbed.mortality.passed):
        fleet = play(names, Mortality(death))

        place = f"killed at {death}, {fleet.mortality.died_at}"
        assert undisturbed.ends() == fleet.ends(), place
        assert sorted(undisturbed.restarted()) == sorted(fleet.restarted()), place
        assert set(undisturbed.pages()) == set(fleet.pages()), place
        assert len({kept.message.id for kept in fleet.simulated.inbox.messages}) == len(undisturbed.pages()), place
        assert_sound(fleet.journal)


class Played(Fleet):
    """A fleet that outlived a death."""

    mortality: Mortality


def play(names: tuple[str, ...], mortality: Mortality) -> Played:
    """Let two pods of each deployment crash, in a process that may die; another one goes on."""
    inner = MemoryJournal()
    mortal = Fleet(journal=MortalJournal(inner, mortality), mortality=mortality)  # type: ignore[arg-type]
    survivor = Played(journal=inner, world=mortal.simulated)
    survivor.pods, survivor.mortality = mortal.pods, mortality
    started = mortal.now
    alerts = [
        {**mortal._alert("firing", "CheckoutHighErrorRate", {"pod": f"{name}-{pod}"})} for name in names for pod in "ab"
    ]
    present: Fleet = mortal
    while present.now < started + 5 * MINUTE:
        try:
            present.post(*alerts)
            present.run(started + 5 * MINUTE - present.now)
        except Killed:
            present = survivor
            survivor.simulated.push(2 * SECOND)
    return survivor
