"""The table: one, paid by request, with three sparse indexes that hold keys only. `docs/dynamodb.md` lists its items.

The indexes are read late by a moment, so nothing is decided by them: what they name is read again from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HASH, RANGE = "pk", "sk"
NEWEST, TIMES, ACTIVE = "gsi1", "gsi2", "gsi3"  # lists, newest first; what comes due; what is not finished
TTL = "ttl"


def _keys(hash_name: str, range_name: str) -> list[dict[str, str]]:
    return [{"AttributeName": hash_name, "KeyType": "HASH"}, {"AttributeName": range_name, "KeyType": "RANGE"}]


def _index(name: str) -> dict[str, Any]:
    keys = _keys(f"{name}pk", f"{name}sk")
    return {"IndexName": name, "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}


# The arguments of create_table, less the name.
TABLE: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": _keys(HASH, RANGE),
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"}
        for name in (HASH, RANGE, *(f"{index}{part}" for index in (NEWEST, TIMES, ACTIVE) for part in (HASH, RANGE)))
    ],
    "GlobalSecondaryIndexes": [_index(name) for name in (NEWEST, TIMES, ACTIVE)],
}

# The arguments of update_time_to_live, less the name. Nothing relies on it: it only keeps the table small.
TIME_TO_LIVE: Mapping[str, Any] = {"TimeToLiveSpecification": {"AttributeName": TTL, "Enabled": True}}
