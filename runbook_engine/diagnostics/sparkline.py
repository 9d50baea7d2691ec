"""A sparkline: a small chart of one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Return the values as bars between their smallest and largest; each bar is the largest of its share."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    bars = min(width, len(finite))
    shares = [finite[index * len(finite) // bars : (index + 1) * len(finite) // bars] for index in range(bars)]
    peaks = [max(share) for share in shares]
    low, high = min(finite), max(finite)
    if high == low:
        return BARS[0] * bars
    return "".join(BARS[min(len(BARS) - 1, int((peak - low) / (high - low) * len(BARS)))] for peak in peaks)
