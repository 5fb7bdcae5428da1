"""A client for each test."""
import pytest
import wire


@pytest.fixture
def client(broker):
    client = wire.Client(broker.address)
    yield client
    client.close()
