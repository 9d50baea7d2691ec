"""The HorizontalPodAutoscaler controller: bounds always hold, metrics decide inside them when a test gives some."""

from tests.emulators.kubernetes.clock import elapsed_ms
from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.pods import with_condition
from tests.emulators.kubernetes.resources import AUTOSCALERS, BY_KIND, Resource
from tests.emulators.kubernetes.scale import from_scale
from tests.emulators.kubernetes.trees import Tree, dig

_METRICS = "the HPA was unable to compute the replica count: failed to get cpu utilization"


def sync(context: Context) -> None:
    """Look at every autoscaler once."""
    every = list(context.items(AUTOSCALERS))
    for autoscaler in every:
        rivals = [other for other in every if _target(other) == _target(autoscaler)]
        with context.requeue():
            _sync(context, autoscaler, ambiguous=len(rivals) > 1)


def _target(autoscaler: Tree) -> tuple[str, str, str]:
    reference = autoscaler["spec"]["scaleTargetRef"]
    return (autoscaler["metadata"]["namespace"], reference["kind"], reference["name"])


def _sync(context: Context, autoscaler: Tree, *, ambiguous: bool) -> None:
    judgement = Judgement(context, autoscaler)
    reference = autoscaler["spec"]["scaleTargetRef"]
    resource = BY_KIND.get((reference.get("apiVersion", "apps/v1"), reference["kind"]))
    item = resource and context.store.get(resource, autoscaler["metadata"]["namespace"], reference["name"])
    if not resource or not item:
        text = f"the HPA controller was unable to get the target's current scale: {reference['name']} not found"
        judgement.say("AbleToScale", "False", "FailedGetScale", text)
        judgement.write(dig(autoscaler, "status", "currentReplicas", default=0), 0)
        return
    current = int(item["spec"]["replicas"])
    judgement.say(
        "AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale"
    )
    if ambiguous:
        judgement.say("ScalingActive", "False", "AmbiguousSelector", "pods by selector are controlled by multiple HPAs")
        judgement.write(current, current)
        return
    if current == 0:
        text = "scaling is disabled since the replica count of the target is zero"
        judgement.say("ScalingActive", "False", "ScalingDisabled", text)
        judgement.write(0, 0)
        return
    desired = judgement.desired(current)
    if desired != current:
        _rescale(context, resource, item, desired)
        judgement.status["lastScaleTime"] = context.stamp()
        judgement.say(
            "AbleToScale",
            "True",
            "SucceededRescale",
            f"the HPA controller was able to update the target scale to {desired}",
        )
    judgement.write(int(dig(item, "status", "replicas", default=0)), desired)


def _rescale(context: Context, resource: Resource, item: Tree, desired: int) -> None:
    wanted = from_scale(item, {"spec": {"replicas": desired}})
    context.registry.update(resource, item, wanted, subresource="scale")


class Judgement:
    """What an autoscaler thinks now, as its status."""

    def __init__(self, context: Context, autoscaler: Tree) -> None:
        self.context = context
        self.autoscaler = autoscaler
        self.spec = autoscaler["spec"]
        self.status: Tree = dict(autoscaler.get("status") or {})

    def say(self, type_: str, answer: str, reason: str, message: str) -> None:
        new = {"type": type_, "status": answer, "reason": reason, "message": message}
        self.status["conditions"] = with_condition(self.status.get("conditions", []), new, self.context.stamp())

    def desired(self, current: int) -> int:
        """Return the replicas wanted: outside the bounds at once, inside them by metrics."""
        low, high = self.spec["minReplicas"], self.spec["maxReplicas"]
        if current > high:
            return int(high)
        if current < low:
            return int(low)
        key = (self.autoscaler["metadata"]["namespace"], self.autoscaler["metadata"]["name"])
        wish = self.context.runtime.recommendations.get(key)
        if wish is None:
            self.say("ScalingActive", "False", "FailedGetResourceMetric", _METRICS)
            return current
        self.say(
            "ScalingActive", "True", "ValidMetricFound", "the HPA was able to successfully calculate a replica count"
        )
        return self._bounded(self._stabilized(key, wish, current), low, high)

    def _stabilized(self, key: tuple[str, str], wish: int, current: int) -> int:
        since = self.context.runtime.since
        mark = ("hpa-down", "/".join(key))
        if wish >= current:
            since.pop(mark, None)
            return wish
        begun = since.setdefault(mark, self.context.now())
        if elapsed_ms(begun, self.context.now()) < self.context.settings.hpa_stabilization:
            text = "recent recommendations were higher than current one, applying the highest recent recommendation"
            self.say("AbleToScale", "True", "ScaleDownStabilized", text)
            return current
        return wish

    def _bounded(self, wish: int, low: int, high: int) -> int:
        if wish > high:
            text = "the desired replica count is more than the maximum replica count"
            self.say("ScalingLimited", "True", "TooManyReplicas", text)
        elif wish < low:
            text = "the desired replica count is less than the minimum replica count"
            self.say("ScalingLimited", "True", "TooFewReplicas", text)
        else:
            self.say(
                "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"
            )
        return max(low, min(wish, high))

    def write(self, current: int, desired: int) -> None:
        self.status["currentReplicas"] = current
        if not current:
            del self.status["currentReplicas"]
        self.status["desiredReplicas"] = desired
        self.context.registry.write_status(AUTOSCALERS, self.autoscaler, self.status)
