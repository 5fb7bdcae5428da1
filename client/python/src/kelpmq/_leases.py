"""Deliveries that were taken with get(): each reply is a lease, settled by unary calls."""
from __future__ import annotations

from typing import Callable

from kelpmq import _calls
from kelpmq._consuming import ACK, DISCARD
from kelpmq.v1 import messaging_pb2


class Lease:
    """What the deliveries of one get() are settled with. Thread-safety: any thread."""

    def __init__(self, call: Callable[..., object], lease_id: str) -> None:
        self._call = call
        self._lease_id = lease_id

    def settle(self, action: int, tag: int) -> None:
        """Returns when it has taken effect. FailedPrecondition LEASE_EXPIRED, DELIVERY_LOST: it
        had gone back to its queue, or away with it. NotFound: that is a while ago."""
        if action == ACK:
            self._call(_calls.ACK, lambda: messaging_pb2.AckRequest(
                lease_id=self._lease_id, delivery_tags=[tag]))
        else:
            self._call(_calls.NACK, lambda: messaging_pb2.NackRequest(
                lease_id=self._lease_id, delivery_tags=[tag], discard=action == DISCARD))
