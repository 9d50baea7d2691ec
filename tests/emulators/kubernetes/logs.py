"""Logs of containers: the text a test gave, and the refusals for containers that have none."""

from tests.emulators.kubernetes.context import Runtime
from tests.emulators.kubernetes.errors import bad_request
from tests.emulators.kubernetes.listing import Query
from tests.emulators.kubernetes.trees import Tree, dig


def read_log(runtime: Runtime, pod: Tree, query: Query) -> str:
    """Answer GET pods/{name}/log: honours container, previous and tailLines."""
    name, previous = pod["metadata"]["name"], query.get("previous") == "true"
    container = _container(pod, query)
    text = runtime.logs.get((pod["metadata"]["namespace"], name, previous))
    status: Tree = next(
        (each for each in dig(pod, "status", "containerStatuses", default=[]) if each["name"] == container), {}
    )
    if text is None and previous and not status.get("lastState"):
        raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    waiting = dig(status, "state", "waiting", "reason")
    if text is None and not previous and waiting and not status.get("restartCount") and not status.get("lastState"):
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {waiting}')
    lines = (text or "").splitlines(keepends=True)
    tail = query.get("tailLines")
    return "".join(lines if tail is None else lines[max(len(lines) - int(tail), 0) :])


def _container(pod: Tree, query: Query) -> str:
    names = [each["name"] for each in pod["spec"]["containers"]]
    wanted = query.get("container", "")
    if wanted and wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {pod['metadata']['name']}")
    if not wanted and len(names) > 1:
        shown = " ".join(names)
        name = pod["metadata"]["name"]
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{shown}]")
    return wanted or str(names[0])
