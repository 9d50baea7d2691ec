"""A canary as text and as weights: what is written is what is read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runbook_adapters.lambda_function.weights import canary_of, normal, weights_of


@given(st.integers(1, 10**6), st.floats(0.001, 100))
def test_canary_is_read_back_as_written_whatever_its_share(version: int, percent: float) -> None:
    """The engine compares the text, so it must be the same to the letter."""
    canary = f"{version}={percent:g}"

    assert canary == canary_of({"RoutingConfig": {"AdditionalVersionWeights": weights_of(canary)}})
    assert canary == normal(canary)


@given(st.integers(1, 10**6), st.sampled_from(["0", "0.0", "000"]))
def test_canary_is_none_when_it_has_no_share(version: int, share: str) -> None:
    """Every call goes to the first version."""
    assert "" == normal(f"{version}={share}")
