"""One channel to each service, opened when it is first needed, and anew when its identity is."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from batos.client.errors import FailedPrecondition
from batos.client.identity import Stamp, credentials_of, stamp_of
from batos.client.settings import Service, Settings

MESSAGE_LIMIT_BYTES = 8 * 1024 * 1024
_GLANCE_SECONDS = 1.0
# The most that gRPC allows. Their pauses double, so the four are 15 times the first.
_ATTEMPTS = 5
_PAUSES = 15

Channel = TypeVar("Channel")
Options = Sequence[tuple[str, Any]]
Opener = Callable[[str, grpc.ChannelCredentials | None, Options], Channel]


def options_for(patience: float) -> Options:
    """gRPC's options; a lost call is sent again for about `patience` seconds.

    That is safe: what changes something carries a request_id, which services answer but once.
    """
    config = {"methodConfig": [{"name": [{}], "retryPolicy": _retry(patience)}]}
    return (
        ("grpc.enable_retries", int(patience > 0)),
        *((("grpc.service_config", json.dumps(config)),) if patience > 0 else ()),
        # A call that is larger than this is not sent again; the default is 256 KiB.
        ("grpc.per_rpc_retry_buffer_size", MESSAGE_LIMIT_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
        # A service that is started again is back within seconds; the defaults wait for minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # Connections are to end with their channel, and with its certificate.
        ("grpc.use_local_subchannel_pool", 1),
    )


def _retry(patience: float) -> dict[str, Any]:
    return {
        "maxAttempts": _ATTEMPTS,
        "initialBackoff": f"{max(patience / _PAUSES, 0.001):.3f}s",
        "maxBackoff": f"{max(patience, 0.001):.3f}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }


@dataclass
class _Open(Generic[Channel]):
    channel: Channel
    stamp: Stamp | None
    glanced: float


class Channels(Generic[Channel]):
    """Channels by service. Those of an identity that was renewed stay open until the end.

    Calls may be under way on them, and an idle connection costs nothing. Safe among threads.
    """

    def __init__(self, settings: Settings, opener: Opener[Channel]) -> None:
        self._settings = settings
        self._opener = opener
        self._options = options_for(settings.patience)
        self._newest: dict[Service, _Open[Channel]] = {}
        self._all: list[Channel] = []
        self._lock = threading.Lock()
        self._closed = False

    def to(self, service: Service) -> Channel:
        """The channel for a call that begins now.

        FailedPrecondition where there is no identity, or the client was closed (CLIENT_CLOSED).
        """
        with self._lock:
            if self._closed:
                raise FailedPrecondition("the client was closed", reason="CLIENT_CLOSED")
            held = self._newest.get(service)
            if held is None or self._is_renewed(held):
                held = self._newest[service] = self._opened(service)
                self._all.append(held.channel)
            return held.channel

    def taken(self) -> list[Channel]:
        """All channels, for the caller to close; there will be no more."""
        with self._lock:
            self._closed = True
            channels, self._all, self._newest = self._all, [], {}
            return channels

    def _opened(self, service: Service) -> _Open[Channel]:
        address, directory = self._settings.address_of(service), self._settings.tls_dir
        stamp = stamp_of(directory) if directory else None
        credentials = credentials_of(directory) if directory else None
        return _Open(
            self._opener(address, credentials, self._options), stamp, glanced=time.monotonic()
        )

    def _is_renewed(self, held: _Open[Channel]) -> bool:
        directory, now = self._settings.tls_dir, time.monotonic()
        if directory is None or now < held.glanced + _GLANCE_SECONDS:
            return False
        held.glanced = now
        try:
            credentials_of(directory)
            return stamp_of(directory) != held.stamp
        except FailedPrecondition:  # a renewal is half done, or the folder is away: as before
            return False
