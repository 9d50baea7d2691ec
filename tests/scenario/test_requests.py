"""A pinned request in a whole run: asked for, sent once, and what follows when nobody knows whether it arrived."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from runbook_engine.errors import Conflict, EffectUnknown, Permanent, Retryable, RunbookError
from runbook_engine.loading.files import load_valid_files
from runbook_engine.model.calendar import CalendarEntry
from runbook_engine.model.configuration import RequestTemplate, StatusRequest
from runbook_engine.model.runbook import Compensate, Input, Runbook, Step
from runbook_engine.model.target import Target, TargetTemplate
from runbook_engine.permissions import sendings_of
from runbook_engine.registry import Registry
from runbook_engine.render.lines import plain
from runbook_engine.render.sendings import render_sendings
from runbook_engine.testing.clock import EPOCH
from runbook_engine.testing.runner import run_test_file
from tests.scenario.rig import MINUTE, Rig, configuration, runbook

DRAIN = RequestTemplate(
    name="drain-pool",
    method="POST",
    url="https://lb.example/v1/pools/{{ parameters.pool }}/drain",
    says="takes a pool out of the load balancer",
    repeat="declarative",
    parameters=("pool",),
    body=json.dumps({"why": "{{ parameters.pool }} is at fault"}),
    approval=False,
)
STEP = Step(
    name="drain",
    action="http",
    arguments={"request": "drain-pool", "arguments": {"pool": "{{ inputs.pool }}"}},
    compensate=Compensate(when="never"),
)
POOL = Input(name="pool", path=("alert", "labels", "pool"))


def rig_with(template: RequestTemplate) -> Rig:
    """Return a rig whose runbook sends the request and does nothing else."""
    wanted: Runbook = runbook(steps=(STEP,), strategy="sequence", verify=(), inputs=(POOL,))
    rig = Rig(wanted, settings=configuration(targets=("deployment=apps/*", "request=drain-*")))
    rig.simulated.requests.allow(template)
    return rig


def test_request_waits_for_a_yes_when_engine_yaml_does_not_say_otherwise() -> None:
    """An escape hatch is approved, whatever the mode; after the yes it is sent once."""
    rig = rig_with(replace(DRAIN, approval=True))
    rig.fire(pool="blue")
    rig.run(timedelta(seconds=5))
    waiting = rig.execution()
    assert waiting.approval is not None
    shown = waiting.approval.steps[0].change
    before = list(rig.simulated.requests.sent)

    rig.engine.approve(waiting.id, plan_hash=waiting.approval.hash, by="ann", now=rig.now)
    rig.run(MINUTE)

    assert shown is not None
    assert ("takes a pool out of the load balancer (pool=blue)", []) == (shown.after, before)
    assert "succeeded" == rig.execution().status
    assert ["https://lb.example/v1/pools/blue/drain"] == [sent.url for sent in rig.simulated.requests.sent]


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param("blue/admin", id="another path"),
        pytest.param('x", "force": true, "y": "', id="another document"),
        pytest.param("{{ alert.labels.secret }}", id="a template"),
        pytest.param("blue?force=1#", id="a query"),
    ],
)
def test_a_hostile_label_stays_one_value(pool: str) -> None:
    """Whatever a label holds, it is one segment of the path and one JSON string."""
    rig = rig_with(DRAIN)
    rig.fire(pool=pool)

    rig.run(MINUTE)

    (sent,) = rig.simulated.requests.sent
    assert ["https:", "", "lb.example", "v1", "pools"] == sent.url.split("/")[:5]
    assert ("drain", 7) == (sent.url.split("/")[-1], len(sent.url.split("/")))
    assert {"why": f"{pool} is at fault"} == json.loads(sent.body)
    assert "?" not in sent.url
    assert "#" not in sent.url


@pytest.mark.parametrize("pool", ["..", "../../admin", "a" * 251 + "\u202e"])
def test_a_label_that_is_no_value_is_refused(pool: str) -> None:
    """Nothing is sent, and the run does not succeed."""
    rig = rig_with(DRAIN)
    rig.fire(pool=pool)

    rig.run(MINUTE)

    assert [] == rig.simulated.requests.sent
    assert not [run for run in rig.journal.executions(limit=9) if run.status == "succeeded"]


def test_a_request_that_came_to_need_a_yes_while_it_waited_is_asked_about() -> None:
    """Between the first look and the sending, engine.yaml was changed: a freeze may last for days."""
    noon = CalendarEntry(name="noon", zone="UTC", begins=EPOCH, ends=EPOCH + 2 * MINUTE)
    wanted = runbook(steps=(STEP,), strategy="sequence", verify=(), inputs=(POOL,))
    rig = Rig(wanted, settings=configuration(targets=("deployment=apps/*", "request=drain-*"), freezes=(noon,)))
    rig.simulated.requests.allow(DRAIN)
    rig.fire(pool="blue")
    rig.run(MINUTE)
    frozen = rig.execution().approval

    rig.simulated.requests.allow(replace(DRAIN, approval=True))
    rig.run(2 * MINUTE)

    assert frozen is None
    assert ([], True) == (rig.simulated.requests.sent, rig.execution().approval is not None)


def test_an_approver_sees_where_one_value_ends() -> None:
    """A label cannot say yes to something else than it is: what might be read as two values stands in quotes."""
    rig = rig_with(replace(DRAIN, approval=True))
    rig.fire(pool="blue, force=no")

    rig.run(timedelta(seconds=5))

    waiting = rig.execution().approval
    assert waiting is not None
    shown = waiting.steps[0].change
    assert shown is not None
    assert 'takes a pool out of the load balancer (pool="blue, force=no")' == shown.after


@pytest.mark.parametrize(
    ("repeat", "status", "times"),
    [
        pytest.param("declarative", "succeeded", 2, id="once more does no harm"),
        pytest.param("token", "succeeded", 1, id="the token makes it one"),
        pytest.param("once", "unknown", 1, id="never again: a person is asked"),
    ],
)
def test_a_lost_answer_means_what_the_request_says(
    repeat: Literal["declarative", "token", "once"], status: str, times: int
) -> None:
    """It arrived, and only the answer was lost."""
    rig = rig_with(replace(DRAIN, repeat=repeat))
    lost = EffectUnknown("request drain-pool was sent, and what came of it is not known")
    rig.simulated.fail_next("requests.send", lost, after_effect=True)

    rig.fire(pool="blue")
    rig.run(2 * MINUTE)

    assert (status, times) == (rig.execution().status, len(rig.simulated.requests.sent))
    assert f"drain: not known whether it was done, {lost}" in rig.says()
    if repeat == "once":
        assert ["notFixed"] == rig.told("oncall")
        assert not [said for said in rig.says() if "tried again" in said]


@pytest.mark.parametrize("repeat", ["declarative", "token"])
@pytest.mark.parametrize(
    "refused",
    [Permanent("request drain-pool was answered HTTP 403"), Conflict("request drain-pool is another one by now")],
    ids=["refused for good", "another request by now"],
)
def test_a_lost_answer_stays_in_doubt_when_the_next_try_is_refused(
    repeat: Literal["declarative", "token"], refused: RunbookError
) -> None:
    """That once more does no harm is no proof that nothing was done: a person is asked, and nothing is sent anew."""
    rig = rig_with(replace(DRAIN, repeat=repeat))
    lost = EffectUnknown("request drain-pool was sent, and what came of it is not known")
    rig.simulated.fail_next("requests.send", lost, after_effect=True)
    rig.simulated.fail_next("requests.send", refused)

    rig.fire(pool="blue")
    rig.run(2 * MINUTE)

    assert ("unknown", 1) == (rig.execution().status, len(rig.simulated.requests.sent))
    assert ["notFixed"] == rig.told("oncall")


def test_a_request_that_surely_did_nothing_is_sent_again_though_it_is_sent_once() -> None:
    """Nobody listened: that is no doubt."""
    rig = rig_with(replace(DRAIN, repeat="once"))
    rig.simulated.fail_next("requests.send", Retryable("request drain-pool was not sent: no connection"))

    rig.fire(pool="blue")
    rig.run(MINUTE)

    assert ("succeeded", 1) == (rig.execution().status, len(rig.simulated.requests.sent))


@pytest.mark.parametrize(("end", "status"), [("succeeded", "succeeded"), ("failed", "failed")])
def test_a_request_is_followed_to_its_end_when_its_status_can_be_asked(
    end: Literal["succeeded", "failed"], status: str
) -> None:
    """The step is done when the other side says so, and not when it has taken the request."""
    asked = StatusRequest(url="https://lb.example/jobs/{{ answer.id }}", pointer="/state", done=("done",), id="/id")
    rig = rig_with(replace(DRAIN, status=asked))
    rig.simulated.requests.ends["drain-pool"] = end
    rig.fire(pool="blue")

    rig.run(timedelta(seconds=5))
    meanwhile = rig.execution().status
    rig.run(MINUTE)

    assert meanwhile not in ("succeeded", "failed")
    assert status == rig.execution().status


def test_a_request_that_is_on_no_list_is_not_sent() -> None:
    """The installation's list of targets names what may be sent, too."""
    rig = rig_with(DRAIN)
    refused = Rig(rig.engine.bundle.runbooks[0], settings=configuration(targets=("deployment=apps/*",)))
    refused.simulated.requests.allow(DRAIN)

    refused.fire(pool="blue")
    refused.run(MINUTE)

    assert [] == refused.simulated.requests.sent
    assert ("blocked", "request=drain-pool is not in the targets of engine.yaml") == (
        refused.execution().status,
        refused.execution().reason,
    )


