"""Executions, incidents and the first screen, made by a real engine over the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from runbook_engine.model.check import Reading
from runbook_engine.model.execution import Execution
from runbook_engine.model.inbox import Fill
from runbook_engine.model.incident import Evidence, ExecutionReport
from runbook_engine.model.observation import Pause
from runbook_engine.model.ration import Held
from runbook_engine.model.runbook import Approval, Step
from runbook_engine.render.card import Card, Look, needs_person, render_card, say_default
from runbook_engine.render.execution import record_report, render_execution, render_executions, say_outcome, telling
from runbook_engine.render.first_screen import Backlog, Screen, find_unhandled, record_first_screen, render_first_screen
from runbook_engine.render.incident import record_incident_report, render_incident, render_incidents
from runbook_engine.render.lines import plain
from runbook_engine.render.storm import render_held, say_held
from tests.scenario.rig import DEGRADE, FLAG, MINUTE, SCALE, VERIFY, Rig, runbook

ASKS = msgspec.structs.replace(SCALE, approval=Approval(by="team-checkout", timeout=timedelta(minutes=10)))


def _fixed() -> Rig:
    rig = Rig()
    rig.healed_by_flag()
    rig.fire(service="checkout")
    rig.run(MINUTE)
    return rig


def _asking(step: Step = ASKS) -> Rig:
    rig = Rig(runbook(steps=(DEGRADE, step)))
    rig.errors(lambda world: 0.08 if world.value_of(FLAG) == "true" else 0.12)
    rig.fire(service="checkout")
    rig.run(3 * MINUTE)
    return rig


def _card(rig: Rig, **more: object) -> Card:
    execution = rig.execution()
    report = rig.engine.incident_report(execution.incident_id)
    return Card(incident=report, execution=report.executions[0], **more)  # type: ignore[arg-type]


def test_an_execution_tells_its_end_its_steps_and_its_trail() -> None:
    """The numbers before and after stand beside each change."""
    rig = _fixed()
    report = rig.engine.execution_report(rig.execution().id)

    shown = plain(render_execution(report, rig.now))

    identity = report.execution.id[:8]
    assert shown.startswith(
        f"execution {identity}  succeeded, changes held\n"
        "  checkout-high-error-rate on apps/deployment/checkout, mode auto, team-checkout\n"
        f"  CheckoutHighErrorRate critical, incident {report.execution.incident_id[:8]}, "
        "opened 2026-01-05 09:00 UTC, took 15s\n"
        "  because verified: checkout:error_ratio 0.001 is below 0.02\n"
        "\n"
        '  1 shed-optional-features  degrade  changed     /checkout/degraded_mode "false" -> "true"  0.12 -> 0.001\n'
        "  2 add-capacity            scale    not needed\n"
        "\n"
        "Timeline of 2026-01-05 (UTC)\n"
    )
    assert "  09:00:00  shed-optional-features: is about to change" in shown
    assert "would change" not in shown


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param(
            {"status": "cancelled", "compensation": "undone", "reason": "cancelled by ann, undoing what was changed"},
            "cancelled by ann, undoing what was changed; changes undone, save shed-optional-features, which cannot be "
            "undone",
            id="a person had undone what could be",
        ),
        pytest.param(
            {"status": "cancelled", "compensation": "none", "reason": "cancelled by ann, undoing what was changed"},
            "cancelled by ann, undoing what was changed; shed-optional-features stays: cannot be undone",
            id="nothing could be",
        ),
        pytest.param(
            {"compensation": "undone", "reason": "verified"},
            "verified; changes undone, save shed-optional-features, which stays",
            id="undone only when it fails",
        ),
        pytest.param({"compensation": "held", "reason": "verified"}, "verified; changes held", id="held"),
        pytest.param({"status": "waiting", "compensation": "held"}, "", id="it acts still"),
    ],
)
def test_what_became_of_changes_names_those_that_stay(state: dict[str, Any], said: str) -> None:
    """Never flatly undone, and never held while the run goes on."""
    assert say_outcome(msgspec.structs.replace(_fixed().execution(), **state)) == said


def test_an_execution_shows_its_evidence_as_charts_and_short_texts() -> None:
    """Log lines are other people's text: cut, and harmless."""
    rig = _fixed()
    report = rig.engine.execution_report(rig.execution().id)
    points = tuple((rig.now + timedelta(seconds=at), value) for at, value in enumerate((0.0, 0.12)))
    common = {"execution_id": report.execution.id, "at": rig.now}
    log = "\n".join(["\x1b[2Jboom", *(f"line {number}" for number in range(2, 15))])
    evidence = (
        Evidence(id="0", collector="graph", title="Error ratio", text="", points=points, **common),  # type: ignore[arg-type]
        Evidence(id="1", collector="logs", title="Logs of checkout", text=log, **common),  # type: ignore[arg-type]
    )

    shown = plain(render_execution(msgspec.structs.replace(report, evidence=evidence), rig.now, trail=False))

    assert shown.endswith(
        "\nEvidence, taken before the first change\n"
        "  Error ratio  ▁█  0 .. 0.12, last 0.12\n"
        "  Logs of checkout\n"
        "    \\x1b[2Jboom\n"
        + "".join(f"    line {number}\n" for number in range(2, 13))
        + "    ... 2 more lines with --format json\n"
    )


