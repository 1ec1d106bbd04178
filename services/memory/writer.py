"""The one writer: every change of the store goes through its task, in the order of arrival."""

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from services.memory.batch import Batch, Receipt, Row, distinct, placed, receipts, rows_of
from services.memory.library import Library
from services.memory.records import Draft, Record
from services.memory.store import SomaHead, Store
from shared.errors import Unavailable

T = TypeVar("T")

_QUEUE_LIMIT = 64
_GROUP_ROWS = 4000


@dataclass(slots=True)
class _Pending:
    batch: Batch
    done: asyncio.Future[Receipt]


@dataclass(slots=True)
class _Exclusive:
    change: Callable[[], Awaitable[Any]]
    done: asyncio.Future[Any]


class Writer:
    """Commits batches in groups: whatever waits while one commit syncs shares the next one.

    Equal content is kept once, whether it comes twice in a batch, in two batches, or again after
    a crash.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._queue: asyncio.Queue[_Pending | _Exclusive | None] = asyncio.Queue(_QUEUE_LIMIT)
        self._task: asyncio.Task[None] | None = None
        self.commits = 0

    def start(self) -> None:
        """Begins to work."""
        self._task = asyncio.create_task(self._work(), name="memory-writer")

    async def close(self) -> None:
        """Finishes what was accepted, then ends."""
        task, self._task = self._task, None
        if task is not None:
            await self._queue.put(None)
            await task

    async def append(self, request_id: str, drafts: Sequence[Draft]) -> asyncio.Future[Receipt]:
        """Accepts a checked batch, waiting while the queue is full.

        The future is done once the batch is durable; batches keep the order of acceptance.
        """
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        await self._accept(_Pending(Batch(request_id, drafts), done))
        return done

    async def alone(self, change: Callable[[], Awaitable[T]]) -> T:
        """Runs a change of the store in its turn, with no other beside it."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._accept(_Exclusive(change, done))
        return await done

    async def _accept(self, item: _Pending | _Exclusive) -> None:
        if self._task is None:
            raise Unavailable("memory is shutting down", reason="SHUTTING_DOWN", retry_after=1.0)
        await self._queue.put(item)

    async def _work(self) -> None:
        while True:
            waiting = self._waiting(await self._queue.get())
            for kind, run in itertools.groupby(waiting, type):
                if kind is _Pending:
                    await self._append([item for item in run if isinstance(item, _Pending)])
                    continue
                for item in run:
                    if not isinstance(item, _Exclusive):
                        return
                    await _settle([item.done], functools.partial(_single, item.change))
                    self.commits += 1

    def _waiting(self, first: _Pending | _Exclusive | None) -> list[_Pending | _Exclusive | None]:
        items, rows = [first], 0
        while rows < _GROUP_ROWS and not self._queue.empty():
            rows += len(last.batch.drafts) if isinstance(last := items[-1], _Pending) else 0
            items.append(self._queue.get_nowait())
        return items

    async def _append(self, group: list[_Pending]) -> None:
        batches = [item.batch for item in group]
        await _settle([item.done for item in group], lambda: self._commit(batches))
        self.commits += 1

    async def _commit(self, batches: Sequence[Batch]) -> Sequence[Receipt]:
        shelf = self._library.shelf
        rows = await asyncio.to_thread(rows_of, batches)  # hashes every text
        kept = await shelf.store.kept([row.id for row in rows], [row.content_hash for row in rows])
        records = await _placed(shelf.store, distinct(rows, kept))
        vectors = await shelf.embedder.embed([record.text for record in records])
        # Also with nothing to append: what was kept already may not be synced yet.
        await shelf.store.append(records, vectors)
        return receipts(batches, rows)


async def _placed(store: Store, rows: Sequence[Row]) -> list[Record]:
    heads: dict[tuple[str, str], SomaHead] = {}
    for namespace in {row.draft.namespace for row in rows}:
        somas = sorted({row.draft.soma for row in rows if row.draft.namespace == namespace})
        found = await store.heads(namespace, somas)
        heads |= {(namespace, soma): head for soma, head in found.items()}
    return placed(rows, heads)


async def _single(change: Callable[[], Awaitable[T]]) -> list[T]:
    return [await change()]


async def _settle(
    futures: Sequence[asyncio.Future[T]], work: Callable[[], Awaitable[Sequence[T]]]
) -> None:
    """Gives each future its result, or all of them the error; abandoned ones are passed over."""
    try:
        results = await work()
    except Exception as error:
        for future in futures:
            if not future.done():
                future.set_exception(error)
        return
    for future, result in zip(futures, results, strict=True):
        if not future.done():
            future.set_result(result)
