"""kombu_emulator: bodies, properties and headers come back as they were."""
import collections
import datetime
import decimal
import enum
import uuid

import pytest
from kombu_emulator import Connection, Message, Producer, serialization

UTC = datetime.timezone.utc
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 250, UTC)


class Anything:
    """What JSON knows nothing of."""

    def __eq__(self, other):
        return type(other) is Anything


@pytest.fixture(scope="module")
def connection():
    with Connection(virtual_host="bodies") as connection:
        yield connection


@pytest.fixture
def channel(connection):
    channel = connection.channel()
    channel.queue_declare("q")
    yield channel
    channel.close()


@pytest.fixture
def through(channel):
    """Publishes to a queue and receives."""
    def through(body, **kwargs):
        Producer(channel, routing_key="q").publish(body, **kwargs)
        return channel.basic_get("q", no_ack=True)

    return through


@pytest.mark.parametrize("body", [
    {"a": [1, 2.5, None, True, "x"]}, [], {}, 0, 1 << 70, -1.5, None, False,
    "text", "", "ünï", '{"looks": "like JSON"}', "5", b"bytes", b"", b"\x00\xff",
    (1, (2, [3])), {1: "one", (2, 3): "two"}, {"set": {1, 2}, "frozen": frozenset("ab")},
    {"__type__": "tuple", "__value__": [1]}, {"deep": [{"bytes": b"\xff"}]}, 1 + 2j,
    MOMENT, MOMENT.replace(tzinfo=None), MOMENT.date(), MOMENT.time(), datetime.timedelta(-1, 5, 7),
    decimal.Decimal("-1.50"), uuid.UUID(int=7), {"when": [MOMENT]},
], ids=repr)
def test_a_body_comes_back_as_it_was(through, body):
    found = through(body).body
    assert found == body and type(found) is type(body)


class Level(enum.IntEnum):
    HIGH = 3


class Colour(str, enum.Enum):
    RED = "red"


@pytest.mark.parametrize("body", [
    collections.OrderedDict(b=1, a=2), collections.Counter("aab"), Level.HIGH, [Colour.RED],
    {Level.HIGH: 1}, collections.namedtuple("Point", "x y")(1, 2)], ids=repr)
def test_what_is_derived_from_a_plain_type_comes_back_equal(through, body):
    assert through(body).body == body


@pytest.mark.parametrize("body, content_type, encoding", [
    ({"a": 1}, "application/json", "utf-8"), ("text", "text/plain", "utf-8"),
    (b"bytes", "application/octet-stream", "binary"),
])
def test_other_clients_are_told_what_a_body_is(channel, body, content_type, encoding):
    channel.basic_publish(body, routing_key="q")
    delivery = channel._client.get("q", auto_ack=True)
    assert (delivery.content_type, delivery.content_encoding) == (content_type, encoding)
    assert delivery.headers == {}


def test_what_json_cannot_bring_back_is_refused_and_pickle_can(through):
    with pytest.raises(TypeError, match="serializer='pickle'"):
        through({"x": Anything()})
    assert through({"x": Anything()}, serializer="pickle").body == {"x": Anything()}
    assert through("text", serializer="pickle").body == "text"
    with pytest.raises(ValueError, match="'yaml'"):
        through({}, serializer="yaml")


def test_pickles_of_others_are_not_read_unless_that_is_wanted(own_broker, monkeypatch):
    with Connection(own_broker.address) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        Producer(channel, routing_key="q", serializer="pickle").publish([1])
        message = channel.basic_get("q")
        assert isinstance(message.body, bytes)
        message.requeue()
        monkeypatch.setattr(serialization, "_pickle_from_anyone", False)
        serialization.enable_insecure_serializers()
        assert channel.basic_get("q").body == [1]


