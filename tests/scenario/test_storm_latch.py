"""The storm latch: too many targets at once hold every change, page somebody once, and go on being recorded."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from runbook_engine.errors import Conflict
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.guardrail import Guardrails
from runbook_engine.model.runbook import Compensate, Input, ModeRule, NotifyRule, Runbook, Step
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import TargetTemplate
from runbook_engine.ports import Journal
from runbook_engine.proof.replay import replay_stored
from runbook_engine.testing.memory_journal import MemoryJournal
from tests.contention.crowd import engine_over, open_journal, storm
from tests.contention.tally import Tally
from tests.scenario.rig import DEGRADE, MINUTE, Rig, configuration, runbook

FIVE = StormRule(max_targets=5, receiver="oncall")
SAID = "storm: more than 5 targets within 5m; changes go on after 15m without another, or by `runbook release`"
TURN = "storm: it was let go, and no more than 5 changes go on within 5m; this one waits for its turn"
PAGE = (
    "STORM: runs were opened for more than 5 targets within 5m. No run changes anything more, what alerts say is "
    "recorded. Changes go on after 15m without another one, or when somebody says: runbook release --reason TEXT. "
    "This page is all that is said of the runs that it keeps from changing anything: runbook shows them"
)


def flags(**changes: object) -> Runbook:
    """Return a runbook that sets the parameter which its alert names, and undoes that at the end."""
    return runbook(
        inputs=(Input(name="flag", path=("alert", "labels", "flag")),),
        target=TargetTemplate(kind="parameter", name="{{ inputs.flag }}"),
        strategy="sequence",
        verify=(),
        steps=(
            Step(
                name="set",
                action="degrade",
                arguments={"parameter": "{{ inputs.flag }}", "value": "true"},
                compensate=Compensate(when="resolved", hold_for=timedelta(0)),
            ),
        ),
        notify=(NotifyRule(receiver="chat", events=("started", "ended")),),
        **changes,
    )


def rig(number: int, settings: Configuration | None = None, **changes: object) -> Rig:
    """Return a rig with so many parameters, and a latch that takes five."""
    made = Rig(flags(**changes), settings=settings or configuration(storm=FIVE))
    for index in range(number):
        made.simulated.set_parameter(f"/checkout/{index}", "false")
    return made


def changed(made: Rig, number: int) -> int:
    """Return how many parameters were set."""
    return sum(made.simulated.value_of(f"/checkout/{index}") == "true" for index in range(number))


def pages(made: Rig) -> list[str]:
    """Return what was said of storms, with who heard it."""
    kept = made.simulated.inbox.messages
    return [f"{each.receiver}: {each.message.text}" for each in kept if each.message.event == "storm"]


def test_only_the_first_wave_is_changed_when_three_hundred_targets_fail_one_after_the_other() -> None:
    """Every alert is recorded, every run says what it waits for, and one page is sent."""
    made = rig(300)

    for index in range(300):
        made.fire(flag=f"/checkout/{index}", service=f"s{index}")
        made.drive()
        made.simulated.push(timedelta(milliseconds=100))

    assert 5 == changed(made, 300)
    assert 300 == len(made.journal.incidents(limit=1000))
    executions = made.journal.executions(limit=1000)
    assert {SAID} == {each.waiting_for for each in executions if not each.ended and not each.changed}
    assert [f"oncall: {PAGE}"] == pages(made)


def test_nothing_is_changed_when_three_hundred_targets_fail_in_one_delivery() -> None:
    """The delivery that trips the latch opens its runs in the same transaction, so none of them is ahead of it."""
    made = rig(300)
    labels = [
        {"alertname": "CheckoutHighErrorRate", "severity": "critical", "flag": f"/checkout/{i}"} for i in range(300)
    ]

    made.post(*({"status": "firing", "labels": each, "startsAt": made.now.isoformat()} for each in labels))
    made.drive()

    assert 0 == changed(made, 300)
    assert 300 == len(made.journal.executions(limit=1000))
    assert [f"oncall: {PAGE}"] == pages(made)


def six(made: Rig) -> None:
    """Let six targets fail, one more than the latch takes, before anything is driven."""
    for index in range(6):
        made.fire(flag=f"/checkout/{index}", service=f"s{index}")
    made.drive()


def test_held_changes_go_on_a_few_at_a_time_when_it_is_calm() -> None:
    """Fifteen minutes after the newest opening, within the deadline of each run: five, and the others in five more."""
    made = rig(7)
    six(made)
    made.run(10 * MINUTE, step=MINUTE)
    made.fire(flag="/checkout/6", service="s6")
    made.run(14 * MINUTE, step=MINUTE)
    assert 0 == changed(made, 7)

    made.run(MINUTE + timedelta(seconds=1))
    assert 5 == changed(made, 7)
    assert {TURN} == {each.waiting_for for each in made.journal.executions(limit=10) if not each.changed}

    made.run(5 * MINUTE, step=MINUTE)

    assert 7 == changed(made, 7)
    assert [f"oncall: {PAGE}"] == pages(made)


def test_the_oldest_go_on_at_once_and_the_others_in_their_turn_when_a_person_releases_them() -> None:
    """It is kept who did and why, also in the trail of each run that went on first."""
    made = rig(6)
    six(made)
    made.simulated.push(MINUTE)

    held = made.engine.release_storm(by="ann", now=made.now, reason="one rack")
    made.drive()

    oldest = sorted(made.journal.executions(limit=10), key=lambda each: (each.opened_at, each.id))
    assert (6, 6, 5) == (held.runs, held.targets, held.at_a_time)
    assert [each.id for each in oldest[:5]] == [each.id for each in held.first]
    assert [True] * 5 + [False] == [each.changed for each in oldest]
    latch = made.journal.latch()
    assert (None, "ann", "one rack") == (latch.held_since, latch.released_by, latch.released_because)
    said = [record.says for record in made.journal.audit(held.first[0].id)]
    assert "ann let changes go (one rack)" in said
    made.run(4 * MINUTE, step=MINUTE)
    assert 5 == changed(made, 6)

    made.run(2 * MINUTE, step=MINUTE)

    assert 6 == changed(made, 6)


def test_fewer_go_on_at_a_time_when_the_installation_says_so() -> None:
    """Two in any five minutes, until all have; a run whose alerts are over meanwhile ends without a change."""
    made = rig(6, settings=configuration(storm=StormRule(max_targets=5, at_a_time=2, receiver="oncall")))
    six(made)
    made.simulated.push(MINUTE)
    made.engine.release_storm(by="ann", now=made.now)
    made.drive()
    assert 2 == changed(made, 6)
    over = next(each for each in made.journal.executions(limit=10) if not each.changed)
    made.resolve(flag=over.inputs["flag"], service=over.alert.labels["service"])

    counts = []
    for _ in range(3):
        made.run(5 * MINUTE, step=MINUTE)
        counts.append(changed(made, 6))

    assert [4, 5, 5] == counts
    ended = made.journal.load(over.id)
    assert ("cancelled", False) == (ended.status, ended.changed)


def test_what_is_new_after_a_release_comes_out_of_the_same_ration() -> None:
    """Else the held and the new together would be the next storm; a person's page says nothing new of it."""
    made = rig(10)
    six(made)
    made.simulated.push(MINUTE)
    made.engine.release_storm(by="ann", now=made.now)
    made.drive()

    for index in range(6, 10):
        made.fire(flag=f"/checkout/{index}", service=f"s{index}")
    made.drive()

    assert made.journal.latch().held_since is None
    assert 5 == changed(made, 10)
    made.run(6 * MINUTE, step=MINUTE)
    assert 10 == changed(made, 10)


