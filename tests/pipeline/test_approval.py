"""Approval: the state machine waits for a task token, a person answers through a signed link, the journal decides."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from runbook_engine.entrypoints.links import Invitation
from tests.emulators.aws import Aws
from tests.pipeline.installation import CONFIG, SHED, Installation

Install = Callable[..., Installation]
ASKING = SHED.replace("mode: auto", "mode: approve").replace("deadline: 2h", "deadline: 1h")
MEMBERS = CONFIG.replace("team-checkout: {receiver: oncall}", "team-checkout: {receiver: oncall, members: [ann]}")


def asked(installed: Installation) -> str:
    """Return the link of the question that the on-call was sent."""
    installed.aws.settle()
    links = [message["links"]["approve"] for message in installed.told() if message["event"] == "approval"]
    assert len(links) == 1
    return str(links[0])


def answer(**fields: str) -> str:
    """Return a form, as a browser posts it."""
    return urlencode(fields)


def test_looking_at_the_question_changes_nothing(aws: Aws, install: Install) -> None:
    """A program that follows links for a preview approves nothing."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)

    pages = [installed.follow(link) for _ in range(3)]
    aws.settle()

    assert {page.status for page in pages} == {200}
    assert "/checkout/degraded_mode" in pages[0].text
    assert "false" in pages[0].text
    assert "If you do nothing" in pages[0].text
    assert pages[0].headers["cache-control"] == "no-store"
    assert installed.flag() == "false"
    assert installed.execution().status == "awaiting_approval"


def test_a_yes_wakes_the_state_machine_and_the_change_is_made(aws: Aws, install: Install) -> None:
    """Through the token of the task, not by waiting for the question to lapse."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)
    before = aws.clock.now()

    page = installed.follow(link, "POST", answer(answer="approve", reason="looks right"))
    aws.settle()

    assert (page.status, "Approved." in page.text) == (200, True)
    assert installed.flag() == "true"
    assert aws.clock.now() - before < timedelta(minutes=1)
    assert installed.drivers() == 1
    records = installed.host(acts=False).engine.journal.audit(installed.execution().id)
    assert "the link sent to oncall" in {record.actor for record in records}


def test_a_no_ends_the_run_without_a_change(aws: Aws, install: Install) -> None:
    """Denied is an end of its own."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)

    installed.follow(link, "POST", answer(answer="deny"))
    aws.wait_idle()

    assert installed.flag() == "false"
    assert installed.execution().ended


def test_an_answer_is_good_once(aws: Aws, install: Install) -> None:
    """The same link afterwards says who has answered, and what."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)
    installed.follow(link, "POST", answer(answer="approve"))
    aws.settle()

    again = installed.follow(link, "POST", answer(answer="deny"))

    assert again.status == 409
    assert "the link sent to oncall has said yes already, at " in again.text
    assert installed.flag() == "true"


def test_nobody_answers_and_the_question_lapses_by_itself(aws: Aws, install: Install) -> None:
    """The task's token times out, the driver looks, and the run ends as its runbook says."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    asked(installed)

    aws.advance(timedelta(hours=2))
    aws.wait_idle()

    assert installed.execution().ended
    assert installed.flag() == "false"


def test_an_alert_that_resolves_meanwhile_makes_the_question_lapse(aws: Aws, install: Install) -> None:
    """The webhook wakes the driver through its token; nobody approves what is over."""
    installed = install(runbooks=(ASKING,))
    alert = installed.fires()
    installed.post(alert)
    link = asked(installed)

    installed.post(installed.resolved(alert))
    aws.settle()

    assert installed.execution().status == "cancelled"
    assert installed.follow(link, "POST", answer(answer="approve")).status == 409


