"""One alert rule, and what its alerts surely carry, surely lack, or may carry."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from runbook_engine.alertrules.carried import Carried


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an alert before it ever fired."""

    name: str
    expression: str
    group: str
    file: str
    line: int
    labels: Mapping[str, str]  # that every one of its alerts has, with these very values
    templated: frozenset[str] = frozenset()  # set by the rule, to something that only an alert knows
    carried: Carried = Carried()  # by the results of its expression

    def value(self, label: str) -> str | None:
        """Return the value that a label surely has, empty when it is surely absent; None when that is unknown."""
        if label in self.labels:
            return self.labels[label]
        if label in self.templated or self.carried.may is None or label in self.carried.may:
            return None
        return ""

    def gives(self, label: str) -> bool:
        """Whether its alerts have a label, by all that the rule says."""
        return bool(self.labels.get(label)) or label in self.templated or label in self.carried.sure

    def without(self, dropped: Collection[str]) -> AlertRule:
        """Return the rule as it is known where some labels are ignored: they read as absent."""
        return msgspec.structs.replace(
            self,
            labels={**self.labels, **dict.fromkeys(dropped, "")},
            templated=self.templated - set(dropped),
            carried=msgspec.structs.replace(self.carried, sure=self.carried.sure - set(dropped)),
        )

    @property
    def severity(self) -> str:
        """The severity as the rule writes it; empty when it writes none, or a template."""
        return self.labels.get("severity", "")
