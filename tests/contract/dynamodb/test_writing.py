"""One transaction when the table throttles, conflicts, refuses or says nothing: done once, or surely not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, repeat

import msgspec
import pytest
from botocore.parsers import ResponseParserError

from runbook_adapters.dynamodb import DynamoJournal
from runbook_engine.errors import Overloaded, RunbookError, StaleVersion, Unreadable
from runbook_engine.model.guardrail import Budget, Lock
from runbook_engine.ports import Committed, Refused
from tests.contract.journal.samples import NOON, after, audit_record, minutes, opened, signal
from tests.emulators.dynamodb import Faults, Tokens, locked_client, losing, refusal, refusing
from tests.emulators.dynamodb_client import open_journal

CANCELLED = "TransactionCanceledException"
CONFLICT = refusal(CANCELLED, ["None", "TransactionConflict"])
BUDGET = Budget("service/checkout", minutes(60), limit=5)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(CONFLICT, id="another transaction on one of its items"),
        pytest.param(refusal(CANCELLED, ["ThrottlingError", "None"]), id="one partition is throttled"),
        pytest.param(refusal("ThrottlingException"), id="the account is throttled"),
        pytest.param(refusal("TransactionInProgressException"), id="the first try is still under way"),
        pytest.param(refusal("InternalServerError", status=500), id="DynamoDB failed"),
        pytest.param(refusal(CANCELLED, ["ConditionalCheckFailed", "TransactionConflict"]), id="two reasons at once"),
    ],
)
def test_commit_is_stored_once_when_the_table_refuses_for_a_moment(
    journal: DynamoJournal, faults: Faults, answer: object
) -> None:
    """It is sent again, or decided again; the caller does not notice."""
    old = opened(journal, "a")
    faults.before = refusing([answer, answer])  # type: ignore[list-item]

    committed = journal.commit(old, expected_version=0, records=[audit_record("a", 1)], claims=[BUDGET], now=NOON)

    assert Committed(1) == committed
    assert 1 == journal.load("a").version
    assert 1 == len(journal.audit("a"))
    assert 1 == journal.changes_within(BUDGET.key, after(-60), other_than="")


@pytest.mark.parametrize("losses", [1, 2], ids=["once", "twice"])
def test_commit_is_stored_once_when_its_answer_is_lost(journal: DynamoJournal, faults: Faults, losses: int) -> None:
    """The repeat finds what it wrote itself; moto knows no request tokens, which would answer before that."""
    old = opened(journal, "a")
    faults.after = losing(losses)

    committed = journal.commit(old, expected_version=0, records=[audit_record("a", 1)], claims=[BUDGET], now=NOON)

    assert Committed(1) == committed
    assert 1 == journal.load("a").version
    assert 1 == len(journal.audit("a"))
    assert 1 == journal.changes_within(BUDGET.key, after(-60), other_than="")


def test_signal_and_delivery_are_stored_once_when_their_answers_are_lost(
    journal: DynamoJournal, faults: Faults
) -> None:
    """No signal has two numbers, no alert two executions."""
    faults.after = losing(1)
    opened(journal, "a")
    faults.after = losing(1)

    number = journal.signal("a", signal())

    assert 1 == number
    assert 1 == len(journal.signals("a", 0))
    assert {"executions.pending": 1, "incidents.open": 0, "signals.waiting": 1} == journal.counts()


def test_commit_that_was_lost_is_stale_when_another_has_followed_it(journal: DynamoJournal, faults: Faults) -> None:
    """Its driver reads again, and finds what it has itself recorded."""
    old = opened(journal, "a")
    lose = losing(1)

    def overtake(operation: str, request: object) -> None:
        if operation == "TransactWriteItems":
            faults.after = lambda operation, request: None
            journal.commit(msgspec.structs.replace(old, status="waiting"), expected_version=1, now=NOON)
            lose(operation, request)

    faults.after = overtake

    with pytest.raises(StaleVersion) as caught:
        journal.commit(msgspec.structs.replace(old, status="running"), expected_version=0, now=NOON)

    assert "execution a has version 2, not 0: read it again" == str(caught.value)
    assert "waiting" == journal.load("a").status


def test_commit_that_was_lost_is_known_by_its_record_when_another_has_followed_it(
    journal: DynamoJournal, faults: Faults
) -> None:
    """Nobody replaces an audit record: as long as it is there, the commit was made."""
    old = opened(journal, "a")
    lose = losing(1)

    def overtake(operation: str, request: object) -> None:
        if operation == "TransactWriteItems":
            faults.after = lambda operation, request: None
            journal.commit(msgspec.structs.replace(old, status="waiting"), expected_version=1, now=NOON)
            lose(operation, request)

    faults.after = overtake

    assert Committed(1) == journal.commit(old, expected_version=0, records=[audit_record("a", 1)], now=NOON)
    assert 2 == journal.load("a").version


def test_commit_that_was_lost_is_done_when_its_token_is_known_still(name: str) -> None:
    """Within ten minutes DynamoDB itself says so, whoever has followed it since."""
    faults, tokens = Faults(), Tokens()
    journal = open_journal(name, locked_client(faults, tokens=tokens), pause=lambda attempt: None)
    old = opened(journal, "a")
    lose = losing(1)

    def overtake(operation: str, request: object) -> None:
        if operation == "TransactWriteItems":
            faults.after = lambda operation, request: None
            journal.commit(msgspec.structs.replace(old, status="waiting"), expected_version=1, now=NOON)
            lose(operation, request)

    faults.after = overtake

    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    assert (2, "waiting") == (journal.load("a").version, journal.load("a").status)
    assert 3 == len(tokens.done)


def test_answer_that_cannot_be_understood_is_no_answer(journal: DynamoJournal, faults: Faults) -> None:
    """A proxy may say anything; what is read says so, and what is written is sent again."""
    old = opened(journal, "a")

    def garble(operation: str, request: object) -> None:
        faults.before = lambda operation, request: None
        raise ResponseParserError("no JSON")

    faults.before = garble
    with pytest.raises(Unreadable) as caught:
        journal.load("a")
    faults.before = lambda operation, request: garble(operation, request) if operation.startswith("Trans") else None

    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    assert f"table {TABLE} failed: no JSON" == named(caught.value)


def test_commit_raises_unreadable_when_no_answer_ever_comes(journal: DynamoJournal, faults: Faults) -> None:
    """What it meant can be read back later: it was stored, once."""
    old = opened(journal, "a")
    faults.after = losing(99)

    with pytest.raises(Unreadable, match="may be there or not, and is read again before anything is done"):
        journal.commit(old, expected_version=0, now=NOON)

    assert 1 == journal.load("a").version


def test_commit_raises_overloaded_when_the_table_is_throttled_for_long(journal: DynamoJournal, faults: Faults) -> None:
    """Nothing is stored, and the sentence says what DynamoDB said."""
    old = opened(journal, "a")
    faults.before = refusing(repeat(refusal("ThrottlingException", says="Rate exceeded")))

    with pytest.raises(Overloaded) as caught:
        journal.commit(old, expected_version=0, now=NOON)

    assert f"table {TABLE} takes no more at the moment: ThrottlingException: Rate exceeded" == named(caught.value)
    assert 0 == journal.load("a").version


def test_commit_is_decided_again_when_another_transaction_is_under_way(journal: DynamoJournal, faults: Faults) -> None:
    """What it has read is about to change, so the same request is not sent twice: of a hundred each has its turn."""
    old = opened(journal, "a")
    faults.before = refusing([CONFLICT] * 20)
    faults.asked.clear()

    committed = journal.commit(old, expected_version=0, claims=[BUDGET], now=NOON)

    assert Committed(1) == committed
    assert {"BatchGetItem": 21, "TransactWriteItems": 21} == dict(faults.asked)


def test_commit_that_was_lost_is_sent_again_when_another_transaction_is_under_way(
    journal: DynamoJournal, faults: Faults
) -> None:
    """It may be done already: only the same request, under the same token, tells."""
    old = opened(journal, "a")
    faults.before, faults.after = refusing([None, CONFLICT]), losing(1)

    assert Committed(1) == journal.commit(old, expected_version=0, now=NOON)
    assert 1 == journal.load("a").version


def test_commit_raises_overloaded_when_others_never_stop_writing(journal: DynamoJournal, faults: Faults) -> None:
    """Each time it looks again, and each time somebody was faster."""
    old = opened(journal, "a")
    faults.before = refusing(cycle([refusal(CANCELLED, ["ConditionalCheckFailed"]), CONFLICT]))

    with pytest.raises(Overloaded) as caught:
        journal.commit(old, expected_version=0, now=NOON)

    says = f"table {TABLE} was busy: others kept changing what was to be changed, 24 times"
    assert says == named(caught.value)


TABLE = "journal-1"
TROUBLES = {
    "no permission": (
        refusal("AccessDeniedException", says="no identity-based policy allows it"),
        f"table {TABLE} may not be used: AccessDeniedException: no identity-based policy allows it "
        "(see `runbook permissions --format iam` for what the engine needs)",
    ),
    "credentials that are not known": (
        refusal("UnrecognizedClientException", says="The security token included in the request is invalid."),
        f"table {TABLE} may not be used: UnrecognizedClientException: The security token included in the request is "
        "invalid. (AWS does not accept these credentials, the environment's or the role's: check them with "
        "`aws sts get-caller-identity`, and renew them)",
    ),
    "no table": (
        refusal("ResourceNotFoundException", says="Requested resource not found"),
        f"table {TABLE} does not exist here (create it with terraform, or correct table: or region:)",
    ),
    "a request that it does not understand": (
        refusal("ValidationException", says="Item size has exceeded the maximum allowed size"),
        f"table {TABLE} failed: ValidationException: Item size has exceeded the maximum allowed size",
    ),
}


@pytest.mark.parametrize(("answer", "says"), TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("operation", ["TransactWriteItems", "BatchGetItem"])
def test_trouble_is_told_with_its_remedy_when_trying_again_does_not_help(
    journal: DynamoJournal, faults: Faults, answer: object, says: str, operation: str
) -> None:
    """It is asked once, read or written."""
    old = opened(journal, "a")
    faults.before = refusing(repeat(answer), operation)  # type: ignore[arg-type]
    asked = faults.asked[operation]

    with pytest.raises(Unreadable) as caught:
        journal.commit(old, expected_version=0, now=NOON)

    assert says == named(caught.value)
    assert 1 == faults.asked[operation] - asked


def test_list_is_overloaded_when_the_table_is_throttled(journal: DynamoJournal, faults: Faults) -> None:
    """Queries speak as reads do."""
    faults.before = refusing(repeat(refusal("ProvisionedThroughputExceededException", says="slow down")), "Query")

    with pytest.raises(Overloaded) as caught:
        journal.due(NOON, 10)

    says = f"table {TABLE} takes no more at the moment: ProvisionedThroughputExceededException: slow down"
    assert says == named(caught.value)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"body": {"B": b"\xc1"}}, id="another body"),
        pytest.param({"body": {"B": b"\xc1"}, "packed": {"BOOL": True}}, id="a body that is packed otherwise"),
        pytest.param({"body": {"S": "text"}}, id="a body of another type"),
        pytest.param({"version": {"N": "1"}}, id="no body"),
        pytest.param({"share": {"N": "0.5"}}, id="a fraction"),
        pytest.param({"extra": {"NULL": True}}, id="a type that we never write"),
    ],
)
def test_record_that_a_newer_release_has_written_says_so(
    journal: DynamoJournal, name: str, client: object, columns: dict[str, object]
) -> None:
    """The remedy is an upgrade."""
    opened(journal, "a")
    place = {"pk": {"S": "EXEC#a"}, "sk": {"S": "META"}}
    client.put_item(TableName=name, Item={**place, **columns})  # type: ignore[attr-defined]

    with pytest.raises(Unreadable) as caught:
        journal.load("a")

    assert named(caught.value).startswith(f"table {TABLE} holds a record that this release cannot read: ")
    assert named(caught.value).endswith("(upgrade runbook-engine)")


def test_refusal_names_the_claim_when_another_took_it_between_look_and_write(
    journal: DynamoJournal, faults: Faults
) -> None:
    """The transaction is cancelled, everything is judged again, and the answer is the one of every journal."""
    first, second = opened(journal, "a"), opened(journal, "b")

    def overtake(operation: str, request: object) -> None:
        if operation == "TransactWriteItems":
            faults.before = lambda operation, request: None
            journal.commit(first, expected_version=0, claims=[Lock("x")], now=NOON)

    faults.before = overtake

    refused = journal.commit(second, expected_version=0, claims=[Lock("x")], now=after(1))

    assert Refused(Lock("x"), "x is held by execution a since 2026-03-01 12:00:00 UTC", None) == refused
    assert second == journal.load("b")


def test_signals_have_a_number_each_when_many_threads_append_at_once(name: str, client: object) -> None:
    """Each looks again until it is its turn; none is lost, none has the number of another."""
    journal = open_journal(name, client)
    opened(journal, "a")

    with ThreadPoolExecutor(6) as threads:
        numbers = list(threads.map(lambda number: journal.signal("a", signal(name=str(number))), range(24)))

    assert list(range(1, 25)) == sorted(numbers)
    found = {each.number: each.name for each in journal.signals("a", 0)}
    assert {number: str(index) for index, number in enumerate(numbers)} == found


def named(error: RunbookError) -> str:
    """The sentence, with the first table's name."""
    words = str(error).split(" ")
    return " ".join(TABLE if word.startswith("journal-") else word for word in words)
