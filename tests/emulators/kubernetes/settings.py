"""Settings of the emulated cluster: every delay of the control plane, in milliseconds, short enough for tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How long things take. The real control plane's own values are in the comments where they matter."""

    tick: int = 5
    controller_sync: int = 10
    scheduler_sync: int = 10
    node_sync: int = 20
    pdb_sync: int = 10
    hpa_sync: int = 100  # 15 s
    hpa_stabilization: int = 300_000
    keda_sync: int = 50  # 30 s
    pod_start: int = 30
    pod_ready: int = 30
    slow_start: int = 2_000
    pod_stop: int = 40  # how long a process takes to stop when asked; the grace period is the upper bound
    job_run: int = 150
    crash_after: int = 30
    crash_backoff: int = 200  # 10 s, doubling
    pull_backoff: int = 40
    stale_eviction: int = 100  # 10 s: the server retries a conflict on a pending pod 20 times
    disrupted_pod: int = 120_000
    unreachable_eviction: int = 300_000
    pod_gc: int = 1_000  # 40 s quarantine + 20 s loop, for pods of a deleted node
    watch_history: int = 20_000  # events, not milliseconds
