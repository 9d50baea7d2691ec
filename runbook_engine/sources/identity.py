"""What makes two notifications be about the same alert.

SHA-256 and not the sender's 64-bit fingerprint, because who can choose a label value can forge a collision and so
hide one alert behind another; the scope, so that two senders never meet; length prefixes, because joined text is
ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from runbook_engine.model.digest import hash_parts

_ENCODE = msgspec.json.Encoder(order="deterministic").encode  # names in order
FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
UINT64 = 0xFFFFFFFFFFFFFFFF


def label_key(scope: str, source: str, labels: Mapping[str, str], dropped: Iterable[str], fingerprint: str) -> str:
    """Return the alert key of a sender that identifies by labels.

    The sender's fingerprint may cover labels that it does not show, so it counts, unless it also covers a label
    that must not count (a replica's name).
    """
    counted = labels
    for name in dropped:
        if name in labels:
            fingerprint = ""
            counted = {kept: value for kept, value in counted.items() if kept != name}
    return hash_parts(scope, source, _ENCODE(counted).decode(), fingerprint)


def id_key(scope: str, source: str, identity: Iterable[str]) -> str:
    """Return the alert key of a sender that has an id of its own for what it alerts on."""
    return hash_parts(scope, source, "id", *identity)


def label_fingerprint(labels: Mapping[str, str]) -> str:
    """Return Prometheus' own fingerprint of a label set: FNV-1a over sorted names and values, 16 hex digits."""
    digest = FNV_OFFSET
    for name, value in sorted(labels.items()):
        for byte in b"%b\xff%b\xff" % (name.encode(), value.encode()):
            digest = ((digest ^ byte) * FNV_PRIME) & UINT64
    return f"{digest:016x}"