def test_there_is_no_ration_when_whatever_was_held_must_be_over() -> None:
    """The longest deadline after the release: five are no storm again, and five more are none of its business."""
    made = rig(18)
    six(made)
    made.engine.release_storm(by="ann", now=made.now)
    made.run(41 * MINUTE, step=MINUTE)
    for index in range(6, 11):
        made.fire(flag=f"/checkout/{index}", service=f"s{index}")
        made.drive()
    made.simulated.push(5 * MINUTE)

    verdicts = {
        each.says for run in made.journal.executions(limit=5) for each in run.verdicts if each.guardrail == "storm"
    }

    assert {"no storm"} == verdicts
    assert 11 == changed(made, 18)


def test_run_that_cannot_have_its_turn_in_time_is_blocked_and_says_why() -> None:
    """It waits only for what can come in time."""
    made = rig(7, guardrails=Guardrails(cooldown=MINUTE, deadline=20 * MINUTE))
    six(made)
    made.fire(flag="/checkout/6", service="s6")
    made.run(15 * MINUTE + timedelta(seconds=1), step=MINUTE)

    made.run(5 * MINUTE, step=timedelta(seconds=20))

    blocked = [each for each in made.journal.executions(limit=10) if each.status == "blocked"]
    assert {TURN} == {each.reason for each in blocked}
    assert (5, 2) == (changed(made, 7), len(blocked))