ENGINE = """
apiVersion: runbook-engine/v1
kind: EngineConfig
clusters: [local]
scopes: {test: {}}
receivers: {chat: {adapter: console}}
teams: {team-checkout: {receiver: chat}}
targets: [deployment=apps/*, request=drain-pool]
modeCeiling: auto
adapters: {requests: {adapter: http}}
requests:
  drain-pool:
    method: POST
    url: https://lb.example/v1/pools/{{ parameters.pool }}/drain
    headers: {Authorization: {env: POOL_TOKEN}}
    effect: {says: takes a pool out of the load balancer, repeat: declarative}
    parameters: [pool]
    approval: none
"""
RUNBOOK = """
apiVersion: runbook-engine/v1
kind: Runbook
metadata: {name: pool-at-fault, owner: team-checkout}
matchers: [alertname = PoolAtFault]
inputs: {pool: {from: alert.labels.pool}}
target: {namespace: apps, deployment: checkout}
mode: auto
guardrails: {cooldown: 5m, deadline: 30m}
steps:
  - {name: drain, action: http, with: {request: drain-pool, arguments: {pool: "{{ inputs.pool }}"}}}
"""
TEST = """
apiVersion: runbook-engine/v1
kind: RunbookTest
runbooks: [pool.yaml]
config: engine.yaml
tests:
  - name: the pool is taken out
    world: {deployments: [{namespace: apps, name: checkout, replicas: 2}]}
    alerts: [{at: 0s, fires: {alertname: PoolAtFault, pool: blue}}]
    expect: [{at: 1m, status: succeeded, requests: {drain-pool: 1}}]
  - name: the other side refuses
    world: {deployments: [{namespace: apps, name: checkout, replicas: 2}], requests: {drain-pool: failed}}
    alerts: [{at: 0s, fires: {alertname: PoolAtFault, pool: blue}}]
    expect: [{at: 1m, status: failed}]
  - name: a test that is wrong about it
    world: {deployments: [{namespace: apps, name: checkout, replicas: 2}]}
    alerts: [{at: 0s, fires: {alertname: PoolAtFault, pool: blue}}]
    expect: [{at: 1m, requests: {drain-pool: 2}}]
"""