def test_an_incident_of_two_runs_says_which_line_is_whose() -> None:
    """Each line of the common timeline names its execution."""
    rig = Rig(runbook(), runbook(name="second", digest="second", steps=(SCALE,)))
    rig.errors(lambda world: 0.12)
    rig.fire(service="checkout")
    rig.run(MINUTE)
    first, second = rig.execution(0), rig.execution(1)

    shown = plain(render_incident(rig.engine.incident_report(first.incident_id), rig.now))

    told = [(record.says, each.id[:8]) for each in (first, second) for record in rig.engine.journal.audit(each.id)]
    assert len({identity for _, identity in told}) == 2
    assert all(f"{says}  ({identity})\n" in shown for says, identity in told if "would change" not in says)


def test_an_execution_that_was_watched_is_not_told_twice() -> None:
    """Who has seen every line go by needs the sum alone."""
    rig = _fixed()
    report = rig.engine.execution_report(rig.execution().id)

    assert "Timeline" not in plain(render_execution(report, rig.now, trail=False))


def test_an_execution_that_asks_shows_the_command_that_answers() -> None:
    """It can be typed as it stands."""
    rig = _asking()
    execution = rig.execution()
    assert execution.approval is not None

    shown = plain(render_execution(rig.engine.execution_report(execution.id), rig.now))

    command = f"runbook approve {execution.id[:8]} --plan {execution.approval.hash[:8]}"
    assert f"  asks team-checkout by 09:12:00: {command}\n" in shown


def test_a_run_that_asks_says_that_its_runbook_was_demoted() -> None:
    """On the first screen, and where one looks at it: at night the same question thirty times has one cause."""
    rig = _asking()
    card, report = _card(rig), rig.engine.execution_report(rig.execution().id)
    said = "demoted to approve until a commit changes it, since execution 01234567 left it unknown what it did"
    demoted = msgspec.structs.replace(
        report, execution=msgspec.structs.replace(report.execution, mode="approve", trusted="approve", demoted=said)
    )

    shown = plain(render_card(msgspec.structs.replace(card, execution=demoted), rig.now))

    assert f"\n      its runbook is {said}\n" in shown
    assert f"\n  its runbook is {said}\n" in plain(render_execution(demoted, rig.now))
    assert said == record_report(demoted)["demoted"]
    assert "its runbook is" not in plain(render_card(card, rig.now)) + plain(render_execution(report, rig.now))
    assert "" == record_report(report)["demoted"]


def test_a_trail_keeps_a_preparation_that_a_question_follows() -> None:
    """`would change` is left out only where `is about to change` says it again."""
    rig = _asking()
    told = [record.event for record in telling(rig.engine.journal.audit(rig.execution().id))]

    assert 1 == told.count("prepared")
    assert told.index("prepared") + 1 == told.index("asked")


def test_an_undone_change_reads_undone() -> None:
    """After the alert resolved and the hold time passed."""
    rig = _fixed()
    rig.errors(lambda world: 0.001)
    rig.resolve(service="checkout")
    rig.run(12 * MINUTE, step=timedelta(seconds=5))

    shown = plain(render_execution(rig.engine.execution_report(rig.execution().id), rig.now, trail=False))

    assert "  succeeded, changes undone\n" in shown
    assert "  1 shed-optional-features  degrade  undone      /checkout/degraded_mode" in shown


