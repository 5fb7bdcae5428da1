"""KelpMQ for Kombu and Celery.

    import kelpmq_kombu  # Kombu now knows kelpmq:// and kelpmqs://

    app = Celery("shop", broker="kelpmq://")
"""
from kombu.transport import TRANSPORT_ALIASES

from kelpmq._version import __version__

from .private import mark_root

__all__ = ["__version__", "register"]


def register() -> None:
    """Makes the schemes known to Kombu. Importing this package has done it."""
    TRANSPORT_ALIASES["kelpmq"] = "kelpmq_kombu.transport:Transport"
    TRANSPORT_ALIASES["kelpmqs"] = "kelpmq_kombu.transport:SSLTransport"


register()
mark_root()
