"""Carries calls over blocking channels."""

import itertools
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, cast

import grpc
from batos.client.calls import (
    TURNS,
    Answer,
    Batches,
    Call,
    End,
    Event,
    Item,
    Pages,
    Watch,
    Work,
    copied,
)
from batos.client.channels import Channels, Options
from batos.client.deadline import Deadline
from batos.client.errors import BatosError, Unavailable
from batos.client.methods import Method
from batos.client.refusals import is_lost, only, refusal
from batos.client.settings import Settings
from batos.client.streams import Stream


class Transport:
    """Calls with a deadline of `seconds`, None for each method's own."""

    def __init__(
        self, settings: Settings, channels: Channels[grpc.Channel], seconds: float | None
    ) -> None:
        self._settings = settings
        self.channels = channels
        self._seconds = seconds

    def within(self, seconds: float) -> "Transport":
        """The same channels with another deadline."""
        return Transport(self._settings, self.channels, seconds)

    def call(self, call: Call[Answer]) -> Answer:
        """One request, one response."""
        deadline = Deadline(call.method, self._seconds)
        try:
            opened = self.channels.to(call.method.service).unary_unary(
                call.method.path, call.method.serialize, call.method.parse
            )
            return call.read(opened(call.request, timeout=deadline.left()))
        except grpc.RpcError as error:
            raise self._refusal(error, call.method) from error

    def pages(self, pages: Pages[Item]) -> Iterator[Item]:
        """All items; each page has the whole deadline."""
        request = copied(pages.request)
        while True:
            response = self.call(Call(pages.method, request, lambda answer: answer))
            yield from pages.read(response)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def batches(self, batches: Batches[Item]) -> list[Item]:
        """The items of all responses; what a lost stream left unanswered is sent once more."""
        deadline = Deadline(batches.method, self._seconds)
        answered: list[Any] = []
        try:
            self._send(batches, answered, deadline)
        except Unavailable as error:
            if not is_lost(error) or not answered:
                raise
            self._send(batches, answered, deadline)
        return list(itertools.chain.from_iterable(map(batches.read, answered)))

    def work(self, work: Work[Event, End]) -> Stream[Event, End]:
        """Events until the one that holds the end."""
        ends: list[End] = []
        deadline = Deadline(work.method, self._seconds)
        return Stream(self._worked(work, deadline, ends), lambda: only(ends, work.method))

    def finish(self, work: Work[Event, End]) -> End:
        """The end alone; asked for anew where the connection breaks. The request_id is the same."""
        deadline = Deadline(work.method, self._seconds)
        ends: list[End] = []
        for left in reversed(range(TURNS)):
            try:
                for _ in self._worked(work, deadline, ends):
                    pass
                break
            except Unavailable as error:
                if not left or not is_lost(error):
                    raise
        return only(ends, work.method)

    def watch(self, watch: Watch[Event, End]) -> Stream[Event, End]:
        """Events, none left out or twice, over breaks of the connection."""

        def ended() -> End:
            if watch.end is None:  # it has no end, so its End is None
                return cast(End, None)
            return self.call(watch.end)

        return Stream(self._watched(watch), ended)

    def close(self) -> None:
        """Ends all channels, and the calls on them."""
        for channel in self.channels.taken():
            channel.close()

    def _worked(
        self, work: Work[Event, End], deadline: Deadline, ends: list[End]
    ) -> Generator[Event, None, None]:
        with closing(self._responses(work.method, work.request, deadline)) as responses:
            for event in responses:
                if (end := work.end(event)) is not None:
                    ends.append(end)
                yield event

    def _watched(self, watch: Watch[Any, Any]) -> Generator[Any, None, None]:
        deadline = Deadline(watch.method, self._seconds)
        request = copied(watch.request)
        while True:
            before = request.after_sequence
            try:
                with closing(self._responses(watch.method, request, deadline)) as responses:
                    for response in responses:
                        event = watch.read(response)
                        request.after_sequence = event.sequence
                        yield event
                return
            except Unavailable as error:
                if not is_lost(error) or request.after_sequence == before:
                    raise

    def _send(self, batches: Batches[Item], answered: list[Any], deadline: Deadline) -> None:
        open_ = self.channels.to(batches.method.service).stream_stream(
            batches.method.path, batches.method.serialize, batches.method.parse
        )
        try:
            requests = iter(batches.requests[len(answered) :])
            for response in open_(requests, timeout=deadline.left()):
                answered.append(response)  # what came before a break counts
        except grpc.RpcError as error:
            raise self._refusal(error, batches.method) from error

    def _responses(
        self, method: Method, request: Any, deadline: Deadline
    ) -> Generator[Any, None, None]:
        opened = self.channels.to(method.service).unary_stream(
            method.path, method.serialize, method.parse
        )
        call = opened(request, timeout=deadline.left())
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._refusal(error, method) from error
        finally:
            call.cancel()

    def _refusal(self, error: grpc.RpcError, method: Method) -> BatosError:
        return refusal(error, method, self._settings.address_of(method.service))


def opened(
    address: str, credentials: grpc.ChannelCredentials | None, options: Options
) -> grpc.Channel:
    """A blocking channel; plaintext without credentials."""
    if credentials is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, credentials, options)