def test_an_execution_as_a_record_carries_timeline_and_numbers() -> None:
    """What the text shows, scripts can read."""
    rig = _fixed()
    record = record_report(rig.engine.execution_report(rig.execution().id))

    assert {"id", "runbook", "target", "status", "compensation", "steps", "incident", "timeline"} <= set(record)
    step = record["steps"][0]
    assert [0.12] == [reading["value"] for reading in step["before"]]
    assert [0.001] == [reading["value"] for reading in step["after"]]
    assert list(range(1, len(record["timeline"]) + 1)) == [entry["number"] for entry in record["timeline"]]


def test_tables_say_so_when_there_is_nothing() -> None:
    """An empty table is a sentence."""
    rig = Rig()

    assert "No execution yet.\n" == plain(render_executions((), rig.now))
    assert "No incident yet.\n" == plain(render_incidents((), rig.now))


def test_executions_as_a_table() -> None:
    """Newest first, as given, one row each."""
    rig = _fixed()

    shown = plain(render_executions([rig.execution()], rig.now)).splitlines()

    assert ["EXECUTION", "STATUS", "RUNBOOK", "TARGET", "OPENED", "WHAT", "CAME", "OF", "IT"] == shown[0].split()
    assert shown[1].startswith(f"{rig.execution().id[:8]}   succeeded  checkout-high-error-rate")
    assert shown[1].endswith("1m ago  verified: checkout:error_ratio 0.001 is below 0.02; changes held")


def test_an_incident_tells_arrivals_and_runs_in_one_timeline() -> None:
    """In the order in which they happened, with how long things took."""
    rig = _fixed()
    rig.resolve(service="checkout")
    rig.drive()
    rig.simulated.push(5 * MINUTE)
    report = rig.engine.incident_report(rig.execution().incident_id)

    shown = plain(render_incident(report, rig.now))

    head = f"incident {report.incident.id[:8]}  CheckoutHighErrorRate critical  resolved\n"
    assert shown.startswith(
        f"{head}  apps · checkout, opened 2026-01-05 09:00 UTC, "
        "first change after 0s, fixed after 15s, resolved after 1m\n"
    )
    opened = shown.index("09:00:00  CheckoutHighErrorRate opened: checkout-high-error-rate opened (mode auto)")
    changed = shown.index("09:00:00  shed-optional-features: is about to change")
    resolved = shown.index("09:01:00  CheckoutHighErrorRate resolved")
    assert opened < changed < resolved
    assert 1 == shown.count("CheckoutHighErrorRate resolved")


def test_an_incident_as_a_record_has_its_arrivals_and_executions() -> None:
    """Everything that happened, for scripts."""
    rig = _fixed()

    record = record_incident_report(rig.engine.incident_report(rig.execution().incident_id))

    assert "mitigated" == record["status"]
    assert ["opened"] == [arrival["transition"] for arrival in record["arrivals"]]
    assert [rig.execution().id] == [execution["id"] for execution in record["executions"]]


def test_the_first_screen_asks_with_everything_that_an_answer_takes() -> None:
    """The question first, then the figures, the reason, what was done, and the commands."""
    rig = _asking()
    execution = rig.execution()
    assert execution.approval is not None
    reading = Reading(ok=False, says="checkout:error_ratio 0.08 is not below 0.02", value=0.08)
    points = tuple((rig.now - timedelta(seconds=20 + 60 * at), 0.12 - 0.01 * (4 - at)) for at in range(4, -1, -1))
    look = Look(check=VERIFY, reading=reading, points=points)
    card = _card(rig, looks=(look,), why="release 2 by ci/alice 08:56:00, 4m before the alert")

    shown = plain(render_first_screen(Screen(now=rig.now, cards=(card,), ceiling="auto")))

    identity, plan = execution.id[:8], execution.approval.hash[:8]
    assert shown == (
        "NEEDS YOU by 09:12:00 UTC (9m)   apps · checkout · CheckoutHighErrorRate · firing 3m\n"
        f"Run   checkout-high-error-rate on apps/deployment/checkout, execution {execution.id[:8]}\n"
        "Now   checkout:error_ratio 0.08 (goal below 0.02), was 0.12   █▇▅▃▁   data 20s old\n"
        "Why?  release 2 by ci/alice 08:56:00, 4m before the alert\n"
        'Did   09:00:00  /checkout/degraded_mode "false" -> "true"   0.12 -> 0.08, not fixed\n'
        "Asks  add-capacity: apps/deployment/checkout replicas 4 -> 6   undone 30m after the alert resolves\n"
        "If you do nothing: stop, keep what was changed, tell oncall\n"
        f"  approve    runbook approve {identity} --plan {plan}\n"
        f"  deny       runbook deny {identity}\n"
        f"  take over  runbook takeover {identity} --keep  or --undo\n"
        "  pause all  runbook pause --for 30m\n"
        f"  look       runbook incidents {execution.incident_id[:8]}\n"
        "\n"
        "Engine: not paused, ceiling auto\n"
    )


