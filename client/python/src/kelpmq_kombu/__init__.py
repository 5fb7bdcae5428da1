"""KelpMQ for Kombu and Celery.

    app = Celery("shop", broker="kelpmq://")

Celery needs no more: Kombu has no entry points for transports, but some for serializers, and
imports what they name, which is this package, as soon as it has to do with messages. A program
that uses Kombu's Connection alone, or finds this package on its path without an installation,
has to `import kelpmq_kombu`.
"""
import os

from kombu.transport import TRANSPORT_ALIASES

from .tree import mark_root

__all__ = ["register"]

#: For the entry point: no encoder and no decoder, for a type of content that nobody has.
no_serializer = (None, None, "application/x-kelpmq", "utf-8")


def register() -> None:
    """Makes kelpmq:// and kelpmqs:// known to Kombu. Importing this package has done it."""
    TRANSPORT_ALIASES["kelpmq"] = "kelpmq_kombu.transport:Transport"
    TRANSPORT_ALIASES["kelpmqs"] = "kelpmq_kombu.transport:SSLTransport"


register()
mark_root()
# gRPC reads it when it is imported, which the program may do before it connects: see forking.py.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")
