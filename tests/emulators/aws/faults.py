"""Faults on demand: processes that die, answers that are lost, calls that are refused; each a given number of times."""

import threading
from dataclasses import dataclass
from typing import Literal, TypeVar

from tests.emulators.aws.refusals import throttle_of

Death = Literal["kill", "lose_answer", "hang"]
Kind = Literal["kill", "refuse", "lose"]
AnyFault = TypeVar("AnyFault", "FunctionFault", "CallFault")


class Killed(BaseException):
    """The process of a function dies here. No handler catches it, as none survives its process."""


class FunctionFailed(Exception):
    """The function answered with an error, whose payload is handed on as it is."""

    def __init__(self, payload: dict[str, object]) -> None:
        super().__init__(f"{payload.get('errorType')}: {payload.get('errorMessage')}")
        self.payload = payload


@dataclass
class FunctionFault:
    """How an invocation of a function ends badly."""

    kind: Death
    function: str
    skip: int
    left: int = 1


@dataclass
class CallFault:
    """What becomes of a call of AWS. With `after` it has its effect first."""

    kind: Kind
    service: str
    operation: str
    skip: int = 0
    left: int = 1
    after: bool = False
    code: str = ""
    status: int = 0
    message: str = ""


class Faults:
    """The scripted faults, used up in the order they were added."""

    def __init__(self) -> None:
        self._functions: list[FunctionFault] = []
        self._calls: list[CallFault] = []
        self._lock = threading.Lock()

    def kill(self, function: str, nth: int = 1) -> None:
        """The process dies before the handler runs."""
        self._functions.append(FunctionFault("kill", function, nth - 1))

    def lose_answer(self, function: str, nth: int = 1) -> None:
        """The handler runs, and the process dies before it answers."""
        self._functions.append(FunctionFault("lose_answer", function, nth - 1))

    def hang(self, function: str, nth: int = 1) -> None:
        """The handler runs, but the function ends by its own timeout."""
        self._functions.append(FunctionFault("hang", function, nth - 1))

    def kill_at(self, service: str, operation: str, nth: int = 1, after: bool = False) -> None:
        """The process of a function dies at its nth call of this kind: before it, or after its effect."""
        self._calls.append(CallFault("kill", service, operation, nth - 1, after=after))

    def throttle(self, service: str, operation: str, times: int = 1) -> None:
        """The service refuses a call too many, in its own words."""
        code, status = throttle_of(service)
        self.fail(service, operation, code, status, times, "Rate exceeded")

    def fail(
        self, service: str, operation: str, code: str, status: int = 500, times: int = 1, message: str = ""
    ) -> None:
        """The service answers with an error, and nothing happened."""
        fault = CallFault("refuse", service, operation, left=times, code=code, status=status, message=message or code)
        self._calls.append(fault)

    def lose(self, service: str, operation: str, times: int = 1, after: bool = True) -> None:
        """The connection is lost; with `after`, the effect happened all the same."""
        self._calls.append(CallFault("lose", service, operation, left=times, after=after))

    def clear(self) -> None:
        """Let everything work again."""
        self._functions.clear()
        self._calls.clear()

    def take_function(self, function: str) -> Death | None:
        """Return how this invocation ends badly, if it does."""
        with self._lock:
            fault = _take([fault for fault in self._functions if fault.function == function])
        return None if fault is None else fault.kind

    def take_call(self, service: str, operation: str, in_function: bool) -> CallFault | None:
        """Return what becomes of this call. Only a function can be killed by one."""
        with self._lock:
            meant = [
                fault
                for fault in self._calls
                if (fault.service, fault.operation) in ((service, operation), (service, "*"))
            ]
            return _take([fault for fault in meant if in_function or fault.kind != "kill"])


def _take(faults: list[AnyFault]) -> AnyFault | None:
    """Return the first fault whose turn it is, used up once; the others are one nearer to theirs."""
    ready = next((fault for fault in faults if fault.left and not fault.skip), None)
    for fault in faults:
        fault.skip = max(0, fault.skip - 1)
    if ready is not None:
        ready.left -= 1
    return ready
