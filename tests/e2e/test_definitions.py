"""Definitions of a real RabbitMQ: brought in at the start, by RPC and from the command line, and written out."""
import json
import pathlib
import subprocess

import broker as broker_process
import grpc
import pytest
import users
import wire
from kelpmq.v1 import admin_pb2, topology_pb2
from kelpmq.v1 import messaging_pb2 as pb

RABBITMQ = pathlib.Path(__file__).parent / "data" / "rabbitmq-definitions.json"
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
SECTIONS = ("users", "permissions", "topic_permissions", "policies", "exchanges", "queues", "bindings")
ADMIN = wire.basic("admin", "admin-secret")


def document() -> dict:
    return json.loads(RABBITMQ.read_text())


def import_into(client: wire.Client, content, **fields) -> admin_pb2.ImportDefinitionsResponse:
    return client.admin.ImportDefinitions(admin_pb2.ImportDefinitionsRequest(
        json=content if isinstance(content, bytes) else json.dumps(content).encode(), **fields),
        timeout=wire.PATIENCE)


def export_from(client: wire.Client, **fields) -> dict:
    return json.loads(client.admin.ExportDefinitions(
        admin_pb2.ExportDefinitionsRequest(**fields), timeout=wire.PATIENCE).json)


def by_names(section: list[dict]) -> list[dict]:
    """In an order that does not depend on who wrote it."""
    return sorted(section, key=lambda item: json.dumps(
        [item.get(key) for key in ("vhost", "name", "user", "source", "destination", "routing_key", "exchange")]))


def check_imported(client: wire.Client) -> None:
    """All that the document has is there, in its own words."""
    before, after = document(), export_from(client)
    # RabbitMQ does not write internal exchanges, but what is bound to them.
    before["bindings"] = [b for b in before["bindings"] if "orders.audit" not in (b["source"], b["destination"])]
    assert not any(exchange.pop("internal") for exchange in after["exchanges"])
    for section in SECTIONS:
        assert by_names(after[section]) == by_names(before[section]), section
    assert by_names(after["parameters"]) == by_names(before["parameters"])
    shop = {vhost["name"]: vhost for vhost in after["vhosts"]}["shop"]
    assert shop["description"] == "orders and what becomes of them" and shop["tags"] == ["production", "eu"]


def test_a_real_document_at_the_start():
    with broker_process.running("--definitions", str(RABBITMQ)) as running:
        # RabbitMQ's own user `guest` is in the document, so nobody is guest without saying so.
        client = wire.Client(running.address, ADMIN)
        check_imported(client)
        orders = wire.Client(running.address, wire.basic("orders", "orders-secret"))
        orders.messaging.Publish(pb.PublishRequest(
            vhost="shop", exchange="orders.events", routing_key="order.7.paid", message=wire.message("paid"),
            mandatory=True), timeout=wire.PATIENCE)
        assert wire.bodies(orders.get("orders.billing", vhost="shop").deliveries) == ["paid"]
        with wire.fails(grpc.StatusCode.PERMISSION_DENIED, "ACCESS_REFUSED"):
            orders.messaging.Publish(pb.PublishRequest(
                vhost="shop", exchange="orders.events", routing_key="stock.1"), timeout=wire.PATIENCE)
        client.close(), orders.close()


def test_a_real_document_by_rpc_and_once_more(own_broker):
    guest, client = wire.Client(own_broker.address), wire.Client(own_broker.address, ADMIN)
    first = import_into(guest, document())
    assert not first.ignored_sections
    assert len(first.conflicts) == 2 and all("'orders.audit'" in conflict for conflict in first.conflicts)
    check_imported(client)
    again = import_into(client, document())
    assert (again.created_count, again.unchanged_count) == (0, first.created_count + first.unchanged_count)
    guest.close(), client.close()


def test_what_is_written_out_makes_an_equal_broker(own_broker):
    guest, client = wire.Client(own_broker.address), wire.Client(own_broker.address, ADMIN)
    import_into(guest, document())
    written = export_from(client)
    another = broker_process.Broker()
    copy = wire.Client(another.address)
    import_into(copy, written)
    copied = wire.Client(another.address, ADMIN)
    assert export_from(copied) == written
    for one in (guest, client, copy, copied):
        one.close()
    another.stop()