def test_the_first_screen_shows_a_signal_that_cannot_be_read() -> None:
    """No figure is invented."""
    rig = _asking()
    look = Look(check=VERIFY, reading=Reading(ok=None, says="checkout:error_ratio has no data"))

    shown = plain(render_first_screen(Screen(now=rig.now, cards=(_card(rig, looks=(look,)),))))

    assert "Now   checkout:error_ratio has no data (goal below 0.02)\n" in shown


def test_the_first_screen_says_that_nothing_needs_you() -> None:
    """What is held stands below, with until when."""
    rig = _fixed()

    shown = plain(render_first_screen(Screen(now=rig.now, cards=(_card(rig),))))

    assert shown.startswith("Nothing needs you.\n\nHeld, to be undone\n")
    assert (
        '  checkout-high-error-rate  /checkout/degraded_mode "false" -> "true"  until every alert is resolved\n'
        in shown
    )


def test_the_first_screen_says_loudly_what_stops_the_engine() -> None:
    """A pause, an unreadable kill switch, and a runner that is not there."""
    rig = Rig()
    pause = Pause(until=rig.now + 30 * MINUTE, by="ann", reason="deploy")

    paused = plain(render_first_screen(Screen(now=rig.now, paused=pause, backlog=Backlog(runs=2))))
    unreadable = plain(render_first_screen(Screen(now=rig.now, pause_problem="the pause file is corrupt")))

    assert paused.endswith(
        "Engine: PAUSED by ann until 09:30:00 UTC (deploy); runbook resume ends it, "
        "2 due and driven by nobody: start runbook serve\n"
    )
    assert unreadable.endswith("Engine: counts as paused, the pause file is corrupt\n")


@pytest.mark.parametrize(
    ("backlog", "says"),
    [
        pytest.param({"runs": 1}, "1 run waits for the worker, the longest for 4m", id="one"),
        pytest.param({"runs": 100}, "100 runs wait for the worker, the longest for 4m", id="as many as are counted"),
        pytest.param(
            {"runs": 100, "more": True}, "more than 100 runs wait for the worker, the longest for 4m", id="more"
        ),
    ],
)
def test_a_backlog_that_a_worker_comes_to_is_no_fault(backlog: dict[str, Any], says: str) -> None:
    """Starting another runner would not help, and is refused."""
    rig = Rig()
    waits = Backlog(since=rig.now - 4 * MINUTE, **backlog)

    shown = plain(render_first_screen(Screen(now=rig.now, backlog=waits, driven=True)))

    assert f"Nothing needs you.\n\nEngine: not paused, {says}\n" == shown


def test_a_remedy_is_said_once_when_it_is_known_that_the_runner_is_out_of_order() -> None:
    """A second one would contradict it."""
    rig = Rig()
    screen = Screen(now=rig.now, backlog=Backlog(runs=100, more=True), problems=("the runner has gone: mend it",))

    shown = plain(render_first_screen(screen))

    assert shown.startswith(
        "OUT OF ORDER   the runner has gone: mend it\nOUT OF ORDER   more than 100 due and driven by nobody\n"
    )


def test_what_is_undecided_may_need_somebody_when_the_engine_is_out_of_order() -> None:
    """Nobody knows what is in a delivery that was only stored."""
    rig = Rig()
    stored = Fill(deliveries=3, alerts=7, since=rig.now - timedelta(seconds=9))

    shown = plain(render_first_screen(Screen(now=rig.now, storage="the disk is full (free space)", inbox=stored)))

    assert shown.startswith(
        "OUT OF ORDER   the disk is full (free space)\n\nNothing else is known to need you: 3 deliveries with 7 alerts "
        "wait to be decided, the oldest for 9s.\n"
    )


