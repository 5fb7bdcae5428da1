"""Publishing: one PublishStream a connection, with as many messages in a frame as have come by."""
from __future__ import annotations

import collections
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Iterator, Optional

import grpc

from kelpmq.v1 import messaging_pb2 as pb

from . import errors
from .forking import gate

if TYPE_CHECKING:
    from .channel import Channel
    from .link import Link

# A frame holds what waits, up to this; larger ones gain nothing. A message that is larger goes
# alone: beside others it could exceed what the broker takes at once.
FRAME_ITEMS = 1000
FRAME_BYTES = 1 << 20
# How long a frame waits for more while another is under way.
GATHER_SECONDS = 0.001
# Unconfirmed messages before a publisher waits: enough for the broker never to wait for us.
WINDOW_ITEMS = 8000
WINDOW_BYTES = 32 << 20


class Publication:
    """One published message, until the broker has confirmed it."""

    __slots__ = ("channel", "done", "encoded", "failure", "number", "tag", "watched")

    def __init__(self, channel: Channel, encoded: bytes, tag: int, watched: bool):
        self.channel = channel
        self.encoded = encoded
        self.tag = tag  # Its number on the channel, for those who selected confirms themselves.
        self.watched = watched  # Somebody waits for it, and takes care of its failure.
        self.number = 0
        self.failure: Any = None  # A PublishFailure.
        self.done = False

    @property
    def item(self) -> Any:
        """The `PublishItem` that was sent."""
        return pb.PublishStreamRequest.FromString(self.encoded).items[0]


