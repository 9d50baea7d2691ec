"""Labels that want more than they were given: other targets, other paths, other queries, other addresses."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta

from msgspec.structs import replace

from runbook_adapters.kubernetes.objects import KINDS, path_to
from runbook_adapters.lambda_function.names import named
from runbook_adapters.prometheus.selector import select
from runbook_adapters.ssm.names import objection
from runbook_engine.errors import RunbookError
from runbook_engine.model.runbook import Input, InputType, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.testing.simulated_world import SimulatedWorld
from tests.attack.siege import Siege
from tests.contract.http_service import http_service
from tests.contract.requests.test_http import POOL, serve, template
from tests.hostile.test_labels import hostile
from tests.length import LONG
from tests.scenario.rig import Rig, configuration, runbook

WIDER = (
    "*", "?", "checkou?", "check*", "[a-z]*", "{checkout,other}", "checkout,other", "checkout other",
    "checkout\nother", "../other", "..", ".", "./checkout", "checkout/../other", "checkout/..",
    "../../kube-system/coredns", "kube-system/coredns", "coredns", "other", "apps/other", "/apis",
    "checkout/scale", "checkout?pretty=1", "checkout#", "checkout%2f..%2fother", "%2e%2e%2fother", "CHECKOUT",
    "Checkout", "checkоut", "ｃｈｅｃｋｏｕｔ", "checkout\u200b", "checkout\x00", "checkout ", " checkout", "checkout.",
    "-checkout", "checkout-", "app=checkout", "app in (a,b)", "!app", "checkout;other",
    "arn:aws:ssm:eu-west-1:1:parameter/*", "arn:aws:lambda:eu-west-1:1:function:checkout:*",
    "function:checkout", "/checkout/../prod/key", "/prod/key", "/checkout/*", "/checkout//key",
    "/checkout/key:1", "//checkout/key", "/checkout/..", "/checkout/./key", "/Checkout/key",
    "/checkout/degraded_mode/../../prod/key", "/checkout", "/", "\\checkout\\key", "x" * 254, "x" * 4000, "",
    "{{ inputs.name }}", "deployment=apps/other", '"} or vector(1) #', "$LATEST", "--all",
)  # fmt: skip
ALLOWED = {"apps/deployment/checkout", "/checkout/degraded_mode"}
LOOSE: tuple[InputType, ...] = ("string",)  # whatever is tighter lets less of it through
TYPES: tuple[InputType, ...] = (*LOOSE, "workload", "namespace", "parameter", "cluster", "pod", "arn", "instance")


def scaling(kind: InputType) -> Runbook:
    """Return a runbook whose target is what two labels say, through inputs of a type."""
    return runbook(
        inputs=(
            Input(name="name", type=kind, path=("alert", "labels", "service")),
            Input(name="namespace", type=kind, path=("alert", "labels", "namespace")),
        ),
        target=TargetTemplate(kind="deployment", namespace="{{ inputs.namespace }}", name="{{ inputs.name }}"),
        steps=(Step(name="add", action="scale", arguments={"by": "50%", "upTo": 12}),),
        verify=(),
    )


def flipping(kind: InputType) -> Runbook:
    """Return a runbook that sets the parameter that a label names."""
    return runbook(
        inputs=(Input(name="name", type=kind, path=("alert", "labels", "service")),),
        target=TargetTemplate(kind="parameter", name="{{ inputs.name }}"),
        steps=(Step(name="set", action="degrade", arguments={"parameter": "{{ inputs.name }}", "value": "true"}),),
        verify=(),
    )


def crowded() -> SimulatedWorld:
    """Return a world with much that nobody allowed, under the names that an attacker would try."""
    world = SimulatedWorld(receivers=("chat", "oncall"))
    for namespace in ("apps", "prod", "kube-system"):
        for name in ("checkout", "other", "coredns"):
            world.deploy(namespace, name, replicas=4, released_ago=timedelta(hours=5))
    for name in (
        "/checkout/degraded_mode",
        "/prod/key",
        "/checkout",
        "/checkout/..",
        "/checkout/.",
        "/prod/degraded_mode",
    ):
        world.set_parameter(name, "false")
    return world


def touched(rule: Runbook, wishes: Iterator[tuple[str, str]]) -> set[str]:
    """Return everything that was changed by alerts with these services and namespaces."""
    settings = configuration(targets=("deployment=apps/checkout", "parameter=/checkout/*"))
    rig = Rig(rule, settings=settings, world=crowded())
    for service, namespace in wishes:
        alert = rig._alert("firing", "CheckoutHighErrorRate", {"service": service, "namespace": namespace})
        labels = {"alertname": "CheckoutHighErrorRate", "service": service, "namespace": namespace}
        rig.post({**alert, "labels": {key: value for key, value in labels.items() if value}})
    rig.run(timedelta(seconds=5))
    return {str(touch.target) for touch in rig.simulated.effects_made if not touch.method.startswith("notify")}


def test_no_label_leads_to_a_target_that_is_not_allowed() -> None:
    """With inputs of the loosest type (by night of every type), and a world that has what the attacker names."""
    siege = Siege("target widening (globs, paths, lookalikes, selectors, ARNs)", "labels to targets")
    values = [*WIDER, *(hostile(1000) if LONG else hostile(40))]
    for kind in TYPES if LONG else LOOSE:
        for rule in (scaling(kind), flipping(kind)):
            wishes = [(each[:4000], "apps") for each in values]
            wishes += [(name, each[:4000]) for each in WIDER for name in ("checkout", "coredns")]
            made = touched(rule, iter(wishes))
            for each in wishes:
                siege.tried(f"{kind} {rule.target.kind} {each}", refused=made <= ALLOWED)
            assert made <= ALLOWED, (kind, made)

    assert {"apps/deployment/checkout"} == touched(scaling("workload"), iter([("checkout", "apps")]))
    assert {"/checkout/degraded_mode"} == touched(flipping("parameter"), iter([("/checkout/degraded_mode", "apps")]))
    siege.ends("invalid_target, and nothing is changed")


def test_no_name_leads_an_adapter_to_another_path() -> None:
    """Although none that is unsafe gets as far: what is no name is refused, and what is asked is one segment."""
    siege = Siege("path and name injection", "adapters: Kubernetes paths, SSM, Lambda")
    for value in (*WIDER, *hostile(300)):
        for kind in KINDS:
            plain = path_to(kind, "apps", "name")
            try:
                path = path_to(kind, "apps", value) if value else plain
            except RunbookError:
                path = plain
            same = path.count("/") == plain.count("/") and not {"?", "#", " ", "\\", "\n"} & set(path)
            climbs = {".", "..", ""} & set(path[1:].split("/"))
            siege.tried(f"{kind} {value!r}: {path}", refused=same and not climbs)
        honest = value.replace("-", "").replace("_", "").replace(".", "").replace("/", "").isalnum() and value.isascii()
        siege.tried(f"SSM {value!r}", refused=honest or set(value) <= {".", "/"} or bool(objection(_parameter(value))))
        siege.tried(f"Lambda {value!r}", refused=honest or _is_refused(value))
    siege.ends("InvalidTarget, or one segment, escaped")


def _parameter(name: str) -> Target:
    return Target("parameter", "local", "", name)


def _is_refused(name: str) -> bool:
    try:
        found = named(Target("function", "local", "", name))
    except RunbookError:
        return True
    return found.function.replace("-", "").replace("_", "").isalnum() and ":" not in found.alias


def test_no_value_leaves_its_string_in_a_query() -> None:
    """The query is the same selector, and what stands in it is what was said."""
    siege = Siege("PromQL injection", "adapter prometheus")
    more = (
        '"',
        '\\"',
        "\\",
        '\\\\"',
        '"}[1y]) or vector(1) #',
        '",a="b',
        "`",
        "'",
        "\n",
        '"} or on() up{a="',
        "\\u0022",
        "\\x22",
    )
    for value in (*WIDER, *more, *hostile(300)):
        for query in ("up", 'up{job="x"}', '{__name__="up",}'):
            found = select(query, {"service": value})
            head, _, rest = found.partition("service=")
            said = (
                ast.literal_eval(rest[:-1].replace("\x00", "\\x00")) if rest.endswith("}") and rest[0] == '"' else None
            )
            siege.tried(f"{query} {value!r}: {found}", refused=said == value and "service=" not in head)
        for label in (value, f"a{value}", f'a="b",{value}'):
            if not (label.isascii() and label.replace("_", "").isalnum()):
                siege.tried(f"label {label!r}", refused=_is_unreadable(label))
    siege.ends("a string of the same selector; Unreadable for a label that is none")


def _is_unreadable(label: str) -> bool:
    try:
        select("up", {label: "x"})
    except RunbookError:
        return True
    return False


def test_no_parameter_changes_where_a_request_goes_or_what_it_is() -> None:
    """One segment of the path, one string of the body, or nothing is sent."""
    siege = Siege("URL, header and JSON injection", "action http")
    urls = (
        "//evil.example",
        "http://evil.example",
        "@evil.example",
        "a@b:80/",
        "x?y=1",
        "x#y",
        "x/../../admin",
        "..",
        "%2e%2e",
    )
    texts = (
        '","admin":true,"x":"',
        '"}',
        "\\",
        "a\r\nX-Admin: 1",
        "\u2028",
        "{{ parameters.reason }}",
        "x&y=z",
        "x;y=z",
    )
    values = (*WIDER, *urls, *texts, *hostile(200 if LONG else 60))
    with http_service() as service:
        pinned = replace(template(service), repeat="declarative")
        for value in values:
            for arguments in ({**POOL, "pool": value}, {**POOL, "reason": value}):
                service.asked.clear()
                try:
                    serve(pinned).writer.send("drain-pool", arguments, digest=pinned.digest, token="t")
                except RunbookError:
                    siege.tried(f"{value!r} and yet sent", refused=not service.asked)
                    continue
                (asked,) = service.asked
                parts, body = asked.path.split("/"), json.loads(asked.body)
                sound = parts[:3] == ["", "v1", "pools"] and parts[4:] == ["drain"] and not asked.fields
                same = body == {"reason": arguments["reason"], "by": [arguments["pool"]], "force": False}
                siege.tried(f"{arguments}: {asked}", refused=sound and same and not _added(asked.headers))
    siege.ends("one escaped segment, one JSON string, or a refusal before anything is sent")


def _added(headers: Mapping[str, str]) -> set[str]:
    return {name.lower() for name in headers} & {"x-admin", "cookie"}
