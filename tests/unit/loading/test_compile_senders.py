"""Senders as engine.yaml names them become the values that every host judges by."""

from __future__ import annotations

from pathlib import Path

from runbook_engine.loading.bundle import dump_bundle, load_bundle
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.configuration import About, Scope, SecretReference, Signature, Token
from runbook_engine.model.sender import Sender
from runbook_engine.model.target import Target
from runbook_engine.registry import Registry

ENGINE = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
scopes:
  alarms: {source: cloudwatch, from: ["events:aws.cloudwatch", "logs:/a/b@210987654321"]}
  deploys:
    source: deployments
    about:
      pipeline=web: deployment=apps/web@blue
      application=web/prod: function=web:live
      service=prod/web: parameter=/web/flag
tokens:
  alertmanager: {roles: [ingest], secrets: [{env: A}], presentedAs: {basic: alertmanager}}
  datadog: {roles: [ingest], secrets: [{env: B}], presentedAs: {header: X-Runbook-Token}}
  signed:
    roles: [ingest]
    secrets: [{env: C}]
    presentedAs:
      signature: {header: X-S, prefix: v1=, encoding: base64, algorithm: sha512, timestamp: X-T, separator: ":"}
  plain: {roles: [ingest, operate], secrets: [{env: D}]}
"""


def test_senders_are_compiled_when_they_are_valid(tmp_path: Path, registry: Registry) -> None:
    """Every form of a credential, every origin, and what foreign names stand for; a bundle keeps all of it."""
    (tmp_path / "engine.yaml").write_text(ENGINE)

    bundle = load_valid_files([tmp_path / "engine.yaml"], registry).bundle
    configuration = load_bundle(dump_bundle(bundle)).configuration

    assert configuration == bundle.configuration
    senders = (Sender("events", "aws.cloudwatch"), Sender("logs", "/a/b", "210987654321"))
    about = (
        About("pipeline=web", Target("deployment", "blue", "apps", "web")),
        About("application=web/prod", Target("function", "", "", "web:live")),
        About("service=prod/web", Target("parameter", "", "", "/web/flag")),
    )
    assert (
        Scope(name="alarms", source="cloudwatch", senders=senders),
        Scope(name="deploys", source="deployments", about=about),
    ) == configuration.scopes
    signature = Signature(
        header="X-S", prefix="v1=", encoding="base64", algorithm="sha512", timestamp="X-T", separator=":"
    )
    secrets = [(SecretReference(env=name),) for name in "ABCD"]
    assert (
        Token(name="alertmanager", roles=("ingest",), secrets=secrets[0], user="alertmanager"),
        Token(name="datadog", roles=("ingest",), secrets=secrets[1], header="X-Runbook-Token"),
        Token(name="signed", roles=("ingest",), secrets=secrets[2], signature=signature),
        Token(name="plain", roles=("ingest", "operate"), secrets=secrets[3]),
    ) == configuration.tokens