class Publisher:
    """Sends messages in order and keeps each until it is confirmed.

    Thread-safe. Two threads of its own, one that writes and one that reads; both end with the
    stream.
    """

    def __init__(self, link: Link):
        self._link = link
        self._waiting: queue.SimpleQueue[Optional[Publication]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._confirmed = threading.Condition(self._lock)
        self._hurry = threading.Condition(self._lock)
        self._waiters = 0
        self._last = 0
        self._bytes = 0
        # Frames by their sequence, oldest first, as they were sent.
        self._frames: dict[int, list[Publication]] = {}
        self._oldest: collections.deque[int] = collections.deque()
        self._sent = 0  # The last number in a frame.
        self._watermark = 0  # All up to here are confirmed.
        self._call: Any = None
        self._blocked = False
        self._ended = False

    def publish(self, publication: Publication, timeout: Optional[float] = None) -> None:
        """Queues a message. Blocks while too many are unconfirmed.

        Raises RecoverableConnectionError if that takes longer than `timeout` seconds, or if the
        connection is lost.
        """
        size = len(publication.encoded)
        with self._lock:
            if self._ended:
                raise self._link.loss()
            if (self._last - self._watermark >= WINDOW_ITEMS
                    or (self._bytes + size > WINDOW_BYTES and self._bytes)):
                self._wait_for_room(size, timeout)
            self._last += 1
            self._bytes += size
            publication.number = publication.channel.last_published = self._last
            self._waiting.put(publication)
            if self._call is None:
                self._open()

    def _wait_for_room(self, size: int, timeout: Optional[float]) -> None:
        def room() -> bool:
            return (self._last - self._watermark < WINDOW_ITEMS
                    and (self._bytes + size <= WINDOW_BYTES or not self._bytes))

        if not self._wait(room, timeout):
            raise errors.lost("basic_publish: timed out")

    def _wait(self, ready: Any, timeout: Optional[float]) -> bool:
        """With the lock held. Raises when the connection is lost."""
        self._waiters += 1
        self._hurry.notify()
        try:
            deadline = None if timeout is None else time.monotonic() + timeout
            while not ready():
                if self._ended:
                    raise self._link.loss()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._confirmed.wait(left)
            return True
        finally:
            self._waiters -= 1

    def confirmed(self, number: int) -> bool:
        """Whether the message with this number and all before it are confirmed."""
        return number <= self._watermark

    def wait(self, number: int, timeout: Optional[float] = None) -> bool:
        """Waits until all messages up to `number` are confirmed or have failed.

        False: not in time. Raises when the connection is lost.
        """
        if number <= self._watermark:
            return True
        with self._lock:
            return self._wait(lambda: number <= self._watermark, timeout)

    def result(self, publication: Publication, timeout: Optional[float]) -> None:
        """Waits until this message is confirmed or has failed; raises socket.timeout."""
        with self._lock:
            if not self._wait(lambda: publication.done, timeout):
                raise socket.timeout("the broker did not confirm the message in time")

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits for all messages so far."""
        return self.wait(self._last, timeout)

    # The thread that writes: gRPC's own, which asks for one request after the other.

    def _open(self) -> None:
        self._call = self._link.open_publish_stream(self._requests())
        self._link.start_thread(self._read, "publish")

    def _requests(self) -> Iterator[bytes]:
        first = pb.PublishStreamRequest(
            vhost=self._link.vhost, confirms=pb.CONFIRM_MODE_ALL).SerializeToString()
        sequence = 0
        following: Optional[Publication] = None
        while True:
            publication = following or self._waiting.get()
            following = None
            if publication is None:
                return
            self._gather()
            frame = [publication]
            size = len(publication.encoded)
            try:
                while len(frame) < FRAME_ITEMS and size < FRAME_BYTES:
                    publication = self._waiting.get_nowait()
                    if publication is None:
                        self._waiting.put(None)
                        break
                    size += len(publication.encoded)
                    if size > FRAME_BYTES:
                        following = publication
                        break
                    frame.append(publication)
            except queue.Empty:
                pass
            sequence += 1
            with self._lock:
                self._frames[sequence] = frame
                self._oldest.append(sequence)
                self._sent = frame[-1].number
            encoded = [publication.encoded for publication in frame]
            if sequence == 1:
                encoded.insert(0, first)
            with gate:
                yield b"".join(encoded)

    def _gather(self) -> None:
        """Lets more come while a frame is under way, unless somebody waits.

        A frame costs as much as writing ten messages, and the threads of a program share one
        interpreter; one that sends a message now and then is not held up.
        """
        with self._lock:
            if self._frames and not self._waiters and not self._ended:
                self._hurry.wait(GATHER_SECONDS)

    # The thread that reads.

    def _read(self) -> None:
        error: Optional[grpc.RpcError] = None
        try:
            for response in self._call:
                for failure in response.failures:
                    self._failed(failure)
                if response.confirmed:
                    self._confirm(response.confirmed)
                if response.HasField("flow"):
                    self._link.flow_changed(response.flow)
        except grpc.RpcError as exc:
            error = exc
        except Exception as exc:  # A bug of ours must not leave publishers waiting forever.
            self._link.lost(exc)
            raise
        finally:
            self.end()
            self._link.stream_ended(error)

    def _failed(self, failure: Any) -> None:
        publication = self._frames[failure.sequence][failure.index]
        publication.failure = failure
        if not publication.watched:
            publication.channel.publish_failed(publication)

    def _confirm(self, ranges: Any) -> None:
        told: list[Publication] = []
        with self._lock:
            for confirmed in ranges:
                for sequence in range(confirmed.first, confirmed.last + 1):
                    for publication in self._frames.pop(sequence):
                        publication.done = True
                        self._bytes -= len(publication.encoded)
                        if publication.channel.tells_confirms:
                            told.append(publication)
            while self._oldest and self._oldest[0] not in self._frames:
                self._oldest.popleft()
            oldest = self._frames[self._oldest[0]] if self._oldest else None
            self._watermark = oldest[0].number - 1 if oldest else self._sent
            if self._waiters:
                self._confirmed.notify_all()
        for publication in told:
            publication.channel.publish_confirmed(publication)

    def end(self) -> None:
        """Nothing more is sent; those who wait are told that the connection is lost."""
        with self._lock:
            self._ended = True
            self._confirmed.notify_all()
            self._hurry.notify()
        self._waiting.put(None)
