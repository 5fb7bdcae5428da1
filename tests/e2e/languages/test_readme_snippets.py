"""The few lines that README.md has of each language, in the smallest frame that makes a program of them."""
import pytest
import wire

from program import Program
from toolchain import LANGUAGES


@pytest.mark.parametrize(
    "language", [language for language in LANGUAGES if language.fence],
    ids=lambda language: language.name, indirect=True, scope="session")
def test_readme(language, broker, client):
    if not client.exists("jobs"):
        client.declare("jobs")
    with Program(language.command("readme", broker.address)) as program:
        assert program.line() == "hello"  # It waits for more, so it does not end by itself.
        wire.until(lambda: client.queue("jobs").messages_unacked == 0, "it is acknowledged")
    wire.until(lambda: client.queue("jobs").consumer_count == 0, "the consumer is gone")
    assert client.ready("jobs") == 0
