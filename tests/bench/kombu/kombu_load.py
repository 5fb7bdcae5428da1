"""kombu_load.py URL NUMBER: publishes and consumes with Kombu; prints rates as JSON."""
import json
import sys
import time

import kombu

import kelpmq_kombu  # noqa: F401

BODY = {"text": "x" * 88}  # 100 bytes as JSON.
PREFETCH = 250
CONFIRMED_SHARE = 10


def publish(url, queue, number, **options):
    """Messages a second, until the broker has read all of them."""
    with kombu.Connection(url, transport_options=options) as connection:
        producer = kombu.Producer(connection.channel())
        start = time.perf_counter()
        for _ in range(number):
            producer.publish(BODY, routing_key=queue.name, delivery_mode=1)
        queue(producer.channel).queue_declare(passive=True)
        return number / (time.perf_counter() - start)


def consume(url, queue, number):
    """Messages a second, each acknowledged."""
    count = 0

    def receive(body, message):
        nonlocal count
        count += 1
        message.ack()

    with kombu.Connection(url) as connection:
        channel = connection.channel()
        channel.basic_qos(0, PREFETCH, False)
        start = time.perf_counter()
        with kombu.Consumer(channel, [queue], callbacks=[receive]):
            while count < number:
                connection.drain_events(timeout=30)
        queue(channel).queue_declare(passive=True)
        return number / (time.perf_counter() - start)


def main():
    url, number = sys.argv[1], int(sys.argv[2])
    queue = kombu.Queue("load", routing_key="load", durable=False)
    with kombu.Connection(url) as connection:
        queue(connection.channel()).declare()
        rates = {"publish": publish(url, queue, number)}
        rates["publish, confirmed"] = publish(
            url, queue, number // CONFIRMED_SHARE, confirm_publish=True)
        rates["consume and ack"] = consume(url, queue, number + number // CONFIRMED_SHARE)
        queue(connection.channel()).delete()
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
