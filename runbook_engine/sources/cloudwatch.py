"""CloudWatch alarms over EventBridge, as messages of SNS, and as direct actions: one meaning for three spellings.

An alarm has no severity of its own: its tag `severity` says one, else the scope's words, of which one with `*` is a
pattern of alarm names. It repeats nothing while it is in alarm; an alarm that goes from ALARM to ALARM only changed
what suppresses it, and begins nothing new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec.structs import replace

from runbook_engine.errors import InvalidAlert
from runbook_engine.model.alert import AlertStatus, Batch, Kind
from runbook_engine.model.delivery import IGNORED, Parsed, Rejected, Request, SenderNote, SourceSettings, SourceSpec
from runbook_engine.sources.alarm_event import AlarmEvent, from_action, from_bus, from_message
from runbook_engine.sources.aws_changes import read_change
from runbook_engine.sources.body import read_body
from runbook_engine.sources.bus_event import REPLAYED, BusEvent, demand_platform, read_bus_event
from runbook_engine.sources.labels import RefusedAlert
from runbook_engine.sources.normalise import Delivery, Draft, normalise
from runbook_engine.sources.resources import ARN, read_resource
from runbook_engine.sources.strict_json import decode_json
from runbook_engine.sources.values import map_of

STATE_CHANGES = ("CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change")
ALARM, OK, NO_DATA = "ALARM", "OK", "INSUFFICIENT_DATA"


def parse(request: Request, settings: SourceSettings) -> Parsed:
    """Return the alert that an alarm's new state means; raise InvalidAlert when it is none."""
    demand_platform(request, "alarms of CloudWatch")
    values = decode_json(read_body(request, settings))
    told = map_of(values)
    if bus_event := read_bus_event(values):
        return _from_bus(bus_event, request, settings)
    if isinstance(told.get("alarmData"), dict):
        return _parsed(from_action(told), request, settings)
    if "AlarmName" in told and "NewStateValue" in told:
        return _parsed(from_message(told), request, settings)
    raise InvalidAlert(
        "schema",
        "the body is no alarm of CloudWatch: an event of EventBridge, a message of SNS or a direct action is expected, "
        "as AWS sends it (let no input transformer change it)",
    )


def _from_bus(event: BusEvent, request: Request, settings: SourceSettings) -> Parsed:
    if event.detail_type in STATE_CHANGES:
        return _parsed(from_bus(event), request, settings, replayed=event.replayed)
    try:
        change = read_change(event, request.received_at)
    except RefusedAlert as error:
        return Parsed(rejected=(Rejected(0, str(error)),))
    return Parsed(changes=(change,)) if change is not None else Parsed(warnings=(IGNORED,))


def _parsed(alarm: AlarmEvent, request: Request, settings: SourceSettings, *, replayed: bool = False) -> Parsed:
    status, kind = _meaning(alarm)
    delivery = Delivery(
        request=request,
        settings=settings,
        delivery_id=request.delivery_id or hashlib.sha256(request.body).hexdigest(),
        group_key=None,
        kind="event" if replayed else kind,
    )
    try:
        draft = _draft(alarm, status, settings)
        if replayed:
            draft.warnings.append(REPLAYED)
        return Parsed((normalise(draft, Batch(), delivery),))
    except RefusedAlert as error:
        return Parsed(rejected=(Rejected(0, str(error)),))


def _meaning(alarm: AlarmEvent) -> tuple[AlertStatus, Kind]:
    """An alarm that is well, and was not in alarm as far as it tells, is only being set up."""
    if alarm.state == ALARM:
        return ("suppressed" if alarm.suppressed_by else "firing"), "alert"
    if alarm.state == OK:
        return "resolved", "control" if alarm.before == OK else "alert"
    return ("nodata" if alarm.state == NO_DATA else "unknown"), "alert"


def _draft(alarm: AlarmEvent, status: AlertStatus, settings: SourceSettings) -> Draft:
    if not alarm.name:
        raise RefusedAlert("the alarm has no name")
    if not alarm.arn and not alarm.account:
        raise RefusedAlert("the alarm has neither an ARN nor an account, so it is nobody's")
    labels = _labels(alarm)
    resource = replace(read_resource(labels), arn=alarm.arn if ARN.fullmatch(alarm.arn) else None)
    return Draft(
        status=status,
        labels=labels,
        annotations={
            name: text for name, text in (("summary", alarm.reason), ("description", alarm.description)) if text
        },
        starts_at=alarm.at if status != "resolved" and alarm.before != ALARM else None,
        ends_at=alarm.at if status == "resolved" else None,
        fingerprint="",
        links={},
        warnings=[] if alarm.arn else ["missing_arn"],
        identity=(alarm.arn or f"{alarm.account} {alarm.name}", alarm.contributor),
        observed_at=alarm.at,
        severity=_severity(alarm, settings),
        values=alarm.values,
        resource=resource,
    )


def _labels(alarm: AlarmEvent) -> dict[str, str]:
    """Return the labels: of its metrics what all of them agree on, so that a sum over many names none of them."""
    common = _agreed([metric.dimensions for metric in alarm.metrics])
    metric = _agreed([{"metric_namespace": each.namespace, "metric_name": each.name} for each in alarm.metrics])
    return {
        **{f"tag_{name}": value for name, value in alarm.tags.items()},
        **{f"attribute_{name}": value for name, value in alarm.attributes.items()},
        **{f"dimension_{name}": value for name, value in common.items()},
        **metric,
        "alertname": alarm.name,
        "arn": alarm.arn,
        "account_id": alarm.account,
        "region": alarm.region,
    }


def _agreed(maps: list[dict[str, str]] | list[Mapping[str, str]]) -> dict[str, str]:
    names = {name for each in maps for name in each}
    told = {name: {each[name] for each in maps if name in each} for name in sorted(names)}
    return {name: values.pop() for name, values in told.items() if len(values) == 1}


def _severity(alarm: AlarmEvent, settings: SourceSettings) -> str:
    for name, value in alarm.tags.items():
        if name.lower() == "severity":
            return value
    patterns = (word for word in settings.severities if "*" in word and fnmatchcase(alarm.name, word))
    return next(patterns, "")


SOURCE = SourceSpec(
    name="cloudwatch",
    parse=parse,
    posted=False,
    notes=(
        SenderNote(
            sender="CloudWatch alarms: EventBridge, SNS, direct action",
            comes="through AWS",
            proves="its origin (`from`)",
            retries="for a day, until it is taken",
            example="cloudwatch-events-alarm.json",
        ),
    ),
)
