"""Replays recorded RabbitMQ cases over the wire; tests/README.md says how to use it."""