def test_a_runbook_test_counts_requests(tmp_path: Path) -> None:
    """Beside the runbook: how a request ends, and how often it was sent."""
    for name, text in (("engine.yaml", ENGINE), ("pool.yaml", RUNBOOK), ("pool.test.yaml", TEST)):
        (tmp_path / name).write_text(text)
    registry = Registry()

    results = run_test_file(tmp_path / "pool.test.yaml", load_valid_files([tmp_path], registry), registry)

    assert [True, True, False] == [result.ok for result in results], [str(result) for result in results]
    assert "requests drain-pool" in results[2].reason


def test_permissions_tell_what_is_sent_where(tmp_path: Path) -> None:
    """No platform grants a request: the file that pins it does, so that is where a reviewer is led."""
    for name, text in (("engine.yaml", ENGINE), ("pool.yaml", RUNBOOK)):
        (tmp_path / name).write_text(text)
    bundle, registry = load_valid_files([tmp_path], Registry()).bundle, Registry()

    sendings = sendings_of(bundle.runbooks, bundle.configuration, registry)

    assert plain(render_sendings(sendings)) == (
        "drain-pool  POST https://lb.example/v1/pools/{{ parameters.pool }}/drain  "
        "with Authorization from env POOL_TOKEN  pool-at-fault: step drain\n"
        "1 request, granted by engine.yaml alone\n"
    )
    assert () == sendings_of(bundle.runbooks, bundle.configuration, registry, "observe")


class Dead(BaseException):
    """The process died here."""


