"""GuestbookService on the wire: messages in, domain, messages out."""

from typing import Any

import grpc
from batos.guestbook.v1 import guestbook_pb2 as pb
from batos.guestbook.v1 import guestbook_pb2_grpc

from services.guestbook.guestbook import Guest, Guestbook, check_name
from shared import pages
from shared.ledger import Ledger, record

Context = grpc.aio.ServicerContext[Any, Any]


class GuestbookServicer(guestbook_pb2_grpc.GuestbookServiceServicer):
    """See guestbook.proto."""

    def __init__(self, book: Guestbook, ledger: Ledger) -> None:
        self._book = book
        self._ledger = ledger

    async def Sign(self, request: pb.SignRequest, context: Context) -> pb.SignResponse:
        """Keeps a guest's name, once per request id."""
        async with self._ledger.alone(request):
            first = await self._ledger.replay(request, pb.SignResponse)
            if first is not None:
                return first
            guest = await self._book.sign(
                check_name(request.name), lambda c, guest: record(c, request, _answer(guest))
            )
            return _answer(guest)

    async def ListGuests(
        self, request: pb.ListGuestsRequest, context: Context
    ) -> pb.ListGuestsResponse:
        """Guests by number; the token is the number of the last one."""
        size, after = pages.size_of(request.page_size), pages.number_of(request.page_token)
        found = [_message(guest) for guest in await self._book.after(after, size + 1)]
        guests, more = pages.fitting(found, size)
        token = str(guests[-1].number) if more else ""
        return pb.ListGuestsResponse(guests=guests, next_page_token=token)


def _answer(guest: Guest) -> pb.SignResponse:
    return pb.SignResponse(guest=_message(guest))


def _message(guest: Guest) -> pb.Guest:
    return pb.Guest(number=guest.number, name=guest.name)
