import threading

import kelpmq
import pytest
from conftest import PATIENCE
from kelpmq import _calls
from kelpmq._publishing import PublishPump
from kelpmq._wire import encode_properties, encode_route
from kelpmq.v1 import topology_pb2


@pytest.fixture
def pump(connection):
    pump = PublishPump(connection)
    yield pump
    pump.close(PATIENCE)


def ready(connection, name):
    return connection.call(_calls.GET_QUEUE, topology_pb2.GetQueueRequest(name=name),
                           PATIENCE).queue.messages_ready


def test_many_publishes_are_confirmed(connection, pump, queue_name):
    route = encode_route("", queue_name)
    confirms = [pump.publish(b"%d" % n, b"", route) for n in range(5000)]
    for confirm in confirms:
        confirm.result(PATIENCE)
    assert ready(connection, queue_name) == 5000


def test_publishers_share_a_pump(connection, pump, queue_name):
    route = encode_route("", queue_name)

    def publish():
        for _ in range(500):
            pump.publish(b"x", b"", route)

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pump.flush(PATIENCE)
    assert ready(connection, queue_name) == 4000


def test_a_failure_names_its_message_only(connection, pump, queue_name):
    good = encode_route("", queue_name)
    missing = encode_route("no such exchange", "")
    unroutable = encode_route("", "no such queue", mandatory=True)
    confirms = [pump.publish(b"", b"", route)
                for route in (good, missing, good, unroutable, good)]
    errors = [confirm.exception(PATIENCE) for confirm in confirms]
    assert [type(error) for error in errors] == [
        type(None), kelpmq.NotFound, type(None), kelpmq.NoRoute, type(None)]
    assert (errors[1].reason, errors[1].amqp_code) == ("EXCHANGE_NOT_FOUND", 404)
    assert (errors[3].reason, errors[3].amqp_code) == ("NO_ROUTE", 312)
    assert ready(connection, queue_name) == 3


def test_a_failure_is_told_with_its_token(connection):
    failed = []
    pump = PublishPump(connection, on_failure=lambda confirm, error: failed.append(
        (confirm.token, error.reason)))
    confirm = pump.publish(b"", b"", encode_route("", "nowhere", mandatory=True), token="mine")
    assert isinstance(confirm.exception(PATIENCE), kelpmq.NoRoute)
    assert failed == [("mine", "NO_ROUTE")]
    pump.close(PATIENCE)


def test_callbacks_are_called_before_and_after_the_confirm(pump):
    called = threading.Event()
    confirm = pump.publish(b"")
    confirm.add_done_callback(lambda c: called.set())
    assert called.wait(PATIENCE)
    late = []
    confirm.add_done_callback(late.append)
    assert late == [confirm]


def test_callbacks_that_raise_are_logged_and_harm_nobody(connection, caplog):
    def fail(*args):
        raise RuntimeError("a mistake in the program")

    pump = PublishPump(connection, on_failure=fail)
    nowhere = encode_route("", "nowhere", mandatory=True)
    first = [pump.publish(b"", b"", route) for route in (nowhere, nowhere, b"")]
    called = threading.Event()
    for callback in (fail, lambda confirm: called.set()):
        first[2].add_done_callback(callback)
    assert called.wait(PATIENCE)
    first[2].add_done_callback(fail)  # which is called at once
    for confirm in first[:2]:
        assert isinstance(confirm.exception(PATIENCE), kelpmq.NoRoute)
    pump.publish(b"").result(PATIENCE)
    assert [str(record.exc_info[1]) for record in caplog.records] == [
        "a mistake in the program"] * 4
    pump.close(PATIENCE)


def test_a_full_window_holds_publishers_back(connection, queue_name):
    pump = PublishPump(connection, window_messages=10)
    route = encode_route("", queue_name)
    for _ in range(1000):
        pump.publish(b"x", b"", route, timeout=PATIENCE)
        assert pump._messages <= 10
    assert pump.flush(PATIENCE)
    assert ready(connection, queue_name) == 1000
    pump.close(PATIENCE)


