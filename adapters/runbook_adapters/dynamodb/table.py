"""The table as it is read: strongly, and whole. What an index names is read late, and so only says where to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from runbook_adapters.dynamodb.items import PIECES, Item, decode, in_batches, piece_keys, whole
from runbook_adapters.dynamodb.keys import Key
from runbook_adapters.dynamodb.problems import explained
from runbook_adapters.dynamodb.schema import HASH, RANGE
from runbook_engine.errors import Overloaded, Unreadable

MOST_READ = 100  # keys of one BatchGetItem
TRIES = 8  # of a read that came back in part


class Table:
    """One table. `pause` waits a little, longer after every attempt; `token` is another one every time."""

    def __init__(
        self,
        name: Callable[[], str],
        *,
        looking: Callable[[], Any],
        touching: Callable[[], Any],
        token: Callable[[], str],
        pause: Callable[[int], None],
    ) -> None:
        self._name = name
        self._looking = looking
        self.touching = touching
        self.token = token
        self.pause = pause

    @property
    def name(self) -> str:
        """What the table is called."""
        return self._name()

    def read(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return those items that there are, with their whole bodies."""
        found: dict[Key, Item] = {}
        with explained(self.name):
            for batch in in_batches(keys, MOST_READ):
                found |= self._completed(self._batch(batch))
        return found

    def columns(self, keys: Iterable[Key], names: Sequence[str]) -> dict[Key, Item]:
        """Return those items that there are, with these columns only: bodies are much longer."""
        found: dict[Key, Item] = {}
        with explained(self.name):
            for batch in in_batches(keys, MOST_READ):
                found |= self._batch(batch, names)
        return found

    def query(
        self, pk: str, low: str, high: str, *, page: int | None = None, backwards: bool = False
    ) -> Iterator[Item]:
        """Return the items of a partition whose sort keys lie between these two, in order."""
        for found in self._pages(pk, low, high, page=page, ConsistentRead=True, ScanIndexForward=not backwards):
            with explained(self.name):
                items = {key_of(item): item for item in map(decode, found["Items"])}
                completed = self._completed(items)
            yield from (completed[key] for key in items if key in completed)

    def keys_in(self, index: str, pk: str, low: str, high: str, *, page: int | None = None) -> Iterator[Item]:
        """Return the keys that an index holds in a partition between these two, in order; a moment old."""
        for found in self._pages(pk, low, high, index=index, page=page):
            yield from map(decode, found["Items"])

    def count_in(self, index: str, pk: str, low: str, high: str) -> int:
        """Return how many items an index holds in a partition between these two; a moment old."""
        return sum(int(found["Count"]) for found in self._pages(pk, low, high, index=index, Select="COUNT"))

    def _batch(self, keys: Sequence[Key], names: Sequence[str] = ()) -> dict[Key, Item]:
        wanted = [{HASH: {"S": key.pk}, RANGE: {"S": key.sk}} for key in keys]
        how = {"ConsistentRead": True, **(_only((HASH, RANGE, *names)) if names else {})}
        found: dict[Key, Item] = {}
        for attempt in range(TRIES):
            answer = self._looking().batch_get_item(RequestItems={self.name: {"Keys": wanted, **how}})
            found |= {key_of(item): item for item in map(decode, answer["Responses"].get(self.name, ()))}
            wanted = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if not wanted:
                return found
            self.pause(attempt)
        raise Overloaded(f"table {self.name} takes no more at the moment: {len(wanted)} items were not read")

    def _completed(self, items: dict[Key, Item]) -> dict[Key, Item]:
        """Return the items with their whole bodies. Whoever replaces one meanwhile removes its pieces: look again."""
        divided = [key for key, item in items.items() if PIECES in item]
        for key in divided:
            completed = self._with_pieces(key, items[key])
            if completed is None:
                del items[key]
            else:
                items[key] = completed
        return items

    def _with_pieces(self, key: Key, item: Item) -> Item | None:
        for attempt in range(TRIES):
            wanted = piece_keys(key, item)
            found: dict[Key, Item] = {}
            for batch in in_batches(wanted, MOST_READ):
                found |= self._batch(batch)
            if len(found) == len(wanted):
                return whole(item, (found[piece] for piece in wanted)) if wanted else item
            self.pause(attempt)
            again = self._batch([key]).get(key)
            if again is None:
                return None
            item = again
        raise Unreadable(f"table {self.name} holds {key.pk} in part only (restore the table to a moment before)")

    def _pages(
        self, pk: str, low: str, high: str, *, index: str = "", page: int | None = None, **more: Any
    ) -> Iterator[dict[str, Any]]:
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#pk": f"{index}{HASH}", "#sk": f"{index}{RANGE}"},
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":low": {"S": low}, ":high": {"S": high}},
            **more,
        }
        if index:
            arguments["IndexName"] = index
        if page is not None:
            arguments["Limit"] = page
        while True:
            with explained(self.name):
                answer = self._looking().query(**arguments)
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _only(names: Sequence[str]) -> dict[str, Any]:
    """Return what asks for some columns only; many of their names are reserved words."""
    marked = {f"#c{index}": name for index, name in enumerate(names)}
    return {"ProjectionExpression": ", ".join(marked), "ExpressionAttributeNames": marked}


def key_of(item: Item) -> Key:
    """Return the primary key of an item that was read."""
    return Key(str(item[HASH]), str(item[RANGE]))
