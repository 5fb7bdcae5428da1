"""The API of kombu_emulator, a small Kombu without a broker to install, on KelpMQ.

    from kombu_emulator import Connection, Consumer, Producer

    with Connection() as connection:
        channel = connection.channel()
        queue = channel.queue_declare("jobs")
        Producer(channel, routing_key="jobs").publish({"id": 1})
        print(queue.get().body)

``Connection()`` starts a broker of this process's own; with a host name, or $KELPMQ_ADDRESS, it
connects to one that runs. Errors are those of the package kelpmq.
"""
from kombu_emulator.channel import Channel
from kombu_emulator.connection import Connection
from kombu_emulator.entities import Exchange, Queue
from kombu_emulator.message import Message
from kombu_emulator.messaging import Consumer, Producer
from kombu_emulator.serialization import enable_insecure_serializers

__all__ = [
    "Channel", "Connection", "Consumer", "enable_insecure_serializers", "Exchange", "Message",
    "Producer", "Queue",
]
