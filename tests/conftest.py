"""How many examples Hypothesis tries where a test names no number: fewest for `make test-fast`, most by night.

No example has a deadline: it would be one on how busy the machine is, and promises about time have tests of their own.
"""

from __future__ import annotations

from hypothesis import settings

from tests.length import LONG, examples

settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("gate", max_examples=examples(100), deadline=None)
settings.register_profile("long", max_examples=500, deadline=None)
settings.load_profile("long" if LONG else "gate")
