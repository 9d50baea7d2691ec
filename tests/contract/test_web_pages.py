"""What stands on each page of the runner, over a whole engine and the simulated world: by whole sentences.

How they look in a browser, and that they stay live, is in tests/web.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache

import msgspec
import pytest

from runbook_engine.entrypoints.server.web import pages as pages_module
from runbook_engine.entrypoints.server.web.pages import Pages
from runbook_engine.entrypoints.server.web.paper import make_paper, read_assets
from runbook_engine.entrypoints.server.web.visitor import Visitor
from runbook_engine.entrypoints.tests_state import Tested, TestsState
from runbook_engine.errors import Permanent, UnknownExecution, UnknownIncident, UnknownRunbook, Unreadable
from runbook_engine.model.delivery import Request
from runbook_engine.model.inbox import SetAside
from runbook_engine.model.incident import Incident, Intake
from runbook_engine.model.matcher import Matcher
from runbook_engine.model.observation import Pause
from runbook_engine.model.runbook import ModeRule
from tests.scenario.rig import DEGRADE, MINUTE, Rig, runbook
from tests.web.reading import complaints, read, text_of
from tests.web.stages import (
    ACTS,
    LOOKS,
    approve,
    asking,
    calm,
    fixed,
    pages_of,
    released,
    rolled_back,
    stage,
    storming,
    unfixed,
)

HOSTILE = {
    "markup": '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "template": "{{ config }}{% raw %}{# #}",
    "bidi": "evil\u202egnp.exe\u2066\x1b[2J\u200b",
    "quotes": "\"' onmouseover='alert(1)' x=\"",
    "long": "x" * 10_000,
}


@pytest.fixture(scope="module", autouse=True)
def compiled_once() -> Iterator[None]:
    """Compile the templates once for this file: that takes longer than all the rest of it."""
    paper = make_paper(read_assets())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages_module, "make_paper", lambda assets: paper)
        yield


def every_page(rig: Rig, visitor: Visitor = ACTS, *problems: str) -> dict[str, str]:
    """Return every page over a rig, by name."""
    pages = pages_of(rig, *problems)
    found = {
        "home": pages.home(visitor, "Approved."),
        "incidents": pages.incidents(visitor),
        "runbooks": pages.runbooks(visitor),
        "pause": pages.pause(visitor),
        "inbox": pages.inbox(visitor),
        "sign-in": pages.sign_in(back="/", problem="this is no token", names_proxy=True),
        "refused": pages.refused(404, "There is no such page", "nothing is here"),
    }
    for name in (each.name for each in rig.engine.bundle.runbooks):
        found[f"runbook {name}"] = pages.runbook(visitor, name)
    for incident in rig.journal.incidents(limit=3):
        found[f"incident {incident.id}"] = pages.incident(visitor, incident.id)
    for execution in rig.journal.executions(limit=3):
        found[f"execution {execution.id}"] = pages.execution(visitor, execution.id)
    return found


def taken_over() -> Rig:
    """Return a rig whose run a person has taken, and keeps."""
    rig = asking()
    rig.engine.take_over(rig.execution().id, undo=False, by="ann", now=rig.now, reason="mine")
    rig.drive()
    return rig


def expired() -> Rig:
    """Return a rig of whose alert nobody has spoken for long."""
    rig = stage(runbook(steps=(DEGRADE,)))
    rig.fire("Unheard", service="cart")
    rig.simulated.push(timedelta(hours=10))
    rig.engine.expire(rig.now)
    return rig


def in_trouble() -> Rig:
    """Return a rig that is paused, and whose inbox has what could not be decided."""
    rig = asking()
    rig.simulated.pauses.throw(Pause(until=rig.now + 30 * MINUTE, by="bob", reason="deploy <b>"))
    inbox = rig.journal.inbox
    assert inbox is not None
    request = Request("local", "alertmanager", {}, b"{}", rig.now - 2 * MINUTE)
    number = inbox.keep(request, 3)
    inbox.set_aside(number, reason="the body is <no> JSON", at=rig.now)
    inbox.keep(request, 2)
    return rig


@cache
def pages_in(made: Callable[[], Rig], visitor: Visitor) -> dict[str, str]:
    """Return every page in one state, for one visitor, while the runner is out of order."""
    return every_page(made(), visitor, "the worker does not go round")


STAGES = [asking, rolled_back, unfixed, fixed, calm, storming, released, taken_over, expired, in_trouble]


@pytest.mark.parametrize("made", STAGES, ids=lambda made: made.__name__)
@pytest.mark.parametrize("visitor", [ACTS, LOOKS], ids=["who may act", "who may only look"])
def test_pages_are_well_formed(made: Callable[[], Rig], visitor: Visitor) -> None:
    """Whatever happened: everything nests, every form is ours, every field has a label, headings are in order."""
    found = pages_in(made, visitor)

    assert {name: wrong for name, page in found.items() if (wrong := complaints(page))} == {}


@pytest.mark.parametrize("made", STAGES, ids=lambda made: made.__name__)
def test_who_may_only_look_is_shown_no_form(made: Callable[[], Rig]) -> None:
    """But the one to sign out, and the one to sign in."""
    actions = {
        element.attributes["action"]
        for page in pages_in(made, LOOKS).values()
        for element in read(page).elements
        if element.tag == "form"
    }

    assert actions == {"/sign-out", "/sign-in"}


def test_first_screen_answers_in_the_order_in_which_an_on_call_asks() -> None:
    """By when, what it looks like, why, what was done with what effect, what is asked, and what if nothing is done."""
    rig = asking()
    execution = rig.execution()
    assert execution.approval is not None
    plan = execution.approval.hash

    page = pages_of(rig).home(ACTS)

    lines = text_of(page).split("\n")
    start = lines.index("1 run needs you.")
    assert lines[start : start + 17] == [
        "1 run needs you.",
        "NEEDS YOU by 09:38:10 UTC (7m10s left)",
        "CheckoutHighErrorRate",
        "Shed optional features, then add capacity; roll back only with a human.",
        "apps · checkout · critical · firing 7m · checkout-high-error-rate on apps/deployment/checkout",
        "Asks: apps/deployment/checkout revision 2 -> 1 cannot be undone · answer",
        "Now",
        "checkout:error_ratio 0.08 goal below 0.02, not met; was 0.12 before we changed anything data 0s old",
        "Why?",
        "a release r42 by ci/alice 09:20:00, 4m before the alert",
        "Did",
        '09:24:00 UTC /checkout/degraded_mode "false" -> "true" 0.12 -> 0.08, not fixed',
        "09:26:00 UTC apps/deployment/checkout replicas 4 -> 6 0.08 -> 0.08, not fixed",
        f"Asks to make exactly this change and no other, plan {plan[:8]}:",
        "roll-back-release: apps/deployment/checkout revision 2 -> 1 cannot be undone",
        "If you do nothing: stop, keep what was changed, tell oncall.",
        "Why (optional)",
    ]
    assert "<title>1 run needs you. · runbook</title>" in page
    assert '<time datetime="2026-01-05T09:38:10Z">09:38:10 UTC</time>' in page
    assert f'name="plan_hash" value="{plan}"' in page


def test_forms_of_a_question_say_what_would_happen() -> None:
    """Each names the exact change, and each button what it does."""
    rig = asking()
    identity = rig.execution().id
    page = pages_of(rig).home(ACTS)

    shown = text_of(page)
    assert "Keep: /checkout/degraded_mode" in shown
    assert (
        'Undo: /checkout/degraded_mode "false" -> "true", apps/deployment/checkout replicas 4 -> 6 is turned back; '
        "you keep nothing from other runs." in shown
    )
    buttons = [(each.text, each.attributes) for each in read(page).elements if each.tag == "button"]
    assert buttons == [
        ("Sign out", {"class": "quiet"}),
        ("Approve this change", {"class": "main"}),
        ("Deny", {"formaction": f"/do/executions/{identity}/deny"}),
        ("Take over, keep the changes", {"name": "undo", "value": "no"}),
        ("Take over, undo the changes", {"name": "undo", "value": "yes", "class": "risky"}),
        ("Pause all changes", {"class": "risky"}),
    ]
    assert f'action="/do/executions/{identity}/approve"' in page
    assert page.count(f'name="csrf" value="{ACTS.csrf}"') == 4


def test_forms_promise_to_undo_nothing_that_is_never_undone() -> None:
    """They name what stays."""
    rig = rolled_back()
    undone = '/checkout/degraded_mode "false" -> "true", apps/deployment/checkout replicas 4 -> 6'
    stays = "apps/deployment/checkout revision 2 -> 1 stays: cannot be undone"

    shown = text_of(pages_of(rig).execution(ACTS, rig.execution().id))

    assert f"Undo: {undone} is turned back; {stays}; you keep nothing from other runs." in shown


def test_cancel_names_what_is_never_undone() -> None:
    """While the run goes on, too."""
    rig = asking()
    rig.errors(lambda world: 0.08)
    approve(rig)
    rig.run(timedelta(seconds=15))
    assert rig.execution().steps[2].stands, rig.says()

    shown = text_of(pages_of(rig).execution(ACTS, rig.execution().id))

    assert (
        'The run ends, and nobody has it. /checkout/degraded_mode "false" -> "true", apps/deployment/checkout '
        "replicas 4 -> 6 stays as it is, or is undone; apps/deployment/checkout revision 2 -> 1 stays: cannot be "
        "undone." in shown
    )


def test_taken_over_and_undone_tells_what_stays_and_offers_it_no_more() -> None:
    """Nobody may believe that all is as it was, nor ask again for what was done."""
    rig = rolled_back()
    identity = rig.execution().id
    rig.engine.take_over(identity, undo=True, by="ann", now=rig.now)
    rig.run(2 * MINUTE)
    pages = pages_of(rig)

    shown, home = pages.execution(ACTS, identity), pages.home(ACTS)

    said = "changes undone, save roll-back-release, which cannot be undone"
    assert said in text_of(shown)
    assert said in text_of(home)
    assert "/takeover" not in shown + home


def test_run_that_verifies_says_so_and_until_when() -> None:
    """Its changes are not held: that is for later."""
    rig = stage()
    rig.errors(lambda world: 0.12)
    rig.fire(service="checkout")
    rig.run(timedelta(seconds=30))
    execution = rig.execution()
    pages = pages_of(rig)

    home, page = text_of(pages.home(ACTS)), text_of(pages.execution(ACTS, execution.id))

    assert "verifying shed-optional-features until 09:02:00 UTC" in home
    assert "verifying shed-optional-features until 09:02:00 UTC" in page
    assert "changes held" not in home + page


def test_card_of_a_run_that_asks_nothing_offers_to_acknowledge() -> None:
    """Until somebody has said that they are on it."""
    rig = unfixed()
    incident = rig.execution().incident_id
    before = pages_of(rig).home(ACTS)
    rig.engine.acknowledge(incident, by="bob", now=rig.now)

    after = pages_of(rig).home(ACTS)

    action = f'action="/do/incidents/{incident}/acknowledge"'
    assert action in before
    assert "Acknowledge: I am on it" in text_of(before)
    assert action not in after
    assert "bob is on it since 09:06:00 UTC" in text_of(after)
    assert "/acknowledge" not in pages_of(rig).home(LOOKS)


def test_card_says_what_the_alert_is_about() -> None:
    """In the words of the alert, cut; else in those of the runbook."""
    rig = asking()
    alert = rig.execution().alert
    rig.journal.commit(
        msgspec.structs.replace(
            rig.execution(),
            alert=msgspec.structs.replace(alert, annotations={"summary": "<b>Checkout fails " + "x" * 400}),
            version=rig.execution().version + 1,
        ),
        expected_version=rig.execution().version,
        now=rig.now,
    )

    said = text_of(pages_of(rig).home(ACTS))

    assert "\n<b>Checkout fails xxx" in said
    assert "x" * 121 not in said
    assert "\nShed optional features, then add capacity; roll back only with a human.\n" in text_of(
        pages_of(asking()).home(ACTS)
    )


def test_question_to_others_has_no_answer_for_a_stranger() -> None:
    """Who is in no team that must answer reads who is."""
    rig = asking()
    teams = tuple(msgspec.structs.replace(team, members=("bob",)) for team in rig.engine.bundle.configuration.teams)
    configuration = msgspec.structs.replace(rig.engine.bundle.configuration, teams=teams)
    rig.engine.bundle = msgspec.structs.replace(rig.engine.bundle, configuration=configuration)

    page = pages_of(rig).home(ACTS)

    assert "ann is not in team-checkout, which must answer: bob" in text_of(page)
    assert "/approve" not in page
    assert "/takeover" in page


def test_run_that_fixed_nothing_needs_somebody_without_a_limit() -> None:
    """It asks nothing, and says how it stands and what goes on if nobody comes."""
    rig = unfixed()

    page = pages_of(rig).home(ACTS)

    lines = text_of(page).split("\n")
    start = lines.index("1 run needs you.")
    assert lines[start + 1] == "NEEDS YOU"
    assert lines[lines.index("Since") + 1].startswith("unresolved ")
    assert lines[lines.index("If you do nothing") + 1] == "keep what was changed; the alert goes on firing"
    assert "/takeover" in page
    assert "/approve" not in page


def test_first_screen_is_calm_in_words() -> None:
    """And lists what was done."""
    lines = text_of(pages_of(calm()).home(ACTS)).split("\n")

    start = lines.index("Nothing needs you.")
    assert lines[start : start + 3] == [
        "Nothing needs you.",
        "Done",
        "09:00:15 UTC succeeded checkout-high-error-rate on apps/deployment/checkout "
        "verified: checkout:error_ratio 0.001 is below 0.02; changes undone",
    ]


def test_first_screen_says_what_is_held_and_until_when() -> None:
    """What stands is undone by itself, or waits for a person."""
    rig = fixed()
    held = 'checkout-high-error-rate on apps/deployment/checkout /checkout/degraded_mode "false" -> "true"'

    firing = text_of(pages_of(rig).home(ACTS))
    rig.resolve(service="checkout")
    rig.drive()
    resolved = text_of(pages_of(rig).home(ACTS))

    assert f"{held} until every alert is resolved" in firing
    assert f"{held} until 09:12:00 UTC" in resolved


def test_first_screen_in_a_storm_says_what_a_release_would_do() -> None:
    """How many wait, and how fast they go on."""
    shown = text_of(pages_of(storming()).home(ACTS))

    assert "A storm holds every change; nothing else needs you." in shown
    assert (
        "Runs were opened for more than 5 targets within 5m. Every change is held for 1m now; "
        "undoing goes on, and so does recording." in shown
    )
    assert (
        "What happens then: 12 runs on 12 targets wait; 5 runs go on at once, and no more than 5 changes within any 5m."
        in shown
    )
    assert "STORM: runs were opened for more than 5 targets" in text_of(pages_of(storming()).incidents(ACTS))


def test_first_screen_after_a_storm_says_how_it_goes_on() -> None:
    """What waits for its turn, and at which pace; and what the worker has yet to come to."""
    rig = released()

    shown = text_of(pages_of(rig).home(ACTS))
    rig.simulated.push(20 * MINUTE)
    late = text_of(pages_of(rig).home(ACTS))

    assert "AFTER A STORM 7 runs on 7 targets wait for their turn\nno more than 5 changes within any 5m" in shown
    assert "due and driven by nobody" in late


def test_first_screen_says_what_stops_the_engine() -> None:
    """The runner, the inbox, and the kill switch; on other pages too where nothing else would say it."""
    rig = in_trouble()
    pages = pages_of(rig, "the worker does not go round")

    shown = text_of(pages.home(ACTS))

    assert "1 run needs you, the runner is out of order, the inbox needs a look." in shown
    assert "OUT OF ORDER the worker does not go round" in shown
    assert "INBOX 1 delivery with 2 alerts waits to be decided, the oldest for 2m: does the worker run? Look" in shown
    assert "SET ASIDE 1 delivery could not be decided, so no run was opened for what was in it." in shown
    assert "PAUSED by bob until 10:01:00 UTC (deploy <b>): no change starts anywhere. Resume" in shown
    assert "PAUSED by bob until" in text_of(pages.incidents(ACTS))


def test_kill_switch_that_cannot_be_read_is_said_on_every_page() -> None:
    """It counts as thrown."""
    rig = calm()
    rig.simulated.fail_next("pauses.pause", Unreadable("the pause file is corrupt"), times=9)

    shown = text_of(pages_of(rig).runbooks(ACTS))

    assert "Counts as paused. The kill switch cannot be read, so no change is made: the pause file is corrupt" in shown


def test_first_screen_names_alerts_that_no_run_answers_and_those_that_expired() -> None:
    """Nobody should learn of them from a customer."""
    rig = stage()
    rig.fire("Unheard", service="cart")

    unheard = text_of(pages_of(rig).home(ACTS))
    silent = text_of(pages_of(expired()).home(ACTS))

    assert "No run answers 1 alert." in unheard
    assert "not handled Unheard apps · cart · firing 0s no runbook answers it" in unheard
    assert "1 incident only expired." in silent
    assert (
        "expired Unheard apps · cart · last fired 10h ago nobody said that it is fixed: close it on its page" in silent
    )


def test_question_says_that_its_runbook_was_demoted() -> None:
    """At night the same question thirty times has one cause, and it stands on every card."""
    rig = Rig(runbook())
    rig.healed_by_flag()
    rig.simulated.fail_next("flags.write", Permanent("denied"))
    rig.fire(service="a")
    rig.run(MINUTE)
    rig.resolve(service="a")
    rig.run(timedelta(hours=1), step=MINUTE)
    rig.fire(service="b")
    rig.run(MINUTE)
    first, second = rig.execution(0), rig.execution(1)

    shown = [pages_of(rig).home(ACTS), pages_of(rig).execution(ACTS, second.id)]

    said = f"Its runbook is demoted to approve until a commit changes it, since execution {first.id[:8]} failed."
    assert [1, 1] == [text_of(each).count(said) for each in shown]


def test_notice_is_said_aloud_and_escaped() -> None:
    """It stands outside of what is swapped, so that it is there until the page has something else to say."""
    page = pages_of(calm()).home(ACTS, "Approved <b>.")

    assert '<div id="notice" role="status"><p class="notice">Approved &lt;b&gt;.</p></div>' in page


def test_incidents_tell_what_was_done_and_how_long_it_took() -> None:
    """Open ones first, whatever their age."""
    rig = calm()
    rig.fire("Unheard", service="cart")
    page = pages_of(rig).incidents(ACTS)

    lines = text_of(page).split("\n")
    rows = [
        " | ".join(lines[at : at + 9]) for at, said in enumerate(lines) if said in ("Unheard", "CheckoutHighErrorRate")
    ]
    assert rows == [
        "Unheard | open | critical | apps · cart | 0s ago | no run | – | – | –",
        'CheckoutHighErrorRate | resolved | critical | apps · checkout | 18m ago | /checkout/degraded_mode "false" -> '
        '"true" succeeded | – | 15s | 2m',
    ]
    assert "On average of the 1 resolved incident below: fixed after 15s, resolved (MTTR) after 2m." in lines


def test_incident_tells_its_story_from_the_change_before_to_the_question() -> None:
    """With the chart's marks and its figures as a table."""
    rig = asking()
    page = pages_of(rig).incident(ACTS, rig.execution().incident_id)

    shown = text_of(page)
    for said in (
        "critical · apps · checkout · opened 09:24:00 UTC, first change after 0s",
        "Nobody has said that they are on it.",
        "a 09:20:00 UTC others: apps/deployment/checkout: release r42 by ci/alice",
        "! 09:24:00 UTC CheckoutHighErrorRate began to fire",
        '1 09:24:00 UTC we: /checkout/degraded_mode "false" -> "true"',
        "2 09:26:00 UTC we: apps/deployment/checkout replicas 4 -> 6",
        "09:20:00 UTC 4m before apps/deployment/checkout release r42 by ci/alice",
        "Evidence, taken before the first change (1)",
        "CheckoutHighErrorRate firing critical, from alertmanager",
        "ci/alice: apps/deployment/checkout: release r42",
        "CheckoutHighErrorRate opened: checkout-high-error-rate opened (mode auto)",
        "16 guardrails, none said no",
        "ok cooldown: no change by another run",
        "asked team-checkout to approve plan " + (rig.execution().approval or pytest.fail("asks")).hash[:8],
    ):
        assert said in shown, said
    assert (
        '<desc id="signal-1-desc">checkout:error_ratio from 0.004 to 0.08, between 0.004 and 0.12; '
        "the goal is below 0.02.</desc>" in page
    )
    assert "Acknowledge: I am on it" in shown
    assert "mode auto" in shown


