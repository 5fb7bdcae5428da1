"""Consume streams: prefetch, flow and credit."""
import wire
from kelpmq.v1 import messaging_pb2 as pb


def test_QOS_01_prefetch_limits_each_consumer(client, stream):
    one, two = client.filled(), client.filled("xyz")
    stream.start(one, consumer_id=1, prefetch_count=2)
    stream.start(two, consumer_id=2, prefetch_count=1)
    assert sorted(wire.bodies(stream.deliveries(3))) == ["a", "b", "x"]
    assert not stream.waiting()
    stream.settle(delivery_tags=[1])
    assert len(stream.deliveries(1)) == 1


def test_CHAN_03_flow_pauses_instead_of_failing(client, stream):
    stream.ask(flow=pb.SetFlow(whole_stream=True, paused=False))
    name = client.filled("ab")
    stream.start(name, prefetch_count=1)
    stream.deliveries(1)
    stream.ask(flow=pb.SetFlow(whole_stream=True, paused=True))
    stream.settle(delivery_tags=[1])
    assert not stream.waiting()
    stream.ask(flow=pb.SetFlow(whole_stream=True, paused=False))
    assert wire.bodies(stream.deliveries(1)) == ["b"]


def test_QOS_04_the_window_of_the_stream_is_shared(client):
    stream = wire.ConsumeStream.open(client, prefetch_count=3)
    one, two = client.filled(), client.filled("vwxyz")
    stream.start(one, consumer_id=1, prefetch_count=0)
    stream.start(two, consumer_id=2, prefetch_count=0)
    stream.deliveries(3)
    assert not stream.waiting()
    assert (client.queue(one).messages_unacked + client.queue(two).messages_unacked) == 3
    stream.settle(all=True)
    assert len(stream.deliveries(3)) == 3
    stream.call.cancel()


def test_QOS_05_the_window_of_the_stream_changes_at_once(client, stream):
    name = client.filled("abcdefgh")
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=1))
    stream.start(name, prefetch_count=0)
    assert wire.bodies(stream.deliveries(1)) == ["a"]
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=4))
    assert wire.bodies(stream.deliveries(3)) == ["b", "c", "d"]
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=2))
    stream.settle(delivery_tags=[1, 2])
    assert not stream.waiting(), "lowering takes nothing back and holds until below"
    stream.settle(delivery_tags=[3])
    assert wire.bodies(stream.deliveries(1)) == ["e"]


def test_QOS_06_both_windows_hold(client, stream):
    stream.ask(flow=pb.SetFlow(whole_stream=True, prefetch_count=3))
    one, two = client.filled(), client.filled()
    stream.start(one, consumer_id=1, prefetch_count=2)
    stream.start(two, consumer_id=2, prefetch_count=2)
    deliveries = stream.deliveries(3)
    assert not stream.waiting()
    assert sorted(d.consumer_id for d in deliveries) == [1, 1, 2]


def test_QOS_07_zero_is_no_limit(client, stream):
    name = client.declare()
    client.messaging.PublishBatch(pb.PublishBatchRequest(
        routing_key=name, items=[pb.PublishItem()] * 1000))
    assert stream.start(name, prefetch_count=0).prefetch_count == 0
    stream.deliveries(1000)


def test_flow_changes_a_running_consumer(client, stream):
    name = client.filled()
    stream.start(name, consumer_id=9, prefetch_count=1)
    stream.deliveries(1)
    stream.ask(flow=pb.SetFlow(consumer_id=9, prefetch_count=3))
    assert wire.bodies(stream.deliveries(2)) == ["b", "c"]


def test_a_paused_consumer_gets_nothing_until_it_goes_on(client, stream):
    name = client.declare()
    stream.start(name, consumer_id=9)
    stream.ask(flow=pb.SetFlow(consumer_id=9, paused=True))
    stream.ping()
    client.publish(name, "a")
    assert not stream.waiting() and client.ready(name) == 1
    stream.ask(flow=pb.SetFlow(consumer_id=9, paused=False))
    assert wire.bodies(stream.deliveries(1)) == ["a"]


def test_prefetch_bytes_limits_the_bytes_out(client, stream):
    name = client.declare()
    client.publish(name, *[b"x" * 1000] * 5, b"y" * 5000)
    stream.start(name, prefetch_count=0, prefetch_bytes=2500)
    stream.deliveries(2)
    assert not stream.waiting()
    stream.settle(all=True)
    stream.deliveries(2)
    stream.settle(all=True)
    stream.deliveries(1)
    stream.settle(all=True)
    assert len(stream.deliveries(1)[0].message.body) == 5000, "a large one goes out alone"


def test_manual_credit_delivers_what_was_granted(client, stream):
    name = client.filled()
    stream.start(name, consumer_id=1, manual_credit=True)
    assert not stream.waiting()
    stream.ask(credit=pb.GrantCredit(consumer_id=1, messages=2))
    assert wire.bodies(stream.deliveries(2)) == ["a", "b"]
    stream.settle(all=True)
    assert not stream.waiting(), "settling grants nothing"
    stream.ask(credit=pb.GrantCredit(consumer_id=1, messages=1))
    assert wire.bodies(stream.deliveries(1)) == ["c"]


def test_drain_gives_up_the_credit_that_is_left(client, stream):
    name = client.filled("ab")
    stream.start(name, consumer_id=1, manual_credit=True)
    stream.ask(credit=pb.GrantCredit(consumer_id=1, messages=10, drain=True))
    assert wire.bodies(stream.deliveries(2)) == ["a", "b"]
    drained = stream.event("credit_drained")
    assert (drained.consumer_id, drained.unused_credit) == (1, 8)
    client.publish(name, "c")
    assert not stream.waiting()


def test_requests_for_consumers_that_are_not_there_are_ignored(stream):
    stream.ask(cancel=pb.CancelConsumer(consumer_id=5))
    stream.ask(credit=pb.GrantCredit(consumer_id=5, messages=1))
    stream.ask(flow=pb.SetFlow(consumer_id=5, prefetch_count=1))
    stream.ping()
