import datetime
import socket
import sys
import threading
import time

import kelpmq
import pytest
from conftest import PATIENCE
from test_values import ALL


def test_a_queue_is_declared_described_and_deleted(client, name):
    queue = client.declare_queue(name, durable=True, arguments={"x-max-length": 5})
    assert (queue.name, queue.durable, queue.arguments) == (name, True, {"x-max-length": 5})
    assert client.declare_queue(name, durable=True, arguments={"x-max-length": 5}) == queue
    client.publish(b"a", name)
    assert client.get_queue(name).messages_ready == 1
    assert client.purge_queue(name) == 1
    client.publish(b"a", name)
    assert client.delete_queue(name) == 1
    with pytest.raises(kelpmq.NotFound):
        client.declare_queue(name, passive=True)


def test_a_queue_without_a_name_gets_one(client):
    one, other = client.declare_queue(), client.declare_queue()
    assert one.name != other.name
    client.publish(b"x", one.name, mandatory=True)
    client.delete_queue(one.name)
    client.delete_queue(other.name)


def test_messages_go_over_exchanges_and_bindings(client, name):
    queue = client.declare_queue(exclusive=True).name
    assert client.declare_exchange(name, "topic")
    assert not client.declare_exchange(name, "topic")
    assert client.declare_exchange(name + "2", "fanout")
    assert client.bind_queue(queue, name, "order.*")
    assert client.bind_exchange(name, name + "2", "")
    client.publish(b"1", "order.paid", exchange=name)
    client.publish(b"2", "order.sent", exchange=name + "2")
    with pytest.raises(kelpmq.NoRoute):
        client.publish(b"3", "invoice.paid", exchange=name, mandatory=True)
    assert [d.body for d in client.get_many(queue, 10, auto_ack=True)] == [b"1", b"2"]
    assert client.unbind_exchange(name, name + "2", "")
    assert client.unbind_queue(queue, name, "order.*")
    assert not client.unbind_queue(queue, name, "order.*")
    assert client.delete_exchange(name) and client.delete_exchange(name + "2")
    assert not client.delete_exchange(name)


def test_errors_have_class_reason_code_and_facts(client, name):
    client.declare_queue(name)
    with pytest.raises(kelpmq.FailedPrecondition) as caught:
        client.declare_queue(name, durable=True)
    error = caught.value
    assert (error.reason, error.amqp_code) == ("INEQUIVALENT_ARGUMENT", 406)
    assert (error.metadata["queue"], error.metadata["argument"]) == (name, "durable")
    with pytest.raises(kelpmq.NotFound) as caught:
        client.publish(b"", exchange="no such exchange")
    assert (caught.value.reason, caught.value.amqp_code) == ("EXCHANGE_NOT_FOUND", 404)
    with pytest.raises(kelpmq.PermissionDenied):
        client.declare_exchange("amq.mine")
    with pytest.raises(kelpmq.InvalidArgument):
        client.declare_queue("x" * 256)
    with pytest.raises(kelpmq.NotFound):
        client.consume("no such queue")


