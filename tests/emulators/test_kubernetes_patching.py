"""Properties of the patches in the Kubernetes emulator."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from tests.emulators.kubernetes.errors import REJECTED, ApiError
from tests.emulators.kubernetes.patching import json_patch, merge
from tests.emulators.kubernetes.strategic import strategic_merge

NAMES = st.sampled_from("abcd")
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("xy", max_size=2),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(NAMES, child, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, TREES, max_size=4)
POINTERS = st.lists(st.sampled_from(["a", "b", "c", "0", "1", "-"]), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "test", "copy", "move"]), "path": POINTERS},
        optional={"value": TREES, "from": POINTERS},
    ),
    max_size=4,
)
ENV = st.lists(NAMES, unique=True, max_size=4).map(lambda names: [{"name": name, "value": "1"} for name in names])


@given(OBJECTS, OPERATIONS)
def test_json_patch_leaves_its_input_alone_and_fails_only_with_the_servers_words(
    target: dict, operations: list
) -> None:
    """Whatever the operations, the stored object is not touched and no other error escapes."""
    before = copy.deepcopy(target)

    refusal = None
    try:
        json_patch(target, operations)
    except ApiError as error:
        refusal = error

    assert target == before
    assert refusal is None or (refusal.code, refusal.message) == (422, REJECTED)


@given(OBJECTS, OBJECTS)
def test_merge_patch_does_nothing_the_second_time(target: dict, patch: dict) -> None:
    """An absolute value sent twice is safe."""
    once = merge(target, patch)

    assert merge(once, patch) == once


@given(ENV, ENV)
def test_strategic_merge_keeps_the_order_of_what_it_knows(live: list, wish: list) -> None:
    """Every name is there once, and names that the patch does not mention keep their order."""
    result = strategic_merge({"env": live}, {"env": wish})["env"]

    names = [each["name"] for each in result]
    wanted = {each["name"] for each in wish}
    assert len(names) == len(set(names))
    assert set(names) == {each["name"] for each in live} | wanted
    untouched = [each["name"] for each in live if each["name"] not in wanted]
    assert [name for name in names if name not in wanted] == untouched


@given(ENV, ENV)
def test_strategic_merge_does_nothing_the_second_time(live: list, wish: list) -> None:
    """New items come first only once."""
    once = strategic_merge({"env": live}, {"env": wish})

    assert strategic_merge(once, {"env": wish}) == once