def test_a_full_window_of_bytes_holds_publishers_back(connection, queue_name):
    pump = PublishPump(connection, window_bytes=100_000)
    route = encode_route("", queue_name)
    for _ in range(100):
        pump.publish(bytes(40_000), b"", route, timeout=PATIENCE)
        assert pump._bytes < 150_000
    pump.close(PATIENCE)
    assert ready(connection, queue_name) == 100


def test_without_patience_a_full_window_says_so(connection, queue_name):
    pump = PublishPump(connection, window_messages=0)
    assert pump.publish(b"", block=False) is None
    with pytest.raises(kelpmq.DeadlineExceeded):
        pump.publish(b"", timeout=0.001)
    pump.close(PATIENCE)


def test_a_message_that_is_too_large_fails_alone(connection, pump, queue_name):
    route = encode_route("", queue_name)
    first = pump.publish(b"x", b"", route)
    with pytest.raises(kelpmq.InvalidArgument) as caught:
        pump.publish(bytes(5 << 20), b"", route)
    assert caught.value.reason == "MESSAGE_TOO_LARGE"
    just_too_large = bytes(connection.limits().max_message_bytes)
    second = pump.publish(just_too_large, b"", route)
    third = pump.publish(bytes(4_000_000), b"", route)
    first.result(PATIENCE)
    assert second.exception(PATIENCE).reason == "MESSAGE_TOO_LARGE"
    third.result(PATIENCE)
    assert ready(connection, queue_name) == 2


def test_a_message_of_full_size_among_small_ones_fits(connection, pump, queue_name):
    """The broker takes so much at once as the largest message needs, so that goes alone."""
    route = encode_route("", queue_name)
    largest = bytes(connection.limits().max_message_bytes - 16)
    confirms = []
    for _ in range(5):
        confirms += [pump.publish(bytes(8000), b"", route) for _ in range(30)]
        confirms.append(pump.publish(largest, b"", route))
    for confirm in confirms:
        confirm.result(PATIENCE)
    assert ready(connection, queue_name) == 5 * 31


def test_properties_are_checked():
    with pytest.raises(TypeError):
        encode_properties(no_such_property=1)
    with pytest.raises(TypeError):
        encode_properties(content_type=1)
    with pytest.raises(TypeError):
        encode_properties(headers=[1])
    with pytest.raises(ValueError):
        encode_properties(priority=-1)


def test_a_vhost_that_is_not_there_fails_every_publish(connection):
    pump = PublishPump(connection, vhost="nowhere")
    for _ in range(2):
        error = pump.publish(b"").exception(PATIENCE)
        assert (type(error), error.reason) == (kelpmq.NotFound, "VHOST_NOT_FOUND")
    pump.close(PATIENCE)


def test_a_closed_pump_takes_nothing(connection):
    pump = PublishPump(connection)
    pump.publish(b"")
    pump.close(PATIENCE)
    pump.close(PATIENCE)
    with pytest.raises(kelpmq.ClientClosed):
        pump.publish(b"")


def test_a_lost_stream_leaves_the_outcome_unknown(own_broker):
    connection = kelpmq._connection.Connection(kelpmq.parse_address(own_broker.address))
    pump = PublishPump(connection)
    pump.publish(b"").result(PATIENCE)
    confirms = [pump.publish(b"") for _ in range(2)]
    own_broker.kill()
    errors = [confirm.exception(PATIENCE) for confirm in confirms]
    assert all(error is None or isinstance(error, kelpmq.Unavailable) for error in errors)
    late = None
    with pytest.raises(kelpmq.Unavailable):
        while True:  # until the loss is known here
            late = pump.publish(b"")
            late.result(PATIENCE)
    pump.close(PATIENCE)
    connection.close()
