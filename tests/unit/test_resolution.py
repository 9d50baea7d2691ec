"""The one door by which label values enter: typed, bounded, and on the allow-list, or refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_engine.errors import InvalidTarget
from runbook_engine.model.alert import Alert
from runbook_engine.model.configuration import AdapterChoice, Configuration, Scope
from runbook_engine.model.runbook import Input, InputType
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.resolution import allowed, resolve_inputs, resolve_target, scope_refusal, validate
from runbook_engine.templating import Templates

ONE, TWO = Configuration(clusters=("local",)), Configuration(clusters=("prod", "stage"))


def alert(**labels: str) -> Alert:
    """Return an alert with these labels."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Alert(scope="local", source="alertmanager", name="Fire", labels=labels, alert_key="k", received_at=now)


def resolve(template: TargetTemplate, configuration: Configuration = ONE, **labels: str) -> Target:
    """Return the target of a template for an alert with these labels."""
    return resolve_target(template, {}, alert(**labels), configuration, Templates())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("namespace", "apps", id="a namespace"),
        pytest.param("namespace", "a" * 63, id="the longest namespace"),
        pytest.param("workload", "checkout-v2.shop", id="a workload with a dot"),
        pytest.param("workload", ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]), id="the longest name"),
        pytest.param("node", "ip-10-0-1-7.eu-west-1.compute.internal", id="a node"),
        pytest.param("cluster", "prod-eu/1", id="a cluster"),
        pytest.param("parameter", "/checkout/degraded_mode", id="a parameter"),
        pytest.param("parameter", "/a/..b/.c", id="a parameter with dots in its parts"),
        pytest.param("integer", "-12", id="an integer"),
        pytest.param("arn", "arn:aws:sqs:eu-west-1:123456789012:queue", id="an ARN"),
        pytest.param("instance", "10.0.1.7:9100", id="an instance"),
        pytest.param("instance", "ip-10-0-1-7.eu-west-1.compute.internal", id="an instance without a port"),
        pytest.param("instance", "[fd00::1:7]:9100", id="an instance of the newer protocol"),
        pytest.param("function", "Orders_worker-2", id="a function"),
        pytest.param("alias", "live", id="an alias"),
        pytest.param("alias", "2024-06", id="an alias that begins with digits"),
        pytest.param("queue", "orders-dlq", id="a queue"),
        pytest.param("queue", f"{'a' * 75}.fifo", id="the longest ordered queue"),
        pytest.param("place", "europe/1", id="a place"),
        pytest.param("string", "größer als 3", id="text"),
        pytest.param("string", "", id="empty text"),
    ],
)
def test_a_value_of_its_type_passes(kind: InputType, value: str) -> None:
    """What people really write."""
    validate(kind, value, "input")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("namespace", "", id="an empty namespace"),
        pytest.param("namespace", "a" * 64, id="a namespace that is too long"),
        pytest.param("namespace", "kube-system\n", id="a newline at the end"),
        pytest.param("namespace", "Apps", id="upper case"),
        pytest.param("workload", "../../etc/passwd", id="a path"),
        pytest.param("workload", "a;rm -rf /", id="a command"),
        pytest.param("workload", "-a", id="an option"),
        pytest.param("workload", "a..b", id="two dots"),
        pytest.param("workload", "сheckout", id="a Cyrillic letter that looks Latin"),
        pytest.param("workload", ".".join(["a" * 63] * 4), id="a name of 255 characters"),
        pytest.param("pod", "*", id="a pattern"),
        pytest.param("node", "{{ inputs.node }}", id="a template"),
        pytest.param("instance", "10.0.1.7:9100/metrics", id="an instance with a path"),
        pytest.param("instance", "http://10.0.1.7", id="an instance with a scheme"),
        pytest.param("instance", "a@b:1", id="an instance with a person"),
        pytest.param("instance", "10.0.1.7:", id="an instance with half a port"),
        pytest.param("parameter", "checkout", id="a relative parameter"),
        pytest.param("parameter", "/checkout/../billing", id="a parameter that climbs"),
        pytest.param("parameter", "/checkout/..", id="a parameter that climbs at its end"),
        pytest.param("parameter", "/checkout/./x", id="a parameter that stays"),
        pytest.param("parameter", "//x", id="an empty part"),
        pytest.param("parameter", "/a" * 16, id="a parameter that is too deep"),
        pytest.param("parameter", "/" + "a" * 1011, id="a parameter that is too long"),
        pytest.param("integer", "１２", id="digits of another script"),
        pytest.param("integer", "1e9", id="an exponent"),
        pytest.param("integer", "9" * 19, id="an integer that is too long"),
        pytest.param("arn", "arn:aws:sqs:eu-west-1:1:", id="an ARN of nothing"),
        pytest.param("string", "a" * 254, id="text that is too long"),
        pytest.param("string", "a\x00b", id="a null"),
        pytest.param("string", "a\x1b[31m", id="a terminal's escape"),
        pytest.param("string", "a\u0085b", id="a control character of the second table"),
        pytest.param("string", "a\u202egnp.exe", id="text that is turned around"),
        pytest.param("string", "a\u2028b", id="a line separator"),
        pytest.param("string", "a\u200bb", id="a space of no width"),
        pytest.param("function", "orders:live", id="a function with an alias"),
        pytest.param("function", "arn:aws:lambda:eu-west-1:123456789012:function:orders", id="the ARN of a function"),
        pytest.param("function", "a" * 65, id="a function that is too long"),
        pytest.param("function", "ordérs", id="a function with a letter of another alphabet"),
        pytest.param("function", "", id="no function"),
        pytest.param("alias", "17", id="an alias that is a version"),
        pytest.param("alias", "$LATEST", id="the unpublished code as an alias"),
        pytest.param("queue", "https://sqs.eu-west-1.amazonaws.com/1/orders", id="the address of a queue"),
        pytest.param("queue", "orders.fifo.fifo", id="a queue with two endings"),
        pytest.param("queue", f"{'a' * 76}.fifo", id="a queue that is too long"),
        pytest.param("place", "../europe", id="a place that climbs"),
    ],
)
def test_a_hostile_value_is_refused(kind: InputType, value: str) -> None:
    """Refused, and shown escaped and cut."""
    with pytest.raises(InvalidTarget, match=r"^invalid_target: input .* is not ") as caught:
        validate(kind, value, "input")

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@given(st.text(max_size=300))
def test_what_passes_as_text_can_be_printed(value: str) -> None:
    """Whatever a label holds, it cannot break a line or turn a terminal around."""
    try:
        validate("string", value, "input")
    except InvalidTarget:
        return

    assert len(value.splitlines()) <= 1
    assert not any(mark in value for mark in "\u202e\u2066\x1b\x00")