def test_incident_whose_signal_is_gone_is_drawn_from_what_verification_read() -> None:
    """A metric store forgets sooner than the journal."""
    rig = asking()
    rig.simulated.fail_next("metrics.history", Unreadable("it is away"), times=9)

    page = pages_of(rig).incident(ACTS, rig.execution().incident_id)

    assert "checkout:error_ratio from 0.12 to 0.08, between 0.08 and 0.12; the goal is below 0.02." in page


def test_incident_can_be_closed_when_it_only_expired() -> None:
    """With a reason, for nobody else says that it is over."""
    rig = expired()
    (incident,) = rig.journal.incidents(limit=1)
    before = pages_of(rig).incident(ACTS, incident.id)
    rig.engine.close_incident(incident.id, by="ann", now=rig.now, reason="it was a test")

    after = pages_of(rig).incident(ACTS, incident.id)

    assert f'action="/do/incidents/{incident.id}/close"' in before
    assert "1 alert expired, and nobody said that it is fixed." in text_of(before)
    assert "/close" not in after
    assert "Closed by ann at 19:00:00 UTC (it was a test)." in text_of(after)


def test_execution_shows_its_plan_its_verdicts_and_what_cannot_be_undone() -> None:
    """Each step with what it came to."""
    rig = asking()
    page = pages_of(rig).execution(ACTS, rig.execution().id)

    lines = text_of(page).split("\n")
    start = lines.index("1 shed-optional-features")
    assert lines[start : start + 18] == [
        "1 shed-optional-features",
        "degrade",
        '/checkout/degraded_mode "false" -> "true"',
        "changed",
        "0.12 -> 0.08",
        "undone 10m after the alert resolves",
        "2 add-capacity",
        "scale",
        "apps/deployment/checkout replicas 4 -> 6",
        "changed",
        "0.08 -> 0.08",
        "undone 30m after the alert resolves",
        "3 roll-back-release",
        "rollback",
        "apps/deployment/checkout revision 2 -> 1",
        "prepared, asks team-checkout",
        "–",
        "cannot be undone",
    ]
    assert "team-checkout is asked by 09:38:10 UTC (7m10s left)" in lines
    assert "Cancel, undo the changes" in lines


