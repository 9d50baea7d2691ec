"""Compile a valid engine configuration into the value that a host runs with."""

from __future__ import annotations

import json

from runbook_engine.documents.approvals import ApprovalsDocument
from runbook_engine.documents.automation import AutomationDocument
from runbook_engine.documents.engine_config import (
    CorrelationDocument,
    EngineConfigDocument,
    LimitsDocument,
    ScopeDocument,
    SeriesDocument,
    TokenDocument,
)
from runbook_engine.documents.job import JobDocument
from runbook_engine.documents.secret import SecretDocument
from runbook_engine.documents.sender import SignatureDocument
from runbook_engine.documents.storm import StormDocument
from runbook_engine.documents.target import NAMESPACED
from runbook_engine.loading.calendar_rules import compile_calendar
from runbook_engine.loading.compile import compile_mode, given
from runbook_engine.loading.compile_mapping import compile_mapping
from runbook_engine.loading.compile_request import compile_request
from runbook_engine.loading.compile_web import compile_web
from runbook_engine.loading.findings import Findings
from runbook_engine.model.configuration import (
    About,
    AdapterChoice,
    Approvals,
    Configuration,
    Correlation,
    JobTemplate,
    Limits,
    Receiver,
    Scope,
    SecretReference,
    SeriesRule,
    Signature,
    Team,
    Token,
)
from runbook_engine.model.sender import parse_sender
from runbook_engine.model.serverless import AutomationTemplate
from runbook_engine.model.storm import StormRule
from runbook_engine.model.target import Target


def compile_config(document: EngineConfigDocument, findings: Findings) -> Configuration:
    """Return the compiled configuration."""
    return Configuration(
        name=document.metadata.name,
        clusters=document.clusters,
        adapters=_adapters(document),
        scopes=tuple(_scope(name, scope, document) for name, scope in document.scopes.items()),
        tokens=tuple(_token(name, token) for name, token in document.tokens.items()),
        receivers=tuple(
            Receiver(name=name, adapter=receiver.adapter, settings=receiver.settings)
            for name, receiver in document.receivers.items()
        ),
        teams=tuple(
            Team(name=name, members=team.members, receiver=team.receiver or "") for name, team in document.teams.items()
        ),
        approvals=_approvals(document.approvals),
        targets=document.targets,
        mode_ceiling=compile_mode(document.mode_ceiling, findings, ("modeCeiling",)),
        series=tuple(_series(name, series) for name, series in document.series.items()),
        limits=_limits(document.limits),
        correlation=_correlation(document.correlation),
        storm=_storm(document.storm),
        links=dict(document.links),
        web=compile_web(document.web),
        jobs=tuple(_job(name, job) for name, job in document.jobs.items()),
        automations=tuple(_automation(name, each) for name, each in document.automations.items()),
        requests=tuple(compile_request(name, each) for name, each in document.requests.items()),
        freezes=compile_calendar(document.freezes, findings, "freezes"),
        windows=compile_calendar(document.windows, findings, "windows"),
        **given(drop_labels=document.drop_labels),
    )


def _adapters(document: EngineConfigDocument) -> dict[str, tuple[AdapterChoice, ...]]:
    ports = {port: getattr(document.adapters, port) for port in type(document.adapters).model_fields}
    return {
        port: tuple(
            AdapterChoice(adapter=choice.adapter, place=choice.place, settings=choice.settings) for choice in choices
        )
        for port, choices in ports.items()
        if choices
    }


def _job(name: str, job: JobDocument) -> JobTemplate:
    return JobTemplate(
        name=name,
        namespace=job.namespace,
        spec=json.dumps(job.spec, sort_keys=True),
        says=job.effect.says,
        parameters=job.parameters,
        approval=job.approval == "ask",
        **given(time_limit=job.time_limit),
    )


def _automation(name: str, automation: AutomationDocument) -> AutomationTemplate:
    return AutomationTemplate(
        name=name,
        document=automation.document,
        version=automation.version,
        says=automation.effect.says,
        parameters=automation.parameters,
        fixed=dict(automation.fixed),
        role=automation.role or "",
        place=automation.place,
        approval=automation.approval == "ask",
    )


def _scope(name: str, scope: ScopeDocument, document: EngineConfigDocument) -> Scope:
    mapping = document.mappings.get(scope.mapping or "")
    return Scope(
        name=name,
        source=scope.source,
        runbooks=scope.runbooks,
        targets=scope.targets,
        severities=dict(scope.severities),
        senders=tuple(parse_sender(text) for text in scope.senders),
        about=tuple(About(pattern, _target(text)) for pattern, text in scope.about.items()),
        mapping=compile_mapping(scope.mapping or "", mapping) if mapping is not None else None,
    )


def _target(text: str) -> Target:
    """Return the target of its written form, as in deployment=apps/checkout@prod."""
    kind, _, rest = text.partition("=")
    path, _, place = rest.partition("@")
    namespace, _, name = path.rpartition("/") if kind in (*NAMESPACED, "job", "configmap") else ("", "", path)
    return Target(kind, place, namespace, name)


def _token(name: str, token: TokenDocument) -> Token:
    secrets = tuple(_secret(secret) for secret in token.secrets)
    presented = token.presented_as
    if presented is None:
        return Token(name=name, roles=token.roles, secrets=secrets, scopes=token.scopes)
    return Token(
        name=name,
        roles=token.roles,
        secrets=secrets,
        scopes=token.scopes,
        signature=_signature(presented.signed) if presented.signed is not None else None,
        **given(user=presented.basic, header=presented.header),
    )


def _signature(signature: SignatureDocument) -> Signature:
    return Signature(**given(**{name: getattr(signature, name) for name in type(signature).model_fields}))


def _approvals(approvals: ApprovalsDocument | None) -> Approvals | None:
    return None if approvals is None else Approvals(url=approvals.url, key=_secret(approvals.key))


def _secret(secret: SecretDocument) -> SecretReference:
    return SecretReference(**given(env=secret.env, file=secret.file, ssm=secret.ssm))


def _series(name: str, series: SeriesDocument) -> SeriesRule:
    return SeriesRule(
        name=name,
        kind=series.kind,
        metric=series.metric,
        where=dict(series.where),
        over_where=dict(series.over_where),
        **given(over=series.over, quantile=series.quantile, window=series.window),
    )


def _limits(limits: LimitsDocument) -> Limits:
    return Limits(**given(**{name: getattr(limits, name) for name in type(limits).model_fields}))


def _correlation(correlation: CorrelationDocument) -> Correlation:
    return Correlation(**given(**{name: getattr(correlation, name) for name in type(correlation).model_fields}))


def _storm(storm: StormDocument) -> StormRule:
    names = (name for name in type(storm).model_fields if name != "release")
    return StormRule(
        **given(**{name: getattr(storm, name) for name in names}, at_a_time=storm.release.at_a_time),
    )
