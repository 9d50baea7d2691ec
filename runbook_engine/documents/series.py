"""promtool's shorthand for series: `0.12x4 0.01x200` repeats, `1+2x3` counts up, `_` has no sample."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

MAX_SAMPLES: Final = 100_000
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?|Inf|NaN)"
_ITEM = re.compile(
    rf"(?P<start>{_NUMBER})(?:(?P<step>[-+](?:[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{{1,3}})?))?x(?P<times>[0-9]{{1,6}}))?"
)
_GAP = re.compile(r"_(?:x([0-9]{1,6}))?")


class InvalidSeries(ValueError):
    """A text is no series; the sentence says which part and what one looks like."""


def parse_series(text: str) -> tuple[float | None, ...]:
    """Return the samples, one an interval; None where there is none.

    `ax3` is a and three more, `a+bx3` is a and three more that rise by b: as promtool counts. A gap `_x3` is three.
    """
    samples: list[float | None] = []
    for part in text.split():
        count, values = _read(part)
        if len(samples) + count > MAX_SAMPLES:
            raise InvalidSeries(f"the series has more than {MAX_SAMPLES} samples")
        samples.extend(values)
    if not samples:
        raise InvalidSeries("the series has no sample (write _ for an interval without one)")
    return tuple(samples)


def _read(part: str) -> tuple[int, Iterator[float | None]]:
    gap = _GAP.fullmatch(part)
    if gap:
        count = int(gap[1]) if gap[1] is not None else 1
        return count, (None for _ in range(count))
    item = _ITEM.fullmatch(part)
    if item is None:
        raise InvalidSeries(f'"{part}" is no part of a series, which looks like 0.12x4 1+2x3 _x2 NaN')
    start = float(item["start"])
    step = float(item["step"] or 0)
    count = int(item["times"] or 0) + 1
    return count, (start + step * index if math.isfinite(start) else start for index in range(count))