def test_execution_that_a_person_keeps_can_be_released() -> None:
    """Until then no other run changes its targets."""
    rig = taken_over()
    execution = rig.execution()

    page = pages_of(rig).execution(ACTS, execution.id)

    assert f'action="/do/executions/{execution.id}/release"' in page
    assert "ann keeps its targets until 13:31:00 UTC; released, other runs may change them again." in text_of(page)
    assert "/approve" not in page


def test_sensitive_values_are_on_no_page() -> None:
    """A change says that there is one, and its values are not shown."""
    rig = asking()
    execution = rig.execution()
    steps = tuple(
        msgspec.structs.replace(
            step, change=msgspec.structs.replace(step.change, sensitive=True, before="hunter1", after="hunter2")
        )
        if step.change is not None
        else step
        for step in execution.steps
    )
    rig.journal.commit(
        msgspec.structs.replace(execution, steps=steps, version=execution.version + 1),
        expected_version=execution.version,
        now=rig.now,
    )

    found = every_page(rig)

    assert [name for name, page in found.items() if "hunter" in page] == []
    assert "(value not shown)" in found["home"]


def test_runbooks_tell_their_standing_their_tests_and_their_last_run() -> None:
    """Of tests what became of them at the runner's start, and nothing before that."""
    rig = fixed()
    [runbook] = rig.engine.bundle.runbooks
    failing = TestsState(tested={runbook.digest: Tested(passed=2, failed=("it helps",))})

    before = text_of(pages_of(rig).runbooks(ACTS)).split("\n")
    after = text_of(pages_of(rig, tests=failing).runbooks(ACTS)).split("\n")
    alone = text_of(pages_of(rig, tests=failing).runbook(ACTS, runbook.name))

    start = before.index(
        "checkout-high-error-rate Shed optional features, then add capacity; roll back only with a human."
    )
    row = ["team-checkout", "auto", "auto", "1", "–"]
    unknown = "not known: they run once the runner has started, and its log says why when they do not end"
    assert [*row, unknown, "succeeded 2m ago"] == before[start + 1 : start + 8]
    assert [*row, "1 of 3 fail: it helps", "succeeded 2m ago"] == after[start + 1 : start + 8]
    assert "1 of 3 fail: it helps" in alone
    assert (
        "Verified: its verified successes of late, with nothing else since. "
        "The tests that stand beside the runbooks are run once when the runner starts." in before
    )


