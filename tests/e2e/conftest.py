"""A client for each test, and streams."""
import pytest
import wire


@pytest.fixture
def client(broker):
    client = wire.Client(broker.address)
    yield client
    client.close()


@pytest.fixture
def stream(client):
    """A Consume stream; `another` is a second one."""
    stream = wire.ConsumeStream.open(client)
    yield stream
    stream.call.cancel()


another = stream
