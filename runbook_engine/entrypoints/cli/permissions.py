"""Permissions: the exact grants that these runbooks need, for people and as manifests. Reads files, asks no cluster.

With `--check` they are compared with rights that were given already.
"""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from runbook_engine.entrypoints.cli.arguments import Parser, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK, UsageError
from runbook_engine.entrypoints.cli.given_rights import read_given
from runbook_engine.entrypoints.cli.output import answer, say, write_text
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.entrypoints.grants import installation_grants
from runbook_engine.model.grant import Grant, uncovered
from runbook_engine.model.runbook import MODES
from runbook_engine.registry import Registry
from runbook_engine.render.permissions import (
    helm_values,
    rbac_manifests,
    record_check,
    record_permissions,
    render_check,
    render_permissions,
)
from runbook_engine.resolution import VALIDATORS

GROUP = "rbac.authorization.k8s.io"


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of the command."""
    add_places(parser)
    parser.add_argument(
        "--format",
        choices=("text", "json", "rbac", "helm"),
        default="text",
        help="text for people, json for scripts, rbac as manifests, helm as values of the chart",
    )
    parser.add_argument("--mode", choices=MODES, help="as if no runbook could go further; observe needs no write")
    parser.add_argument(
        "--check",
        metavar="FILE",
        help="compare with RBAC manifests, or with values of the chart: 1 unless they are equal",
    )
    parser.add_argument("--name", default="runbook-engine", type=_name, help="rbac: the name of roles and bindings")
    parser.add_argument(
        "--subject",
        default=_subject("group:runbook-engine"),
        type=_subject,
        metavar="WHO",
        help="rbac: who gets them: group:NAME, user:NAME or serviceaccount:NAMESPACE/NAME",
    )


def run(name: str, arguments: Namespace, desk: Desk) -> int:
    """Run the command."""
    registry = Registry()
    bundle = load_bundle_of(desk.settings(arguments), registry)
    grants = installation_grants(bundle, registry, arguments.mode)
    if arguments.check:
        return _check(arguments, grants, desk)
    if arguments.format == "text":
        say(desk, render_permissions(grants))
    elif arguments.format == "json":
        answer(desk, record_permissions(grants))
    elif arguments.format == "helm":
        _dump(desk, [helm_values(grants)])
    else:
        _dump(desk, rbac_manifests(grants, name=arguments.name, subject=arguments.subject))
    return OK


def _check(arguments: Namespace, grants: Sequence[Grant], desk: Desk) -> int:
    """Say by what the rights in the file are narrower and wider than what is needed."""
    if arguments.format not in ("text", "json"):
        raise UsageError(f"--check compares, and writes no {arguments.format} (take --format text or json)")
    given = read_given(arguments.check)
    missing, extra = uncovered(grants, given), uncovered(given, grants)
    if arguments.format == "json":
        answer(desk, record_check(missing, extra))
    else:
        say(desk, render_check(missing, extra))
    return NO if missing or extra else OK


def _dump(desk: Desk, documents: Sequence[Mapping[str, Any]]) -> None:
    import yaml  # loaded with the runbooks already

    write_text(desk.stdout, yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True, width=120))


def _name(text: str) -> str:
    if not VALIDATORS["workload"][0].fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not {VALIDATORS['workload'][1]}")
    return text


def _subject(text: str) -> Mapping[str, str]:
    kind, _, name = text.partition(":")
    namespace, slash, account = name.partition("/")
    if kind == "group" and name:
        return {"kind": "Group", "name": name, "apiGroup": GROUP}
    if kind == "user" and name:
        return {"kind": "User", "name": name, "apiGroup": GROUP}
    if kind == "serviceaccount" and slash and namespace and account:
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    raise ArgumentTypeError(f"{text!r} is no subject (write group:NAME, user:NAME or serviceaccount:NAMESPACE/NAME)")