def test_runbook_is_told_in_words() -> None:
    """Matchers, guardrails, steps and the last runs."""
    rig = fixed()
    shown = text_of(pages_of(rig).runbook(ACTS, "checkout-high-error-rate"))

    for said in (
        "written auto, goes as far as auto; the ceiling here is auto",
        "alertname = CheckoutHighErrorRate",
        "at least 30m between two changes of one target",
        "the whole run, questions included, is over after 40m",
        "one change moves a number by no more than 100% up or 50% down",
        "what is owned by git is left alone",
        "One after the other until it is fixed; fixed when checkout:error_ratio below 0.02 for 15s.",
        "roll-back-release: rollback cannot be undone",
        "team-checkout, within 10m; without an answer the run stops and keeps what was changed",
        "succeeded apps/deployment/checkout 2m ago verified: checkout:error_ratio 0.001 is below 0.02; changes held",
    ):
        assert said in shown, said


@pytest.mark.parametrize(
    ("ceiling", "said", "row"),
    [
        pytest.param(
            (ModeRule(mode="propose"),),
            "written auto, goes as far as propose, held down by the ceiling of the installation; "
            "the ceiling here is propose",
            ["auto", "propose", "1", "held down to propose by the ceiling of the installation"],
            id="lower",
        ),
        pytest.param(
            (),
            "written auto, goes as far as propose, held down by the ceiling of the installation; "
            "the ceiling here is propose",
            ["auto", "propose", "1", "held down to propose by the ceiling of the installation"],
            id="absent",
        ),
        pytest.param(
            (ModeRule(mode="auto", matchers=(Matcher("cluster", "=", "dev", text="cluster = dev"),)),),
            "written auto, goes as far as auto; the ceiling here is auto for cluster = dev",
            ["auto", "auto", "1", "–"],
            id="lower for some alerts",
        ),
    ],
)
def test_runbook_goes_no_further_than_the_ceiling(ceiling: tuple[ModeRule, ...], said: str, row: list[str]) -> None:
    """And says what holds it down."""
    rig = fixed()
    configuration = msgspec.structs.replace(rig.engine.bundle.configuration, mode_ceiling=ceiling)
    rig.engine.bundle = msgspec.structs.replace(rig.engine.bundle, configuration=configuration)
    pages = pages_of(rig)

    one, listed = text_of(pages.runbook(ACTS, "checkout-high-error-rate")), text_of(pages.runbooks(ACTS)).split("\n")

    assert said in one
    at = listed.index("team-checkout") + 1
    assert listed[at : at + 4] == row