def test_an_alert_without_a_runbook_is_on_the_first_screen() -> None:
    """Nobody should learn from a customer that no runbook answers."""
    rig = Rig()
    receipt = rig.fire("Unheard", service="cart")
    unhandled = find_unhandled(rig.engine.incident_report(receipt.incidents[0]))

    shown = plain(render_first_screen(Screen(now=rig.now, unmatched=unhandled)))

    assert shown.startswith("NOT HANDLED   apps · cart · Unheard · firing 0s   no runbook answers it\n")


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        pytest.param({"status": "succeeded"}, False, id="fixed"),
        pytest.param({"status": "unresolved"}, True, id="tried and not fixed while it fires"),
        pytest.param({"status": "blocked"}, True, id="blocked while it fires"),
        pytest.param(
            {"status": "blocked", "spoken_for": True}, False, id="held with its group, of which another tells"
        ),
        pytest.param({"status": "handed_over"}, True, id="handed over while it fires"),
        pytest.param({"status": "cancelled"}, False, id="a person stopped it"),
        pytest.param({"status": "running"}, False, id="on its way"),
        pytest.param({"status": "succeeded", "compensation": "failed"}, True, id="an undo that failed"),
    ],
)
def test_who_needs_a_person(changes: dict[str, object], needed: bool) -> None:
    """An end without a fix needs somebody as long as the alert fires; a failed undo always does."""
    card = _card(_fixed())
    execution: Execution = msgspec.structs.replace(card.execution.execution, **changes)
    changed = msgspec.structs.replace(card, execution=msgspec.structs.replace(card.execution, execution=execution))

    assert needed is needs_person(changed)


def _let_fire_elsewhere(rig: Rig) -> None:
    """Let another alert fire in the same incident, which no runbook answers."""
    rig.fire("Other", service="checkout")


def _made_again(rig: Rig) -> None:
    """The alert resolved, undoing brought the fault back, and so the change was made again."""
    rig.resolve(service="checkout")
    _let_fire_elsewhere(rig)
    rig.run(14 * MINUTE)


def _taken_over(rig: Rig) -> None:
    """A person took the run over, and then its alert resolved."""
    rig.engine.take_over(rig.execution().id, by="ann", now=rig.now, undo=False)
    rig.drive()
    rig.resolve(service="checkout")
    _let_fire_elsewhere(rig)
    rig.drive()


@pytest.mark.parametrize("happens", [_made_again, _taken_over])
def test_a_run_that_was_handed_over_needs_nobody_when_its_own_alert_is_resolved(
    happens: Callable[[Rig], None],
) -> None:
    """What fires in the incident beside it is another matter; its change stands until somebody says otherwise."""
    rig = _fixed()

    happens(rig)

    card = _card(rig)
    assert ("handed_over", True) == (rig.execution().status, bool(card.incident.incident.open_alerts))
    identity = rig.execution().id[:8]
    assert plain(render_first_screen(Screen(now=rig.now, cards=(card,)))) == (
        "Nothing needs you.\n"
        "\n"
        "Held, to be undone\n"
        f'  {identity}  checkout-high-error-rate  /checkout/degraded_mode "false" -> "true"  '
        f"until you say: runbook takeover {identity} --undo\n"
        "\n"
        "Engine: not paused\n"
    )
    rig.engine.take_over(rig.execution().id, by="bob", now=rig.now, undo=True)
    rig.run(MINUTE)
    assert "false" == rig.flag()


def test_a_card_says_when_the_alert_of_its_run_resolved() -> None:
    """Its undo failed while another alert of the incident fires: what is said of firing is said of its own alert."""
    rig = _fixed()
    rig.resolve(service="checkout")
    rig.drive()
    _let_fire_elsewhere(rig)
    card = _card(rig)
    failed: Execution = msgspec.structs.replace(card.execution.execution, compensation="failed")
    shown = plain(render_card(msgspec.structs.replace(card, execution=_with(card, failed)), rig.now))

    assert "CheckoutHighErrorRate · resolved at 09:01:00\n" in shown
    assert "If you do nothing: keep what was changed; it stays as it is\n" in shown
    assert "firing" not in shown


def _with(card: Card, execution: Execution) -> ExecutionReport:
    return msgspec.structs.replace(card.execution, execution=execution)


