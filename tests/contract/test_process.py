"""The process adapter on a real gunicorn master: what is asked for happens, once, and no request is lost."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from runbook_adapters import process
from runbook_adapters.process import ADAPTER, ProcessSettings, Server, hooks
from runbook_adapters.process.deployment import next_release, released
from runbook_adapters.process.folder import load_deployment
from runbook_adapters.process.master import live_workers, master_pid, reload
from runbook_engine.errors import (
    Conflict,
    EffectUnknown,
    InvalidTarget,
    NoAdapter,
    Permanent,
    Retryable,
    Unreadable,
)
from runbook_engine.model.configuration import Configuration
from runbook_engine.model.observation import Workload
from runbook_engine.model.target import Target
from runbook_engine.ports import AdapterContext, ChangeReader, ClusterReader, ClusterWriter, LogReader
from tests.contract.cluster_contract import ClusterContract
from tests.lab import PATIENCE
from tests.ports import free_port

SOURCE = Path(__file__).parent.parent / "data" / "wsgi"
CHECKOUT = Target("deployment", "local", "apps", "checkout")


class SystemClock:
    """The real time: gunicorn knows no other."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Rig:
    """One deployment in a folder, with its adapter and, once started, its master."""

    target = CHECKOUT

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "one"
        self.clock = SystemClock()
        self.port = free_port()
        self.master: int | None = None
        cluster = self.serve("cluster")
        self.reader: ClusterReader = cluster.reader
        self.writer: ClusterWriter = cluster.writer
        self.history: ChangeReader = self.serve("changes").reader
        self.log: LogReader = self.serve("logs").reader

    def serve(self, port, **settings):
        context = AdapterContext(
            clock=self.clock,
            configuration=Configuration(),
            base=self.root.parent,
            state=self.root,
            secret=lambda reference: reference.env,
        )
        return ADAPTER.build(port, ProcessSettings(folder=self.root.name, **settings), context)

    def create(self, *, application: str = "echo:app", replicas: int = 2, ready_path: str = "/ready") -> None:
        server = Server(
            application=application, bind=f"127.0.0.1:{self.port}", source=str(SOURCE), ready_path=ready_path
        )
        process.create_deployment(
            self.folder,
            namespace="apps",
            name="checkout",
            server=server,
            replicas=replicas,
            settings={"GREETING": "hello"},
            now=self.clock.now(),
        )

    def start(self) -> None:
        self.master = process.start_master(self.folder).pid

    def workload(self) -> Workload:
        return self.reader.workload(CHECKOUT)

    def settled(self) -> Workload:
        return eventually(self.workload, lambda seen: seen.rollout == "complete" and seen.ready == seen.replicas)

    def settle(self) -> None:
        self.settled()

    def pids(self) -> set[int]:
        return {worker.pid for worker in live_workers(self.folder)}

    def get(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def kill(self) -> None:
        if self.master is None:
            return
        try:
            os.killpg(self.master, signal.SIGKILL)
            os.waitpid(self.master, 0)
        except (ProcessLookupError, ChildProcessError):
            return


def eventually(look: Callable[[], object], holds: Callable[[object], bool], within: float = PATIENCE):
    """Return the first look for which it holds."""
    deadline = time.monotonic() + within
    while not holds(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.03)
    return seen


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A deployment whose master is started."""
    rig = Rig(tmp_path / "deployments")
    rig.create()
    rig.start()
    yield rig
    rig.kill()


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Rig]:
    """A folder without a started master."""
    rig = Rig(tmp_path / "deployments")
    yield rig
    rig.kill()


class Clients:
    """Keep-alive clients that count what goes wrong while something happens."""

    def __init__(self, port: int, count: int = 4) -> None:
        self.port = port
        self.answered = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self._stop.is_set():
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failed.append(str(response.status))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            self.answered += 1
            time.sleep(0.005)
        connection.close()


def test_workload_is_read_when_the_master_runs(rig):
    """Wanted and live state of a fresh deployment agree."""
    seen = rig.workload()

    assert seen == Workload(
        target=msgspec.structs.replace(CHECKOUT, uid=load_deployment(rig.folder).uid),
        replicas=2,
        ready=2,
        updated=2,
        generation=1,
        observed_generation=1,
        service="checkout",
        revision=1,
        revisions=tuple(release.as_revision() for release in load_deployment(rig.folder).revisions),
        settings={"GREETING": "hello"},
    )


def test_workers_follow_when_scaled_up_and_down(rig):
    """Two workers become four and two again, and the receipt names the generation to wait for."""
    up = rig.writer.scale(CHECKOUT, 4, expected=2)
    grown = rig.settled()
    down = rig.writer.scale(CHECKOUT, 2, expected=4)
    shrunk = rig.settled()

    assert (up, down) == ({"generation": 2, "revision": 1}, {"generation": 3, "revision": 1})
    assert (grown.replicas, grown.ready, grown.updated, grown.observed_generation) == (4, 4, 4, 2)
    assert (shrunk.replicas, shrunk.ready, shrunk.updated, shrunk.observed_generation) == (2, 2, 2, 3)
    assert len(rig.pids()) == 2


def test_nothing_is_reloaded_when_the_value_is_so_already(rig):
    """The same scale, restart and rollback again keep every worker and the generation."""
    process.release(rig.folder, "r2", {}, by="ci", now=rig.clock.now())
    rig.writer.scale(CHECKOUT, 3, expected=2)
    rig.writer.restart(CHECKOUT, "mark-1")
    receipt = rig.writer.rollback(CHECKOUT, 1, expected=2)
    generation = rig.settled().generation
    before = rig.pids()

    rig.writer.scale(CHECKOUT, 3, expected=2)
    rig.writer.restart(CHECKOUT, "mark-1")
    again = rig.writer.rollback(CHECKOUT, 1, expected=2)
    time.sleep(0.3)

    assert again == {**receipt, "unchanged": True}
    assert rig.workload().generation == generation
    assert rig.pids() == before


def test_no_request_fails_when_every_worker_is_replaced(rig):
    """A rolling restart under keep-alive clients replaces all workers and loses nothing."""
    before = rig.pids()

    with Clients(rig.port) as clients:
        eventually(lambda: clients.answered, lambda answered: answered > 20)
        rig.writer.restart(CHECKOUT, "mark-1")
        seen = rig.settled()
        settled = clients.answered
        eventually(lambda: clients.answered, lambda answered: answered > settled + 30)

    assert seen.restarted_at == "mark-1"
    assert not before & rig.pids()
    assert clients.failed == []
    assert clients.answered > 50


def test_former_settings_return_when_rolled_back(rig):
    """A rollback is a new revision with the old release and settings; added settings are gone."""
    process.mark_healthy(rig.folder)
    process.release(rig.folder, "r2", {"GREETING": "goodbye"}, by="ci/alice", now=rig.clock.now())
    rig.settled()
    bad = rig.get()

    receipt = rig.writer.rollback(CHECKOUT, 1, expected=2)
    seen = rig.settled()

    assert bad.split()[:2] == ["r2", "goodbye"]
    assert rig.get().split()[:2] == ["r1", "hello"]
    assert receipt == {"generation": 3, "revision": 3}
    assert [(revision.number, revision.healthy, revision.summary) for revision in seen.revisions] == [
        (3, None, "r1, rolled back from revision 2 to 1"),
        (2, None, "r2"),
        (1, True, "r1"),
    ]


def test_setting_disappears_when_the_next_release_has_none(rig):
    """What a release does not set is unset in its workers."""
    process.release(rig.folder, "r2", {}, by="ci", now=rig.clock.now())
    rig.settled()

    assert rig.get().split()[:2] == ["r2", "-"]


def test_worker_is_counted_again_when_one_was_killed(rig):
    """gunicorn replaces a killed worker; the rollout stays complete in the end, with a new pid."""
    before = rig.pids()
    victim = min(before)

    os.kill(victim, signal.SIGKILL)
    eventually(rig.pids, lambda pids: len(pids) == 2 and victim not in pids)

    assert rig.settled().ready == 2


def test_ready_is_zero_when_the_ready_path_says_no(rig):
    """Live workers that answer 503 are not ready."""
    process.release(rig.folder, "r2", {"BROKEN": "yes"}, by="ci", now=rig.clock.now())
    eventually(rig.workload, lambda seen: seen.rollout == "complete")

    assert (rig.workload().ready, rig.workload().updated) == (0, 2)


def test_one_writer_conflicts_when_two_scale_at_once(rig):
    """Both want to leave from two replicas; one gets its way, the other is told, nothing is mixed."""
    other = rig.serve("cluster").writer

    def attempt(writer: ClusterWriter, replicas: int) -> str:
        try:
            writer.scale(CHECKOUT, replicas, expected=2)
        except Conflict as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(attempt, rig.writer, 3), pool.submit(attempt, other, 4)]
        said = [result.result() for result in results]

    winner = 3 if said[0] == "done" else 4
    assert sorted(said) == sorted(
        ["done", f"apps/deployment/checkout has {winner} replicas, not 2 any more; nothing was changed"]
    )
    assert rig.settled().replicas == winner


def test_master_takes_it_in_when_the_writer_died_before_the_signal(rig):
    """State that was written but never taken in is healed by the same call again."""
    live = load_deployment(rig.folder)
    wanted = msgspec.structs.replace(live, replicas=3, generation=2)
    (rig.folder / "deployment.json").write_bytes(msgspec.json.encode(wanted))

    stuck = rig.workload()
    receipt = rig.writer.scale(CHECKOUT, 3, expected=2)

    assert (stuck.rollout, stuck.rollout_reason) == (
        "progressing",
        "generation 2 was not taken in yet, the master runs 1",
    )
    assert receipt == {"generation": 2, "revision": 1}
    assert rig.settled().updated == 3


def test_history_tells_ours_from_theirs_when_both_changed_it(rig):
    """Newest first, with who did it; what is older than asked for is left out."""
    created = rig.clock.now()
    process.release(rig.folder, "r2", {}, by="ci/alice", now=rig.clock.now())
    rig.writer.scale(CHECKOUT, 3, expected=2)
    rig.writer.restart(CHECKOUT, "mark-1")
    rig.writer.rollback(CHECKOUT, 1, expected=2)

    events = rig.history.changes(CHECKOUT, created)
    ever = rig.history.changes(CHECKOUT, created - timedelta(hours=1))

    assert [(event.who, event.what, event.ours) for event in events] == [
        ("runbook-engine", "rollback r2 -> r1 (revision 2 to 1)", True),
        ("runbook-engine", "rolling restart (mark-1)", True),
        ("runbook-engine", "replicas 2 -> 3", True),
        ("ci/alice", "release r2", False),
    ]
    assert ever[-1].what == "created with release r1"


def test_log_shows_the_newest_lines_when_asked(rig):
    """The end of the shared log, at most as many lines as wanted."""
    (excerpt,) = rig.log.logs(CHECKOUT, 2)
    (everything,) = rig.log.logs(CHECKOUT, 1000)

    assert excerpt.name == "gunicorn.log"
    assert excerpt.lines == everything.lines[-2:]
    assert any("Listening at" in line for line in everything.lines)


def test_sentences_name_the_remedy_when_the_master_is_gone(rig):
    """Neither reader nor writer guesses about a dead master, and its old pid is never signalled."""
    process.stop_master(rig.folder)

    with pytest.raises(Unreadable) as looked:
        rig.workload()
    with pytest.raises(Permanent) as touched:
        rig.writer.scale(CHECKOUT, 3, expected=2)

    said = (
        f"no gunicorn master serves apps/deployment/checkout (see {rig.folder / 'gunicorn.log'} for why it ended, "
        "and start it again)"
    )
    assert (str(looked.value), str(touched.value)) == (said, said)
    assert load_deployment(rig.folder).replicas == 2


def test_pid_of_a_stranger_is_not_believed_when_the_master_was_killed(rig):
    """Only the lock on the pid file tells; the number in it may belong to anybody."""
    os.killpg(rig.master, signal.SIGKILL)
    os.waitpid(rig.master, 0)
    (rig.folder / "master.pid").write_text(str(os.getpid()))

    assert master_pid(rig.folder) is None


def test_second_master_is_refused_when_one_serves_the_folder(rig):
    """Neither by our own hand nor by somebody who runs gunicorn on the file."""
    with pytest.raises(Conflict) as refusal:
        process.start_master(rig.folder)
    by_hand = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", rig.folder / "gunicorn.conf.py"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert str(refusal.value) == "apps/deployment/checkout is running already; stop it first"
    assert by_hand.stderr.splitlines()[-1] == f"another gunicorn master serves {rig.folder}; stop it first"
    assert rig.settled().ready == 2


def test_start_is_refused_when_gunicorn_is_too_old(monkeypatch):
    """Older ones reset connections at HUP, and every change of ours is a HUP."""
    monkeypatch.setattr("gunicorn.version_info", (26, 2, 0))
    monkeypatch.setattr("gunicorn.__version__", "26.2.0")

    with pytest.raises(SystemExit) as refusal:
        hooks.on_starting(None)

    assert str(refusal.value) == "gunicorn 26.2.0 resets connections when it reloads; install 27 or newer"


def test_service_lives_on_when_its_workers_cannot_be_counted(rig):
    """A folder that cannot be written costs the engine its sight, never the service its workers."""
    (rig.folder / "workers").rename(rig.folder / "elsewhere")
    os.kill(min(int(mark.name.split("-")[1]) for mark in (rig.folder / "elsewhere").iterdir()), signal.SIGKILL)
    time.sleep(0.3)

    with pytest.raises(Unreadable) as refusal:
        rig.workload()

    assert str(refusal.value) == (
        f"the workers in {rig.folder / 'workers'} cannot be listed: No such file or directory"
    )
    assert rig.get().startswith("r1 hello")


def test_address_is_refused_when_it_is_no_host_and_port():
    """A socket file could not be asked whether the service is ready."""
    with pytest.raises(ValueError, match=r"^bind is host:port, not unix:/run/app.sock$"):
        Server(application="echo:app", bind="unix:/run/app.sock", source=".")


def test_service_returns_when_its_master_was_killed(rig):
    """Orphaned workers leave by themselves; the next master waits for their port and counts only its own."""
    orphans = rig.pids()
    os.kill(rig.master, signal.SIGKILL)
    os.waitpid(rig.master, 0)

    rig.start()

    assert rig.settled().ready == 2
    assert not orphans & rig.pids()


def test_wanted_state_is_kept_when_the_master_starts_again(rig):
    """What was scaled stays scaled over a restart of the master."""
    rig.writer.scale(CHECKOUT, 3, expected=2)
    rig.settled()
    process.stop_master(rig.folder)

    rig.start()

    assert rig.settled().ready == 3


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        pytest.param(
            lambda rig: rig.writer.scale(CHECKOUT, 4, expected=3),
            Conflict,
            "apps/deployment/checkout has 2 replicas, not 3 any more; nothing was changed",
            id="scaled by somebody else",
        ),
        pytest.param(
            lambda rig: rig.writer.scale(CHECKOUT, 0, expected=2),
            Permanent,
            "apps/deployment/checkout cannot run 0 workers: a gunicorn master keeps at least one",
            id="scaled to nothing",
        ),
        pytest.param(
            lambda rig: rig.writer.rollback(CHECKOUT, 7, expected=1),
            Permanent,
            "apps/deployment/checkout cannot return to revision 7: it is not kept (kept: 1)",
            id="rolled back to an unknown revision",
        ),
        pytest.param(
            lambda rig: rig.writer.rollback(CHECKOUT, 1, expected=4),
            None,
            "",
            id="rolled back to what runs is nothing to do",
        ),
        pytest.param(
            lambda rig: rig.writer.rollback(CHECKOUT, 7, expected=4),
            Conflict,
            "apps/deployment/checkout is at revision 1, not 4 any more; nothing was changed",
            id="released by somebody else",
        ),
        pytest.param(
            lambda rig: rig.writer.restart(msgspec.structs.replace(CHECKOUT, uid="other"), "mark"),
            Conflict,
            "apps/deployment/checkout was removed and created again; nothing was changed",
            id="another deployment of the same name",
        ),
        pytest.param(
            lambda rig: rig.writer.restart(msgspec.structs.replace(CHECKOUT, name="../cart"), "mark"),
            Permanent,
            "there is no apps/deployment/../cart on this machine (known: apps/deployment/checkout)",
            id="restarted a name that is nobody's",
        ),
        pytest.param(
            lambda rig: rig.reader.workload(msgspec.structs.replace(CHECKOUT, name="cart")),
            InvalidTarget,
            "there is no apps/deployment/cart on this machine (known: apps/deployment/checkout)",
            id="looked at a name that is nobody's",
        ),
        pytest.param(
            lambda rig: rig.reader.workload(Target("node", "local", "", "ip-10-0-0-1")),
            InvalidTarget,
            "node/ip-10-0-0-1 is a node; on this machine only deployments can be targets",
            id="looked at a node",
        ),
        pytest.param(
            lambda rig: rig.history.changes(msgspec.structs.replace(CHECKOUT, name="cart"), datetime.now(UTC)),
            Unreadable,
            "there is no apps/deployment/cart on this machine (known: apps/deployment/checkout)",
            id="history of a name that is nobody's",
        ),
        pytest.param(
            lambda rig: rig.serve("flags"),
            NoAdapter,
            "process does not serve flags (it serves cluster, changes and logs)",
            id="asked for a port it does not serve",
        ),
        pytest.param(
            lambda rig: process.release(rig.folder, "r2", {"BAD NAME": "1"}, by="ci", now=datetime.now(UTC)),
            Permanent,
            "apps/deployment/checkout cannot take setting 'BAD NAME': a setting is an environment variable "
            "(letters, digits and _; RELEASE and PROMETHEUS_MULTIPROC_DIR are set by the adapter)",
            id="released a setting that is no variable",
        ),
    ],
)
def test_call_is_refused_with_a_sentence_when(shared, call, error, says):
    """A call that cannot be right changes nothing, and says why."""
    before = load_deployment(shared.folder)

    if error is None:
        call(shared)
    else:
        with pytest.raises(error) as refusal:
            call(shared)
        assert str(refusal.value) == says

    assert load_deployment(shared.folder) == before


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Rig]:
    """One started deployment for all cases that change nothing."""
    rig = Rig(tmp_path_factory.mktemp("shared") / "deployments")
    rig.create()
    rig.start()
    yield rig
    rig.kill()


def test_start_fails_with_the_log_when_the_application_does_not_load(idle):
    """The end of the log is in the sentence, and no process is left."""
    idle.create(application="broken:app")

    with pytest.raises(Permanent) as refusal:
        process.start_master(idle.folder)

    assert str(refusal.value).startswith(
        f"apps/deployment/checkout did not start; the end of {idle.folder}/gunicorn.log:"
    )
    assert "RuntimeError: this release does not start" in str(refusal.value)
    assert master_pid(idle.folder) is None


def test_counters_of_dead_workers_are_emptied_when_a_master_starts(idle):
    """Left-over multiprocess files would be added to the new workers' counters."""
    idle.create()
    (idle.folder / "metrics").mkdir()
    (idle.folder / "metrics" / "counter_1.db").write_bytes(b"old")

    idle.start()

    assert list((idle.folder / "metrics").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(
            "{",
            "is not a deployment: Input data was truncated (restore it, or create the deployment again)",
            id="cut off",
        ),
        pytest.param(
            "{}",
            "is not a deployment: Object missing required field `uid` (restore it, or create the deployment again)",
            id="empty",
        ),
    ],
)
def test_workload_is_unreadable_when_the_state_is_corrupt(idle, content, says):
    """A state that cannot be read is never taken for an empty one."""
    idle.create()
    (idle.folder / "deployment.json").write_text(content)

    with pytest.raises(Unreadable) as refusal:
        idle.workload()

    assert str(refusal.value) == f"{idle.folder / 'deployment.json'} {says}"


