"""Quantities such as 250m and 1Gi, as numbers."""

_SUFFIXES = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(text: object) -> float:
    """Read a quantity."""
    shown = str(text)
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if shown.endswith(suffix):
            return float(shown.removesuffix(suffix)) * _SUFFIXES[suffix]
    return float(shown)


def share(value: int | str, total: int, *, up: bool) -> int:
    """Resolve an integer or a percentage of a total."""
    if isinstance(value, int):
        return value
    hundredths = int(value.removesuffix("%")) * total
    return -(-hundredths // 100) if up else hundredths // 100


def requests(pod_spec: dict[str, object], resource: str) -> float:
    """Return the sum of what the containers of a pod ask for."""
    containers: list[dict[str, dict[str, dict[str, str]]]] = pod_spec.get("containers") or []  # type: ignore[assignment]
    return sum(quantity((each.get("resources", {}).get("requests") or {}).get(resource, 0)) for each in containers)
