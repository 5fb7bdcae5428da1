"""Makes a case that differs as small as it gets."""


import time


def shrink(ops: list, differs, seconds: float = 60) -> list:
    """`ops` without those that `differs(ops)` does not need: halves first, then ever smaller runs, then single ops.

    As far as it gets in that time.
    """
    deadline = time.monotonic() + seconds
    length = max(1, len(ops) // 2)
    while True:
        at, before = 0, len(ops)
        while at < len(ops):
            fewer = ops[:at] + ops[at + length:]
            if time.monotonic() > deadline:
                return ops
            if fewer and differs(fewer):
                ops = fewer
            else:
                at += length
        if length > 1:
            length //= 2
        elif len(ops) == before:
            return ops
