"""The broker is killed and comes back, in the middle of everything."""
import threading
import time

import kelpmq
import pytest
from conftest import PATIENCE


@pytest.fixture
def client(restartable):
    with kelpmq.Client(restartable.address, timeout=PATIENCE) as client:
        yield client


def test_publishing_and_consuming_go_on_over_restarts(restartable, client):
    """Topology and consumer come back, what was confirmed after a restart arrives, and each
    publish is confirmed, or unknown, or was never sent."""
    client.declare_exchange("orders", "topic")
    client.declare_queue("billing")
    client.bind_queue("billing", "orders", "order.*")
    got: dict[int, set[int]] = {}  # of each life of the broker
    outcomes: dict[str, int] = {}
    arrived = threading.Condition()
    stop = threading.Event()
    lost: list[tuple[int, kelpmq.KelpmqError]] = []

    def take(delivery):
        life, number = map(int, delivery.body.split())
        with arrived:
            got.setdefault(life, set()).add(number)
            arrived.notify_all()
        delivery.ack()

    life = 0
    confirmed: dict[int, set[int]] = {0: set()}
    numbers = iter(range(10**9))
    publisher = client.publisher("orders", "order.paid", mandatory=True)

    def publish():
        while not stop.is_set():
            mine, number = life, next(numbers)
            confirm = publisher.publish(b"%d %d" % (mine, number))

            def done(confirm, mine=mine, number=number):
                error = confirm.exception(0)
                kind = type(error).__name__
                with arrived:
                    outcomes[kind] = outcomes.get(kind, 0) + 1
                    arrived.notify_all()
                if error is None:
                    confirmed[mine].add(number)
                else:
                    lost.append((mine, error))

            confirm.add_done_callback(done)
            if number % 100 == 0:
                time.sleep(0.001)

    def wait_until_it_works():
        with arrived:
            assert arrived.wait_for(lambda: len(got.get(life, ())) > 1000, PATIENCE), got.keys()

    client.consume("billing", take)
    thread = threading.Thread(target=publish)
    thread.start()
    try:
        for next_life in range(1, 4):
            wait_until_it_works()
            restartable.kill()
            confirmed[next_life] = set()
            restartable.start()
            life = next_life
        wait_until_it_works()
    finally:
        stop.set()
        thread.join(PATIENCE)
    client.publisher().flush(PATIENCE)
    published = next(numbers)
    with arrived:  # Each publish has an outcome, and one only.
        assert arrived.wait_for(lambda: sum(outcomes.values()) >= published, PATIENCE)
        assert sum(outcomes.values()) == published
    # Every message confirmed since the last restart is delivered.
    with arrived:
        assert arrived.wait_for(lambda: confirmed[3] <= got[3], PATIENCE)
    assert set(outcomes) == {"NoneType", "OutcomeUnknown"}
    assert outcomes["OutcomeUnknown"] > 0
    with pytest.raises(kelpmq.PublishFailed) as caught:
        publisher.flush(PATIENCE)
    assert len(caught.value.failures) == min(len(lost), 1000)


def test_a_publish_of_which_nobody_knows_raises(restartable, client):
    client.publish(b"x")
    confirms = []
    killed = threading.Event()

    def publish():
        publisher = client.publisher()
        while not killed.is_set():
            confirms.append(publisher.publish(b"x"))

    thread = threading.Thread(target=publish)
    thread.start()
    restartable.kill()
    killed.set()
    restartable.start()  # lets a publisher that waits for room go on
    thread.join(PATIENCE)
    errors = {type(confirm.exception(PATIENCE)) for confirm in confirms}
    assert errors <= {type(None), kelpmq.OutcomeUnknown}
    client.publish(b"y")  # it goes on


