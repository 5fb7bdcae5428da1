"""Ops on messages."""
import amqp

from . import amqp_values
from .channel import ANSWER_SECONDS, Consumer

COLLECT_MS = 2000
QUIET_MS = 70


def _message(op) -> amqp.Message:
    properties = dict(op.get("properties", {}))
    if "headers" in properties:
        properties["application_headers"] = properties.pop("headers")
    body = op.get("body")
    # Of bytes: the client would set an encoding for a string.
    return amqp.Message(b"x" * op["body_size"] if body is None else body.encode(), **properties)


class MessageOps:
    # Publishing.

    def _confirm_select(self, op):
        channel = self._channel(op)
        channel.amqp.confirm_select()
        channel.confirm_mode = True

    def _basic_publish(self, op):
        channel = self._channel(op)
        channel.confirms.clear()
        channel.returned.clear()
        channel.amqp.basic_publish(_message(op), op["exchange"], op["routing_key"], op.get("mandatory", False))
        channel.wait_until_handled()
        observation = {}
        if channel.returned:
            observation["returned"] = [
                {**amqp_values.from_message(message, exchange, key),
                 "reply_code": error.reply_code, "reply_text": error.reply_text}
                for error, exchange, key, message in channel.returned]
        if channel.confirm_mode:
            channel.connection.take_events(ANSWER_SECONDS, lambda: channel.confirms)
            observation["confirm"] = channel.confirms[0]
        return observation

    # Receiving.

    def _basic_get(self, op):
        message = self._channel(op).amqp.basic_get(op.get("queue", ""), no_ack=op.get("auto_ack", False))
        if message is None:
            return {"message": None}
        self._tags[op.get("as", "")] = message.delivery_info["delivery_tag"]
        return {"message": {**amqp_values.from_delivery(message),
                            "message_count": message.delivery_info["message_count"]}}

    def _drain(self, op):
        channel = self._connection(op).amqp.channel()
        messages = []
        try:
            while (message := channel.basic_get(op["queue"], no_ack=True)) is not None:
                observation = amqp_values.from_delivery(message)
                del observation["tag"]
                messages.append(observation)
        finally:
            channel.close()
        return {"messages": messages}

    def _basic_qos(self, op):
        self._channel(op).amqp.basic_qos(
            op.get("prefetch_size", 0), op.get("prefetch_count", 0), op.get("global", False))

    def _basic_consume(self, op):
        channel = self._channel(op)
        consumer = Consumer(channel)

        def cancelled(_):
            consumer.cancelled = True

        consumer.tag = channel.amqp.basic_consume(
            op.get("queue", ""), op.get("consumer_tag", ""), no_ack=op.get("auto_ack", False),
            exclusive=op.get("exclusive", False), callback=consumer.messages.append, on_cancel=cancelled,
            arguments=op.get("arguments"))
        self._consumers[op["consumer"]] = consumer
        channel.wait_until_handled()
        return {"consumer_tag": consumer.tag} if op.get("consumer_tag") else {}

    def _basic_cancel(self, op):
        consumer = self._consumer(op["consumer"])
        channel = self._open(consumer.channel)
        if not consumer.cancelled:
            channel.amqp.basic_cancel(consumer.tag)
            channel.wait_until_handled()

    def _collect(self, op):
        consumers = {name: self._consumer(name) for name in op.get("consumers") or [op["consumer"]]}

        def arrived():
            return sum(len(c.messages) - c.collected for c in consumers.values()) >= op["n"]

        for connection in {c.channel.connection for c in consumers.values()}:
            if not connection.closed:
                connection.take_events(op.get("timeout_ms", COLLECT_MS) / 1000, arrived)
                connection.take_events(op.get("quiet_ms", QUIET_MS) / 1000)
        return {"consumers": {name: self._collected(name, c) for name, c in consumers.items()}}

    def _collected(self, name: str, consumer: Consumer) -> dict:
        messages = []
        for message in consumer.messages[consumer.collected:]:
            consumer.collected += 1
            self._tags[f"{name}.{consumer.collected}"] = message.delivery_info["delivery_tag"]
            messages.append(amqp_values.from_delivery(message))
        return {"messages": messages, "cancelled": True} if consumer.cancelled else {"messages": messages}

    # Settling.

    def _settle(self, op, method: str, **flags):
        tag, channel = self._tag(op), self._channel(op)
        getattr(channel.amqp, method)(tag, **flags)
        channel.wait_until_handled()

    def _basic_ack(self, op):
        self._settle(op, "basic_ack", multiple=op.get("multiple", False))

    def _basic_nack(self, op):
        # The client has no name for it: class 60, method 120.
        tag, channel = self._tag(op), self._channel(op)
        channel.amqp.send_method(
            (60, 120), "Lbb", (tag, op.get("multiple", False), op.get("requeue", True)))
        channel.wait_until_handled()

    def _basic_reject(self, op):
        self._settle(op, "basic_reject", requeue=op.get("requeue", True))

    def _basic_recover(self, op):
        self._channel(op).amqp.basic_recover(requeue=op.get("requeue", True))
        self._channel(op).wait_until_handled()