def test_a_team_that_names_its_members_wants_to_know_who_answers(aws: Aws, install: Install) -> None:
    """There the link alone is not enough; a member's token is."""
    installed = install(runbooks=(ASKING,), config=MEMBERS)
    installed.post(installed.fires())
    link = asked(installed)

    assert 'name="token"' in installed.follow(link).text
    assert installed.follow(link, "POST", answer(answer="approve")).status == 403
    assert installed.follow(link, "POST", answer(answer="approve", token="b" * 40)).status == 401
    assert installed.flag() == "false"

    assert installed.follow(link, "POST", answer(answer="approve", token="a" * 40)).status == 200
    aws.settle()
    assert installed.flag() == "true"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("answer=perhaps", 400),
        ("", 400),
        ("x" * 5000, 413),
        ("answer=approve&answer=deny", 400),
        ("a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9", 400),
    ],
)
def test_a_form_that_is_none_is_refused_and_nothing_happens(aws: Aws, install: Install, form: str, status: int) -> None:
    """Bad input has its answer."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)

    assert installed.follow(link, "POST", form).status == status
    aws.settle()
    assert installed.execution().status == "awaiting_approval"


def test_a_link_that_was_changed_is_refused(aws: Aws, install: Install) -> None:
    """Whoever has one link cannot make another."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)

    assert installed.follow(link.replace("until=1", "until=2")).status == 401
    assert installed.follow(link, "PUT").status in (404, 405)


def test_a_link_ends_when_its_question_did(aws: Aws, install: Install) -> None:
    """Also when the very same change is asked for once more: who was sent the old link was asked before."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    asked(installed)
    request = installed.execution().approval
    assert request is not None
    links = installed.host(acts=False).links()
    old = Invitation(installed.execution().id, request.hash, aws.clock.now(), "oncall")

    reply = installed.follow(links.url(old), "POST", answer(answer="approve"))
    aws.settle()

    assert reply.status == 409
    assert installed.flag() == "false"


def test_a_key_that_was_changed_signs_the_links_of_a_driver_that_lives_on(aws: Aws, install: Install) -> None:
    """Otherwise every link of a warm process would be refused, for as long as it lives."""
    installed = install(runbooks=(ASKING,))
    installed.host(acts=True)
    name = installed.pipeline.link_key
    aws.client("ssm").put_parameter(Name=name, Value="another" * 8, Type="SecureString", Overwrite=True)
    aws.advance(timedelta(seconds=301))

    installed.post(installed.fires())

    assert installed.follow(asked(installed)).status == 200


def test_hostile_labels_are_shown_and_not_obeyed(aws: Aws, install: Install) -> None:
    """What an alert says is text on the page, whatever it looks like."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires(service="<script>alert(1)</script>"))
    link = asked(installed)

    assert "<script>" not in installed.follow(link).text


def test_an_answer_that_comes_before_the_token_is_kept_is_not_slept_through(aws: Aws, install: Install) -> None:
    """Whoever stores a token looks once more whether it still waits for anything."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)
    run = installed.execution()
    host = installed.host(acts=True)
    host.seats.take(run.id, "somebody-else", aws.clock.now())  # who sat there is forgotten, and its token with it

    installed.follow(link, "POST", answer(answer="approve"))
    aws.wait_idle()

    assert installed.flag() == "true"


@pytest.mark.parametrize(("first", "then"), [("approve", "deny"), ("deny", "approve")])
def test_a_second_answer_hears_of_the_first_before_the_driver_has_moved(
    aws: Aws, install: Install, first: str, then: str
) -> None:
    """Two people answer at once: the page never says what does not happen."""
    installed = install(runbooks=(ASKING,))
    installed.post(installed.fires())
    link = asked(installed)

    assert installed.follow(link, "POST", answer(answer=first)).status == 200
    second = installed.follow(link, "POST", answer(answer=then))
    aws.wait_idle()

    said = {"approve": "yes", "deny": "no"}[first]
    assert second.status == 409
    assert f"the link sent to oncall has said {said} already" in second.text
    assert installed.flag() == {"approve": "true", "deny": "false"}[first]