def test_deployments_are_unreadable_when_their_folder_is_missing(idle):
    """A wrong path is not an empty machine."""
    with pytest.raises(Unreadable) as looked:
        idle.workload()
    with pytest.raises(Retryable) as touched:
        idle.writer.restart(CHECKOUT, "mark-1")

    said = f"the folder of the deployments, {idle.root}, does not exist (set folder of adapter process)"
    assert (str(looked.value), str(touched.value)) == (said, said)


def test_effect_is_unknown_when_the_master_ends_before_the_signal(idle):
    """What is wanted is written already, so nobody can say that nothing was done."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    with pytest.raises(EffectUnknown) as refusal:
        reload(idle.folder, ended.pid, 2)

    assert str(refusal.value) == (
        f"{idle.folder} says what is wanted, but its gunicorn master (pid {ended.pid}) has just ended; start it again"
    )


def test_log_is_unreadable_when_there_is_none(idle):
    """A deployment that never ran has no log."""
    idle.create()

    with pytest.raises(Unreadable) as refusal:
        idle.log.logs(CHECKOUT, 10)

    path = idle.folder / "gunicorn.log"
    assert str(refusal.value) == (
        f"the log of apps/deployment/checkout, {path}, cannot be read: No such file or directory"
    )


def test_folder_is_not_taken_over_when_it_is_a_deployment_already(idle):
    """Creating twice does not forget the history."""
    idle.create()

    with pytest.raises(Conflict) as refusal:
        idle.create()

    assert str(refusal.value) == f"{idle.folder} already is a deployment; remove the folder to start afresh"


def test_rollout_counts_as_failed_when_the_deadline_has_passed(rig):
    """Old workers that do not leave make a rollout hang, and the reason says what is missing."""
    impatient = rig.serve("cluster", rollout_deadline=0.0).reader
    live = load_deployment(rig.folder)
    wanted = msgspec.structs.replace(live, generation=2)
    (rig.folder / "deployment.json").write_bytes(msgspec.json.encode(wanted))

    seen = impatient.workload(CHECKOUT)

    assert (seen.rollout, seen.rollout_reason) == (
        "failed",
        "generation 2 was not taken in yet, the master runs 1 after 0s (see gunicorn.log)",
    )


@pytest.mark.parametrize(
    ("deadline", "rollout", "reason"),
    [
        pytest.param(
            60.0, "progressing", "1 of 2 workers run generation 1", id="within the deadline it may be starting"
        ),
        pytest.param(0.0, "complete", "", id="after it a worker has died, which is no rollout"),
    ],
)
def test_missing_worker_is_judged_by_time_when_none_is_old(rig, deadline, rollout, reason):
    """Ready says that one is missing; whether the rollout is to blame depends on how long ago it began."""
    min((rig.folder / "workers").iterdir()).unlink()

    seen = rig.serve("cluster", rollout_deadline=deadline).reader.workload(CHECKOUT)

    assert (seen.ready, seen.rollout, seen.rollout_reason) == (1, rollout, reason)


def test_rollout_counts_old_workers_when_they_have_not_left(rig):
    """A worker of an older generation is ready, and not updated."""
    (rig.folder / "workers" / f"0-{os.getpid()}").touch()

    seen = rig.workload()

    assert (seen.ready, seen.updated, seen.rollout) == (3, 2, "progressing")
    assert seen.rollout_reason == "2 of 2 workers run generation 1, 1 of an older one are left"


def test_history_is_bounded_and_numbers_are_never_reused_when_much_is_released(idle):
    """Twenty revisions are kept, two hundred events, and a number means one release for ever."""
    idle.create()
    for number in range(2, 230):
        live = load_deployment(idle.folder)
        release = next_release(live, f"r{number}", {}, now=idle.clock.now())
        store = released(live, release, f"release r{number}", by="ci")
        (idle.folder / "deployment.json").write_bytes(msgspec.json.encode(store))

    live = load_deployment(idle.folder)

    assert [release.number for release in live.revisions] == list(range(229, 209, -1))
    assert len(live.events) == 200
    assert live.generation == 229


def test_readers_cannot_write_by_type(rig):
    """A reader has no method that writes, a writer none that looks."""
    assert [name for name in dir(rig.reader) if not name.startswith("_")] == ["glance", "workload"]
    assert [name for name in dir(rig.writer) if not name.startswith("_")] == ["restart", "rollback", "scale"]


class TestClusterContract(ClusterContract):
    """A gunicorn master keeps the contract that every cluster keeps."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        """A running deployment at its second revision."""
        rig = Rig(tmp_path / "deployments")
        rig.create()
        process.release(rig.folder, "r2", {}, by="ci", now=rig.clock.now())
        rig.start()
        yield rig
        rig.kill()


def test_the_last_of_several_releases_counts_when_they_come_within_a_second(rig, monkeypatch):
    """Configurations of one second and one size are told apart: the master keeps no bytecode of them."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    process.stop_master(rig.folder)
    process.start_master(rig.folder)

    try:
        for name in ("q1", "q2", "q3"):
            process.release(rig.folder, name, {}, by="ci", now=datetime.now(UTC))
        settled = rig.settled()
    finally:
        process.stop_master(rig.folder)

    assert settled.revision == 4
    assert not list(rig.folder.rglob("gunicorn.conf*.pyc"))
