"""Compile a valid engine configuration into the value that a host runs with."""

from __future__ import annotations

import json

from runbook_engine.documents.engine_config import (
    CorrelationDocument,
    EngineConfigDocument,
    LimitsDocument,
    ScopeDocument,
    SecretDocument,
    SeriesDocument,
    TokenDocument,
)
from runbook_engine.documents.job import JobDocument
from runbook_engine.loading.compile import compile_mode, given
from runbook_engine.loading.findings import Findings
from runbook_engine.model.configuration import (
    AdapterChoice,
    Configuration,
    Correlation,
    JobTemplate,
    Limits,
    Receiver,
    Scope,
    SecretReference,
    SeriesRule,
    Team,
    Token,
)


def compile_config(document: EngineConfigDocument, findings: Findings) -> Configuration:
    """Return the compiled configuration."""
    return Configuration(
        name=document.metadata.name,
        clusters=document.clusters,
        adapters=_adapters(document),
        scopes=tuple(_scope(name, scope) for name, scope in document.scopes.items()),
        tokens=tuple(_token(name, token) for name, token in document.tokens.items()),
        receivers=tuple(
            Receiver(name=name, adapter=receiver.adapter, settings=receiver.settings)
            for name, receiver in document.receivers.items()
        ),
        teams=tuple(
            Team(name=name, members=team.members, receiver=team.receiver or "") for name, team in document.teams.items()
        ),
        targets=document.targets,
        mode_ceiling=compile_mode(document.mode_ceiling, findings, ("modeCeiling",)),
        series=tuple(_series(name, series) for name, series in document.series.items()),
        limits=_limits(document.limits),
        correlation=_correlation(document.correlation),
        links=dict(document.links),
        jobs=tuple(_job(name, job) for name, job in document.jobs.items()),
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


def _scope(name: str, scope: ScopeDocument) -> Scope:
    return Scope(
        name=name,
        source=scope.source,
        runbooks=scope.runbooks,
        targets=scope.targets,
        severities=dict(scope.severities),
    )


def _token(name: str, token: TokenDocument) -> Token:
    secrets = tuple(_secret(secret) for secret in token.secrets)
    return Token(name=name, roles=token.roles, secrets=secrets, scopes=token.scopes)


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
