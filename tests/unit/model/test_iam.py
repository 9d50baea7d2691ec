"""IAM: what a statement with wildcards covers, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.model.iam import Account, Allowance, covers, uncovered_allowances, within

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
GET = Allowance(action="lambda:GetAlias", resource=FUNCTION)


@pytest.mark.parametrize(
    ("asked", "pattern", "covered"),
    [
        pytest.param(FUNCTION, FUNCTION, True, id="the very same"),
        pytest.param(FUNCTION, "*", True, id="everything"),
        pytest.param(FUNCTION, "arn:aws:lambda:*:*:function:or*", True, id="wildcards in parts"),
        pytest.param(f"{FUNCTION}:live", f"{FUNCTION}:*", True, id="any alias"),
        pytest.param(FUNCTION, f"{FUNCTION}:*", False, id="any alias is not the whole"),
        pytest.param(f"{FUNCTION}:*", f"{FUNCTION}:live", False, id="more is asked than given"),
        pytest.param(f"{FUNCTION}:*", f"{FUNCTION}*", True, id="a wildcard within a wider one"),
        pytest.param("arn:aws:sqs:*:*:a", "arn:aws:sqs:eu-west-1:*:a", False, id="every region is more than one"),
        pytest.param("orders-1", "orders-?", True, id="one character"),
        pytest.param("orders-*", "orders-?", False, id="many characters are more than one"),
        pytest.param("orders-12", "orders-?", False, id="two characters"),
        pytest.param("orders", "order.", False, id="a dot is a dot"),
    ],
)
def test_a_pattern_covers_what_it_stands_for(asked: str, pattern: str, covered: bool) -> None:
    """No more, and no less."""
    assert within(asked, pattern) is covered


@given(text=st.text("ab*?:/", max_size=12), other=st.text("ab*?:/", max_size=12))
def test_what_is_within_both_ways_stands_for_the_same(text: str, other: str) -> None:
    """A pattern is within itself, and nothing wider is ever within a narrower one without a wildcard."""
    assert within(text, text) or "?" in text
    if within("*", text):
        assert set(text) <= {"*"}
        assert text
    if not set(text) & {"*", "?"}:
        assert within(other, text) is (other == text)


def test_actions_are_compared_without_their_case_and_resources_with_it() -> None:
    """As AWS does."""
    assert covers(Allowance(action="LAMBDA:get*", resource="*"), GET)
    assert not covers(Allowance(action="lambda:GetAlias", resource=FUNCTION.upper()), GET)


def test_a_condition_narrows_what_is_given() -> None:
    """A right under a condition that nobody asked for is not the right."""
    condition = (("StringEquals", "aws:PrincipalTag/team", "shop"),)
    conditioned = Allowance(action=GET.action, resource=GET.resource, conditions=condition)

    assert not covers(conditioned, GET)
    assert covers(GET, conditioned)
    assert covers(conditioned, conditioned)


def test_the_difference_is_told_both_ways() -> None:
    """What is missing, and what is too much."""
    update = Allowance(action="lambda:UpdateAlias", resource=FUNCTION, because="a runbook")
    given = (Allowance(action="lambda:Get*", resource=FUNCTION),)

    assert uncovered_allowances((GET, update), given) == (Allowance(action="lambda:UpdateAlias", resource=FUNCTION),)
    assert uncovered_allowances(given, (GET, update)) == given


@pytest.mark.parametrize(
    ("action", "reads"),
    [
        pytest.param("lambda:GetAlias", True, id="looking"),
        pytest.param("logs:FilterLogEvents", True, id="searching"),
        pytest.param("lambda:UpdateAlias", False, id="changing"),
        pytest.param("sqs:ReceiveMessage", False, id="taking messages"),
        pytest.param("iam:PassRole", False, id="handing over rights"),
    ],
)
def test_what_only_looks_is_told_from_what_changes(action: str, reads: bool) -> None:
    """For mode observe."""
    assert Allowance(action=action, resource="*").reads is reads


def test_an_arn_has_wildcards_where_nobody_told() -> None:
    """Partition, region and account come from the command line."""
    assert Account().arn("sqs", "orders") == "arn:aws:sqs:*:*:orders"
    told = Account(account="123456789012", region="cn-north-1", partition="aws-cn")
    assert told.arn("sqs", "orders") == "arn:aws-cn:sqs:cn-north-1:123456789012:orders"