@pytest.mark.parametrize(
    ("labels", "given_by_hand", "value"),
    [
        pytest.param({"node": "a"}, {}, "a", id="from the alert"),
        pytest.param({"node": "a"}, {"node": "b"}, "b", id="a person's comes first"),
        pytest.param({}, {}, "spare", id="the default"),
        pytest.param({"node": ""}, {}, "spare", id="an empty label is none"),
    ],
)
def test_an_input_has_one_value(labels: dict[str, str], given_by_hand: dict[str, str], value: str) -> None:
    """A person's, the alert's, the default, in this order."""
    declared = Input(name="node", type="node", path=("alert", "labels", "node"), default="spare")

    assert {"node": value} == resolve_inputs((declared,), alert(**labels), given_by_hand)


@pytest.mark.parametrize(
    ("inputs", "given_by_hand", "says"),
    [
        pytest.param(
            (Input(name="node", type="node", path=("alert", "labels", "node")),),
            {},
            "invalid_target: input 'node' (from alert.labels.node) has no value and no default",
            id="nothing and no default",
        ),
        pytest.param(
            (Input(name="node", type="node", default="NOPE"),),
            {},
            "invalid_target: input 'node' 'NOPE' is not a DNS-1123 name",
            id="a default that is no such thing",
        ),
        pytest.param(
            (Input(name="a"), Input(name="b")),
            {"c": "1"},
            "unknown input 'c': this runbook takes a, b",
            id="an input that nobody declared",
        ),
        pytest.param(
            (Input(name="all", path=("alert", "labels")),),
            {},
            "invalid_target: input 'all' (from alert.labels) has no value and no default",
            id="a map is no value",
        ),
    ],
)
def test_an_input_without_a_good_value_is_refused(
    inputs: tuple[Input, ...], given_by_hand: dict[str, str], says: str
) -> None:
    """The sentence says which, and where it would have come from."""
    with pytest.raises(InvalidTarget) as caught:
        resolve_inputs(inputs, alert(), given_by_hand)

    assert says == str(caught.value)