def test_pause_offers_fixed_times_and_says_what_is_in_force() -> None:
    """No duration can be mistyped at night."""
    rig = calm()
    free = pages_of(rig).pause(ACTS)
    rig.simulated.pauses.throw(Pause(until=rig.now + 30 * MINUTE, by="bob", reason="deploy"))

    paused = text_of(pages_of(rig).pause(ACTS))

    assert re.findall(r'name="for" value="(\w+)"', free) == ["15m", "30m", "1h", "4h"]
    assert "Not paused\nChanges may start, as far as the ceiling lets them: auto." in text_of(free)
    assert "Until\n09:48:00 UTC (30m left)\nBy\nbob\nWhy\ndeploy" in paused
    assert "Resume: let changes start" in paused


def test_inbox_offers_to_decide_again_or_to_discard() -> None:
    """Each button names its delivery."""
    rig = in_trouble()

    page = pages_of(rig).inbox(ACTS)

    shown = text_of(page)
    assert "1 delivery with 2 alerts waits to be decided, the oldest for 2m. Does the worker run?" in shown
    assert "the body is <no> JSON" in shown
    assert 'action="/do/inbox/1/retry"' in page
    assert "Decide 1 again" in shown
    assert "Discard 1 for good" in shown


def test_error_and_sign_in_are_pages() -> None:
    """In sentences, for people."""
    pages = pages_of(calm())

    refused = text_of(pages.refused(409, "Things have changed", "the plan is 1e21 now: look at it again"))
    asked = pages.sign_in(back='/runbooks/x"y', problem="this is no token of this installation")

    assert "The plan is 1e21 now: look at it again.\nAnswer 409. To the first screen" in refused
    assert 'value="/runbooks/x&#34;y"' in asked
    assert "This is no token of this installation." in text_of(asked)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_alerts_say_is_inert(text: str) -> None:
    """Markup, template syntax, marks of direction and very long values are shown, and do nothing."""
    rig = stage()
    rig.healed_by_flag()
    labels = {"service": text[:4096], "evil": text[:4096]}  # longer ones are refused at the door
    alert = rig._alert("firing", "CheckoutHighErrorRate", labels)
    alert["annotations"] = {"summary": text, "dashboard": "javascript:alert(1)", "description": text}
    alert["generatorURL"] = "javascript:alert(1)"
    rig.post(alert)
    rig.post(rig._alert("firing", text[:4096], labels))
    rig.run(MINUTE)
    rig.simulated.pauses.throw(Pause(until=rig.now + MINUTE, by=text, reason=text))
    rig.engine.acknowledge(rig.execution().incident_id, by=text, now=rig.now)

    found = every_page(rig, msgspec.structs.replace(ACTS, name=text))

    assert {name: wrong for name, page in found.items() if (wrong := complaints(page))} == {}
    for page in found.values():
        assert not re.search("[\u202e\u2066\u200b\x1b]", page)
        assert not [each for each in read(page).elements if each.tag == "img"]
        assert not [each for each in read(page).elements if each.attributes.get("href", "").startswith("javascript")]
        assert "x" * 2001 not in page


