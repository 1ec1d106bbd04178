"""The one writer: every change of the store goes through its task, in the order of arrival."""

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from services.memory.batch import Batch, Receipt
from services.memory.committer import Committer, Prepared
from services.memory.library import Library
from services.memory.records import Draft
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
        self._committer = Committer(library)
        self._queue: asyncio.Queue[_Pending | _Exclusive | None] = asyncio.Queue(_QUEUE_LIMIT)
        self._task: asyncio.Task[None] | None = None
        # The commit that syncs while the next group is prepared; it never fails.
        self._commit: asyncio.Task[None] | None = None
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

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Holds all changes for the time of the context; those accepted before are made before."""
        ours, over = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            ours.set()
            await over.wait()

        holding = asyncio.ensure_future(self.alone(hold))
        begun = asyncio.ensure_future(ours.wait())
        try:
            await asyncio.wait({holding, begun}, return_when=asyncio.FIRST_COMPLETED)
            if holding.done():
                holding.result()
            yield
        finally:
            begun.cancel()
            over.set()
            await asyncio.wait({holding})

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
                await self._committed()
                self._committer.barrier()
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
        """Prepares a group beside the commit before it, and begins its own."""
        waiting = [item.done for item in group]
        try:
            prepared = await self._committer.prepare([item.batch for item in group])
        except Exception as error:
            _fail(waiting, error)
            return
        await self._committed()
        self._commit = asyncio.create_task(self._finish(waiting, prepared))

    async def _finish(self, waiting: Sequence[asyncio.Future[Receipt]], group: Prepared) -> None:
        await _settle(waiting, lambda: self._committer.commit(group))
        self.commits += 1

    async def _committed(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            await commit


async def _single(change: Callable[[], Awaitable[T]]) -> list[T]:
    return [await change()]


async def _settle(
    futures: Sequence[asyncio.Future[T]], work: Callable[[], Awaitable[Sequence[T]]]
) -> None:
    """Gives each future its result, or all of them the error; abandoned ones are passed over."""
    try:
        results = await work()
    except Exception as error:
        _fail(futures, error)
        return
    for future, result in zip(futures, results, strict=True):
        if not future.done():
            future.set_result(result)


def _fail(futures: Sequence[asyncio.Future[T]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
