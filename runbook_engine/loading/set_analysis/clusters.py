"""Whether two settings of one thing may be in the same cluster, as it is written or as matchers let alerts name it."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_engine.loading.set_analysis.effects import Setting, input_of
from runbook_engine.loading.set_analysis.implication import Accepted, Conjunction
from runbook_engine.loading.set_analysis.subject import Subject
from runbook_engine.model.matcher import Matcher
from runbook_engine.templating import is_template

LABEL = "cluster"
Use = tuple[Subject, Setting]


def may_meet(one: Use, other: Use, conjunctions: Mapping[str, Conjunction]) -> bool:
    """Whether it is not proven that they are in different clusters."""
    (_, mine), (_, theirs) = one, other
    if not (mine.cluster and theirs.cluster) or (mine.cluster == theirs.cluster and not is_template(mine.cluster)):
        return True
    first, second = (_accepted(*use, conjunctions[use[0].runbook.name]) for use in (one, other))
    return first is None or second is None or not first.excludes(second)


def _accepted(subject: Subject, setting: Setting, conjunction: Conjunction) -> Accepted | None:
    """Return what the cluster of a setting may be; None = anything."""
    if not is_template(setting.cluster):
        return Accepted(LABEL, [Matcher(LABEL, "=", setting.cluster)])
    source = input_of(setting.cluster, subject.runbook.inputs)
    if source is None or source.path[:2] != ("alert", "labels") or len(source.path) != 3:
        return None
    accepted = conjunction.labels.get(source.path[2])
    # Without the label it is the default: where that may happen, the matchers of the label do not tell all.
    return accepted if accepted is not None and (source.default is None or not accepted.holds("")) else None
