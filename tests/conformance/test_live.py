"""The nightly comparison's own logic, without any broker."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from live.generator import Generator  # noqa: E402
from live.shrink import shrink  # noqa: E402


def test_a_seed_always_makes_the_same_case():
    assert json.dumps(Generator(7).case()) == json.dumps(Generator(7).case())
    assert Generator(7).case() != Generator(8).case()


def test_many_cases_use_every_kind_of_op():
    ops = {op["op"] for seed in range(100) for op in Generator(seed).case()["ops"]}
    assert ops >= {
        "basic.ack", "basic.cancel", "basic.consume", "basic.get", "basic.nack", "basic.publish", "basic.qos",
        "basic.recover", "basic.reject", "channel.close", "channel.open", "collect", "confirm.select", "drain",
        "exchange.bind", "exchange.declare", "exchange.delete", "queue.bind", "queue.declare", "queue.delete",
        "queue.purge", "queue.unbind"}


def test_shrinking_keeps_only_what_the_difference_needs():
    assert shrink(list(range(40)), lambda ops: {3, 17, 31} <= set(ops)) == [3, 17, 31]


def test_shrinking_finds_a_single_op():
    assert shrink(list(range(9)), lambda ops: 5 in ops) == [5]


def test_shrinking_ends_when_its_time_is_over():
    assert shrink([1, 2, 3], lambda ops: True, seconds=-1) == [1, 2, 3]
