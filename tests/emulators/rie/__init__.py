"""The real Lambda Runtime Interface Emulator with awslambdaric, on an unpacked zip: real processes, real deaths.

    with Runtime(folder, "app.handler", scratch=tmp_path, environment={"AWS_ENDPOINT_URL": aws.serve()}) as runtime:
        reply = runtime.invoke({"a": 1})                        # Reply(status, payload, error)
        aws.function("alert-ingest", runtime.handler)           # rules, machines and routes of the test bed use it

A process that dies answers Runtime.ExitError, one that uses up its time Sandbox.Timedout; the next call gets a new one.
The emulator takes one invocation at a time, so callers wait for each other. Memory is told, not enforced; asynchronous
invocations, versions and concurrency are the test bed's.
"""

from tests.emulators.rie.runtime import Reply, Runtime

__all__ = ["Reply", "Runtime"]
