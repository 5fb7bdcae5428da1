"""A connection to RabbitMQ, its channels, and what their consumers got."""
import socket
import time

import amqp

ANSWER_SECONDS = 15  # A broker that takes longer to answer hangs.
# What a queue or a dead letter may still be about, once the channel has answered.
SETTLE_SECONDS = 0.012


class Connection:
    def __init__(self, port: int, vhost: str):
        self.closed = False
        self.amqp = amqp.Connection(f"127.0.0.1:{port}", userid="guest", password="guest", virtual_host=vhost,
                                    connect_timeout=ANSWER_SECONDS, read_timeout=ANSWER_SECONDS)
        self.amqp.connect()

    def take_events(self, seconds: float, done=lambda: False) -> None:
        """Reads what comes until `done()`, or for that long."""
        deadline = time.monotonic() + seconds
        while not done() and (left := deadline - time.monotonic()) > 0:
            try:
                self.amqp.drain_events(timeout=left)
            except (TimeoutError, socket.timeout):
                return

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.amqp.close()


class Channel:
    def __init__(self, connection: Connection):
        self.connection = connection
        self.amqp = connection.amqp.channel()
        self.confirm_mode = self.closed = False
        self.close_code = None
        self.confirms: list[str] = []
        self.returned: list = []
        events = self.amqp.events
        events["basic_return"].add(lambda error, *message: self.returned.append((error, *message)))
        events["basic_ack"].add(lambda *_: self.confirms.append("ack"))
        events["basic_nack"].add(lambda *_: self.confirms.append("nack"))

    def wait_until_handled(self) -> None:
        """Raises the error, if what was sent last was one: methods are handled in their order."""
        self.amqp.exchange_declare("amq.direct", "direct", passive=True)
        # Reading meanwhile: the client forgets what comes for a channel that the next op closes.
        self.connection.take_events(SETTLE_SECONDS)


class Consumer:
    def __init__(self, channel: Channel):
        self.channel = channel
        self.messages: list = []
        self.collected = 0
        self.cancelled = False
        self.tag = ""