@pytest.mark.parametrize(
    ("template", "configuration", "target"),
    [
        pytest.param(
            TargetTemplate("deployment", "{{ alert.labels.app }}", "apps"),
            ONE,
            Target("deployment", "local", "apps", "checkout"),
            id="a template and the only cluster",
        ),
        pytest.param(
            TargetTemplate("deployment", "checkout", "apps", "{{ alert.labels.cluster }}"),
            TWO,
            Target("deployment", "stage", "apps", "checkout"),
            id="the cluster that the alert names",
        ),
        pytest.param(
            TargetTemplate("parameter", "/a/b"),
            Configuration(),
            Target("parameter", "local", "", "/a/b"),
            id="no cluster",
        ),
        pytest.param(
            TargetTemplate("workloadOf", "{{ alert.labels.app }}", "apps"),
            ONE,
            Target("pod", "local", "apps", "checkout"),
            id="a pod, to be looked up",
        ),
        pytest.param(
            TargetTemplate("nodeOf", "10.0.1.7:9100"),
            ONE,
            Target("instance", "local", "", "10.0.1.7:9100"),
            id="an instance, to be looked up",
        ),
        pytest.param(TargetTemplate("none"), ONE, Target("none", "local", "", ""), id="no target, in the only cluster"),
        pytest.param(TargetTemplate("none"), TWO, Target("none", "", "", ""), id="no target, nowhere in particular"),
    ],
)
def test_a_target_is_absolute(template: TargetTemplate, configuration: Configuration, target: Target) -> None:
    """Nothing is left to guess."""
    told = {"cluster": "stage"} if configuration == TWO else {}

    assert target == resolve(template, configuration, app="checkout", **told)


@pytest.mark.parametrize(
    ("template", "configuration", "says"),
    [
        pytest.param(
            TargetTemplate("deployment", "checkout", "apps"),
            TWO,
            "invalid_target: the target names no cluster, and there are several: prod, stage",
            id="two clusters and none named",
        ),
        pytest.param(
            TargetTemplate("deployment", "checkout", "apps", "{{ alert.labels.cluster }}"),
            TWO,
            "invalid_target: unknown cluster 'evil'; engine.yaml names prod, stage",
            id="a cluster that nobody named",
        ),
        pytest.param(
            TargetTemplate("deployment", "checkout", "{{ alert.labels.empty }}"),
            ONE,
            "invalid_target: namespace '' is not a DNS-1123 label",
            id="a namespace that came out empty",
        ),
        pytest.param(
            TargetTemplate("deployment", "{{ alert.labels.empty }}", "apps"),
            ONE,
            "invalid_target: deployment '' is not a DNS-1123 name",
            id="a name that came out empty",
        ),
    ],
)
def test_a_target_that_is_not_sure_is_refused(
    template: TargetTemplate, configuration: Configuration, says: str
) -> None:
    """An empty part is an error, never `all`."""
    with pytest.raises(InvalidTarget) as caught:
        resolve(template, configuration, empty="", **({} if configuration == ONE else {"cluster": "evil"}))

    assert says == str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "target", "covers"),
    [
        pytest.param("deployment=apps/*", Target("deployment", "x", "apps", "a"), True, id="any name in a namespace"),
        pytest.param("deployment=apps/*", Target("deployment", "x", "apps2", "a"), False, id="another namespace"),
        pytest.param("deployment=*", Target("deployment", "x", "apps", "a"), False, id="a star is one part"),
        pytest.param("deployment=*/a-*", Target("deployment", "x", "apps", "a-1"), True, id="a part of a part"),
        pytest.param("statefulset=apps/*", Target("deployment", "x", "apps", "a"), False, id="another kind"),
        pytest.param("*=apps/*", Target("deployment", "x", "apps", "a"), True, id="any kind"),
        pytest.param("*", Target("node", "x", "", "a"), True, id="everything"),
        pytest.param("parameter=/checkout/*", Target("parameter", "x", "", "/checkout/a"), True, id="a parameter"),
        pytest.param(
            "parameter=/checkout/*", Target("parameter", "x", "", "/checkout/a/b"), False, id="one level only"
        ),
        pytest.param("parameter=/checkout/*", Target("parameter", "x", "", "/billing/a"), False, id="another prefix"),
        pytest.param("node=ip-*", Target("node", "x", "", "ip-10-0-0-1"), True, id="a node"),
        pytest.param(
            "deployment=apps/Checkout", Target("deployment", "x", "apps", "checkout"), False, id="case matters"
        ),
        pytest.param("function=orders-*", Target("function", "", "", "orders-a:live"), True, id="any alias"),
        pytest.param("function=orders", Target("function", "", "", "orders:live"), False, id="the whole is no alias"),
        pytest.param(
            "function=orders:live", Target("function", "", "", "orders"), False, id="an alias is not the whole"
        ),
        pytest.param("function=orders:live", Target("function", "", "", "orders:live"), True, id="one alias"),
        pytest.param("queue=orders-dlq", Target("queue", "", "", "orders-dlq"), True, id="a queue"),
        pytest.param("", Target("deployment", "x", "apps", "a"), False, id="an empty pattern"),
    ],
)
def test_an_allow_list_covers_what_it_says(pattern: str, target: Target, covers: bool) -> None:
    """No more than what it says; an empty list covers nothing."""
    assert covers is allowed(target, (pattern,))
    assert not allowed(target, ())


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        pytest.param("shop", "", id="its own"),
        pytest.param("cart", "scope cart may not ask for runbook checkout-slow", id="another's runbook"),
        pytest.param("ops", "scope ops may not touch deployment=apps/a", id="another's target"),
        pytest.param("gone", "engine.yaml names no scope gone", id="unknown"),
        pytest.param("", "", id="by hand there is no sender"),
    ],
)
def test_a_sender_may_ask_for_its_own(scope: str, says: str) -> None:
    """A valid webhook requests; it does not choose."""
    scopes = (
        Scope(name="shop", runbooks=("checkout-*",), targets=("deployment=apps/*",)),
        Scope(name="cart", runbooks=("cart-*",)),
        Scope(name="ops", targets=("node=*",)),
    )
    target = Target("deployment", "local", "apps", "a")

    assert says == scope_refusal(Configuration(scopes=scopes), scope, runbook="checkout-slow", target=target)


