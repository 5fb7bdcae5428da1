"""Publishes to a topic exchange and consumes a queue.

The broker is the one at $KELPMQ_ADDRESS if that is set, else one of its own.

    pip install kelpmq
    python quickstart.py
"""
import contextlib
import os

import kelpmq

with contextlib.ExitStack() as stack:
    address = os.environ.get("KELPMQ_ADDRESS") or stack.enter_context(
        kelpmq.PrivateBroker()).address
    client = stack.enter_context(kelpmq.Client(address))

    client.declare_exchange("shop", "topic")
    client.declare_queue("billing", auto_delete=True)
    client.bind_queue("billing", "shop", "order.*")

    with client.publisher("shop") as publisher:  # its end waits until all are confirmed
        for number in range(3):
            publisher.publish(f"order {number}", "order.paid", headers={"number": number})

    with client.consume("billing") as consumer:
        for delivery in consumer:
            print(f"{delivery.text()}, {delivery.routing_key}, {delivery.headers}")
            delivery.ack()
            if delivery.headers["number"] == 2:
                break

    try:
        client.publish(b"nobody wants this", "invoice.sent", exchange="shop", mandatory=True)
    except kelpmq.NoRoute as error:
        print(f"returned: {error.reason} ({error.amqp_code})")