def test_release_of_a_storm_gives_back_nothing_that_a_person_took_over_just_before() -> None:
    """Both words wait for the same drive; what the one keeps is not what the other lets go."""
    made = rig(6)
    six(made)
    made.engine.take_over(made.execution(0).id, undo=False, by="ana", now=made.now)
    made.simulated.push(MINUTE)

    made.engine.release_storm(by="ann", now=made.now, reason="one rack")
    made.drive()

    assert 5 == changed(made, 6)
    kept = made.execution(0)
    assert ("handed_over", "ana") == (kept.status, kept.kept_by)
    assert kept.kept_until is not None


def test_release_is_refused_when_no_storm_is_held() -> None:
    """Nothing is recorded that was not so."""
    made = rig(1)

    with pytest.raises(Conflict) as caught:
        made.engine.release_storm(by="ann", now=made.now)

    assert "no storm is held, so there is nothing to release" == str(caught.value)
    assert 0 == made.journal.latch().version


def test_run_is_blocked_at_once_when_the_storm_outlasts_its_deadline() -> None:
    """It waits only for what can come in time, and blocked is never silent."""
    made = rig(6, guardrails=Guardrails(cooldown=MINUTE, deadline=10 * MINUTE))

    six(made)

    assert {("blocked", SAID)} == {(each.status, each.reason) for each in made.journal.executions(limit=10)}
    assert 0 == changed(made, 6)


def test_undo_of_our_own_change_goes_on_in_a_storm() -> None:
    """Putting back what we changed is no new change."""
    made = rig(7)
    made.fire(flag="/checkout/6", service="s6")
    made.drive()
    assert 1 == changed(made, 7)
    six(made)

    made.resolve(flag="/checkout/6", service="s6")
    made.run(MINUTE)

    assert "false" == made.simulated.value_of("/checkout/6")
    assert 0 == changed(made, 6)


def test_what_only_observes_is_not_counted() -> None:
    """It touches nothing."""
    made = rig(6, mode=(ModeRule(mode="observe"),))

    six(made)

    assert 0 == made.journal.latch().version
    assert [] == pages(made)


def test_runs_without_a_target_count_each_for_its_own_runbook() -> None:
    """What their steps change is as much as what others do."""
    books = [runbook(name=f"r{number}", target=TargetTemplate(kind="none"), steps=(DEGRADE,)) for number in range(6)]
    made = Rig(*books, settings=configuration(storm=FIVE))

    made.fire()
    made.drive()

    assert "false" == made.flag()
    assert [f"oncall: {PAGE}"] == pages(made)


def test_the_owner_is_paged_when_no_receiver_is_named_for_storms() -> None:
    """Somebody always is."""
    made = Rig(flags(), settings=configuration(storm=StormRule(max_targets=5)))
    for index in range(6):
        made.simulated.set_parameter(f"/checkout/{index}", "false")

    six(made)

    assert [f"chat: {PAGE}"] == pages(made)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_never_more_than_the_first_wave_is_changed_when_eight_threads_take_in_and_drive(
    tmp_path: Path, kind: str
) -> None:
    """Each takes in its own targets and drives whatever is due at once: the transaction that opens one counts it."""
    journal: Journal = MemoryJournal() if kind == "memory" else open_journal(tmp_path)
    start, problems = threading.Barrier(8), list[BaseException]()

    def work(number: int) -> None:
        engine = engine_over(journal, tmp_path, storm_rule=StormRule(max_targets=7))
        start.wait()
        try:
            for index in range(4):
                request = storm(f"/victim/{number}-{index}")
                engine.ingest(request)
                for due in engine.due(request.received_at + timedelta(minutes=1)):
                    engine.drive(due, f"thread-{number}", request.received_at, timedelta(minutes=5))
        except BaseException as problem:  # noqa: BLE001 - the end of a thread: what went wrong is for the test to say
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    engine = engine_over(journal, tmp_path, storm_rule=StormRule(max_targets=7))
    held = journal.latch()
    assert held.held_since is not None
    for _ in range(60):
        for due in engine.due(held.held_since + timedelta(minutes=5)):
            engine.drive(due, "after", held.held_since + timedelta(minutes=4), timedelta(minutes=5))

    assert [] == problems
    assert len(Tally(tmp_path / "tally").lines) <= 7
    assert 32 == len(journal.executions(limit=100))
    notices = [notice for each in journal.executions(limit=100) for notice in each.announced if "storm:" in notice]
    assert ["storm:chat"] == notices


