"""What went wrong with the table, as this library's errors: a sentence with its remedy, never the SDK's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from runbook_adapters.aws.problems import DENIALS, THROTTLES, code_of, library_errors, reason_of, remedy_of
from runbook_engine.errors import Overloaded, RunbookError, Unreadable

CONDITION = "ConditionalCheckFailed"
CANCELLED = "TransactionCanceledException"
MISSING = "ResourceNotFoundException"
SERVER_FAULTS = frozenset(("InternalServerError", "InternalServerErrorException", "ServiceUnavailable"))
CONFLICTS = frozenset(("TransactionConflict", "TransactionConflictException"))  # with what somebody else is writing
# Somebody else's transaction, or too much at once: surely not done, and right to do again in a moment.
PASSING = (
    THROTTLES
    | CONFLICTS
    | {
        "TransactionInProgressException",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
)


class Moved(Exception):  # no error: what was read is no longer so
    """A condition of a write did not hold."""


def reasons_of(error: Exception) -> frozenset[str]:
    """Return why a transaction was cancelled, or the code of any other error."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict) or code_of(error) != CANCELLED:
        return frozenset((code_of(error),))
    codes = {str(reason.get("Code", "None")) for reason in response.get("CancellationReasons", ())}
    return frozenset(codes - {"None"}) or frozenset((CANCELLED,))


def explain(error: Exception, table: str) -> RunbookError:
    """Return what an error of DynamoDB means for the caller: come again later, or a person must look."""
    codes, said = reasons_of(error), f"{code_of(error)}: {reason_of(error)}" if code_of(error) else reason_of(error)
    if codes <= PASSING:
        return Overloaded(f"table {table} takes no more at the moment: {said}")
    if MISSING in codes:
        return Unreadable(f"table {table} does not exist here (create it with terraform, or correct table: or region:)")
    if denials := sorted(codes & DENIALS):
        return Unreadable(f"table {table} may not be used: {said} {remedy_of(denials[0])}")
    return Unreadable(f"table {table} failed: {said}")


@contextmanager
def explained(table: str) -> Iterator[None]:
    """Turn what the library raises while something is read, or what cannot be read, into this library's errors."""
    try:
        yield
    except library_errors() as error:
        raise explain(error, table) from error
    except msgspec.MsgspecError as error:
        raise Unreadable(
            f"table {table} holds a record that this release cannot read: {error} (upgrade runbook-engine)"
        ) from error