@pytest.mark.parametrize(
    ("on_timeout", "said"),
    [
        pytest.param("stop", "stop, keep what was changed, tell oncall", id="stop"),
        pytest.param("abort", "stop and undo what was changed, tell oncall", id="abort"),
        pytest.param("next", "leave this step out and go on", id="next"),
    ],
)
def test_what_happens_when_nobody_answers(on_timeout: str, said: str) -> None:
    """As the runbook says."""
    approval = Approval(by="team-checkout", timeout=timedelta(minutes=10), on_timeout=on_timeout)  # type: ignore[arg-type]
    rig = _asking(msgspec.structs.replace(SCALE, approval=approval))
    card = _card(rig)

    assert said == say_default(card.execution.execution, card.execution.runbook)


def test_the_first_screen_as_a_record() -> None:
    """The same sections, for scripts."""
    rig = _asking()

    record = record_first_screen(Screen(now=rig.now, cards=(_card(rig),), backlog=Backlog(runs=1)))

    assert [rig.execution().id] == [each["id"] for each in record["needs_you"]]
    keys = {"needs_you", "unmatched", "running", "held", "recent", "paused_until", "overdue", "problems"}
    keys |= {"expired", "storm", "inbox", "overdue_more", "overdue_since", "driven", "after_storm"}
    assert keys == set(record)


def test_the_first_screen_stays_short_when_hundreds_ask() -> None:
    """Ten are shown whole and twenty as a line each; of the others one reads how many there are."""
    card = _card(_asking())

    shown = plain(render_first_screen(Screen(now=card.execution.execution.opened_at, cards=(card,) * 150)))

    assert "NEED YOU TOO, 140 more: runbook executions ID\n" in shown
    assert "  and 120 more: runbook executions\n" in shown
    assert 10 == shown.count("NEEDS YOU by")


def test_a_timeline_names_a_person_once() -> None:
    """Their sentence begins with them; of the engine's own, nobody is named."""
    rig = _asking()
    asked = rig.execution().approval
    assert asked is not None
    rig.engine.approve(rig.execution().id, plan_hash=asked.hash, by="ann", now=rig.now, reason="looked")
    rig.engine.take_over(rig.execution().id, by="ann", now=rig.now, undo=False)
    rig.run(MINUTE)

    shown = plain(render_execution(rig.engine.execution_report(rig.execution().id), rig.now))

    assert f"  09:03:00  ann approved plan {asked.hash[:8]} (looked)\n" in shown
    assert "  09:03:00  ann took over, keeping what was changed; handed over: " in shown
    assert "ann: " not in shown


def test_a_list_counts_the_runs_of_an_incident() -> None:
    """Nine thousand are a number, not as many words."""
    report = _card(_asking()).incident
    run = report.executions[0]
    ended = msgspec.structs.replace(run, execution=msgspec.structs.replace(run.execution, status="handed_over"))
    waiting = msgspec.structs.replace(run, execution=msgspec.structs.replace(run.execution, status="waiting"))

    many = msgspec.structs.replace(report, executions=(*[waiting] * 9000, ended))
    one = msgspec.structs.replace(report, executions=(waiting,))

    now = report.incident.opened_at
    assert plain(render_incidents((many,), now)).endswith("  9000 waiting, 1 handed over\n")
    assert plain(render_incidents((one,), now)).endswith("  waiting\n")


def test_the_first_screen_says_how_what_a_storm_held_goes_on() -> None:
    """How many wait, how fast it goes, and for how many that is too late."""
    rig = _asking()
    held = Held(runs=9001, targets=9001, first=(), at_a_time=50, within=timedelta(minutes=5), late=8801)

    shown = plain(render_first_screen(Screen(now=rig.now, turns=held)))
    fine = plain(render_first_screen(Screen(now=rig.now, turns=msgspec.structs.replace(held, runs=60, late=0))))

    assert shown.startswith(
        "AFTER A STORM   9001 runs on 9001 targets wait for their turn\n"
        "  no more than 50 changes within any 5m, held or new\n"
        "  at that pace 8801 of them end blocked by their deadline before their turn\n\n"
    )
    assert "  no more than 50 changes within any 5m, held or new, so the last is due in 10m\n\n" in fine


def test_a_release_says_how_many_come_too_late() -> None:
    """Fifteen hours for what has twenty minutes is no prospect, so it is not offered."""
    held = Held(runs=9001, targets=9001, first=(), at_a_time=50, within=timedelta(minutes=5), late=1)
    late = "at that pace 1 of them ends blocked by its deadline before its turn"

    assert f"no runs go on at once, and no more than 50 changes within any 5m; {late}" in say_held(held)
    assert plain(render_held(held)).endswith(f"within any 5m, held or new\n  {late}\n")
