"""The optional features of a checkout: an order is complete without them, yet each is called while the buyer waits.

That coupling is the weakness that this service is there to show: an optional dependency that fails, fails the
checkout. Degraded mode does not call them at all, so faults injected here end when it is switched on.
"""

from collections.abc import Callable, Mapping

from knobs import Knobs

Feature = Callable[[int], object]


class DependencyFailed(Exception):
    """An optional dependency did not answer, and took the checkout with it."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} did not answer")
        self.feature = feature


def recommend(amount: int) -> object:
    """Suggest what others added to an order of this size."""
    return ["gift-wrap", "express-delivery"] if amount >= 5_000 else ["gift-wrap"]


def score_fraud(amount: int) -> object:
    """Say how closely somebody should look at the order."""
    return "review" if amount >= 100_000 else "low"


def count_points(amount: int) -> object:
    """Count the loyalty points: one for each whole unit of money."""
    return amount // 100


FEATURES: Mapping[str, Feature] = {
    "fraud-scoring": score_fraud,
    "loyalty": count_points,
    "recommendations": recommend,
}


def call_features(
    amount: int, knobs: Knobs, *, chance: Callable[[], float], sleep: Callable[[float], None]
) -> dict[str, object]:
    """Call every optional dependency; in each checkout one of them, drawn by lot, suffers the injected fault."""
    names = tuple(FEATURES)
    faulty = names[int(chance() * len(names))]
    answers: dict[str, object] = {}
    for name, feature in FEATURES.items():
        if name == faulty:
            sleep(knobs.latency)
            if chance() < knobs.error_rate:
                raise DependencyFailed(name)
        answers[name] = feature(amount)
    return answers