def test_a_consumer_comes_back_with_its_queue_and_binding(restartable, client):
    client.declare_exchange("e", "fanout")
    queue = client.declare_queue(exclusive=True).name
    client.bind_queue(queue, "e")
    with client.consume(queue) as consumer:
        for n in range(2):
            client.publish(b"%d" % n, exchange="e", mandatory=True)
            delivery = consumer.receive(PATIENCE)
            assert delivery.body == b"%d" % n
            restartable.restart()
            delivery.ack()  # of no effect, and no error
            client.get_queue(queue)  # waits until it is there again
        assert client.get_queue(queue).consumer_count == 1 or consumer.receive(0.1) is None
        other = kelpmq.Client(restartable.address)
        with pytest.raises(kelpmq.FailedPrecondition):
            other.get(queue)
        other.close()


def test_what_was_undone_does_not_come_back(restartable, client):
    client.declare_exchange("e")
    client.declare_queue("kept")
    client.declare_queue("gone")
    client.bind_queue("kept", "e", "k")
    client.bind_queue("kept", "e", "unbound")
    client.bind_queue("gone", "e", "g")
    client.unbind_queue("kept", "e", "unbound")
    client.delete_queue("gone")
    restartable.restart()
    client.publish(b"x", "k", exchange="e", mandatory=True)
    for key in ("unbound", "g"):
        with pytest.raises(kelpmq.NoRoute):
            client.publish(b"x", key, exchange="e", mandatory=True)
    with pytest.raises(kelpmq.NotFound):
        client.get_queue("gone")


def test_calls_wait_for_the_broker_up_to_their_timeout(restartable):
    with kelpmq.Client(restartable.address, timeout=PATIENCE) as client:
        client.declare_queue("q")
        restartable.kill()
        threading.Timer(0.2, restartable.start).start()
        assert client.declare_queue("q").name == "q"
    with kelpmq.Client(restartable.address, timeout=0.3) as client:
        client.publish(b"x")
        restartable.kill()
        with pytest.raises((kelpmq.Unavailable, kelpmq.DeadlineExceeded)):
            client.declare_queue("q")
        with pytest.raises((kelpmq.OutcomeUnknown, kelpmq.DeadlineExceeded)):
            while True:
                client.publish(b"x")


def test_the_first_declaration_waits_for_the_broker_too(restartable, client):
    restartable.kill()
    threading.Timer(0.2, restartable.start).start()
    assert client.declare_queue("q").name == "q"


def test_without_reconnect_the_loss_is_raised(restartable):
    with kelpmq.Client(restartable.address, reconnect=False) as client:
        client.declare_queue("q")
        consumer = client.consume("q")
        client.publish(b"x", "q")
        consumer.receive(PATIENCE).ack()
        restartable.kill()
        with pytest.raises(kelpmq.Unavailable):
            consumer.receive(PATIENCE)
        with pytest.raises(kelpmq.Unavailable):
            while True:
                client.publish(b"x", "q")
        with pytest.raises(kelpmq.Unavailable):
            client.get_queue("q")


def test_a_client_can_be_closed_while_the_broker_is_away(restartable):
    client = kelpmq.Client(restartable.address, timeout=1)
    client.declare_queue("q", exclusive=True)
    consumer = client.consume("q")
    client.publish(b"x", "q")
    restartable.kill()
    confirm = client.publisher().publish(b"y", "q")
    client.close()
    assert confirm.done()
    assert list(consumer) == []


def test_an_ended_session_is_opened_again(restartable, client):
    from kelpmq.v1 import admin_pb2, admin_pb2_grpc

    queue = client.declare_queue(exclusive=True).name
    admin = admin_pb2_grpc.AdminServiceStub(client._connection.channel())
    [session] = admin.ListSessions(admin_pb2.ListSessionsRequest()).sessions
    with client.consume(queue) as consumer:
        admin.EndSession(admin_pb2.EndSessionRequest(session_ref=session.session_ref))
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline
            try:
                client.publish(b"x", queue, mandatory=True)
                break
            except kelpmq.NoRoute:
                continue
        consumer.receive(PATIENCE).ack()


def test_while_the_broker_is_away_the_log_says_so(restartable, client, caplog):
    client.declare_queue("q")
    restartable.kill()
    deadline = time.monotonic() + PATIENCE
    while "lost the connection to" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    restartable.start()
    client.get_queue("q")
    assert caplog.text.count("lost the connection to") == 1