def test_a_full_queue_refuses(client, name):
    client.declare_queue(name, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    client.publish(b"1", name)
    with pytest.raises(kelpmq.QueueFull):
        client.publish(b"2", name)


def test_all_kinds_of_headers_and_properties_arrive(client, name):
    client.declare_queue(name)
    headers = {f"{kind}-{n}": value for n, (kind, value) in enumerate(ALL)}
    client.publish(
        "text", name, headers=headers, content_type="text/plain", content_encoding="utf-8",
        delivery_mode=2, priority=3, correlation_id="c", reply_to="r", expiration=60,
        message_id="m", timestamp=datetime.datetime(2026, 1, 2), type="t", user_id="", app_id="a")
    with client.consume(name) as consumer:
        got = consumer.receive(PATIENCE)
        assert got.text() == "text"
        assert got.headers == headers
        assert {key: type(value) for key, value in got.headers.items()} == {
            key: type(value) for key, value in headers.items()}
        assert (got.content_type, got.content_encoding, got.delivery_mode, got.priority,
                got.correlation_id, got.reply_to, got.expiration, got.message_id, got.type,
                got.app_id) == ("text/plain", "utf-8", 2, 3, "c", "r", "60000", "m", "t", "a")
        assert got.timestamp == datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
        assert (got.exchange, got.routing_key, got.redelivered) == ("", name, False)
        got.ack()


def test_a_timestamp_in_milliseconds_is_no_datetime(client, name):
    client.declare_queue(name)
    client.publish(b"", name, timestamp=1_795_675_000_000)
    found = client.get(name, auto_ack=True)
    assert (found.timestamp, type(found.timestamp)) == (1_795_675_000_000, kelpmq.Timestamp)


@pytest.mark.parametrize("body", [{}, 1, None, ["a"]])
def test_a_body_that_is_not_bytes_is_refused(client, body):
    with pytest.raises(TypeError):
        client.publish(body, "q")


def test_a_publisher_reports_what_failed(client, name):
    client.declare_queue(name)
    with pytest.raises(kelpmq.PublishFailed) as caught, client.publisher() as publisher:
        for n in range(100):
            publisher.publish(b"", name if n % 10 else "nowhere", mandatory=True)
    assert [error.reason for error in caught.value.failures] == ["NO_ROUTE"] * 10
    assert client.get_queue(name).messages_ready == 90
    publisher.flush(PATIENCE)  # told once


def test_a_publisher_tells_a_callback_what_failed(client):
    failed = []
    with client.publisher(on_failure=lambda confirm, error: failed.append(error)) as publisher:
        publisher.publish(b"", "nowhere", mandatory=True)
    assert [type(error) for error in failed] == [kelpmq.NoRoute]


def test_what_a_publisher_has_as_default_can_be_overridden(client, name):
    client.declare_queue(name)
    with client.publisher(routing_key=name, content_type="a/b", headers={"h": 1}) as publisher:
        publisher.publish(b"1")
        publisher.publish(b"2", content_type="c/d", headers={"i": 2})
        publisher.publish(b"3", "elsewhere")
    got = client.get_many(name, 9, auto_ack=True)
    assert [(d.body, d.content_type, d.headers) for d in got] == [
        (b"1", "a/b", {"h": 1}), (b"2", "c/d", {"h": 1, "i": 2})]


def test_a_delayed_message_arrives_later(client, name):
    client.declare_queue(name)
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.3)
    client.publish(b"", name, deliver_at=later)
    assert client.get(name) is None
    assert client.get(name, wait=PATIENCE) is not None
    assert datetime.datetime.now(datetime.timezone.utc) >= later


def test_get_waits_leases_and_settles(client, name):
    client.declare_queue(name)
    assert client.get(name) is None
    threading.Timer(0.05, client.publish, (b"x", name)).start()
    delivery = client.get(name, wait=PATIENCE)
    delivery.nack()
    again = client.get(name)
    assert again.redelivered
    again.ack()
    with pytest.raises(kelpmq.FailedPrecondition):
        again.ack()
    assert client.get_queue(name).messages_unacked == 0


def test_a_consumer_is_iterated_over(client, name):
    client.declare_queue(name)
    with client.publisher(routing_key=name) as publisher:
        for n in range(3000):
            publisher.publish(b"%d" % n)
    bodies = []
    with client.consume(name, prefetch=10) as consumer:
        for delivery in consumer:
            bodies.append(delivery.body)
            delivery.ack()
            if len(bodies) == 3000:
                break
        consumer.flush(PATIENCE)
        assert client.get_queue(name).messages_unacked == 0
    assert bodies == [b"%d" % n for n in range(3000)]


def test_a_rejected_message_comes_again_or_goes(client, name):
    client.declare_queue(name)
    client.publish(b"x", name)
    with client.consume(name) as consumer:
        consumer.receive(PATIENCE).nack()
        again = consumer.receive(PATIENCE)
        assert again.redelivered
        again.nack(requeue=False)
        assert consumer.receive(0.01) is None
        consumer.flush(PATIENCE)
    assert client.get_queue(name).messages_ready == 0