def test_what_is_not_understood_is_kept_and_named(own_broker):
    client = wire.Client(own_broker.address)
    kept = {"global_parameters": [{"name": "cluster_name", "value": "x"}], "vendor": {"a": [1, None]},
            "parameters": [{"component": "shovel", "name": "s", "vhost": "/", "value": {"src-queue": "q"}}]}
    assert sorted(import_into(client, kept).ignored_sections) == sorted(kept)
    assert {key: section for key, section in export_from(client).items() if key in kept} == kept
    client.close()


def test_only_validating_changes_nothing(client):
    counted = import_into(client, document(), validate_only=True)
    assert counted.created_count > 20 and len(counted.conflicts) == 2
    with wire.fails(grpc.StatusCode.NOT_FOUND, "VHOST_NOT_FOUND"):
        client.declare(vhost="shop")


def test_what_cannot_be_changed_is_a_conflict(client):
    name = client.declare(durable=True)
    result = import_into(client, {"queues": [
        {"name": name, "vhost": "/", "durable": False}, {"name": name + "-new", "vhost": "/", "durable": True}]})
    assert result.created_count == 1
    assert len(result.conflicts) == 1 and f"queue '{name}' in vhost '/'" in result.conflicts[0]
    assert client.declare(name, passive=True)


@pytest.mark.parametrize("content, complaint", [
    (b"", "not valid JSON"), (b"{]", "not valid JSON"), (b"\xff{}", "not valid JSON"), (b"[]", "must be an object"),
    (b"[" * 100000, "nested deeper"),
    ({"queues": [{"name": "q", "vhost": "/"}, {"name": "q2", "vhost": "none"}]}, "queues[1]"),
    ({"queues": [{"name": "q", "vhost": "/", "arguments": {"x-message-ttl": "soon"}}]}, "queues[0]"),
    ({"users": [{"name": "u"}], "permissions": [{"user": "u", "vhost": "/", "configure": "(", "write": "", "read": ""}]},
     "permissions[0]"),
])
def test_a_document_is_valid_as_a_whole_or_not_at_all(own_broker, content, complaint):
    client = wire.Client(own_broker.address)
    with wire.fails(INVALID_ARGUMENT, "INVALID_VALUE") as info:
        import_into(client, content)
    assert complaint in info.value.details()
    assert not client.topology.ListQueues(topology_pb2.ListQueuesRequest(), timeout=wire.PATIENCE).queues
    client.close()


def test_one_vhost_goes_into_another(client):
    name = client.declare(durable=True)
    client.admin.PutVhost(admin_pb2.PutVhostRequest(vhost=admin_pb2.Vhost(name="copy")), timeout=wire.PATIENCE)
    exported = export_from(client, vhost="")
    assert "users" not in exported and all("vhost" not in queue for queue in exported["queues"])
    import_into(client, exported, vhost="copy")
    assert client.declare(name, vhost="copy", passive=True) == name
    for call in (lambda: import_into(client, {}, vhost="none"), lambda: export_from(client, vhost="none")):
        with wire.fails(grpc.StatusCode.NOT_FOUND, "VHOST_NOT_FOUND"):
            call()


def test_exclusive_queues_are_nobodys_to_write_out(client):
    session = client.open_session()
    name = client.declare(exclusive=True, session_id=session)
    exchange = client.declare_exchange("fanout")
    client.bind(name, exchange, session_id=session)
    exported = export_from(client)
    assert name not in json.dumps(exported)
    client.close_session(session)


def test_permissions_that_are_brought_in_end_streams(own_broker):
    client = wire.Client(own_broker.address)
    stream = wire.ConsumeStream.open(client)
    stream.ping()
    import_into(client, {"users": [users.user("guest", "administrator")]})
    assert stream.end() == (grpc.StatusCode.UNAUTHENTICATED, "BAD_CREDENTIALS")
    client.close()


def test_a_bad_document_keeps_the_broker_from_starting(tmp_path):
    file = tmp_path / "definitions.json"
    file.write_text('{"queues": [{"name": "q", "vhost": "none"}]}')
    for path, complaint in ((file, "queues[0]"), (tmp_path / "none.json", "No such file")):
        done = subprocess.run(
            [broker_process.binary(), "serve", "--listen", "127.0.0.1:0", "--definitions", path],
            capture_output=True, text=True, timeout=wire.PATIENCE)
        assert done.returncode == 64 and complaint in done.stderr, done.stderr
