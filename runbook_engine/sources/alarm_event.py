"""A change of a CloudWatch alarm's state, read from the three ways in which AWS spells it.

Over EventBridge and as a direct action the words are the same in another place; in a message of SNS every field has
another name, dimensions are a list, and the region is a name for people, so it is taken from the ARN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import msgspec

from runbook_engine.errors import InvalidAlert
from runbook_engine.sources.bus_event import BusEvent
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import list_of, map_of, text_of


class Metric(msgspec.Struct, frozen=True):
    """One metric that an alarm looks at."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]


class AlarmEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm's new state, and all that the event says of the alarm."""

    name: str
    arn: str
    account: str
    region: str
    state: str
    before: str  # empty when the event does not tell
    at: str
    reason: str = ""
    description: str = ""
    suppressed_by: str = ""
    metrics: tuple[Metric, ...] = ()
    contributor: str = ""
    attributes: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    values: Mapping[str, float] = {}


def from_bus(event: BusEvent) -> AlarmEvent:
    """Read an event of EventBridge; of a contributor it holds no earlier state."""
    return _read(event.detail, next(iter(event.resources), ""), event.account, event.region)


def from_action(values: Mapping[str, Any]) -> AlarmEvent:
    """Read what an alarm hands to a function that it calls itself."""
    told = (text_of(values.get(key)) for key in ("alarmArn", "accountId", "region"))
    return _read(map_of(values.get("alarmData")), *told)


def from_message(values: Mapping[str, Any]) -> AlarmEvent:
    """Read a message that an alarm sent to a topic."""
    arn, trigger = text_of(values.get("AlarmArn")), map_of(values.get("Trigger"))
    parts = arn.split(":")
    account = text_of(values.get("AWSAccountId"))
    return AlarmEvent(
        name=text_of(values.get("AlarmName")),
        arn=arn,
        account=account,
        region=parts[3] if len(parts) > 5 else "",
        state=text_of(values.get("NewStateValue")),
        before=text_of(values.get("OldStateValue")),
        at=text_of(values.get("StateChangeTime")),
        reason=text_of(values.get("NewStateReason")),
        description=text_of(values.get("AlarmDescription")),
        suppressed_by=text_of(values.get("ActionsSuppressedBy")),
        metrics=tuple(_metrics_in_message(trigger)),
        values=_finite({"threshold": trigger.get("Threshold")}),
    )


def _read(detail: Mapping[str, Any], arn: str, account: str, region: str) -> AlarmEvent:
    state, contributor = map_of(detail.get("state")), map_of(detail.get("alarmContributor"))
    configuration = map_of(detail.get("configuration"))
    return AlarmEvent(
        name=text_of(detail.get("alarmName")),
        arn=arn,
        account=account,
        region=region,
        state=text_of(state.get("value")),
        before=text_of(map_of(detail.get("previousState")).get("value")),
        at=text_of(state.get("timestamp")),
        reason=text_of(state.get("reason")),
        description=text_of(configuration.get("description")),
        suppressed_by=_suppressed_by(detail, state),
        metrics=tuple(_metrics(configuration)),
        contributor=text_of(contributor.get("id")),
        attributes=_texts(contributor.get("attributes")),
        tags=_tags(detail.get("alarmTags")),
        values=_values(state),
    )


def _suppressed_by(detail: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Return what keeps the alarm's actions back: another alarm's rule, or one that mutes."""
    if suppressor := text_of(state.get("actionsSuppressedBy")):
        return suppressor
    return "mute rule" if detail.get("muteDetail") or state.get("muteDetail") else ""


def _metrics(configuration: Mapping[str, Any]) -> Iterable[Metric]:
    for entry in list_of(configuration.get("metrics")):
        metric = map_of(map_of(map_of(entry).get("metricStat")).get("metric"))
        if metric:
            dimensions = _texts(metric.get("dimensions"))
            yield Metric(text_of(metric.get("namespace")), text_of(metric.get("name")), dimensions)


def _metrics_in_message(trigger: Mapping[str, Any]) -> Iterable[Metric]:
    told = [map_of(map_of(map_of(entry).get("MetricStat")).get("Metric")) for entry in list_of(trigger.get("Metrics"))]
    for metric in filter(None, (trigger if "MetricName" in trigger else {}, *told)):
        pairs = [map_of(each) for each in list_of(metric.get("Dimensions"))]
        dimensions = _texts({text_of(each.get("name")): each.get("value") for each in pairs})
        yield Metric(text_of(metric.get("Namespace")), text_of(metric.get("MetricName")), dimensions)


def _values(state: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the newest value and the threshold: JSON inside a text, which may be absent or cut."""
    try:
        reason = map_of(decode_json(text_of(state.get("reasonData")).encode()))
    except (InvalidAlert, UnicodeEncodeError):
        return {}
    points = list_of(reason.get("recentDatapoints"))
    return _finite({"value": points[-1] if points else None, "threshold": reason.get("threshold")})


def _finite(numbers: Mapping[str, object]) -> Mapping[str, float]:
    return {
        name: float(number)
        for name, number in numbers.items()
        if isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number)
    }


def _tags(told: object) -> Mapping[str, str]:
    """Tags are a map, or a list of keys and values."""
    if isinstance(told, list):
        pairs = [map_of(each) for each in told]
        return _texts(
            {text_of(each.get("key", each.get("Key"))): each.get("value", each.get("Value")) for each in pairs}
        )
    return _texts(told)


def _texts(told: object) -> Mapping[str, str]:
    return {name: value for name, value in map_of(told).items() if name and isinstance(value, str)}
