"""Degrade: set one value that a service reads, to shed an optional feature.

The value is a parameter, an entry of a ConfigMap, or an environment value of the workload or function itself. The
first two are targets of their own, not the workload that reads them, so two runbooks that flip the same one meet at
its lock and its cooldown; when the service picks the value up is for `verify` to see. An environment value rolls a
workload out. What a function's environment holds is not shown and not audited: it may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from runbook_engine.actions.degrade_params import DegradeParams
from runbook_engine.actions.function_environment import ENVIRONMENT, environment_change, observe_environment
from runbook_engine.actions.grants import CONFIG_MAP_LOOKS, for_kinds, on_workload
from runbook_engine.actions.rollout import find_workload, observe_rollout
from runbook_engine.actions.wording import not_ours, shown, written
from runbook_engine.errors import Conflict, Permanent, Retryable
from runbook_engine.model.looking import WORKLOADS, looking, together
from runbook_engine.model.observation import Workload
from runbook_engine.model.plan import Change, Outcome, Progress, Value
from runbook_engine.model.target import WORKLOAD_KINDS, Target
from runbook_engine.ports import ActionSpec, Effects, World

KINDS = (*WORKLOADS, "function")
READ_BACK = timedelta(minutes=1)
ROLLED_OUT = timedelta(minutes=15)
PARAMETERS = (  # the version before ours is labelled, for whoever wants it back by hand
    *("ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter", "ssm:DeleteParameter"),
    *("ssm:LabelParameterVersion", "ssm:UnlabelParameterVersion"),
)


def prepare(params: DegradeParams, target: Target, world: World) -> Change | None:
    """Return the change of the one value, or None when it is so already."""
    if params.parameter is not None:
        change = _of_parameter(params.parameter, params.value, target, world)
    elif params.config_map is not None:
        change = _of_config_map(params, target, world)
    elif target.kind == "function":
        change = environment_change(params, target, world)
    else:
        change = _of_environment(params, target, world)
    return change if change.before != change.after else None


def apply(change: Change, key: str, effects: Effects) -> Outcome:
    """Set the value, or remove it when the change restores its absence."""
    after, before = _text(change.after), _text(change.before)
    try:
        if change.target.kind == "parameter":
            return written(effects.flags.write(change.target, after, expected=before))
        return written(effects.settings.write(change.target, change.field, after, expected=before))
    except Conflict as error:
        moved = f"{change.field} of {change.target} is another one by now: nothing was written"
        return Outcome.conflict(moved if change.sensitive else str(error))


def observe(change: Change, receipt: Mapping[str, Value], world: World) -> Progress:
    """Read the value back; one of a workload's environment is there when it has rolled out."""
    if change.target.kind == "function":
        return observe_environment(change, receipt, world)
    if change.target.kind not in WORKLOAD_KINDS:
        live = _live(change, world)
        return Progress.done(_says(change)) if live == change.after else not_ours(change, live, receipt)
    workload = find_workload(change, world.cluster.glance)
    if isinstance(workload, Progress):
        return workload
    live = _live(change, world)
    return observe_rollout(workload, receipt) if live == change.after else not_ours(change, live, receipt)


def _of_parameter(name: str, value: str, target: Target, world: World) -> Change:
    parameter = Target("parameter", target.place, "", name)
    flag = world.flags.flag(parameter)
    return Change(target=parameter, field="value", before=flag.value if flag is not None else None, after=value)


def _of_config_map(params: DegradeParams, target: Target, world: World) -> Change:
    if not target.namespace:
        raise Permanent(
            f"cannot tell in which namespace ConfigMap {params.config_map} is: the target is {target} "
            "(give the step a target with a namespace)"
        )
    key = f"data:{params.key}"
    setting = world.settings.setting(Target("configmap", target.place, target.namespace, str(params.config_map)), key)
    if setting.immutable and setting.text != params.value:
        raise Permanent(f"cannot set {params.key} of {setting.target}: it is immutable (release another one instead)")
    return Change(target=setting.target, field=key, before=setting.text, after=params.value)


def _of_environment(params: DegradeParams, target: Target, world: World) -> Change:
    if target.kind not in WORKLOAD_KINDS:
        kinds = ", ".join(KINDS)
        raise Permanent(f"degrade with env works on {kinds}, and the target is {target} (give the step another one)")
    workload = world.cluster.workload(target)
    key = f"env:{params.container or ''}/{params.env}"
    setting = world.settings.setting(workload.target, key)
    if setting.text != params.value:
        _refuse_rollout(str(params.env), workload)
    return Change(target=workload.target, field=key, before=setting.text, after=params.value)


def _refuse_rollout(name: str, workload: Workload) -> None:
    """Raise what forbids a new template now."""
    refusal = f"cannot set {name} of {workload.target}"
    if workload.paused:
        raise Permanent(f"{refusal}: its rollouts are paused (resume them first)")
    if workload.quota_left == 0:
        raise Permanent(
            f"{refusal}: the quota of namespace {workload.target.namespace} admits no pod more, and a rollout needs "
            "one (raise the quota, or shed a feature by a ConfigMap or a parameter)"
        )
    if workload.manual_updates:
        raise Permanent(f"{refusal}: it is updated by hand, so nothing would roll (set it in a release instead)")
    if workload.rollout == "progressing":
        raise Retryable(f"{refusal}: a rollout is in progress (wait until it has ended)")


def _live(change: Change, world: World) -> str | None:
    if change.target.kind == "parameter":
        flag = world.flags.flag(change.target)
        return flag.value if flag is not None else None
    return world.settings.setting(change.target, change.field).text


def _says(change: Change) -> str:
    if change.target.kind == "parameter":
        return f"{change.target} is {shown(change.after)}"
    return f"{change.field} of {change.target} is {shown(change.after)}"


def _text(value: Value) -> str | None:
    return None if value is None else str(value)


def needs(arguments: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    """Return what setting this one value needs: of a workload its template, else the thing itself and no workload."""
    if "env" in arguments and kind == "function":
        return ENVIRONMENT
    if "env" in arguments:
        return (*looking(kind), *on_workload(kind, "patch"))
    if "configMap" in arguments:
        return (*CONFIG_MAP_LOOKS, "core/configmaps:patch")
    return PARAMETERS


def limit(arguments: Mapping[str, Any]) -> timedelta:
    """Return how long it may take: what rolls out takes longer than what is only written."""
    return ROLLED_OUT if "env" in arguments else READ_BACK


ACTION = ActionSpec(
    name="degrade",
    summary="Set one value that a service reads, to shed an optional feature.",
    params=DegradeParams,
    prepare=prepare,
    apply=apply,
    observe=observe,
    example={"parameter": "/checkout/degraded_mode", "value": "true"},
    repeat="declarative",
    reversible=True,
    time_limit=ROLLED_OUT,
    limit=limit,
    permissions=together(PARAMETERS, needs({"configMap": ""}, ""), for_kinds(needs, {"env": ""}, KINDS)),
    needs=needs,
)
