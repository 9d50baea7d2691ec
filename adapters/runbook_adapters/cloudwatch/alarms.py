"""Alarms: whether CloudWatch answers us, shown by how many of its alarms ring."""

from __future__ import annotations

from runbook_adapters.aws.clients import Clients
from runbook_adapters.aws.identity import identify
from runbook_adapters.aws.problems import looking

MOST = 100


def alarms_in_force(clients: Clients) -> str:
    """Return who asks, and how many alarms ring now. Raises Unreadable."""
    who = identify(clients)
    with looking("the alarms of CloudWatch"):
        answer = clients.looking("cloudwatch").describe_alarms(StateValue="ALARM", MaxRecords=MOST)
    ringing = len(answer.get("MetricAlarms") or ()) + len(answer.get("CompositeAlarms") or ())
    return f"{who}; {ringing}{' or more' if answer.get('NextToken') else ''} alarms ring"
