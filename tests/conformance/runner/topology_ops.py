"""Ops on exchanges, queues and bindings."""
import stubs  # noqa: F401
from kelpmq.v1 import topology_pb2

from . import values
from .errors import DIRECT_REPLY_TO, AmqpError, NotMappable


class TopologyOps:
    def _topology(self, op: dict, method: str, **fields):
        connection = self._session_of(op)
        request = getattr(topology_pb2, f"{method}Request")(vhost=connection.vhost, **fields)
        if "session_id" in request.DESCRIPTOR.fields_by_name:
            request.session_id = connection.session_id
        return connection.call(getattr(self._api.topology, method), request)

    def _exchange_declare(self, op):
        flags = {f: op.get(f, False) for f in ("passive", "durable", "auto_delete", "internal")}
        self._topology(op, "DeclareExchange", name=op["exchange"], type=op.get("type", "direct"),
                       arguments=values.to_fields(op.get("arguments")), **flags)

    def _exchange_delete(self, op):
        self._topology(op, "DeleteExchange", name=op["exchange"],
                       if_unused=op.get("if_unused", False))

    def _exchange_binding(self, op, method):
        self._topology(op, method, destination=op["destination"], source=op["source"],
                       routing_key=op.get("routing_key", ""),
                       arguments=values.to_fields(op.get("arguments")))

    def _exchange_bind(self, op):
        self._exchange_binding(op, "BindExchange")

    def _exchange_unbind(self, op):
        self._exchange_binding(op, "UnbindExchange")

    def _queue_declare(self, op):
        if op.get("queue") == DIRECT_REPLY_TO:
            raise NotMappable("RPC-*")
        flags = {f: op.get(f, False) for f in ("passive", "durable", "exclusive", "auto_delete")}
        queue = self._topology(op, "DeclareQueue", name=op.get("queue", ""),
                               arguments=values.to_fields(op.get("arguments")), **flags).queue
        self._channel(op).last_queue = queue.name
        if "as" in op:
            self._queue_names[op["as"]] = queue.name
        return {"queue": queue.name, "message_count": queue.messages_ready,
                "consumer_count": queue.consumer_count}

    def _queue_binding(self, op, method):
        queue, key = self._queue_of(op), op.get("routing_key", "")
        if method == "BindQueue" and not op.get("queue") and not key:
            key = queue
        self._topology(op, method, queue=queue, exchange=op["exchange"], routing_key=key,
                       arguments=values.to_fields(op.get("arguments")))

    def _queue_bind(self, op):
        self._queue_binding(op, "BindQueue")

    def _queue_unbind(self, op):
        self._queue_binding(op, "UnbindQueue")

    def _queue_purge(self, op):
        response = self._topology(op, "PurgeQueue", name=self._queue_of(op))
        return {"message_count": response.message_count}

    def _queue_delete(self, op):
        response = self._topology(
            op, "DeleteQueue", name=self._queue_of(op), if_unused=op.get("if_unused", False),
            if_empty=op.get("if_empty", False))
        return {"message_count": response.message_count}

    def _passive(self, op, method, name):
        connection = self._connection(op)
        request = getattr(topology_pb2, f"{method}Request")(
            vhost=connection.vhost, name=name, passive=True)
        if method == "DeclareQueue":
            request.session_id = connection.session_id
        try:
            return connection.call(getattr(self._api.topology, method), request)
        except AmqpError as error:
            return {"exists": False, "code": error.code}

    def _inspect(self, op):
        found = self._passive(op, "DeclareQueue", op["queue"])
        if isinstance(found, dict):
            return found
        return {"exists": True, "message_count": found.queue.messages_ready,
                "consumer_count": found.queue.consumer_count}

    def _inspect_exchange(self, op):
        found = self._passive(op, "DeclareExchange", op["exchange"])
        return found if isinstance(found, dict) else {"exists": True}
