"""Secrets in SecureString parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runbook_adapters.ssm import ADAPTER
from runbook_engine.errors import NoAdapter, Unreadable
from runbook_engine.ports import SecretReader
from tests.contract.aws.account import ACCOUNT, REGION, SteppedClock, account, client, context, refusal, serve, service

PATH = "/runbook-engine/token"
MAKE = f"aws ssm put-parameter --type SecureString --region {REGION} --name {PATH}"


class Store:
    """A reader of secrets, and who writes them."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        served = serve(ADAPTER, "secrets", context(clock=self.clock))
        self.reader: SecretReader = served.reader
        self.probe = served.probe
        self.aws: Any = client("ssm")

    def put(self, value: str, path: str = PATH, kind: str = "SecureString") -> None:
        """Write a secret."""
        self.aws.put_parameter(Name=path, Value=value, Type=kind, Overwrite=True)


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty account."""
    with account():
        yield Store()


def test_secret_is_decrypted_when_it_is_asked_for(store: Store) -> None:
    """Without the line break that an editor left."""
    store.put("hush-hush\n")

    assert "hush-hush" == store.reader.secret(PATH)


def test_secret_is_remembered_for_less_than_five_minutes_when_it_was_read(store: Store) -> None:
    """A rotation takes no longer than that; SSM is not asked for every webhook."""
    store.put("old")
    before = store.reader.secret(PATH)
    store.put("new")

    store.clock.advance(269)
    during = store.reader.secret(PATH)
    store.clock.advance(1)

    assert ("old", "old", "new") == (before, during, store.reader.secret(PATH))


def test_secret_is_read_anew_when_the_clock_was_set_back(store: Store) -> None:
    """What seems to come from the future has no known age."""
    store.put("old")
    store.reader.secret(PATH)
    store.put("new")

    store.clock.advance(-1)

    assert "new" == store.reader.secret(PATH)


def test_memory_is_bounded_when_many_secrets_are_asked_for(store: Store) -> None:
    """The oldest of a hundred makes room."""
    for number in range(101):
        store.put("old", f"/s/{number}")
        store.reader.secret(f"/s/{number}")
    store.put("new", "/s/0")
    store.put("new", "/s/1")

    assert ("new", "old") == (store.reader.secret("/s/0"), store.reader.secret("/s/2"))


def test_nothing_old_is_given_when_ssm_does_not_answer(store: Store) -> None:
    """A secret that was withdrawn may be why."""
    store.put("hush")
    store.reader.secret(PATH)
    store.aws.delete_parameter(Name=PATH)

    store.clock.advance(300)

    with pytest.raises(NoAdapter):
        store.reader.secret(PATH)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        pytest.param(
            None, "", f"the secret {{ssm: {PATH}}} does not exist in {REGION} (make it: {MAKE})", id="no such secret"
        ),
        pytest.param(
            "hush",
            "String",
            f"the secret {{ssm: {PATH}}} is a String, not encrypted (delete it, change it, make it: {MAKE})",
            id="in the clear",
        ),
        pytest.param(
            " \n",
            "SecureString",
            f"the secret {{ssm: {PATH}}} is empty (it holds the secret and nothing else)",
            id="empty",
        ),
    ],
)
def test_remedy_is_said_when_a_secret_is_not_there(store: Store, value: str | None, kind: str, says: str) -> None:
    """The sentence names the place, never a value."""
    if value is not None:
        store.put(value, kind=kind)

    with pytest.raises(NoAdapter) as caught:
        store.reader.secret(PATH)

    assert says == str(caught.value)


def test_path_is_refused_when_it_names_a_version(store: Store) -> None:
    """A secret has one value."""
    with pytest.raises(NoAdapter) as caught:
        store.reader.secret(f"{PATH}:1")

    assert (
        f"the secret {{ssm: {PATH}:1}} is not the name of a parameter (write a path such as /runbook-engine/token)"
    ) == str(caught.value)


def test_secret_is_unreadable_when_its_key_may_not_be_used() -> None:
    """What stands between us and the secret is said; the secret is not."""
    with service() as running:
        running.tell(refusal("AccessDeniedException", message="The ciphertext refers to a key that you may not use"))

        with pytest.raises(Unreadable) as caught:
            serve(ADAPTER, "secrets").reader.secret(PATH)

    assert (
        f"the secret {{ssm: {PATH}}} cannot be read: AccessDeniedException: The ciphertext refers to a key that you "
        "may not use (see `runbook permissions --format iam` for what the engine needs)"
    ) == str(caught.value)


def test_doctor_says_who_asks(store: Store) -> None:
    """No secret is read for it."""
    assert store.probe is not None

    assert f"answers for account {ACCOUNT}, region {REGION}, as user/moto" == store.probe()
