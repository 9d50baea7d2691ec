"""Mappings and the signatures of known senders become the values that every host reads and judges by."""

from __future__ import annotations

from pathlib import Path

from runbook_engine.loading.bundle import dump_bundle, load_bundle
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.configuration import Signature
from runbook_engine.model.mapping import AlertMapping, Choice, Condition, Pointer, Spread
from runbook_engine.registry import Registry

ENGINE = """\
apiVersion: runbook-engine/v1
kind: EngineConfig
scopes:
  one: {source: mapped, mapping: ours}
  two: {source: mapped, mapping: ours}
mappings:
  ours:
    alerts: /list
    expect: {"body:/version": [1.2, "2"]}
    ignore: {/test: true}
    kind: event
    name: {value: Ours}
    status: /status
    identity: [/id, {from: [/a, /b]}]
    severity: {from: /level, words: {Bad: high}, otherwise: low}
    labels: {team: {from: /team, required: true}}
    labelMaps: [{from: /tags, prefix: t_}]
    values: {load: /load}
    startsAt: /since
    times: seconds
tokens:
  github: {roles: [ingest], secrets: [{env: A}], presentedAs: github}
  grafana: {roles: [ingest], secrets: [{env: B}], presentedAs: grafana}
  timed:
    roles: [ingest]
    secrets: [{env: C}]
    presentedAs: {grafana: {timestampHeader: X-Time, header: X-Signed}}
  pagerduty: {roles: [ingest], secrets: [{env: D}], presentedAs: pagerduty}
"""


def test_mappings_are_compiled_when_they_are_valid(tmp_path: Path, registry: Registry) -> None:
    """Every field, also out of a bundle; a status says no word that nobody gave a meaning."""
    (tmp_path / "engine.yaml").write_text(ENGINE)

    bundle = load_valid_files([tmp_path / "engine.yaml"], registry).bundle
    configuration = load_bundle(dump_bundle(bundle)).configuration

    assert configuration == bundle.configuration
    one, two = configuration.scopes
    assert one.mapping == two.mapping
    assert one.mapping == AlertMapping(
        name="ours",
        alerts=Pointer(("list",)),
        expect=(Condition(place=Pointer(("version",), whole=True), words=("1.2", "2")),),
        ignore=(Condition(place=Pointer(("test",)), words=("true",)),),
        kind="event",
        alert_name=Choice(otherwise="Ours"),
        status=Choice(
            places=(Pointer(("status",)),),
            words={"firing": "firing", "resolved": "resolved"},
            otherwise="unknown",
            required=True,
        ),
        identity=(
            Choice(places=(Pointer(("id",)),), required=True),
            Choice(places=(Pointer(("a",)), Pointer(("b",))), required=True),
        ),
        severity=Choice(places=(Pointer(("level",)),), words={"bad": "high"}, otherwise="low"),
        labels={"team": Choice(places=(Pointer(("team",)),), required=True)},
        spreads=(Spread(place=Pointer(("tags",)), prefix="t_"),),
        values={"load": Pointer(("load",))},
        starts_at=(Pointer(("since",)),),
        times="seconds",
    )


def test_the_name_of_a_sender_is_its_signature(tmp_path: Path, registry: Registry) -> None:
    """What its documentation says of headers, prefixes and times, said once."""
    (tmp_path / "engine.yaml").write_text(ENGINE)

    configuration = load_valid_files([tmp_path / "engine.yaml"], registry).bundle.configuration

    assert {
        "github": Signature(header="X-Hub-Signature-256", prefix="sha256="),
        "grafana": Signature(header="X-Grafana-Alerting-Signature", separator=":", repeats=True),
        "timed": Signature(header="X-Signed", timestamp="X-Time", separator=":"),
        "pagerduty": Signature(header="X-PagerDuty-Signature", prefix="v1=", several=True),
    } == {token.name: token.signature for token in configuration.tokens}
