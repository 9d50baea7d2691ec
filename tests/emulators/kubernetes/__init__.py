"""A small Kubernetes API server with its controllers, over real HTTP, for tests. No kept emulator has evictions,
patches, rollouts and faults; this one models what was observed on a real control plane and nothing else.

    with FakeCluster() as cluster:                          # listens on 127.0.0.1, controllers run in one thread
        cluster.node("node-a")
        cluster.deployment("checkout", replicas=3)          # namespace "default" unless told
        cluster.wait_rollout("checkout")
        cluster.pdb("checkout", min_available=2)
        cluster.faults.lost_after("PATCH", r"/scale$")      # the answer is lost, the effect is not
        client = Transport(cluster.url, token=cluster.token("alice", groups=["runbook-engine"]))
        path = cluster.kubeconfig(tmp_path / "kubeconfig")  # for kubectl, as an administrator
        assert cluster.get("deployments", "checkout")["spec"]["replicas"] == 3
        assert cluster.log.count("PATCH", r"/scale$") == 1

FakeCluster(settings=Settings(), background=True, tls=False, authenticate=False):
  url, port, ca_file (tls), log, faults, access, clock, settings, images, runtime, store
  start() / close() / restart(away=0.2): the socket goes away for so many seconds, the state is kept
  step(): run every controller once now.   settle(): step until nothing changes (background=False)
  wait(condition, timeout=90): until condition() is true.   wait_rollout(name, namespace="default")
  create(document), get(plural, name, namespace="default"), list(plural, namespace=None, labels=""),
  patch(plural, name, merge_patch, namespace="default"), delete(plural, name, namespace="default")
  node(name, ...), namespace(name), deployment(name, ...), statefulset(name, ...), daemonset(name, ...),
  job(name, ...), pod(name, node=..., ...), pdb(name, ...), hpa(name, ...), scaledobject(name, ...),
  configmap(name, ...), quota(name, ...), event(involved, reason, message), set_log(pod, text, previous=False)
  pods(labels="", namespace="default", live=True), ready(plural, name)
  node_down(name) / node_up(name), node_condition(name, "DiskPressure"), pod_unready(name) / pod_ready(name),
  recommend(hpa, replicas), mirror_pod(name, node)
  pause_controller(name) / resume_controller(name)   names: CONTROLLERS
  access.load(*RBAC manifests), access.expire(token), clock.advance(seconds)
  faults: lost_before, lost_after, throttle, throttle_json, webhook_down, denied, unavailable, timeout, unauthorized,
    slow, garbage, html (method, path pattern, times=1, skip=0, ...).   log: entries(), count(), writes(), clear()
  expire_watches(): forget history, so that old resourceVersions and continue tokens answer 410
  token(user, groups=()), kubeconfig(path, token=None), images[pattern] = "run" | "bad-pull" | ...
Image tags bad-pull, crash, never-ready, bad-config, slow, complete and fail behave as they are called.
"""

from tests.emulators.kubernetes.cluster import CONTROLLERS, FakeCluster
from tests.emulators.kubernetes.errors import ApiError
from tests.emulators.kubernetes.settings import Settings

__all__ = ["CONTROLLERS", "ApiError", "FakeCluster", "Settings"]
