"""ControllerRevisions: the history of StatefulSets and DaemonSets, as patches that restore a template."""

from tests.emulators.kubernetes.context import Context
from tests.emulators.kubernetes.deletion import delete
from tests.emulators.kubernetes.pods import template_hash
from tests.emulators.kubernetes.resources import REVISIONS
from tests.emulators.kubernetes.trees import Tree, clone, dig, owned_by, owner_reference


def patch_of(owner: Tree) -> Tree:
    """Return the strategic merge patch that restores the owner's present template."""
    return {"spec": {"template": clone(owner["spec"]["template"]) | {"$patch": "replace"}}}


def history(context: Context, owner: Tree) -> list[Tree]:
    """Return the owner's revisions, oldest first."""
    every = context.store.items(REVISIONS, owner["metadata"]["namespace"])
    return sorted((each for each in every if owned_by(each, owner)), key=lambda each: int(each["revision"]))


def current(context: Context, owner: Tree) -> Tree:
    """Return the revision of the owner's template, made or brought to the top when it is not the latest."""
    known = history(context, owner)
    patch = patch_of(owner)
    latest = int(known[-1]["revision"]) if known else 0
    same = next((each for each in reversed(known) if each["data"] == patch), None)
    if same is not None:
        if int(same["revision"]) == latest:
            return same
        return context.registry.update(REVISIONS, same, same | {"revision": latest + 1})
    digest = template_hash(owner["spec"]["template"])
    marks = dict(dig(owner, "spec", "template", "metadata", "labels", default={}))
    marks["controller.kubernetes.io/hash"] = digest
    body = {
        "metadata": {
            "name": f"{owner['metadata']['name']}-{digest}",
            "labels": marks,
            "annotations": dict(owner["metadata"].get("annotations") or {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "data": patch,
        "revision": latest + 1,
    }
    return context.registry.create(REVISIONS, owner["metadata"]["namespace"], body)


def trim(context: Context, owner: Tree, used: set[str]) -> None:
    """Delete revisions beyond the owner's limit, never one that a pod still runs."""
    limit = owner["spec"].get("revisionHistoryLimit", 10)
    idle = [each for each in history(context, owner) if each["metadata"]["name"] not in used]
    for each in idle[: max(len(idle) - limit, 0)]:
        delete(context.registry, REVISIONS, each)
