"""What of an event a rule's target is given: all of it, a part (InputPath), a constant (Input) or a template."""

import json
import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDER = re.compile(r"<([^<>\s]+)>")
STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\['([^']+)'\]")


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str) -> str:
    """Return the text that the target is given."""
    if "InputTransformer" in target:
        transformer = target["InputTransformer"]
        known = {name: read(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
        return fill(transformer["InputTemplate"], known | predefined(event, rule_arn))
    if "Input" in target:
        return str(target["Input"])
    return json.dumps(read(target.get("InputPath", "$"), event))


def read(path: str, event: Mapping[str, Any]) -> Any:
    """Return what stands at a simple JSON path; nothing there is an empty text, as in templates."""
    value: Any = event
    for name, index, quoted in STEP.findall(path.removeprefix("$")):
        key = int(index) if index else name or quoted
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return ""
    return value


def predefined(event: Mapping[str, Any], rule_arn: str) -> dict[str, Any]:
    """Return the variables that every template knows."""
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": dict(event),
    }


def fill(template: str, known: Mapping[str, Any]) -> str:
    """Fill a template: bare placeholders become JSON values, those inside quotes are put in raw, unescaped."""
    pieces = []
    for place, piece in enumerate(re.split(r'("(?:[^"\\]|\\.)*")', template)):
        quoted = place % 2 == 1
        pieces.append(PLACEHOLDER.sub(lambda found, q=quoted: _value(found, known, q), piece))
    return "".join(pieces)


def _value(found: re.Match[str], known: Mapping[str, Any], quoted: bool) -> str:
    value = known.get(found[1], "")
    if not quoted:
        return json.dumps(value)
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")
