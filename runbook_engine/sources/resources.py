"""Read from hostile labels what an alert is about and where people may look: valid values only, others dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from runbook_engine.model.alert import Links, Resource

MAX_URL = 2048
MAX_PLACE = 2048  # as long as an ARN may be
KEPT = 512  # answers that are kept, of each question
DNS_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
CLUSTER = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,98}[A-Za-z0-9])?")
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+){1,3}-[0-9]{1,2}")
ARN = re.compile(r"arn:aws[-a-z]*:[-a-z0-9]+:[-a-z0-9]*:[0-9]{0,12}:[!-~]{1,1024}")
LINK = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[!-\"$-.0->@-~][!-~]*")  # not "/", "?" or "#" first; no space

# Workloads before pods: a pod label often names the exporter that saw the fault, not the pod that has it.
_SUBJECTS = (
    ("deployment", "deployment"),
    ("statefulset", "statefulset"),
    ("daemonset", "daemonset"),
    ("job_name", "job"),
    ("pod", "pod"),
    ("node", "node"),
)
_PLACES = (
    ("cluster", "cluster", CLUSTER),
    ("namespace", "namespace", DNS_LABEL),
    ("container", "container", DNS_LABEL),
    ("account", "account_id", ACCOUNT),
    ("account", "account", ACCOUNT),
    ("region", "region", REGION),
    ("arn", "arn", ARN),
)
_NOTHING = Resource()


def read_resource(labels: Mapping[str, str]) -> Resource:
    """Return what the labels name, each value checked against the grammar of its type."""
    found: dict[str, str] = {}
    for field, label, grammar in _PLACES:
        value = labels.get(label)
        if value is not None and len(value) <= MAX_PLACE and _holds(grammar, value):
            found[field] = value
    for label, kind in _SUBJECTS:
        if label in labels and DNS_SUBDOMAIN.fullmatch(labels[label]):
            return Resource(kind=kind, name=labels[label], **found)
    return Resource(**found) if found else _NOTHING


@lru_cache(maxsize=KEPT)
def _holds(grammar: re.Pattern[str], value: str) -> bool:
    """Whether a place is written as its type is; a storm names few places, over and over."""
    return grammar.fullmatch(value) is not None


def read_links(candidates: Mapping[str, str], warnings: list[str]) -> Links:
    """Return the links that are plain http or https addresses; others are dropped with a warning."""
    kept = {name: url for name, url in candidates.items() if is_link(url)}
    if len(kept) < len(candidates):
        warnings.append("link_dropped")
    return Links(**kept)


def is_link(url: str) -> bool:
    """Whether the text is a plain http or https address, on one line and without space."""
    return len(url) <= MAX_URL and _is_plain(url)


@lru_cache(maxsize=KEPT)
def _is_plain(url: str) -> bool:
    """Whether an address is plain; a rule sends the same ones over and over, and none of any length is kept."""
    return LINK.fullmatch(url) is not None