def test_text_that_is_cut_says_so() -> None:
    """Nobody takes the beginning of a value for the whole."""
    rig = stage()
    rig.fire("Unheard", service="cart", blob="x" * 4096)
    (incident,) = rig.journal.incidents(limit=1)

    assert "... (2096 more characters)" in pages_of(rig).incident(ACTS, incident.id)


def test_links_of_alerts_lead_only_to_the_web() -> None:
    """And tell nobody from where they were followed."""
    rig = stage()
    alert = rig._alert("firing", "Unheard", {"service": "cart"})
    alert["generatorURL"] = "https://prometheus.example/graph?g0.expr=up&x=<b>"
    rig.post(alert)
    (incident,) = rig.journal.incidents(limit=1)

    page = pages_of(rig).incident(ACTS, incident.id)

    found = [each.attributes for each in read(page).elements if "prometheus.example" in each.attributes.get("href", "")]
    assert [each["rel"] for each in found] == ["noreferrer noopener"]
    assert "Look further: graph at the sender" in text_of(page)


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        pytest.param(lambda pages: pages.incident(ACTS, "nope"), UnknownIncident, id="incident"),
        pytest.param(lambda pages: pages.execution(ACTS, "nope"), UnknownExecution, id="execution"),
        pytest.param(lambda pages: pages.runbook(ACTS, "nope"), UnknownRunbook, id="runbook"),
    ],
)
def test_page_of_what_is_not_there_is_refused(ask: Callable[[Pages], str], error: type[Exception]) -> None:
    """Who serves the page says so."""
    with pytest.raises(error):
        ask(pages_of(calm()))


