"""Few examples for `make test-fast`, which people run at every save; everything else keeps Hypothesis' own number."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fast", settings.get_profile("default"), max_examples=20, deadline=None)
