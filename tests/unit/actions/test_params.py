"""Amounts that authors write, and the bounds that stop them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_engine.actions.degrade import DegradeParams
from runbook_engine.actions.params import Count, Percent, parse_amount
from runbook_engine.actions.rollback import RollbackParams
from runbook_engine.actions.scale import ScaleParams


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        pytest.param("50%", Percent(Decimal(50)), id="a share"),
        pytest.param("-25 %", Percent(Decimal(-25)), id="a negative share with a space"),
        pytest.param("12.5%", Percent(Decimal("12.5")), id="a share with a fraction"),
        pytest.param("+2", Count(2), id="a signed text"),
        pytest.param(2, Count(2), id="a number"),
        pytest.param(-1, Count(-1), id="a negative number"),
    ],
)
def test_amount_is_read_when_written_so(written: object, amount: Percent | Count) -> None:
    """Every way of writing an amount means one thing."""
    assert parse_amount(written) == amount


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        pytest.param(
            "half",
            '\'half\' is not an amount (write a share as in 50% or "-25%", or a number as in 2, "+2" or -1)',
            id="a word",
        ),
        pytest.param(
            True,
            'True is not an amount (write a share as in 50% or "-25%", or a number as in 2, "+2" or -1)',
            id="a truth value",
        ),
        pytest.param(
            "0%",
            '\'0%\' changes nothing (write a share as in 50% or "-25%", or a number as in 2, "+2" or -1)',
            id="nothing",
        ),
    ],
)
def test_amount_is_refused_when_it_is_none(written: object, sentence: str) -> None:
    """What is no amount is refused with the remedy."""
    with pytest.raises(ValueError, match=r"^.+$") as caught:
        parse_amount(written)

    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("written", "before", "difference"),
    [
        pytest.param("50%", 5, 3, id="growth is rounded up"),
        pytest.param("1%", 1, 1, id="any growth adds at least one"),
        pytest.param("-25%", 5, -1, id="what is taken away is rounded down"),
        pytest.param("-10%", 5, 0, id="less than one is not taken away"),
        pytest.param("30%", 10, 3, id="a whole share is exact"),
        pytest.param("+2", 40, 2, id="a count does not depend on what is there"),
    ],
)
def test_amount_is_rounded_towards_more_when_it_is_a_share(written: str, before: int, difference: int) -> None:
    """Doubt is resolved towards more replicas."""
    assert parse_amount(written).of(before) == difference


@given(
    before=st.integers(1, 500),
    by=st.one_of(st.integers(-500, 500).filter(bool), st.integers(-100, 300).filter(bool).map(lambda n: f"{n}%")),
    up_to=st.one_of(st.none(), st.integers(1, 500)),
    down_to=st.integers(1, 500),
)
def test_wanted_stays_within_bounds_when_the_wish_is_any(
    before: int, by: int | str, up_to: int | None, down_to: int
) -> None:
    """A bound stops a wish and never turns it round, and nothing reaches 0."""
    if up_to is not None:
        down_to = min(down_to, up_to)

    wanted = ScaleParams.model_validate({"by": by, "upTo": up_to, "downTo": down_to}).wanted(before)

    grows = not str(by).startswith("-")
    assert wanted >= 1
    assert wanted >= before if grows else wanted <= before
    assert wanted <= max(before, up_to or wanted)
    assert wanted >= min(before, down_to)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        pytest.param({}, "Value error, scale needs either `by` or `to` (as in by: 50%, or to: 6)", id="no wish"),
        pytest.param(
            {"by": 1, "to": 2},
            "Value error, scale needs either `by` or `to` (as in by: 50%, or to: 6)",
            id="two wishes",
        ),
        pytest.param(
            {"by": 1, "upTo": 2, "downTo": 3}, "Value error, downTo 3 is above upTo 2 (swap them)", id="crossed bounds"
        ),
        pytest.param({"to": 0}, "Input should be greater than or equal to 1", id="scaling to nothing"),
        pytest.param({"by": 1, "upto": 3}, "Extra inputs are not permitted", id="a misspelled key"),
        pytest.param({"by": 1, "autoscaler": "max"}, "Input should be 'minReplicas' or 'none'", id="unknown choice"),
    ],
)
def test_scale_params_are_refused_when_wrong(written: dict[str, object], sentence: str) -> None:
    """What scale cannot mean is refused before anything runs."""
    with pytest.raises(ValidationError) as caught:
        ScaleParams.model_validate(written)

    assert [error["msg"] for error in caught.value.errors()] == [sentence]


@pytest.mark.parametrize("name", ["relative", "/with space", "/trailing/", "//double", "/" + "a" * 1011, ""])
def test_degrade_params_are_refused_when_the_name_is_not_absolute(name: str) -> None:
    """A parameter's name is absolute, so that it means the same everywhere."""
    with pytest.raises(ValidationError) as caught:
        DegradeParams.model_validate({"parameter": name, "value": "true"})

    assert [error["msg"] for error in caught.value.errors()] == [
        f"Value error, {name!r} is not a parameter's absolute name "
        "(letters, digits and _ . - between slashes, as in /checkout/degraded_mode)"
    ]


@pytest.mark.parametrize("to", ["lastHealthy", "previous", 41])
def test_rollback_params_are_read_when_named(to: str | int) -> None:
    """A release is named by how it did, by its place, or by its number."""
    assert RollbackParams.model_validate({"to": to}).to == to


@pytest.mark.parametrize("to", ["latest", 0, -1])
def test_rollback_params_are_refused_when_there_is_no_such_release(to: str | int) -> None:
    """Nothing else names a release."""
    with pytest.raises(ValidationError):
        RollbackParams.model_validate({"to": to})


def test_scale_schema_names_fields_as_authors_do_when_generated() -> None:
    """The schema that editors use has the camelCase names, and says what an amount looks like."""
    schema = ScaleParams.model_json_schema()

    assert set(schema["properties"]) == {"by", "to", "upTo", "downTo", "autoscaler"}
    assert schema["additionalProperties"] is False
    assert all(field.get("description") for field in schema["properties"].values())
