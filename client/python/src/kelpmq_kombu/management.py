"""What RabbitMQ has in its management plug-in, as far as Kombu asks for it."""
from __future__ import annotations

from typing import Any, Iterator

from kombu.transport import base

from kelpmq.v1 import topology_pb2 as pb

from . import values

_PAGE = 1000


class Management(base.Management):
    """Asks the broker over the transport's own connection."""

    def get_bindings(self) -> Iterator[dict[str, Any]]:
        """All bindings of the virtual host, with the keys of RabbitMQ's HTTP API."""
        link = self.transport.client.connection.link
        request = pb.ListBindingsRequest(vhost=link.vhost, page_size=_PAGE)
        while True:
            page = link.call(link.topology.ListBindings, request)
            for binding in page.bindings:
                to_queue = binding.destination_type == pb.DESTINATION_TYPE_QUEUE
                yield {
                    "vhost": binding.vhost, "source": binding.source,
                    "destination": binding.destination,
                    "destination_type": "queue" if to_queue else "exchange",
                    "routing_key": binding.routing_key,
                    "arguments": values.get_table(binding.arguments),
                    "properties_key": binding.properties_key,
                }
            request.page_token = page.next_page_token
            if not request.page_token:
                return
