"""Runs the kelpmq program that comes with this package: ``python -m kelpmq serve``."""
import os
import sys
from typing import NoReturn

from kelpmq._binary import BinaryNotFound, binary


def main() -> NoReturn:
    try:
        program = binary()
    except BinaryNotFound as error:
        sys.exit(f"kelpmq: {error}")
    os.execv(program, ["kelpmq", *sys.argv[1:]])


if __name__ == "__main__":
    main()
