"""Step Functions: moto runs the machines in threads; here their time becomes the simulated clock's.

Wait states, Retry intervals, time-outs of tasks, of task tokens and of whole executions park in the timers instead of
sleeping.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.asl.component.common.retry import jitter_strategy_decl, retrier_decl
from moto.stepfunctions.parser.asl.component.program import program
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import inline_iteration_component, job
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branch_worker, branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackEndpoint
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.parser.utils import TMP_THREADS

from tests.emulators.aws.crew import Crew, event_class, thread_class, threading_with
from tests.emulators.aws.patches import Patches
from tests.emulators.aws.place import ACCOUNT, REGION
from tests.emulators.aws.timers import Timer, Timers

RUNNING = "RUNNING"
TIMEOUT = 60.0  # real seconds that the threads get to end when the bed is closed
POLL = 0.1


@dataclass(frozen=True)
class Execution:
    """One execution as a test looks at it. The states are those that were entered, in order."""

    arn: str
    name: str
    machine: str
    status: str
    input: Any
    output: Any
    error: str | None
    cause: str | None
    states: tuple[str, ...]


class Machines:
    """All executions, and the seams by which they sleep."""

    def __init__(self, timers: Timers, client: Callable[[str], Any]) -> None:
        self._timers = timers
        self._client = client
        self._crew = Crew(timers)

    def executions(self, status: str | None = None) -> tuple[Execution, ...]:
        """Return the executions, oldest first."""
        found = [(machine, each) for machine in self._machines() for each in list(machine.executions)]
        found.sort(key=lambda pair: pair[1].start_date)
        views = (view(machine.name, execution) for machine, execution in found)
        return tuple(each for each in views if status in (None, each.status))

    def busy(self) -> list[str]:
        """Return the executions that run and do not sleep."""
        running = (each.exec_arn for machine in self._machines() for each in list(machine.executions) if _runs(each))
        return [arn for arn in running if not self._crew.idle(arn)]

    def hang(self, seconds: float) -> None:
        """Let the execution of this thread wait for a function that does not answer."""
        if self._crew.owner:
            self._timers.sleep("hang", self._crew.owner, seconds)

    def stop(self) -> None:
        """End whatever runs, wake whoever sleeps, and wait for all threads."""
        for machine in self._machines():
            for execution in list(machine.executions):
                if _runs(execution) and execution.exec_worker.env is not None:
                    execution.exec_worker.env.set_stop(stop_date=execution.start_date, cause=None, error="closed")
        self._timers.close()
        deadline = time.monotonic() + TIMEOUT
        while (alive := [thread for thread in TMP_THREADS if thread.is_alive()]) and time.monotonic() < deadline:
            alive[0].join(POLL)
        TMP_THREADS.clear()

    def install(self, patches: Patches) -> None:
        """Replace what sleeps."""
        self._install_threads(patches)
        self._install_starts(patches)
        self._install_waits(patches)
        self._install_tokens(patches)
        patches.replace(lambda_eval_utils, "boto_client_for", lambda service, **more: self._client(service))

    def _install_threads(self, patches: Patches) -> None:
        """Count the threads of executions, wherever moto starts one or waits for one."""
        crew = self._crew
        thread, event = thread_class(crew), event_class(crew)

        def execute(worker: ExecutionWorker) -> None:
            owner = owner_of(worker)
            crew.work_for(owner)
            crew.count(owner, threads=1)
            run(worker)
            crew.count(owner, threads=-1)

        run = patches.replace(ExecutionWorker, "_execution_logic", execute)
        patches.replace(program, "threading", threading_with(Thread=thread))
        patches.replace(execute_state, "Thread", thread)
        patches.replace(execute_state, "threading", threading_with(Event=event))
        patches.replace(branch_worker, "threading", threading_with(Thread=thread))
        patches.replace(branches_decl, "threading", threading_with(Event=event))
        patches.replace(inline_iteration_component, "threading", threading_with(Thread=thread))
        patches.replace(job, "threading", threading_with(Event=event))

    def _install_starts(self, patches: Patches) -> None:
        """Name executions that nobody named, wake those that are stopped, and find tokens of those that run."""
        timers = self._timers

        def start(backend: StepFunctionsParserBackend, machine: str, name: str | None = None, *more: Any) -> Any:
            return begin(backend, machine, name or str(uuid.uuid4()), *more)

        def stop(worker: ExecutionWorker, *arguments: Any, **more: Any) -> None:
            end(worker, *arguments, **more)
            timers.wake(lambda timer: timer.owner == owner_of(worker))

        def known(backend: StepFunctionsParserBackend, status: Any = None) -> list[Any]:
            begun = (each for each in executions(backend, status) if each.exec_worker is not None)
            return [each for each in begun if each.exec_worker.env is not None]

        begin = patches.replace(StepFunctionsParserBackend, "start_execution", start)
        end = patches.replace(ExecutionWorker, "stop", stop)
        executions = patches.replace(StepFunctionsParserBackend, "_get_executions", known)

    def _install_waits(self, patches: Patches) -> None:
        """Let Wait states and Retry intervals sleep in simulated time."""
        crew, timers = self._crew, self._timers

        def wait(function: WaitFunction, env: Any, wait_seconds: float) -> None:
            if wait_seconds > 0 and env.is_running():
                timers.sleep("wait", crew.owner, wait_seconds)

        def pause(seconds: float) -> None:
            if seconds > 0:
                timers.sleep("retry", crew.owner, seconds)

        patches.replace(WaitFunction, "_wait_interval", wait)
        patches.replace(retrier_decl, "time", SimpleNamespace(sleep=pause))
        # Full jitter is anything up to the interval; a test wants to know which: the longest.
        patches.replace(jitter_strategy_decl, "random", SimpleNamespace(uniform=lambda shortest, longest: longest))

    def _install_tokens(self, patches: Patches) -> None:
        crew, timers = self._crew, self._timers

        def await_token(task: Any, timeout_seconds: float, callback_endpoint: CallbackEndpoint) -> Any:
            token, answered = callback_endpoint.callback_id, callback_endpoint._notify_event
            with guard:
                if callback_endpoint.get_outcome() is None:  # else it was answered before we came to wait
                    tokens[token] = timers.start("token", crew.owner, timeout_seconds, answered.set)
            answered.wait()
            with guard:
                over.add(token)
            return callback_endpoint.get_outcome()

        def notify(endpoint: CallbackEndpoint, outcome: Any) -> None:
            with guard:
                if endpoint.callback_id in over or endpoint.get_outcome() is not None:
                    raise AWSError("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut", 400)
                if timer := tokens.get(endpoint.callback_id):
                    timers.stop(timer)
                answer(endpoint, outcome)

        tokens: dict[str, Timer] = {}
        over: set[str] = set()
        guard = threading.Lock()
        patches.replace(StateTaskServiceCallback, "_wait_for_task_token_timeout", await_token)
        answer = patches.replace(CallbackEndpoint, "notify", notify)

    @staticmethod
    def _machines() -> list[StateMachine]:
        return list(stepfunctions_parser_backends[ACCOUNT][REGION].state_machines)


def owner_of(worker: ExecutionWorker) -> str:
    """Return the ARN of a worker's execution."""
    return str(worker._evaluation_details.execution_details.arn)


def view(machine: str, execution: Any) -> Execution:
    """Return what a test may know of an execution."""
    history = execution.to_history_output()["events"]
    entered = (each["stateEnteredEventDetails"]["name"] for each in history if "stateEnteredEventDetails" in each)
    return Execution(
        arn=execution.exec_arn,
        name=execution.name,
        machine=machine,
        status=execution.status,
        input=execution.input_data,
        output=json.loads(json.dumps(execution.output)),
        error=execution.error,
        cause=execution.cause,
        states=tuple(entered),
    )


def _runs(execution: Any) -> bool:
    return execution.exec_status is not None and execution.status == RUNNING
