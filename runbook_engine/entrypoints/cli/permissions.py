"""Permissions: the exact rights that these runbooks need, for people, as manifests and as a policy of IAM.

Reads files, asks neither a cluster nor a cloud. With `--check` they are compared with rights that were given already.
"""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from runbook_engine.entrypoints.cli.arguments import Parser, add_places
from runbook_engine.entrypoints.cli.desk import Desk
from runbook_engine.entrypoints.cli.failure import NO, OK, UsageError
from runbook_engine.entrypoints.cli.given_policy import read_policy
from runbook_engine.entrypoints.cli.given_rights import read_given
from runbook_engine.entrypoints.cli.output import answer, say, write_text
from runbook_engine.entrypoints.composition import load_bundle_of
from runbook_engine.entrypoints.grants import acts_in_aws, installation_allowances, installation_grants
from runbook_engine.model.grant import Grant, uncovered
from runbook_engine.model.iam import Account, Allowance, uncovered_allowances
from runbook_engine.model.runbook import MODES
from runbook_engine.permissions import sendings_of
from runbook_engine.registry import Registry
from runbook_engine.render.iam import (
    LONGEST_POLICY,
    iam_policy,
    policy_size,
    record_allowance_check,
    record_allowances,
    render_allowance_check,
    render_allowances,
)
from runbook_engine.render.permissions import (
    helm_values,
    rbac_manifests,
    record_check,
    record_permissions,
    render_check,
    render_permissions,
)
from runbook_engine.render.sendings import record_sendings, render_sendings
from runbook_engine.resolution import VALIDATORS

GROUP = "rbac.authorization.k8s.io"
ANY = "*"
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}")
NOT_IN_AWS = (
    "{config}: no adapter of AWS serves what runbooks change or look at, so there is no policy to tell (name the "
    "installation in AWS: --runbooks DIR --config FILE, as in --runbooks runbooks/aws --config "
    "terraform/examples/engine.yaml)"
)


def add_arguments(name: str, parser: Parser) -> None:
    """Add the arguments of the command."""
    add_places(parser)
    parser.add_argument(
        "--format",
        choices=("text", "json", "rbac", "helm", "iam"),
        default="text",
        help="text for people, json for scripts, rbac as manifests, helm as values of the chart, iam as a policy",
    )
    parser.add_argument("--mode", choices=MODES, help="as if no runbook could go further; observe needs no write")
    parser.add_argument(
        "--check",
        metavar="FILE",
        help="compare with RBAC manifests, values of the chart or a policy of IAM: 1 unless they are equal",
    )
    parser.add_argument(
        "--account",
        default=ANY,
        type=_account,
        metavar="ID",
        help="iam: the account, as in 123456789012; * when absent",
    )
    parser.add_argument(
        "--region", default=ANY, type=_region, metavar="NAME", help="iam: the region, as in eu-west-1; * when absent"
    )
    parser.add_argument(
        "--partition",
        default="aws",
        choices=("aws", "aws-cn", "aws-us-gov"),
        help="iam: the partition; aws when absent",
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
    registry, settings = Registry(), desk.settings(arguments)
    bundle = load_bundle_of(settings, registry)
    grants = installation_grants(bundle, registry, arguments.mode)
    account = Account(account=arguments.account, region=arguments.region, partition=arguments.partition)
    allowances = installation_allowances(bundle, registry, account, arguments.mode)
    sendings = sendings_of(bundle.runbooks, bundle.configuration, registry, arguments.mode)
    policy = _given_policy(arguments)
    if (arguments.format == "iam" or policy is not None) and not acts_in_aws(bundle.configuration, registry):
        raise UsageError(NOT_IN_AWS.format(config=settings.config or "no engine.yaml"))
    if arguments.check:
        return _check(arguments, grants, allowances, policy, desk)
    if arguments.format == "text":
        granted = render_permissions(grants) if grants or not (allowances or sendings) else ()
        say(desk, (*granted, *render_allowances(allowances), *render_sendings(sendings)))
    elif arguments.format == "json":
        told = {"allowances": record_allowances(allowances), "requests": record_sendings(sendings)}
        answer(desk, {**record_permissions(grants), **told})
    elif arguments.format == "iam":
        _write_policy(desk, allowances)
    elif arguments.format == "helm":
        _dump(desk, [helm_values(grants)])
    else:
        _dump(desk, rbac_manifests(grants, name=arguments.name, subject=arguments.subject))
    return OK


def _given_policy(arguments: Namespace) -> Sequence[Allowance] | None:
    """Return what the policy to compare with allows, None when no policy was given."""
    if not arguments.check:
        return None
    if arguments.format not in ("text", "json"):
        raise UsageError(f"--check compares, and writes no {arguments.format} (take --format text or json)")
    return read_policy(arguments.check)


def _write_policy(desk: Desk, allowances: Sequence[Allowance]) -> None:
    policy = iam_policy(allowances)
    size = policy_size(policy)
    if size > LONGEST_POLICY:
        note = (
            f"the policy has {size} characters, and a managed one may have {LONGEST_POLICY}: say fewer runbooks at once"
        )
        write_text(desk.stderr, f"{note}\n")
    write_text(desk.stdout, f"{json.dumps(policy, indent=2)}\n")


def _check(
    arguments: Namespace,
    grants: Sequence[Grant],
    allowances: Sequence[Allowance],
    policy: Sequence[Allowance] | None,
    desk: Desk,
) -> int:
    """Say by what the rights in the file are narrower and wider than what is needed; a policy was read before."""
    if policy is not None:
        return _check_policy(arguments, allowances, policy, desk)
    given = read_given(arguments.check)
    missing, extra = uncovered(grants, given), uncovered(given, grants)
    if arguments.format == "json":
        answer(desk, record_check(missing, extra))
    else:
        say(desk, render_check(missing, extra))
    return NO if missing or extra else OK


def _check_policy(arguments: Namespace, allowances: Sequence[Allowance], given: Sequence[Allowance], desk: Desk) -> int:
    missing, extra = uncovered_allowances(allowances, given), uncovered_allowances(given, allowances)
    if arguments.format == "json":
        answer(desk, record_allowance_check(missing, extra))
    else:
        say(desk, render_allowance_check(missing, extra))
    return NO if missing or extra else OK


def _dump(desk: Desk, documents: Sequence[Mapping[str, Any]]) -> None:
    import yaml  # loaded with the runbooks already

    write_text(desk.stdout, yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True, width=120))


def _name(text: str) -> str:
    if not VALIDATORS["workload"][0].fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is not {VALIDATORS['workload'][1]}")
    return text


def _account(text: str) -> str:
    if text != ANY and not ACCOUNT.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is no account (write its twelve digits)")
    return text


def _region(text: str) -> str:
    if text != ANY and not REGION.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is no region (write one such as eu-west-1)")
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
