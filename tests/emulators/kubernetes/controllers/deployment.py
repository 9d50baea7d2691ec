"""The Deployment controller: rolls ReplicaSets over, keeps revisions and reports how it goes."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.controllers import rollout
from tests.emulators.kubernetes.controllers.conditions import (
    counted,
    find,
    has_deadline,
    is_complete,
    judge_progress,
    set_condition,
)
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.pods import HASH, is_terminal, template_hash
from tests.emulators.kubernetes.registry import SYSTEM
from tests.emulators.kubernetes.resources import DEPLOYMENTS, PODS, REPLICASETS
from tests.emulators.kubernetes.trees import Tree, annotations, clone, controller_of, dig, owned_by, owner_reference

_OWN = (rollout.REVISION, rollout.HISTORY, rollout.DESIRED, rollout.MAXIMUM, "deprecated.deployment.rollback.to")
_NOT_COPIED = (*_OWN, "kubectl.kubernetes.io/last-applied-configuration")


def sync(context: Context) -> None:
    """Look at every Deployment once."""
    for deployment in context.items(DEPLOYMENTS):
        with context.requeue():
            Rollout(context, deployment).advance()


class Rollout:
    """One look at one Deployment."""

    def __init__(self, context: Context, deployment: Tree) -> None:
        self.context = context
        self.deployment = deployment
        self.new: Tree | None = None
        self.old: list[Tree] = []

    @property
    def every(self) -> list[Tree]:
        return [*self.old, self.new] if self.new else self.old

    def advance(self) -> None:
        """Do the next step of the rollout, if there is one, and write the status."""
        self._look()
        if "deletionTimestamp" in self.deployment["metadata"]:
            return
        if self.deployment["spec"].get("paused"):
            self._mark_pause()
            self._sync_revision(create=False)
            self._scale()
            self._clean_up()
            self._write(counted(self.deployment, self.every, self.new, self.context.stamp()))
            return
        if self._scaling_event():
            self._sync_revision(create=False)
            self._scale()
            self._write(counted(self.deployment, self.every, self.new, self.context.stamp()))
            return
        self._mark_resume()
        if rollout.rolls(self.deployment):
            self._sync_revision(create=True)
            moved = self._grow_new() or self._shrink_old()
        else:
            moved = self._recreate()
        if not moved and is_complete(self.deployment, self.deployment.get("status") or {}):
            self._clean_up()
        status = counted(self.deployment, self.every, self.new, self.context.stamp())
        judge_progress(self.context, self.deployment, status, self.every, self.new)
        self._write(status)

    def _look(self) -> None:
        namespace = self.deployment["metadata"]["namespace"]
        owned = [each for each in self.context.store.items(REPLICASETS, namespace) if owned_by(each, self.deployment)]
        owned.sort(key=lambda each: (each["metadata"]["creationTimestamp"], rollout.revision(each)))
        self.new = next((each for each in owned if rollout.same_template(self.deployment, each)), None)
        self.old = [each for each in owned if each is not self.new]

    def _sync_revision(self, *, create: bool) -> None:
        """Number the new ReplicaSet above all old ones, making it first when asked to."""
        number = max([rollout.revision(each) for each in self.old], default=0) + 1
        if self.new is None:
            if not create:
                return
            self._create_new(number)
        else:
            self._renumber(number)
        if self.new is None:
            return
        shown = annotations(self.new)[rollout.REVISION]
        status = clone(self.deployment.get("status") or {})
        if has_deadline(self.deployment) and not find(status, "Progressing"):
            text = f'Found new replica set "{self.new["metadata"]["name"]}"'
            set_condition(status, "Progressing", "True", "FoundNewReplicaSet", text, self.context.stamp())
        marked = self.deployment["metadata"].get("annotations", {}) | {rollout.REVISION: shown}
        wanted = self.deployment | {
            "status": status,
            "metadata": self.deployment["metadata"] | {"annotations": marked},
        }
        self.deployment = self.context.registry.update(DEPLOYMENTS, self.deployment, wanted, SYSTEM, "status")

    def _renumber(self, number: int) -> None:
        assert self.new is not None
        marks = dict(annotations(self.new)) | self._copied()
        former = rollout.revision(self.new)
        if former < number:
            marks[rollout.REVISION] = str(number)
            if former:
                history = [part for part in marks.get(rollout.HISTORY, "").split(",") if part]
                marks[rollout.HISTORY] = ",".join([*history, str(former)])
        spec = self.new["spec"]
        if self.deployment["spec"].get("minReadySeconds"):
            spec = spec | {"minReadySeconds": self.deployment["spec"]["minReadySeconds"]}
        self.new = self._update(self.new, spec, marks)

    def _copied(self) -> Tree:
        return {key: value for key, value in annotations(self.deployment).items() if key not in _NOT_COPIED}

    def _create_new(self, number: int) -> None:
        template = clone(self.deployment["spec"]["template"])
        salt = dig(self.deployment, "status", "collisionCount", default=0)
        mark = {HASH: template_hash(template, salt)}
        template["metadata"]["labels"] = template["metadata"].get("labels", {}) | mark
        template["metadata"].pop("creationTimestamp", None)
        selector = clone(self.deployment["spec"]["selector"])
        selector["matchLabels"] = selector.get("matchLabels", {}) | mark
        size = rollout.room_for_new(self.deployment, self.old, None)
        body = {
            "metadata": {
                "name": f"{self.deployment['metadata']['name']}-{mark[HASH]}",
                "labels": dict(template["metadata"]["labels"]),
                "annotations": self._copied() | self._sizes() | {rollout.REVISION: str(number)},
                "ownerReferences": [owner_reference(self.deployment)],
            },
            "spec": {"replicas": size, "selector": selector, "template": template},
        }
        if self.deployment["spec"].get("minReadySeconds"):
            body["spec"]["minReadySeconds"] = self.deployment["spec"]["minReadySeconds"]
        try:
            self.new = self.context.registry.create(REPLICASETS, self.deployment["metadata"]["namespace"], body)
        except ApiError:
            return
        if has_deadline(self.deployment):
            status = clone(self.deployment.get("status") or {})
            text = f'Created new replica set "{self.new["metadata"]["name"]}"'
            set_condition(status, "Progressing", "True", "NewReplicaSetCreated", text, self.context.stamp())
            self.deployment = self.context.registry.write_status(DEPLOYMENTS, self.deployment, status)

    def _sizes(self) -> Tree:
        wanted = rollout.replicas(self.deployment)
        most = wanted + rollout.max_surge(self.deployment)
        return {rollout.DESIRED: str(wanted), rollout.MAXIMUM: str(most)}

    def _update(self, replicaset: Tree, spec: Tree, marks: Tree) -> Tree:
        wanted = replicaset | {"spec": spec, "metadata": replicaset["metadata"] | {"annotations": marks}}
        return self.context.registry.update(REPLICASETS, replicaset, wanted)

    def _resize(self, replicaset: Tree, size: int) -> None:
        marks = dict(annotations(replicaset)) | self._sizes()
        updated = self._update(replicaset, replicaset["spec"] | {"replicas": size}, marks)
        self.old = [updated if each is replicaset else each for each in self.old]
        if replicaset is self.new:
            self.new = updated

    def _scaling_event(self) -> bool:
        wanted = str(rollout.replicas(self.deployment))
        active = [each for each in self.every if rollout.replicas(each)]
        return any(annotations(each).get(rollout.DESIRED, wanted) != wanted for each in active)

    def _scale(self) -> None:
        active = [each for each in self.every if rollout.replicas(each)]
        if len(active) <= 1:
            latest = active or ([self.new] if self.new else self.old[-1:])
            if latest and rollout.replicas(latest[0]) != rollout.replicas(self.deployment):
                self._resize(latest[0], rollout.replicas(self.deployment))
            return
        if self.new is not None and self._saturated(self.new):
            for each in [each for each in self.old if rollout.replicas(each)]:
                self._resize(each, 0)
        elif rollout.rolls(self.deployment):
            sizes = rollout.proportional(self.deployment, active)
            for each in active:
                self._resize(each, sizes[each["metadata"]["name"]])

    def _saturated(self, replicaset: Tree) -> bool:
        wanted = rollout.replicas(self.deployment)
        desired = annotations(replicaset).get(rollout.DESIRED)
        return [rollout.replicas(replicaset), rollout.available(replicaset), desired] == [wanted, wanted, str(wanted)]

    def _grow_new(self) -> bool:
        if self.new is None:
            return False
        now, wanted = rollout.replicas(self.new), rollout.replicas(self.deployment)
        size = wanted if now > wanted else rollout.room_for_new(self.deployment, self.every, self.new)
        if size == now:
            return False
        self._resize(self.new, size)
        return True

    def _shrink_old(self) -> bool:
        if self.new is None:
            return False
        sizes = rollout.shrink_old(self.deployment, self.old, self.new)
        for each in [each for each in self.old if each["metadata"]["name"] in sizes]:
            self._resize(each, sizes[each["metadata"]["name"]])
        return bool(sizes)

    def _recreate(self) -> bool:
        """Scale the old sets to nothing, wait until their pods are gone, then make the new one."""
        self._sync_revision(create=False)
        down = [each for each in self.old if rollout.replicas(each)]
        for each in down:
            self._resize(each, 0)
        if down or self._old_pods_run():
            return True
        self._sync_revision(create=True)
        return self._grow_new()

    def _old_pods_run(self) -> bool:
        uids = {each["metadata"]["uid"] for each in self.old}
        pods = self.context.store.items(PODS, self.deployment["metadata"]["namespace"])
        owners = ((controller_of(pod) or {}).get("uid") for pod in pods if not is_terminal(pod))
        return any(uid in uids for uid in owners)

    def _clean_up(self) -> None:
        limit = self.deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [
            each for each in self.old if not rollout.replicas(each) and not dig(each, "status", "replicas", default=0)
        ]
        idle = [each for each in idle if "deletionTimestamp" not in each["metadata"]]
        surplus = len([each for each in self.old if "deletionTimestamp" not in each["metadata"]]) - limit
        for each in sorted(idle, key=rollout.revision)[: max(surplus, 0)]:
            delete(self.context.registry, REPLICASETS, each)
            self.old = [kept for kept in self.old if kept is not each]

    def _mark_pause(self) -> None:
        known = find(self.deployment.get("status") or {}, "Progressing")
        if has_deadline(self.deployment) and (known is None or known["reason"] not in _ENDS):
            self._mark("DeploymentPaused", "Deployment is paused")

    def _mark_resume(self) -> None:
        known = find(self.deployment.get("status") or {}, "Progressing")
        if has_deadline(self.deployment) and known and known["reason"] == "DeploymentPaused":
            self._mark("DeploymentResumed", "Deployment is resumed")

    def _mark(self, reason: str, message: str) -> None:
        status = clone(self.deployment.get("status") or {})
        set_condition(status, "Progressing", "Unknown", reason, message, self.context.stamp())
        self.deployment = self.context.registry.write_status(DEPLOYMENTS, self.deployment, status)

    def _write(self, status: Tree) -> None:
        self.context.registry.write_status(DEPLOYMENTS, self.deployment, status)


_ENDS = ("ProgressDeadlineExceeded", "DeploymentPaused")
