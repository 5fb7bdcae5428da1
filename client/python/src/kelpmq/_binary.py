"""Where the broker's program is."""
import os
import pathlib


class BinaryNotFound(RuntimeError):
    """This installation holds no broker."""


def binary() -> str:
    """The program ``kelpmq``: ``$KELPMQ_BINARY``, or the one in this package."""
    wanted = os.environ.get("KELPMQ_BINARY")
    if wanted:
        return wanted
    carried = pathlib.Path(__file__).parent / "bin" / "kelpmq"
    if not carried.exists():
        raise BinaryNotFound(
            "this installation holds no broker; build it (deploy/up) and set KELPMQ_BINARY")
    return str(carried)