@pytest.mark.parametrize("kind", ["deployment", "node", "none"])
def test_an_alert_of_another_cluster_is_refused_when_there_is_only_one(kind: str) -> None:
    """Two clusters may have a node of one name, and only one of them is the sick one."""
    template = TargetTemplate(kind, "worker-1", "apps" if kind == "deployment" else "")

    with pytest.raises(InvalidTarget) as caught:
        resolve(template, ONE, cluster="prod-us")

    assert str(caught.value) == (
        "invalid_target: the alert is about cluster 'prod-us', and engine.yaml names local alone "
        "(name the cluster under clusters as its alerts do)"
    )
    assert resolve(template, ONE, cluster="local").place == "local"


def served(port: str, *places: str) -> Configuration:
    """Return an installation with adapters of a port at these places."""
    return Configuration(adapters={port: tuple(AdapterChoice(adapter="any", place=place) for place in places)})


@pytest.mark.parametrize(
    ("template", "configuration", "target"),
    [
        pytest.param(
            TargetTemplate("function", "{{ alert.labels.f }}:live"),
            Configuration(),
            Target("function", "", "", "orders:live"),
            id="an alias, where nobody named a place",
        ),
        pytest.param(
            TargetTemplate("function", "orders"),
            served("functions", "europe"),
            Target("function", "europe", "", "orders"),
            id="the only place there is",
        ),
        pytest.param(
            TargetTemplate("queue", "orders-dlq"),
            served("queues", "", "asia"),
            Target("queue", "", "", "orders-dlq"),
            id="the place for all that is not named",
        ),
        pytest.param(
            TargetTemplate("queue", "orders-dlq", "", "{{ alert.labels.place }}"),
            served("queues", "", "asia"),
            Target("queue", "asia", "", "orders-dlq"),
            id="a place that the alert names",
        ),
        pytest.param(
            TargetTemplate("function", "orders"),
            Configuration(clusters=("prod", "stage")),
            Target("function", "", "", "orders"),
            id="two clusters, which a function is in neither of",
        ),
    ],
)
def test_a_function_or_a_queue_is_where_an_adapter_serves_it(
    template: TargetTemplate, configuration: Configuration, target: Target
) -> None:
    """No cluster has to do with it."""
    assert target == resolve(template, configuration, f="orders", place="asia")


@pytest.mark.parametrize(
    ("template", "configuration", "says"),
    [
        pytest.param(
            TargetTemplate("function", "orders"),
            served("functions", "europe", "asia"),
            "invalid_target: the target names no place, and there are several: europe, asia",
            id="two places and none named",
        ),
        pytest.param(
            TargetTemplate("function", "orders", "", "{{ alert.labels.place }}"),
            served("functions", "europe"),
            "invalid_target: unknown place 'evil'; adapters.functions has europe",
            id="a place that no adapter serves",
        ),
        pytest.param(
            TargetTemplate("queue", "orders", "", "{{ alert.labels.place }}"),
            Configuration(),
            "invalid_target: unknown place 'evil'; adapters.queues has none",
            id="a place where there is none",
        ),
        pytest.param(
            TargetTemplate("function", "orders:{{ alert.labels.empty }}"),
            Configuration(),
            "invalid_target: alias '' is not a function's alias (letters, digits, - and _, and no number alone)",
            id="an alias that came out empty",
        ),
        pytest.param(
            TargetTemplate("function", "{{ alert.labels.both }}"),
            Configuration(),
            "invalid_target: alias 'live:x' is not a function's alias (letters, digits, - and _, and no number alone)",
            id="a label that brings more than a name",
        ),
    ],
)
def test_a_function_that_is_not_sure_is_refused(
    template: TargetTemplate, configuration: Configuration, says: str
) -> None:
    """Nothing is guessed, and no account but the installation's own is ever meant."""
    with pytest.raises(InvalidTarget) as caught:
        resolve(template, configuration, empty="", place="evil", both="orders:live:x")

    assert says == str(caught.value)
