"""What runbooks need of their cloud: one allowance for each action on each resource, as narrow as IAM can say it.

An action is listed where an adapter calls the cloud for it: a parameter that is kept in a file needs no right at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from runbook_engine.model.configuration import Configuration
from runbook_engine.model.grant import parse_permission
from runbook_engine.model.iam import Account, Allowance
from runbook_engine.model.runbook import Mode, Runbook
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.permissions.names import named_by, named_of
from runbook_engine.permissions.needs import Need, may_write, needs_of
from runbook_engine.registry import Registry
from runbook_engine.templating import is_template

ALIAS_ONLY = frozenset(("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetPolicy", "lambda:ListEventSourceMappings"))
POINTED = frozenset(("lambda:GetAlias", "lambda:UpdateAlias"))
OF_A_VERSION = frozenset(("lambda:GetFunctionConfiguration",))
AWS_OWNED = ("AWS-", "AWSSupport-", "AWSEC2-", "AWSConfigRemediation-", "AWSIncidents-")

Resources = Iterable[tuple[str, str]]  # each with why it is no narrower; empty = it is as narrow as can be said


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the resources are, and what the installation allows of them."""

    configuration: Configuration
    account: Account


def allowances_of(
    runbooks: Iterable[Runbook],
    configuration: Configuration,
    registry: Registry,
    account: Account,
    *,
    mode: Mode | None = None,
    ports: frozenset[str] | None = None,
) -> tuple[Allowance, ...]:
    """Return every allowance that these runbooks need; `ports` are those that the cloud serves, None = all."""
    place = Place(configuration=configuration, account=account)
    found: set[Allowance] = set()
    for runbook in runbooks:
        writes = may_write(runbook, mode)
        for need in needs_of(runbook, registry):
            allowances = _of_need(need, place, ports)
            found.update(each for each in allowances if writes or each.reads)
    return tuple(sorted(found))


def _of_need(need: Need, place: Place, ports: frozenset[str] | None) -> Iterator[Allowance]:
    for text in need.permissions:
        permission = parse_permission(text)
        service = SERVICES.get(permission.resource)
        if permission.of_cluster or permission.resource in OURS:
            continue
        if service is not None and ports is not None and service.port_of(text) not in ports:
            continue
        resources = _anywhere(text, need, place) if service is None else service.resources(text, need, place)
        for resource, why_all in resources:
            yield Allowance(action=text, resource=resource, why_all=why_all, because=need.because)
    automation = _automation_of(need, place)
    if automation is not None and automation.role and (ports is None or "automations" in ports):
        yield _passing(automation, place.account, need.because)


def _of_functions(action: str, need: Need, place: Place) -> Resources:
    """Of an alias the alias alone, where the action is about one; IAM checks the function's own ARN as well."""
    arn = place.account.arn
    for named in named_of("function", need.target.name, place.configuration):
        if action in ALIAS_ONLY and not named.alias:
            continue
        if action == "lambda:ListEventSourceMappings":
            yield "*", "Lambda lists event sources of all functions or of none"
            continue
        yield arn("lambda", f"function:{named.name}"), ""
        if action in POINTED:
            yield arn("lambda", f"function:{named.name}:{named.alias}"), ""
        elif action in OF_A_VERSION:
            yield arn("lambda", f"function:{named.name}:*"), ""


def _of_queues(action: str, need: Need, place: Place) -> Resources:
    if action != "sqs:SendMessage":
        for named in named_of("queue", need.target.name, place.configuration):
            yield place.account.arn("sqs", named.name), ""
        return
    source = need.step.arguments.get("to") if need.step is not None else None
    if isinstance(source, str) and not is_template(source):
        yield place.account.arn("sqs", source), ""
    else:
        yield place.account.arn("sqs", "*"), "only the queue itself says where its messages came from (write to: NAME)"


def _of_ssm(action: str, need: Need, place: Place) -> Resources:
    if action.endswith("AutomationExecution"):
        yield from _of_automations(action, need, place)
        return
    parameter = need.step.arguments.get("parameter", "") if need.step is not None else ""
    for named in named_by("parameter", str(parameter), place.configuration):
        yield place.account.arn("ssm", f"parameter{named.name}"), ""


def _of_automations(action: str, need: Need, place: Place) -> Resources:
    automation = _automation_of(need, place)
    if action == "ssm:GetAutomationExecution":
        yield place.account.arn("ssm", "automation-execution/*"), "the id of a run is not known before it begins"
    elif automation is not None:
        yield _definition(automation, place.account)


def _definition(automation: AutomationTemplate, account: Account) -> tuple[str, str]:
    """Return the ARN of one version of a document; those of AWS belong to no account that anybody names."""
    document, shared = automation.document.rpartition("document/")[2], automation.document
    resource = f"automation-definition/{document}:{automation.version}"
    if shared.startswith("arn:"):
        _, _, _, region, owner, _ = shared.split(":", 5)
        return account.arn("ssm", resource, region=region, account=owner), ""
    if document.startswith(AWS_OWNED):
        return account.arn("ssm", resource, account="*"), "a document of AWS belongs to no account of yours"
    return account.arn("ssm", resource), ""


def _automation_of(need: Need, place: Place) -> AutomationTemplate | None:
    name = need.step.arguments.get("automation") if need.step is not None else None
    return next((each for each in place.configuration.automations if each.name == name), None)


def _passing(automation: AutomationTemplate, account: Account, because: str) -> Allowance:
    """A role may be handed to the service that runs automations, and to no other."""
    service = "ssm.amazonaws.com.cn" if account.partition == "aws-cn" else "ssm.amazonaws.com"
    return Allowance(
        action="iam:PassRole",
        resource=automation.role,
        conditions=(("StringEquals", "iam:PassedToService", service),),
        because=because,
    )


def _of_logs(action: str, need: Need, place: Place) -> Resources:
    for named in named_of("function", need.target.name, place.configuration):
        yield place.account.arn("logs", f"log-group:/aws/lambda/{named.name}:*"), ""


def _of_metrics(action: str, need: Need, place: Place) -> Resources:
    yield "*", "CloudWatch lets nobody narrow which metrics are read"


def _anywhere(action: str, need: Need, place: Place) -> Resources:
    yield "*", "the action that needs it does not say of which resource"


def _port_of_ssm(action: str) -> str:
    return "automations" if action.endswith("AutomationExecution") else "flags"


@dataclass(frozen=True, slots=True)
class _Service:
    """One service: which port calls an action of it, and what the action is about."""

    port_of: Callable[[str], str]
    resources: Callable[[str, Need, Place], Resources]


OURS = frozenset(("receivers", "flags", "requests"))  # what actions say of ports without a service behind them
SERVICES: Mapping[str, _Service] = {
    "lambda": _Service(lambda action: "functions", _of_functions),
    "sqs": _Service(lambda action: "queues", _of_queues),
    "ssm": _Service(_port_of_ssm, _of_ssm),
    "logs": _Service(lambda action: "logs", _of_logs),
    "cloudwatch": _Service(lambda action: "metrics", _of_metrics),
}
PORTS = frozenset(("automations", "flags", "functions", "logs", "metrics", "queues"))  # those that call a service
