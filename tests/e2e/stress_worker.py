"""One process of the stress test: some producers, or some consumers.

    stress_worker.py produce|consume ADDRESS FIRST LAST QUEUES SECONDS

FIRST to LAST are the numbers of the producers or consumers. A producer publishes for SECONDS.
A consumer goes on until standard input closes; from the line "calm" on it disturbs no more, and
settles everything.
Prints one JSON object with what happened.
"""
import asyncio
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import stubs  # noqa: E402,F401
import grpc  # noqa: E402
from kelpmq.v1 import messaging_pb2 as pb  # noqa: E402
from kelpmq.v1 import messaging_pb2_grpc  # noqa: E402

SEED = 7
MAX_UNCONFIRMED = 20      # Requests of one producer.
PAUSE_SECONDS = 0.15      # Between requests, so that 64 of them do not swamp two cores.
QUEUES_PER_CONSUMER = 6


def channel_to(address: str):
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


class Producer:
    """Publishes numbered messages; `confirmed` and `unknown` hold [routing key, body]."""

    def __init__(self, address: str, number: int, queues: int):
        self._address, self._number, self._queues = address, number, queues
        self._rng = random.Random(f"{SEED} producer {number}")
        self._next = 0
        self.confirmed: list = []
        self.unknown: list = []

    def _batch(self) -> list:
        batch = []
        for _ in range(self._rng.randrange(1, 10)):
            # Some keys fan out: see test_stress.py.
            group = self._rng.random() < 0.05
            key = f"group.{self._rng.randrange(10)}" if group else (
                f"q.{self._rng.randrange(self._queues)}")
            batch.append([key, f"{self._number}:{self._next}"])
            self._next += 1
        return batch

    async def run(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            async with channel_to(self._address) as channel:
                stub = messaging_pb2_grpc.MessagingServiceStub(channel)
                await self._stream(stub, deadline)

    async def _stream(self, stub, deadline: float) -> None:
        """One PublishStream; some are broken off with requests unconfirmed."""
        call = stub.PublishStream()
        waiting: dict[int, list] = {}
        room = asyncio.Condition()

        async def read() -> None:
            try:
                async for response in call:
                    assert not response.failures, response
                    async with room:
                        for confirmed in response.confirmed:
                            for sequence in range(confirmed.first, confirmed.last + 1):
                                self.confirmed += waiting.pop(sequence)
                        room.notify_all()
            except asyncio.CancelledError:
                pass

        reader = asyncio.create_task(read())
        break_off_after = self._rng.choice([15, 30, 10**9])
        sequence = 0
        while time.monotonic() < deadline:
            async with room:
                await room.wait_for(lambda: len(waiting) < MAX_UNCONFIRMED)
            sequence += 1
            waiting[sequence] = self._batch()
            await call.write(pb.PublishStreamRequest(exchange="stress", items=[
                pb.PublishItem(routing_key=key, message={"body": body.encode()})
                for key, body in waiting[sequence]]))
            if sequence == break_off_after:
                break  # At once, so that its confirm is not there yet.
            await asyncio.sleep(self._rng.random() * 2 * PAUSE_SECONDS)
        if sequence < break_off_after:
            await call.done_writing()
            await reader
        else:
            call.cancel()
            await reader
        for batch in waiting.values():
            self.unknown += batch


class Consumer:
    """Consumes some queues over one stream after another and settles by hand.

    `deliveries` holds [queue number, body, redelivered]; `acked` [queue number, body] of those
    acks that the broker reported done.
    """

    def __init__(self, address: str, number: int, queues: int, calm: asyncio.Event):
        self._address, self._queues, self._calm = address, queues, calm
        self._rng = random.Random(f"{SEED} consumer {number}")
        # Together the consumers cover all queues, however they choose the rest.
        self._own = [(number * 4 + i) % queues for i in range(4)]
        self.deliveries: list = []
        self.acked: list = []
        self.streams = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with channel_to(self._address) as channel:
                stub = messaging_pb2_grpc.MessagingServiceStub(channel)
                for _ in range(self._rng.randrange(1, 4)):
                    if not stop.is_set():
                        await self._stream(stub, stop)

    async def _stream(self, stub, stop: asyncio.Event) -> None:
        self.streams += 1
        call = stub.Consume()
        chosen = set(self._own)
        while len(chosen) < QUEUES_PER_CONSUMER:
            chosen.add(self._rng.randrange(self._queues))
        for queue in sorted(chosen):
            await call.write(pb.ConsumeRequest(start=pb.ConsumerSpec(
                queue=f"stress-{queue}", consumer_id=queue,
                prefetch_count=self._rng.choice([1, 5, 20]))))
        reading = asyncio.create_task(self._read(call, chosen))
        # A disturbed stream has to end for what it holds unsettled.
        stopping = asyncio.create_task((stop if self._calm.is_set() else self._calm).wait())
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not reading.done():
            await call.done_writing()
        await reading

    async def _read(self, call, running: set) -> None:
        tags: dict[int, list] = {}       # Tag -> [queue number, body].
        requests: dict[int, list] = {}   # Request id of an ack -> its tags.
        left = self._rng.randrange(20, 300)
        while (response := await call.read()) is not grpc.aio.EOF:
            event = response.WhichOneof("event")
            if event == "settled" and response.settled.request_id in requests:
                settled = requests.pop(response.settled.request_id)
                assert not response.settled.failures, response
                assert response.settled.settled_count == len(settled), response
                self.acked += [tags[tag] for tag in settled]
            if event != "deliveries":
                continue
            ack, requeue = [], []
            for delivery in response.deliveries.deliveries:
                what = [delivery.consumer_id, delivery.message.body.decode()]
                tags[delivery.delivery_tag] = what
                self.deliveries.append([*what, delivery.redelivered])
                choice = 1.0 if self._calm.is_set() else self._rng.random()
                if choice > 0.08:
                    ack.append(delivery.delivery_tag)
                elif choice > 0.02:
                    requeue.append(delivery.delivery_tag)
                # The rest stays unsettled until the stream ends.
            left -= len(response.deliveries.deliveries)
            if ack:
                requests[ack[0]] = ack
                await self._settle(call, pb.SETTLE_ACTION_ACK, ack, request_id=ack[0])
            if requeue:
                await self._settle(call, pb.SETTLE_ACTION_REQUEUE, requeue)
            if left <= 0 and not self._calm.is_set() and await self._disturb(call, running):
                return

    @staticmethod
    async def _settle(call, action, tags, **fields) -> None:
        try:
            await call.write(pb.ConsumeRequest(
                settle=pb.Settle(action=action, delivery_tags=tags, **fields)))
        except asyncio.InvalidStateError:
            pass  # Half-closed meanwhile.

    async def _disturb(self, call, running: set) -> bool:
        """True if the stream is over for this side."""
        what = self._rng.random()
        if what < 0.4 and running:
            consumer_id = self._rng.choice(sorted(running))
            running.remove(consumer_id)
            try:
                await call.write(pb.ConsumeRequest(
                    cancel=pb.CancelConsumer(consumer_id=consumer_id)))
            except asyncio.InvalidStateError:
                pass
            return False
        if what < 0.6:
            await call.done_writing()  # The rest is read to its end.
            return False
        call.cancel()
        return True


async def listen_to_stdin(calm: asyncio.Event, stop: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip() == b"calm":
            calm.set()
    stop.set()
    calm.set()


async def main() -> None:
    role, address, *numbers = sys.argv[1:]
    first, last, queues, seconds = map(int, numbers)
    if role == "produce":
        workers = [Producer(address, n, queues) for n in range(first, last + 1)]
        await asyncio.gather(*(w.run(seconds) for w in workers))
        result = {"confirmed": sum((w.confirmed for w in workers), []),
                  "unknown": sum((w.unknown for w in workers), [])}
    else:
        calm, stop = asyncio.Event(), asyncio.Event()
        workers = [Consumer(address, n, queues, calm) for n in range(first, last + 1)]
        await asyncio.gather(listen_to_stdin(calm, stop), *(w.run(stop) for w in workers))
        result = {"deliveries": sum((w.deliveries for w in workers), []),
                  "acked": sum((w.acked for w in workers), []),
                  "streams": sum(w.streams for w in workers)}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
