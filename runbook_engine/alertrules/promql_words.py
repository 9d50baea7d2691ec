"""The words of PromQL whose effect on labels is documented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PRECEDENCE: Final[Mapping[str, int]] = {
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<=", ">=", "<", ">"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
KEEPING_AGGREGATIONS: Final = frozenset(("topk", "bottomk", "limitk", "limit_ratio"))  # results are series as they were
AGGREGATIONS: Final = KEEPING_AGGREGATIONS | frozenset(
    ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group", "count_values", "quantile")
)
SCALARS: Final = frozenset(("scalar", "time", "pi", "start", "end"))
ABSENT: Final = frozenset(("absent", "absent_over_time"))
KEEPING_FUNCTIONS: Final = re.compile(
    r"abs|ceil|changes|clamp(_max|_min)?|deg|delta|deriv|double_exponential_smoothing|exp|floor|"
    r"histogram_(avg|count|fraction|stddev|stdvar|sum)|holt_winters|i?delta|increase|i?rate|ln|log10|log2|"
    r"predict_linear|rad|resets|round|sgn|sort(_by_label)?(_desc)?|sqrt|timestamp|"
    r"a?(cos|sin|tan)h?|[a-z0-9]+(_[a-z0-9]+)?_over_time"
)
