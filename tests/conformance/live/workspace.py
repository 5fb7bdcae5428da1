"""A vhost of the node, used by one case after the other."""
import dataclasses

import amqp

from runner import cases

from . import recorder
from .channel import Connection


class Unstable(Exception):
    """RabbitMQ itself did one thing in one recording, and another in the next."""


class Workspace:
    def __init__(self, node, vhost: str):
        node.evaluate(
            f'rabbit_vhost:add(<<"{vhost}">>, <<"nightly">>), rabbit_auth_backend_internal:set_permissions('
            f'<<"guest">>, <<"{vhost}">>, <<".*">>, <<".*">>, <<".*">>, <<"nightly">>).')
        self._port, self._vhost = node.port, vhost

    def record(self, case: dict, times: int = 2) -> cases.Case:
        """The case as RabbitMQ did it each of so many times."""
        recordings = [self._record_once(case["ops"]) for _ in range(times)]
        if any(recording != recordings[0] for recording in recordings):
            raise Unstable(case["id"])
        ops, observed = recordings[0]
        return dataclasses.replace(cases.parse_case({**case, "observed": []}), ops=ops, observed=observed)

    def _record_once(self, ops: list[dict]) -> tuple[list, list]:
        case = recorder.Recorder(self._port, self._vhost)
        try:
            return case.record(ops)
        finally:
            case.close()
            self._sweep(ops)

    def _sweep(self, ops: list[dict]) -> None:
        connection = Connection(self._port, self._vhost)
        channel = connection.amqp.channel()
        for queue in {op["queue"] for op in ops if op.get("queue")}:
            channel.queue_delete(queue)
        for exchange in {op["exchange"] for op in ops if op["op"] == "exchange.declare"}:
            try:
                channel.exchange_delete(exchange)
            except amqp.exceptions.ChannelError:  # One of the broker's own; the client opens the channel again.
                pass
        connection.close()
