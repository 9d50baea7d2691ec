"""Arithmetic of a rollout: how many pods each ReplicaSet of a Deployment may have now."""

from tests.emulators.kubernetes.pods import without_hash
from tests.emulators.kubernetes.quantities import share
from tests.emulators.kubernetes.trees import Tree, annotations, dig

PREFIX = "deployment.kubernetes.io/"
REVISION, HISTORY = PREFIX + "revision", PREFIX + "revision-history"
DESIRED, MAXIMUM = PREFIX + "desired-replicas", PREFIX + "max-replicas"


def replicas(item: Tree) -> int:
    """Return the replicas asked for."""
    return int(item["spec"]["replicas"])


def available(item: Tree) -> int:
    """Return the replicas available."""
    return int(dig(item, "status", "availableReplicas", default=0))


def total(sets: list[Tree]) -> int:
    """Return the replicas asked for by several sets."""
    return sum(replicas(each) for each in sets)


def rolls(deployment: Tree) -> bool:
    """Whether the strategy is RollingUpdate."""
    return bool(deployment["spec"]["strategy"]["type"] == "RollingUpdate")


def _fenceposts(deployment: Tree) -> tuple[int, int]:
    """Return surge and unavailable; not both zero."""
    if not rolls(deployment) or not replicas(deployment):
        return 0, 0
    rolling = deployment["spec"]["strategy"]["rollingUpdate"]
    surge = share(rolling["maxSurge"], replicas(deployment), up=True)
    unavailable = share(rolling["maxUnavailable"], replicas(deployment), up=False)
    return surge, (1 if surge == 0 and unavailable == 0 else min(unavailable, replicas(deployment)))


def max_surge(deployment: Tree) -> int:
    """Return how many pods may exist beyond those asked for."""
    return _fenceposts(deployment)[0]


def max_unavailable(deployment: Tree) -> int:
    """Return how many pods may be missing."""
    return _fenceposts(deployment)[1]


def revision(item: Tree) -> int:
    """Return the revision annotation, 0 when absent."""
    text = annotations(item).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def same_template(deployment: Tree, replicaset: Tree) -> bool:
    """Whether a ReplicaSet runs the Deployment's template."""
    ours, theirs = without_hash(deployment["spec"]["template"]), without_hash(replicaset["spec"]["template"])
    return bool(_bare(ours) == _bare(theirs))


def _bare(template: Tree) -> Tree:
    metadata = {key: value for key, value in template.get("metadata", {}).items() if key != "creationTimestamp"}
    return template | {"metadata": metadata}


def room_for_new(deployment: Tree, every: list[Tree], new: Tree | None) -> int:
    """Return the replicas of the new set: what the surge leaves room for."""
    wanted, now = replicas(deployment), replicas(new) if new else 0
    if not rolls(deployment):
        return wanted
    room = wanted + max_surge(deployment) - total(every)
    return now if room <= 0 else now + min(room, wanted - now)


def shrink_old(deployment: Tree, old: list[Tree], new: Tree) -> dict[str, int]:
    """Return the new replicas of old sets, by name: unhealthy pods first, then as the minimum available permits."""
    minimum = replicas(deployment) - max_unavailable(deployment)
    budget = total([*old, new]) - minimum - (replicas(new) - available(new))
    sizes = {each["metadata"]["name"]: replicas(each) for each in old}
    if budget <= 0 or not any(sizes.values()):
        return {}
    removed = 0
    for each in old:
        name = each["metadata"]["name"]
        cut = min(budget - removed, max(sizes[name] - available(each), 0))
        sizes[name] -= cut
        removed += cut
    spare = sum(available(each) for each in [*old, new]) - minimum
    for each in old:
        name = each["metadata"]["name"]
        cut = min(sizes[name], max(spare, 0))
        sizes[name] -= cut
        spare -= cut
    return {name: size for name, size in sizes.items() if size != _size_of(old, name)}


def _size_of(sets: list[Tree], name: str) -> int:
    return next(replicas(each) for each in sets if each["metadata"]["name"] == name)


def proportional(deployment: Tree, active: list[Tree]) -> dict[str, int]:
    """Return the replicas of several active sets after a scaling: shared in proportion to their size."""
    allowed = replicas(deployment) + max_surge(deployment) if replicas(deployment) else 0
    missing = allowed - total(active)
    ordered = sorted(active, key=lambda each: (-replicas(each), -revision(each) if missing > 0 else revision(each)))
    sizes: dict[str, int] = {}
    added = 0
    for each in ordered:
        part = _part(deployment, each, missing, added)
        sizes[each["metadata"]["name"]] = replicas(each) + part
        added += part
    if missing and ordered:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(sizes[first] + missing - added, 0)
    return sizes


def _part(deployment: Tree, replicaset: Tree, missing: int, added: int) -> int:
    if not missing or not replicas(replicaset):
        return 0
    if not replicas(deployment):
        fraction = -replicas(replicaset)
    else:
        former = int(annotations(replicaset).get(MAXIMUM, 0)) or dig(deployment, "status", "replicas", default=0)
        grown = replicas(replicaset) * (replicas(deployment) + max_surge(deployment)) / (former or 1)
        fraction = int(grown + 0.5) - replicas(replicaset)
    left = missing - added
    return min(fraction, left) if missing > 0 else max(fraction, left)