def test_assets_are_small_and_named_by_their_content() -> None:
    """A page loads fewer bytes than a picture, and a new release is never served old files."""
    pages = pages_of(calm())
    sizes = {name: (15_000, 8_000, 1_000)[at] for at, name in enumerate(("app.css", "app.js", "icon.svg"))}
    page = pages.home(ACTS)

    for name, most in sizes.items():
        found = pages.asset(name)
        assert found is not None
        assert len(found[0]) < most
        assert re.search(rf'"/assets/{re.escape(name)}\?v=[0-9a-f]{{12}}"', page)
    assert pages.asset("../pages.py") is None


@pytest.mark.parametrize("light", ["light", "dark"])
def test_texts_stand_out_from_what_they_stand_on(light: str) -> None:
    """As much as WCAG demands for text of usual size (AA: 4.5), in the light and in the dark."""
    asset = pages_of(calm()).asset("app.css")
    assert asset is not None
    blocks = re.findall(r":root {(.*?)}", asset[0].decode(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", blocks[0] + (blocks[1] if light == "dark" else "")))
    sheets = ("page", "sheet", "good-sheet", "bad-sheet", "warn-sheet")
    pairs = [(text, sheet) for text in ("text", "good", "bad", "warn", "link") for sheet in sheets]
    pairs += [("faint", "page"), ("faint", "sheet"), ("on-main", "main")]

    weak = {pair: ratio for pair in pairs if (ratio := _contrast(*(colours[name] for name in pair))) < 4.5}

    assert weak == {}


def _contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_first_screen_reads_only_what_it_shows() -> None:
    """A thousand incidents that are over cost nothing but themselves; runs that need nobody, one line each."""
    rig = calm()
    over = [
        Incident(
            id=f"old-{number}",
            key=f"old-{number}",
            title="Old",
            severity="warning",
            opened_at=rig.now - timedelta(days=2),
            last_firing_at=rig.now - timedelta(days=2),
            resolved_at=rig.now - timedelta(days=1),
        )
        for number in range(1000)
    ]
    rig.journal.record(Intake(incidents=tuple(over)))
    read_reports: list[str] = []
    whole = rig.engine.incident_report

    def counted(incident_id: str, *, causes: bool = True) -> object:
        read_reports.append(incident_id)
        return whole(incident_id, causes=causes)

    rig.engine.incident_report = counted  # type: ignore[method-assign,assignment]
    pages = pages_of(rig)

    shown = pages.home(ACTS)
    listed = pages.incidents(ACTS)

    assert [] == read_reports
    assert rig.execution().id[:8] in shown
    assert "Old" not in shown
    assert listed.count('<th scope="row">') == 50
    assert "These are the first 50; runbook incidents lists more." in text_of(listed)


def test_set_aside_never_shows_what_was_in_it() -> None:
    """Bodies may be sensitive: the page knows only their size."""
    assert "body" not in SetAside.__struct_fields__
    assert "2 bytes" in text_of(pages_of(in_trouble()).inbox(LOOKS))
