"""A client for each test, and streams; another client for tests that move the clock."""
import pytest
import wire


@pytest.fixture
def client(broker):
    client = wire.Client(broker.address)
    yield client
    client.close()


@pytest.fixture
def timed(still_broker):
    """A client of a broker whose time only `timed.advance(seconds)` moves."""
    client = wire.Client(still_broker.address)
    yield client
    client.close()


@pytest.fixture
def stream(client):
    """A Consume stream; `another` is a second one."""
    stream = wire.ConsumeStream.open(client)
    yield stream
    stream.call.cancel()


another = stream