def test_leaving_a_loop_gives_the_rest_back(client, name):
    client.declare_queue(name)
    for n in range(3):
        client.publish(b"%d" % n, name)
    for delivery in client.consume(name):
        delivery.ack()
        break
    got = client.get(name, wait=PATIENCE)
    assert got.body == b"1"
    got.ack()
    assert client.get(name, wait=PATIENCE, auto_ack=True).body == b"2"


def test_auto_ack_delivers_more_than_is_held_here(client, name):
    client.declare_queue(name)
    with client.publisher(routing_key=name) as publisher:
        for n in range(20_000):
            publisher.publish(b"%d" % n)
    with client.consume(name, auto_ack=True) as consumer:
        for n in range(20_000):
            delivery = consumer.receive(PATIENCE)
            assert delivery.body == b"%d" % n
        assert delivery.settled


def test_an_auto_ack_consumer_that_is_forgotten_ends_though_nobody_takes(client, name):
    client.declare_queue(name)
    with client.publisher(routing_key=name) as publisher:
        for _ in range(20_000):
            publisher.publish(b"")
    consumer = client.consume(name, auto_ack=True)
    while not consumer._held_back:
        time.sleep(0.001)
    del consumer
    deadline = time.monotonic() + PATIENCE
    while client.get_queue(name).consumer_count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_callback_is_called_in_order_and_its_failures_are_not_the_end(client, name, caplog):
    client.declare_queue(name)
    seen = []
    done = threading.Event()

    def work(delivery):
        seen.append((delivery.body, delivery.redelivered))
        if delivery.body == b"bad":
            raise RuntimeError("cannot")
        if delivery.body == b"exit":
            sys.exit("which a thread cannot do")
        delivery.ack()
        if delivery.body == b"last":
            done.set()

    for body in (b"1", b"bad", b"exit", b"2"):
        client.publish(body, name)
    with client.consume(name, work, prefetch=1):
        client.publish(b"last", name)
        assert done.wait(PATIENCE)
    assert seen == [(b"1", False), (b"bad", False), (b"bad", True), (b"exit", False),
                    (b"exit", True), (b"2", False), (b"last", False)]
    assert len(caplog.records) == 4
    assert client.get_queue(name).messages_ready == 0


def test_the_end_of_a_queue_is_raised_after_what_had_arrived(client, name):
    client.declare_queue(name)
    client.publish(b"x", name)
    consumer = client.consume(name)
    while not client.get_queue(name).messages_unacked:
        time.sleep(0.001)
    client.delete_queue(name)
    with pytest.raises(kelpmq.ConsumerCancelled) as caught:
        for delivery in consumer:
            assert delivery.body == b"x"
    assert caught.value.reason == "QUEUE_DELETED"


def test_another_threads_close_ends_iteration(client, name):
    client.declare_queue(name)
    consumer = client.consume(name)
    threading.Timer(0.05, consumer.close).start()
    assert list(consumer) == []


