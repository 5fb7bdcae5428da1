"""Ops on exchanges, queues and bindings."""
import time

import amqp

from .channel import SETTLE_SECONDS

_CHANNEL_ERRORS = amqp.exceptions.ChannelError


class TopologyOps:
    def _exchange_declare(self, op):
        flags = [op.get(name, False) for name in ("passive", "durable", "auto_delete", "internal")]
        # The client's own method has no word for internal ones.
        self._channel(op).amqp.send_method(
            amqp.spec.Exchange.Declare, "BssbbbbbF",
            (0, op["exchange"], op.get("type", "direct"), *flags, False, op.get("arguments") or {}),
            wait=amqp.spec.Exchange.DeclareOk)

    def _exchange_delete(self, op):
        self._channel(op).amqp.exchange_delete(op["exchange"], if_unused=op.get("if_unused", False))

    def _exchange_bind(self, op):
        self._channel(op).amqp.exchange_bind(
            op["destination"], op["source"], op.get("routing_key", ""), arguments=op.get("arguments"))

    def _exchange_unbind(self, op):
        self._channel(op).amqp.exchange_unbind(
            op["destination"], op["source"], op.get("routing_key", ""), arguments=op.get("arguments"))

    def _queue_declare(self, op):
        flags = {name: op.get(name, False) for name in ("passive", "durable", "exclusive", "auto_delete")}
        declared = self._channel(op).amqp.queue_declare(
            op.get("queue", ""), arguments=op.get("arguments"), **flags)
        return {"queue": declared.queue, "message_count": declared.message_count,
                "consumer_count": declared.consumer_count}

    def _queue_bind(self, op):
        self._channel(op).amqp.queue_bind(
            op.get("queue", ""), op["exchange"], op.get("routing_key", ""), arguments=op.get("arguments"))

    def _queue_unbind(self, op):
        self._channel(op).amqp.queue_unbind(
            op.get("queue", ""), op["exchange"], op.get("routing_key", ""), arguments=op.get("arguments"))

    def _queue_purge(self, op):
        return {"message_count": self._channel(op).amqp.queue_purge(op.get("queue", ""))}

    def _queue_delete(self, op):
        count = self._channel(op).amqp.queue_delete(
            op.get("queue", ""), if_unused=op.get("if_unused", False), if_empty=op.get("if_empty", False))
        time.sleep(SETTLE_SECONDS)
        return {"message_count": count}

    def _inspect(self, op):
        channel = self._connection(op).amqp.channel()
        try:
            declared = channel.queue_declare(op["queue"], passive=True)
        except _CHANNEL_ERRORS as error:
            return {"exists": False, "code": error.reply_code}
        finally:
            channel.close()
        return {"exists": True, "message_count": declared.message_count, "consumer_count": declared.consumer_count}

    def _inspect_exchange(self, op):
        channel = self._connection(op).amqp.channel()
        try:
            channel.exchange_declare(op["exchange"], "direct", passive=True)
        except _CHANNEL_ERRORS as error:
            return {"exists": False, "code": error.reply_code}
        finally:
            channel.close()
        return {"exists": True}
