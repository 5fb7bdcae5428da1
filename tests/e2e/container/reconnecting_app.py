"""An app on the Python client, to be run by the environment that has it: reconnecting_app.py ADDRESS.

Publishes each line of standard input to a queue, and prints what it consumes from there.
"""
import sys

import kelpmq

PATIENCE = 30.0


def show(delivery: "kelpmq.Delivery") -> None:
    print(delivery.body.decode(), flush=True)
    delivery.ack()


def publish(client: kelpmq.Client, body: str) -> None:
    """Until it is confirmed: at least once, which is what an app has to choose."""
    while True:
        try:
            client.publish(body.encode(), "jobs", mandatory=True)
            return
        except kelpmq.OutcomeUnknown:
            continue  # The broker ended before it answered.


def main() -> None:
    with kelpmq.Client(sys.argv[1], timeout=PATIENCE) as client:
        client.declare_queue("jobs")
        client.consume("jobs", show)
        for line in sys.stdin:
            publish(client, line.strip())


main()
