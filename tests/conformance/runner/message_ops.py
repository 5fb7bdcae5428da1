"""Ops that publish, receive and settle messages."""
import time

import stubs  # noqa: F401
from kelpmq.v1 import messaging_pb2, types_pb2

from . import values
from .cases import EMPTY_EXPIRATION
from .channel import Consumer
from .errors import DIRECT_REPLY_TO, AmqpError, Closed, NotMappable

COLLECT_MS = 2000
QUIET_MS = 70


class MessageOps:
    # Publishing.

    def _confirm_select(self, op):
        self._channel(op).confirm_mode = True

    def _basic_publish(self, op):
        if op.get("properties", {}).get("expiration") == "":
            raise NotMappable(EMPTY_EXPIRATION)
        if op.get("properties", {}).get("reply_to") == DIRECT_REPLY_TO:
            raise NotMappable("RPC-*")
        channel, connection = self._channel(op), self._session_of(op)
        message = values.to_message(op)
        observation, confirm = {}, "ack"
        try:
            connection.call(self._api.messaging.Publish, messaging_pb2.PublishRequest(
                vhost=connection.vhost, exchange=op["exchange"], routing_key=op["routing_key"],
                message=message, mandatory=op.get("mandatory", False)))
        except AmqpError as error:
            if error.reason == "NO_ROUTE":
                message.headers.pop("BCC", None)
                returned = values.from_message(message, op["exchange"], op["routing_key"])
                observation["returned"] = [
                    {**returned, "reply_code": error.code, "reply_text": error.reason}]
            elif error.reason == "QUEUE_FULL":
                confirm = "nack"
            else:
                raise
        if channel.confirm_mode:
            observation["confirm"] = confirm
        return observation

    # Receiving.

    def _basic_get(self, op):
        got = self._channel(op).get(self._queue_of(op), op.get("auto_ack", False))
        if not got.deliveries:
            return {"message": None}
        delivery = got.deliveries[0]
        self._deliveries[op.get("as", "")] = delivery
        return {"message": {**values.from_delivery(delivery), "tag": delivery.delivery_tag,
                            "message_count": got.message_count}}

    def _drain(self, op):
        connection = self._connection(op)
        messages = []
        while True:
            response = connection.call(self._api.messaging.Get, messaging_pb2.GetRequest(
                vhost=connection.vhost, session_id=connection.session_id, queue=op["queue"],
                max_messages=1000, auto_ack=True))
            messages += map(values.from_delivery, response.deliveries)
            if not response.deliveries:
                return {"messages": messages}

    def _basic_qos(self, op):
        channel = self._channel(op)
        if op.get("prefetch_size", 0):
            raise AmqpError(540, "NOT_IMPLEMENTED - prefetch_size!=0")
        if op.get("global", False):
            channel.set_window(op.get("prefetch_count", 0))
        else:
            channel.prefetch_count = op.get("prefetch_count", 0)

    def _basic_consume(self, op):
        consumer = self._channel(op).consume(
            self._queue_of(op), consumer_tag=op.get("consumer_tag", ""),
            auto_ack=op.get("auto_ack", False), exclusive=op.get("exclusive", False),
            arguments=values.to_fields(op.get("arguments")))
        self._consumers[op["consumer"]] = consumer
        return {"consumer_tag": consumer.tag} if op.get("consumer_tag") else {}

    def _basic_cancel(self, op):
        consumer = self._consumers.get(op["consumer"])
        if consumer and consumer.channel.closed:
            raise Closed()
        if consumer and not consumer.cancelled:
            consumer.channel.cancel(consumer)

    def _collect(self, op):
        consumers = {name: self._consumers[name]
                     for name in op.get("consumers") or [op["consumer"]]}

        def arrived():
            return sum(len(c.deliveries) - c.collected for c in consumers.values())

        with self._changed:
            self._changed.wait_for(lambda: arrived() >= op["n"],
                                   op.get("timeout_ms", COLLECT_MS) / 1000)
        time.sleep(op.get("quiet_ms", QUIET_MS) / 1000)
        with self._changed:
            return {"consumers": {n: self._collected(n, c) for n, c in consumers.items()}}

    def _collected(self, name: str, consumer: Consumer) -> dict:
        messages = []
        for delivery in consumer.deliveries[consumer.collected:]:
            consumer.collected += 1
            self._deliveries[f"{name}.{consumer.collected}"] = delivery
            messages.append({**values.from_delivery(delivery), "tag": delivery.delivery_tag})
        server = (consumer.cancelled
                  and consumer.cancelled.reason != types_pb2.CANCEL_REASON_CLIENT_REQUEST)
        return {"messages": messages, "cancelled": True} if server else {"messages": messages}

    # Settling.

    def _settle(self, op, action):
        tag = op["tag"] if "tag" in op else self._deliveries[op["delivery"]].delivery_tag
        self._channel(op).settle(action, tag, op.get("multiple", False))

    def _basic_ack(self, op):
        self._settle(op, messaging_pb2.SETTLE_ACTION_ACK)

    def _basic_nack(self, op):
        self._settle(op, messaging_pb2.SETTLE_ACTION_REQUEUE if op.get("requeue", True)
                     else messaging_pb2.SETTLE_ACTION_DISCARD)

    _basic_reject = _basic_nack

    def _basic_recover(self, op):
        if not op.get("requeue", True):
            raise AmqpError(540, "NOT_IMPLEMENTED - requeue=false")
        self._channel(op).settle(messaging_pb2.SETTLE_ACTION_REQUEUE, 0, multiple=True)