@pytest.mark.parametrize(
    ("repeat", "died", "status", "times"),
    [
        pytest.param("declarative", "after-intent", "succeeded", 1, id="declarative, before it was sent"),
        pytest.param("declarative", "after-apply", "succeeded", 2, id="declarative, after it was sent"),
        pytest.param("token", "after-intent", "succeeded", 1, id="token, before it was sent"),
        pytest.param("token", "after-apply", "succeeded", 1, id="token, after it was sent"),
        pytest.param("once", "after-intent", "unknown", 0, id="once, before it was sent"),
        pytest.param("once", "after-apply", "unknown", 1, id="once, after it was sent"),
    ],
)
def test_a_crash_around_the_request_loses_and_doubles_nothing_that_matters(
    repeat: Literal["declarative", "token", "once"], died: str, status: str, times: int
) -> None:
    """Whoever takes over does what the request allows: send it again, or ask a person who can look."""
    alive = [died]

    def checkpoint(name: str) -> None:
        if name in alive:
            alive.clear()
            raise Dead(name)

    template = replace(DRAIN, repeat=repeat)
    wanted = runbook(steps=(STEP,), strategy="sequence", verify=(), inputs=(POOL,))
    settings = configuration(targets=("deployment=apps/*", "request=drain-*"))
    rig = Rig(wanted, settings=settings, checkpoint=checkpoint)
    rig.simulated.requests.allow(template)
    rig.fire(pool="blue")

    with pytest.raises(Dead):
        rig.run(MINUTE)
    rig.owner = "another"
    rig.run(5 * MINUTE)

    assert (status, times) == (rig.execution().status, len(rig.simulated.requests.sent))


def test_alerts_for_which_another_request_is_sent_have_runs_of_their_own() -> None:
    """They do not join the run that was asked for one pool, and are never called handled by it."""
    apart: Runbook = runbook(
        steps=(STEP,),
        strategy="sequence",
        verify=(),
        inputs=(POOL,),
        target=TargetTemplate("none"),
        apart=(("inputs", "pool"),),
    )
    rig = Rig(apart, settings=configuration(targets=("request=drain-*",)))
    rig.simulated.requests.allow(replace(DRAIN, approval=True))

    rig.fire(pool="blue")
    rig.fire(pool="green", instance="a")
    rig.fire(pool="green", instance="b")
    rig.run(timedelta(seconds=5))

    runs = sorted(rig.journal.executions(limit=10), key=lambda run: run.inputs["pool"])
    assert [("blue", 1), ("green", 2)] == [(run.inputs["pool"], len(run.members)) for run in runs]
    asked = [run.steps[0].change.after for run in runs if run.steps[0].change is not None]
    assert 2 == len(set(asked))


def _second_after(template: RequestTemplate, *pools: str) -> tuple[list[str], str]:
    """Fire once for each pool, ten minutes apart; return what was sent, and how the last run ended."""
    rig = rig_with(template)
    for pool in pools:
        rig.fire(pool=pool)
        rig.run(10 * MINUTE, step=MINUTE)
    last = max(rig.journal.executions(limit=9), key=lambda run: run.opened_at)
    return [sent.url.split("/")[-2] for sent in rig.simulated.requests.sent], last.reason


def test_a_cooldown_counts_for_a_request_when_nobody_says_what_it_changes() -> None:
    """Whatever it is told: of two values nobody can tell that they are two things."""
    sent, reason = _second_after(DRAIN, "blue", "green")

    assert ["blue"] == sent
    assert "last change of request/drain-pool 1" in reason


def test_a_cooldown_counts_for_what_a_request_changes_when_engine_yaml_says_that() -> None:
    """Another pool is another thing, the same pool is not; it is still the request that targets allow."""
    named = replace(DRAIN, changes="pool")

    others, _ = _second_after(named, "blue", "green")
    same, reason = _second_after(named, "blue", "blue")

    assert (["blue", "green"], ["blue"]) == (others, same)
    assert "last change of request/drain-pool:blue 1" in reason


def test_an_approval_holds_when_engine_yaml_comes_to_say_what_a_request_changes() -> None:
    """Nothing else is sent."""
    assert DRAIN.digest == replace(DRAIN, changes="pool").digest == "518fa39d7441"


def test_the_name_of_what_a_request_changes_widens_nothing() -> None:
    """A label cannot make it another request than the one that is allowed."""
    allowed = Target("request", "", "", "drain-pool:blue/x=y:z").pattern_form

    assert "request=drain-pool" == allowed
