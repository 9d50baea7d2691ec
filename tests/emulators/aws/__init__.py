"""An AWS account in this process, for tests: moto with what it lacks.

    with Aws() as aws:
        aws.function("alert-ingest", handler)                   # a callable; its context is the runtime's
        aws.route("POST /hooks/{scope}", "alert-ingest")
        reply = aws.http("POST", "/hooks/team", body={"a": 1})  # API Gateway: HttpReply(status, headers, body)
        pipeline = aws.deploy(definition, {"ingest": ..., "drive": ...})
        aws.wait_idle()                                         # deliveries, executions, Wait states; not people
        aws.advance(timedelta(minutes=10))                      # exactly so much time; task tokens time out too
        aws.faults.kill_at("dynamodb", "TransactWriteItems", nth=2, after=True)
        aws.bus.duplicate(); aws.bus.shuffle(seed=1); aws.bus.fail_entries("ThrottlingException", which=(1,))
        url = aws.serve()                                       # the same account over HTTP, for processes

One at a time in a process. Time stands still (`aws.clock`) unless the test moves it by `wait_idle` or `advance`, which
also do the deliveries, in the test's thread: EventBridge, SNS to Lambda, log subscriptions, Invoke(Event), schedules.

What it does not model: permissions, quotas and throttling by themselves, reply streaming, function timeouts of
handlers that really run long, heartbeats of tasks (real time), SQS visibility (real time, 10 minutes), dates that
moto stamps itself (startDate of executions, LastModifiedDate and the like, times in logs: real time), traffic weights
of aliases (an invocation by alias runs the function's one handler).
"""

from tests.emulators.aws import events
from tests.emulators.aws.bus import Delivery
from tests.emulators.aws.faults import Faults, FunctionFailed, Killed
from tests.emulators.aws.front_door import HttpReply
from tests.emulators.aws.functions import Context, Function, Handler, Invocation
from tests.emulators.aws.machines import Execution
from tests.emulators.aws.pipeline import Pipeline
from tests.emulators.aws.place import ACCOUNT, REGION
from tests.emulators.aws.queues import Message, Queue
from tests.emulators.aws.testbed import Aws

__all__ = [
    "ACCOUNT",
    "REGION",
    "Aws",
    "Context",
    "Delivery",
    "Execution",
    "Faults",
    "Function",
    "FunctionFailed",
    "Handler",
    "HttpReply",
    "Invocation",
    "Killed",
    "Message",
    "Pipeline",
    "Queue",
    "events",
]
