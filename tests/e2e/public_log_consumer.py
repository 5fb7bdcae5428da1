"""Consumes some queues until each one's end marker has come, then prints what it got.

    public_log_consumer.py ADDRESS QUEUE...

Prints one JSON object: {queue: [[routing key, SHA-256 of the body], ...]}, in order of delivery.
A second marker of a shared queue goes back, for the next consumer.
"""
import hashlib
import json
import pathlib
import queue
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import stubs  # noqa: E402,F401
import grpc  # noqa: E402
from kelpmq.v1 import messaging_pb2 as pb  # noqa: E402
from kelpmq.v1 import messaging_pb2_grpc  # noqa: E402

MARKER = "end-of-log"  # The `type` property of the last message of a queue.


def consume(stub, names: list[str]) -> dict[str, list]:
    requests: queue.SimpleQueue = queue.SimpleQueue()
    received: dict[str, list] = {name: [] for name in names}
    for number, name in enumerate(names):
        requests.put(pb.ConsumeRequest(
            start=pb.ConsumerSpec(queue=name, consumer_id=number, prefetch_count=20)))
    ended: set[int] = set()
    open_consumers = len(names)
    for response in stub.Consume(iter(requests.get, None)):
        done, surplus = [], []
        for delivery in response.deliveries.deliveries:
            number = delivery.consumer_id
            if delivery.message.type != MARKER:
                digest = hashlib.sha256(delivery.message.body).hexdigest()
                received[names[number]].append([delivery.routing_key, digest])
                done.append(delivery.delivery_tag)
            elif number in ended:
                surplus.append(delivery.delivery_tag)
            else:
                ended.add(number)
                done.append(delivery.delivery_tag)
                requests.put(pb.ConsumeRequest(cancel=pb.CancelConsumer(consumer_id=number)))
        for action, tags in ((pb.SETTLE_ACTION_ACK, done), (pb.SETTLE_ACTION_REQUEUE, surplus)):
            if tags:
                requests.put(pb.ConsumeRequest(
                    settle=pb.Settle(action=action, delivery_tags=tags)))
        if response.WhichOneof("event") == "cancelled":
            open_consumers -= 1
            if open_consumers == 0:
                requests.put(None)  # Half-close: what is settled so far counts.
    return received


def main() -> None:
    address, *names = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        received = consume(messaging_pb2_grpc.MessagingServiceStub(channel), names)
    print(json.dumps(received))


if __name__ == "__main__":
    main()
