"""Random cases, recorded on a RabbitMQ that runs here; tests/README.md says how to use it."""