def test_threads_share_a_client_and_a_consumer(client, name):
    client.declare_queue(name)
    got, failures = [], []

    def publish():
        for n in range(200):
            client.publish(b"%d" % n, name)

    def consume(consumer):
        try:
            while (delivery := consumer.receive(PATIENCE)) is not None:
                got.append(delivery.body)
                delivery.ack()
                if len(got) == 800:
                    consumer.close()
        except kelpmq.KelpmqError as error:
            failures.append(error)

    with client.consume(name) as consumer:
        threads = [threading.Thread(target=publish) for _ in range(4)]
        threads += [threading.Thread(target=consume, args=(consumer,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert failures == []
    assert sorted(got) == sorted([b"%d" % n for n in range(200)] * 4)


def test_a_subscription_needs_no_queue(client, name):
    client.declare_exchange(name, "topic")
    with client.subscribe(name, "order.*") as consumer:
        client.publish(b"x", "order.paid", exchange=name, mandatory=True)
        consumer.receive(PATIENCE).ack()
        assert client.get_queue(consumer.queue).exclusive
    with pytest.raises(kelpmq.NoRoute):
        client.publish(b"x", "order.paid", exchange=name, mandatory=True)


def test_an_exclusive_queue_is_its_clients_and_goes_with_it(broker, client, name):
    with kelpmq.Client(broker.address) as owner:
        owner.declare_queue(name, exclusive=True)
        client.publish(b"x", name, mandatory=True)
        for use in (client.get, client.consume, client.delete_queue):
            with pytest.raises(kelpmq.FailedPrecondition) as caught:
                use(name)
            assert caught.value.reason == "RESOURCE_LOCKED"
        with owner.consume(name) as consumer:
            consumer.receive(PATIENCE).ack()
        assert owner.get(name) is None
    with pytest.raises(kelpmq.NotFound):
        client.get_queue(name)


def test_vhosts_are_apart(broker, client, name):
    with kelpmq.Client(broker.address, vhost="nowhere") as lost:
        with pytest.raises(kelpmq.NotFound) as caught:
            lost.declare_queue(name)
        assert caught.value.reason == "VHOST_NOT_FOUND"
        with pytest.raises(kelpmq.NotFound):
            lost.publish(b"", name)


def test_without_a_broker_it_says_so_at_once():
    with pytest.raises(kelpmq.Unavailable) as caught:
        kelpmq.Client("127.0.0.1:1", connect_timeout=PATIENCE)
    assert isinstance(caught.value, ConnectionError)


def test_a_closed_client_does_nothing_more(broker, name):
    client = kelpmq.Client(broker.address)
    client.declare_queue(name)
    client.publish(b"x", name)
    client.close()
    client.close()
    for use in (lambda: client.publish(b"x", name), lambda: client.get_queue(name),
                lambda: client.consume(name), lambda: client.publisher().publish(b"x")):
        with pytest.raises(kelpmq.ClientClosed):
            use()


def test_closing_confirms_what_was_published(broker, client, name):
    client.declare_queue(name)
    other = kelpmq.Client(broker.address)
    confirms = [other.publisher().publish(b"x", name) for _ in range(1000)]
    other.close()
    assert all(confirm.exception(0) is None for confirm in confirms)
    assert client.get_queue(name).messages_ready == 1000


def test_server_info(client):
    info = client.server_info()
    assert info.version == kelpmq.__version__
    assert info.max_message_bytes > 1 << 20


def test_messages_are_as_large_as_the_broker_allows():
    body = bytes(8 << 20)
    with kelpmq.PrivateBroker("--max-message-bytes", str(16 << 20)) as broker, \
            kelpmq.Client(broker.address) as client:
        client.declare_queue("q")
        client.publish(body, "q")
        delivery = client.get("q")
        assert delivery.body == body
        delivery.nack()
        with client.consume("q") as consumer:
            assert consumer.receive(PATIENCE).body == body


def test_mistakes_in_a_publish_are_named(client, name):
    client.declare_queue(name)
    for wrong, text in [
        (lambda: client.publish(name, b"body"), r"routing key is str, not bytes: publish\(body,"),
        (lambda: client.publish(b"x", name, header={}), "no such property: header; .*headers"),
        (lambda: client.publish(b"x", name, priority="high"), "priority='high'"),
        (lambda: client.publisher(message_id=5), "message_id=5"),
        (lambda: client.publish({"a": 1}, name), "bytes or str, not dict"),
    ]:
        with pytest.raises(TypeError, match=text):
            wrong()
    with pytest.raises(ValueError, match="priority=-1"):
        client.publish(b"x", name, priority=-1)
    assert client.get_queue(name).messages_ready == 0


def test_errors_say_why_nobody_answers(own_broker, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:  # no broker
        host, port = other.getsockname()

        def answer():
            connection, _ = other.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"AMQP" + bytes(100))
                while connection.recv(1000):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(kelpmq.Unavailable, match=f"at {host}:{port}: .*not speak gRPC"):
            kelpmq.Client(f"{host}:{port}")
        thread.join(PATIENCE)
    for address, text in [(f"{host}:{port}", "nothing listens there"),
                          (f"unix:{tmp_path}/s", "there is no such socket")]:
        with pytest.raises(kelpmq.Unavailable, match=f"no broker answers at {address}: {text}"):
            kelpmq.Client(address)
    with pytest.raises(kelpmq.Unavailable, match=f"{own_broker.address}: .*does not speak TLS"):
        kelpmq.Client(own_broker.address, tls=True)
