"""A delivery from a file: a whole webhook body, or one alert as it stands in such a body."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import UsageError
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.delivery import Request

NO_SCOPE = "local"
NO_SOURCE = "alertmanager"
BY_HAND = "a file"  # a person asks what it would mean, whoever would bring it
OF_ALERTS = frozenset((NO_SOURCE, "grafana"))  # formats in which one alert may stand for a whole body


def read_delivery(arguments: Namespace, configuration: Configuration, desk: Desk) -> Request:
    """Return the delivery that --alert names, as if its scope had sent it now. Raises UsageError."""
    scopes = {scope.name: scope for scope in configuration.scopes}
    name = arguments.scope or next(iter(scopes), NO_SCOPE)
    if arguments.scope and scopes and arguments.scope not in scopes:
        raise UsageError(f"unknown scope {name!r}: engine.yaml names {', '.join(scopes)}")
    source = arguments.source or (scopes[name].source if name in scopes else NO_SOURCE)
    read = _read(arguments.alert, desk)
    body = _whole(read) if source in OF_ALERTS else read
    return Request(name, source, {"content-type": "application/json"}, body, desk.now(), origin=BY_HAND)


def _read(file: str, desk: Desk) -> bytes:
    if file == "-":
        return desk.stdin.read().encode("utf-8", "surrogateescape")
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"the alert file {file} cannot be read: {error.strerror} (- reads standard input)") from error


def _whole(body: bytes) -> bytes:
    """Return a lone alert as a webhook body of one; anything else as it is, for its source to judge."""
    try:
        content = json.loads(body)
    except ValueError:
        return body
    if not isinstance(content, dict) or "labels" not in content or "alerts" in content:
        return body
    if "status" in content:
        return b'{"alerts": [' + body + b"]}"
    return json.dumps({"alerts": [{"status": "firing", **content}]}).encode()