TEN_MINUTES = Guardrails(cooldown=MINUTE, deadline=10 * MINUTE)


def words(made: Rig) -> list[tuple[str, str]]:
    """Return who was told of what, in order."""
    return [(each.receiver, each.message.event) for each in made.simulated.inbox.messages]


def body(made: Rig, number: int, *, status: str = "firing", first: int = 0) -> None:
    """Let so many targets fail, or be well again, in one delivery."""
    at = {"firing": "startsAt", "resolved": "endsAt"}[status]
    alike = {"alertname": "CheckoutHighErrorRate", "severity": "critical"}
    named = [{**alike, "flag": f"/checkout/{index}"} for index in range(first, first + number)]
    made.post(*({"status": status, "labels": each, at: made.now.isoformat()} for each in named))


@pytest.mark.parametrize("late", [timedelta(0), 11 * MINUTE], ids=["while it is driven", "before anybody drives it"])
def test_the_page_of_a_storm_is_all_that_is_said_when_what_it_held_ends_without_a_change(late: timedelta) -> None:
    """Forty runs blocked are one message; each of them says why, and stays on the first screen."""
    made = rig(40, guardrails=TEN_MINUTES)

    body(made, 40)
    made.simulated.push(late)
    made.drive()

    runs = made.journal.executions(limit=100)
    assert {("blocked", False)} == {(each.status, each.spoken_for) for each in runs}
    assert [("oncall", "storm")] == [each for each in words(made) if each[1] != "started"]
    assert all("storm" in [said.detail.get("told_by") for said in made.journal.audit(each.id)] for each in runs)
    assert {None} == {replay_stored(each, made.journal).difference for each in runs}


def test_what_never_had_its_turn_after_a_storm_is_told_by_nobody_else_and_what_was_changed_is() -> None:
    """It was let go: four have their turn, one is resolved before, and the others end by their deadline."""
    rule = StormRule(max_targets=5, at_a_time=2, calm=5 * MINUTE, receiver="oncall")
    made = rig(8, settings=configuration(storm=rule), guardrails=TEN_MINUTES)
    body(made, 8)
    made.drive()
    made.simulated.push(MINUTE)
    held = made.engine.release_storm(by="ann", now=made.now)
    made.drive()
    over = next(each for each in made.journal.executions(limit=10) if each not in held.first and not each.changed)
    body(made, 1, status="resolved", first=int(over.alert.labels["flag"].rpartition("/")[2]))

    made.run(20 * MINUTE, step=MINUTE)

    runs = made.journal.executions(limit=10)
    ends = {each.message.execution_id for each in made.simulated.inbox.messages if each.message.event == "ended"}
    assert {each.id for each in runs if each.changed} == ends
    assert ["blocked"] * 3 + ["cancelled"] == sorted(each.status for each in runs if not each.changed)
    assert 4 == held.late  # of whom one had no need of its turn


def test_every_run_tells_its_own_end_when_nobody_was_paged_for_the_storm() -> None:
    """Without a receiver of the storm, nor an owner's, the rules of the runbook are all that there is."""
    made = rig(
        6, settings=configuration(storm=StormRule(max_targets=5), teams=(), receivers=()), guardrails=TEN_MINUTES
    )

    six(made)

    assert "" == made.journal.latch().paged
    assert 6 == words(made).count(("chat", "ended"))


def test_run_that_opened_after_the_release_tells_its_own_end() -> None:
    """It was no part of the storm, so its page said nothing of it."""
    rule = StormRule(max_targets=5, at_a_time=1, calm=2 * MINUTE, receiver="oncall")
    made = rig(7, settings=configuration(storm=rule), guardrails=Guardrails(cooldown=MINUTE, deadline=4 * MINUTE))
    six(made)
    made.simulated.push(MINUTE)
    made.engine.release_storm(by="ann", now=made.now)
    made.drive()
    made.simulated.push(timedelta(seconds=1))
    made.fire(flag="/checkout/6", service="s6")
    made.run(5 * MINUTE, step=MINUTE)

    newest = made.journal.executions(limit=1)[0]
    told = [each.message.event for each in made.simulated.inbox.messages if each.message.execution_id == newest.id]
    assert ("blocked", ["started", "ended"]) == (newest.status, told)
