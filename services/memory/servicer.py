"""MemoryService on the wire: requests to the Scrapbook, answers kept for their request ids."""

import asyncio
import bisect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from batos.memory.v1 import memory_pb2 as pb
from batos.memory.v1 import memory_pb2_grpc
from google.protobuf.message import Message

from services.memory import answers, requests
from services.memory.reembedding import Reembedder
from services.memory.scrapbook import Scrapbook
from shared import pages
from shared.ledger import Ledger
from shared.naming import parse_request_id
from shared.sqlite import Database

A = TypeVar("A", bound=Message)
Context = grpc.aio.ServicerContext[Any, Any]
Acknowledgement = asyncio.Future[pb.CreateEpisodesResponse]

# Batches of one stream that may be under way at once; they share commits.
_PIPELINE = 8


class MemoryServicer(memory_pb2_grpc.MemoryServiceServicer):
    """See memory.proto."""

    def __init__(self, scrapbook: Scrapbook, reembedder: Reembedder, database: Database) -> None:
        self._scrapbook = scrapbook
        self._reembedder = reembedder
        self._ledger = Ledger(database)
        self._batches: set[asyncio.Task[pb.CreateEpisodesResponse]] = set()

    async def CreateSummary(
        self, request: pb.CreateSummaryRequest, context: Context
    ) -> pb.CreateSummaryResponse:
        """Stores one summary."""

        async def answer() -> pb.CreateSummaryResponse:
            draft = requests.summary_draft(request)
            record = await self._scrapbook.create_summary(request.request_id, draft)
            return pb.CreateSummaryResponse(summary=answers.record_message(record))

        return await self._once(request, pb.CreateSummaryResponse, answer)

    async def CreateEpisodes(
        self, request_iterator: AsyncIterator[pb.CreateEpisodesRequest], context: Context
    ) -> AsyncIterator[pb.CreateEpisodesResponse]:
        """Stores batches; reads on while earlier ones are being synced."""
        waiting: asyncio.Queue[Acknowledgement | None] = asyncio.Queue(_PIPELINE)
        reader = asyncio.create_task(self._read(request_iterator, waiting))
        try:
            while (answer := await waiting.get()) is not None:
                yield await asyncio.shield(answer)
        finally:
            reader.cancel()

    async def Search(self, request: pb.SearchRequest, context: Context) -> pb.SearchResponse:
        """Finds records."""
        return answers.search_response(await self._scrapbook.search(requests.query(request)))

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        """Finds one record."""
        record = await self._scrapbook.get(request.namespace, request.id)
        return pb.GetResponse(record=answers.record_message(record))

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:
        """Lists records."""
        size = pages.size_of(request.page_size)
        after = requests.position(request.page_token)
        records = await self._scrapbook.page(requests.listed(request), after, size + 1)
        return answers.list_response(records, size)

    async def Update(self, request: pb.UpdateRequest, context: Context) -> pb.UpdateResponse:
        """Changes one record."""

        async def answer() -> pb.UpdateResponse:
            change = requests.change(request)
            request_id = parse_request_id(request.request_id)
            record = await self._scrapbook.update(request_id, request.namespace, change)
            return pb.UpdateResponse(record=answers.record_message(record))

        return await self._once(request, pb.UpdateResponse, answer)

    async def Consolidate(
        self, request: pb.ConsolidateRequest, context: Context
    ) -> pb.ConsolidateResponse:
        """Sums one Soma up."""

        async def answer() -> pb.ConsolidateResponse:
            record, done = await self._scrapbook.consolidate(
                parse_request_id(request.request_id), request.namespace, request.soma, request.text
            )
            return pb.ConsolidateResponse(
                summary=answers.record_message(record),
                merged_count=done.merged,
                replaced_count=done.replaced,
            )

        return await self._once(request, pb.ConsolidateResponse, answer)

    async def Forget(self, request: pb.ForgetRequest, context: Context) -> pb.ForgetResponse:
        """Removes records."""

        async def answer() -> pb.ForgetResponse:
            request_id = parse_request_id(request.request_id)
            forgotten = await self._scrapbook.forget(request_id, requests.selection(request))
            return pb.ForgetResponse(
                forgotten_count=forgotten.count,
                purged=forgotten.purged,
                images=[f"images/{image}" for image in forgotten.images],
            )

        return await self._once(request, pb.ForgetResponse, answer)

    async def Optimize(self, request: pb.OptimizeRequest, context: Context) -> pb.OptimizeResponse:
        """Does the upkeep that is due."""
        return pb.OptimizeResponse(table=answers.table_message(await self._scrapbook.optimize()))

    async def Reembed(
        self, request: pb.ReembedRequest, context: Context
    ) -> AsyncIterator[pb.ReembedResponse]:
        """Moves to another embedder."""
        async for progress in self._reembedder.run(request.embedder):
            yield answers.progress_message(progress)

    async def GetStats(self, request: pb.GetStatsRequest, context: Context) -> pb.GetStatsResponse:
        """Counts what is kept; the token is the last namespace."""
        size = pages.size_of(request.page_size)
        response = answers.stats_response(await self._scrapbook.stats(request.namespace))
        names = [count.namespace for count in response.namespaces]
        begin = bisect.bisect_right(names, request.page_token)
        shown, more = pages.fitting(response.namespaces[begin : begin + size + 1], size)
        token = shown[-1].namespace if more else ""
        del response.namespaces[begin + len(shown) :]
        del response.namespaces[:begin]
        response.next_page_token = token
        return response

    async def _read(
        self,
        requests: AsyncIterator[pb.CreateEpisodesRequest],
        waiting: asyncio.Queue[Acknowledgement | None],
    ) -> None:
        """Submits one batch after another, so that they are stored in their order."""
        try:
            async for request in requests:
                submitted = asyncio.Event()
                await waiting.put(self._started(request, submitted))
                await submitted.wait()
        except Exception as error:  # the stream's own fault ends it, after what came before
            broken: Acknowledgement = asyncio.get_running_loop().create_future()
            broken.set_exception(error)
            await waiting.put(broken)
        await waiting.put(None)

    def _started(
        self, request: pb.CreateEpisodesRequest, submitted: asyncio.Event
    ) -> Acknowledgement:
        """A task of its own: a cut stream stops no batch, and its answer is kept for the retry."""
        batch = asyncio.create_task(self._acknowledged(request, submitted))
        self._batches.add(batch)
        batch.add_done_callback(self._batches.discard)
        batch.add_done_callback(lambda _: submitted.set())
        return batch

    async def _acknowledged(
        self, request: pb.CreateEpisodesRequest, submitted: asyncio.Event
    ) -> pb.CreateEpisodesResponse:
        async def answer() -> pb.CreateEpisodesResponse:
            receipt = await self._scrapbook.submit(
                request.request_id, request.namespace, requests.episode_drafts(request)
            )
            submitted.set()
            kept = await receipt
            return pb.CreateEpisodesResponse(
                request_id=request.request_id, ids=kept.ids, duplicate_count=kept.duplicate_count
            )

        return await self._once(request, pb.CreateEpisodesResponse, answer)

    async def _once(self, request: Message, kind: type[A], answer: Callable[[], Awaitable[A]]) -> A:
        """The first answer to a request, which is made where there is none yet."""

        async def do() -> A:
            made = await answer()
            # The rows are durable by now. Should the process die before this, a retry finds them
            # by their ids and hashes and gets the same ids.
            await self._ledger.keep(request, made)
            return made

        return await self._ledger.once(request, kind, do)