@pytest.mark.parametrize("content_type, data, body", [
    ("application/json", b'{"a": 1}', {"a": 1}), ("application/json", b"{", b"{"),
    ("application/json", b'{"__type__": "uuid", "__value__": 5}',
     b'{"__type__": "uuid", "__value__": 5}'),
    ("text/plain", b"\xff", b"\xff"), ("", b"x", b"x"), ("image/png", b"x", b"x"),
])
def test_bodies_of_other_clients(channel, content_type, data, body):
    channel._client.publish(data, "q", content_type=content_type)
    assert channel.basic_get("q", no_ack=True).body == body


@pytest.mark.parametrize("body", [{"a": 1}, "text", b"bytes"], ids=repr)
@pytest.mark.parametrize("label", [
    {"content_type": "image/png"}, {"content_type": "application/json"},
    {"content_encoding": "ascii"}], ids=str)
def test_a_content_type_of_ones_own_changes_no_body(through, body, label):
    message = through(body, **label)
    assert message.body == body
    assert {name: getattr(message, name) for name in label} == label


@pytest.mark.parametrize("properties", [
    {"timestamp": "2024-01-01T00:00:00Z"}, {"timestamp": MOMENT}, {"timestamp": 1_700_000_000},
    {"timestamp": 1_700_000_000_000},
    {"priority": 0}, {"priority": 9}, {"priority": "high"}, {"delivery_mode": 2},
    {"correlation_id": "c", "reply_to": "r", "message_id": "m", "type": "t", "app_id": "a"},
    {"correlation_id": 7}, {"message_id": ""}, {"expiration": "60000"}, {"expiration": 60},
    {"mine": {"nested": [1, (2,)]}, "none": None}, {},
], ids=repr)
def test_properties_come_back_as_they_were(through, properties):
    message = through("x", properties=properties)
    assert message.properties == properties
    assert message.headers == {}


def test_properties_that_amqp_has_mean_what_they_mean_there(channel):
    Producer(channel, routing_key="q").publish(
        "x", priority=5, expiration=60, timestamp=MOMENT, correlation_id="c", mine=1)
    delivery = channel._client.get("q", auto_ack=True)
    assert (delivery.priority, delivery.expiration, delivery.correlation_id) == (5, "60000", "c")
    assert delivery.timestamp == MOMENT.replace(microsecond=0)


def test_headers_come_back_as_they_were(through):
    headers = {"text": "x", "number": -1, "flag": True, "list": [1, "a"], "table": {"a": 1.5},
               "nothing": None, "bytes": b"\xff", "huge": 1 << 70, "pair": (1, [2, (3,)]),
               "set": {1}, "time": MOMENT, "plain time": MOMENT.replace(tzinfo=None), 7: "seven",
               "table of tables": {"a": {1: None}}}
    assert through({"a": 1}, headers=headers, mine=1).headers == headers


def test_headers_that_amqp_has_are_there_for_others_too(channel):
    Producer(channel, routing_key="q").publish(
        "x", headers={"text": "x", "pair": (1, 2), "set": {1}, "time": MOMENT})
    headers = channel._client.get("q", auto_ack=True).headers
    assert (headers["text"], headers["pair"]) == ("x", [1, 2])
    assert headers["time"] == MOMENT.replace(microsecond=0)
    assert "set" not in headers


def test_a_message_can_be_published_again(channel, through):
    first = through(Message({"a": (1,)}, content_type="image/png", headers={"h": 1},
                            properties={"mine": 1}))
    again = through(first)
    for name in ("body", "content_type", "headers", "properties"):
        assert getattr(again, name) == getattr(first, name)


def test_a_header_of_that_name_by_somebody_else_stays_a_header(channel):
    channel._client.publish(b"x", "q", headers={"kombu-emulator": "{"})
    assert channel.basic_get("q", no_ack=True).headers == {"kombu-emulator": "{"}


def test_large_bodies_fit_into_the_private_broker(through):
    body = {"big": "x" * (8 << 20)}
    assert through(body).body == body


def test_a_message_shows_what_it_is(through):
    assert repr(Message({"a": 1}, headers={"h": 1})) == "Message({'a': 1}, headers={'h': 1})"
    assert "'queue': 'q'" in repr(through("x"))
