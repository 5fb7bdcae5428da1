"""declare, bind, unbind, delete, purge, list, policy, vhost, status and healthcheck."""
import stubs  # noqa: F401
from kelpmq.v1 import topology_pb2


def test_declare_queue_says_whether_it_is_new(kelpmq, name):
    assert kelpmq("declare", "queue", name).out == f"queue '{name}' declared in vhost '/'\n"
    kelpmq("publish", "--routing-key", name, "one")
    again = kelpmq("declare", "queue", name).out
    assert again == f"queue '{name}' is there in vhost '/': 1 message ready, 0 consumers\n"
    assert kelpmq("declare", "queue", name, "--passive").out == again


def test_declare_queue_passes_options_and_typed_arguments(kelpmq, name):
    kelpmq("declare", "queue", name, "--durable", "--auto-delete", "--expires-ms", "600000",
           "--max-length", "10", "--overflow", "reject-publish", "--max-priority", "5",
           "--argument", "x-vendor=[1,true]", "--argument", "note=plain text", "--argument", 'text="5"')
    state = kelpmq.queue_state(name)
    assert (state["durable"], state["auto_delete"], state["exclusive"]) == (True, True, False)
    assert state["arguments"] == {
        "note": "plain text", "text": "5", "x-expires": 600000, "x-max-length": 10, "x-max-priority": 5,
        "x-overflow": "reject-publish", "x-vendor": [1, True]}


def test_declare_queue_without_name_prints_the_brokers_choice(kelpmq):
    made = kelpmq("declare", "queue", "", "--json").json
    assert made["created"] is True
    assert made["queue"]["name"].startswith("amq.gen-")
    kelpmq("delete", "queue", made["queue"]["name"])


def test_declare_exchange_and_list(kelpmq, name):
    assert kelpmq("declare", "exchange", name, "--type", "topic", "--internal").out == (
        f"topic exchange '{name}' declared in vhost '/'\n")
    assert "is there" in kelpmq("declare", "exchange", name, "--passive").out
    exchange, = kelpmq("list", "exchanges", "--prefix", name, "--json").json
    assert exchange == {"vhost": "/", "name": name, "type": "topic", "durable": False, "auto_delete": False,
                        "internal": True, "arguments": {}}


def test_bind_and_unbind_queue(kelpmq, queue):
    bind = ("queue", queue, "--exchange", "amq.topic", "--routing-key", "a.#")
    assert kelpmq("bind", *bind).out == f"bound: exchange 'amq.topic' -> queue '{queue}' with 'a.#'\n"
    assert kelpmq("bind", *bind).out.startswith("is bound: ")
    bindings = kelpmq("list", "bindings", "--source", "amq.topic", "--destination", queue, "--json").json
    assert [(b["routing_key"], b["destination_type"]) for b in bindings] == [("a.#", "queue")]
    assert kelpmq("unbind", *bind).out.startswith("unbound: ")
    assert kelpmq("unbind", *bind).out.startswith("no such binding: ")


def test_bind_exchange_and_headers_binding(kelpmq, queue, name):
    kelpmq("declare", "exchange", name, "--type", "headers")
    kelpmq("bind", "exchange", name, "--source", "amq.fanout")
    kelpmq("bind", "queue", queue, "--exchange", name, "--argument", "x-match=all", "--argument", "level=3")
    kelpmq("publish", "--exchange", "amq.fanout", "--header", "level=3", "typed")
    kelpmq("publish", "--exchange", "amq.fanout", "--header", 'level="3"', "a string, no match")
    assert kelpmq("get", queue, "--count", "5").out == "typed\n"
    kelpmq("unbind", "exchange", name, "--source", "amq.fanout")


def test_purge_and_delete_count_messages(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "1", "2", "3")
    assert kelpmq("purge", queue).out == f"3 messages purged from queue '{queue}'\n"
    kelpmq("publish", "--routing-key", queue, "4")
    assert kelpmq("delete", "queue", queue).out == f"queue '{queue}' deleted with 1 message\n"
    assert kelpmq("delete", "queue", queue).out == f"queue '{queue}' was not there\n"


def test_delete_conditions(kelpmq, queue, name):
    kelpmq("publish", "--routing-key", queue, "1")
    assert "(QUEUE_NOT_EMPTY, 406)" in kelpmq("delete", "queue", queue, "--if-empty", code=1).err
    kelpmq("declare", "exchange", name)
    kelpmq("bind", "queue", queue, "--exchange", name)
    refused = kelpmq("delete", "exchange", name, "--if-unused", code=1).err
    assert "(EXCHANGE_IN_USE, 406)" in refused
    assert f"kelpmq list bindings --source {name}" in refused
    assert kelpmq("delete", "exchange", name).out == f"exchange '{name}' deleted\n"


def test_tables_are_aligned_and_escape_control_characters(kelpmq, name):
    wild = name + "-\x1b[31m-é"
    for queue in (wild, name + "-x"):
        kelpmq("declare", "queue", queue)
    kelpmq("publish", "--routing-key", name + "-x", *["m"] * 12)
    heading, *rows = kelpmq("list", "queues", "--prefix", name).out.splitlines()
    assert heading.split() == ["NAME", "READY", "UNACKED", "CONSUMERS", "BYTES", "FLAGS", "ARGUMENTS"]
    end_of_ready = heading.index("READY") + len("READY")
    assert sorted(row[:end_of_ready].split()[-1] for row in rows) == ["0", "12"]
    assert any("\\x1b[31m-é" in row for row in rows)
    assert not any("\x1b" in row for row in rows)


def test_list_bindings_table(kelpmq, queue):
    kelpmq("bind", "queue", queue, "--exchange", "amq.direct", "--routing-key", "k")
    heading, *rows = kelpmq("list", "bindings", "--destination", queue).out.splitlines()
    assert heading.split() == ["SOURCE", "TO", "DESTINATION", "ROUTING", "KEY", "ARGUMENTS"]
    assert [row.split() for row in sorted(rows)] == [
        ["(default)", "queue", queue, queue], ["amq.direct", "queue", queue, "k"]]


def test_list_shows_all_pages(kelpmq, queue, client):
    more_than_a_page = 1001
    calls = [client.topology.BindQueue.future(topology_pb2.BindQueueRequest(
        queue=queue, exchange="amq.direct", routing_key=f"key-{i}")) for i in range(more_than_a_page)]
    for call in calls:
        call.result()
    bindings = kelpmq("list", "bindings", "--source", "amq.direct", "--destination", queue, "--json").json
    assert len({binding["routing_key"] for binding in bindings}) == more_than_a_page


def test_empty_list_says_so_on_stderr(kelpmq):
    empty = kelpmq("list", "queues", "--prefix", "no-such-prefix")
    assert (empty.out, empty.err) == ("", "no queues in vhost '/'\n")
    assert kelpmq("list", "queues", "--prefix", "no-such-prefix", "--json").json == []


def test_vhost_put_list_delete(kelpmq, name):
    assert kelpmq("vhost", "put", name, "--description", "for tests").out == f"vhost '{name}' made\n"
    assert kelpmq("vhost", "put", name).out == f"vhost '{name}' updated\n"
    assert name in [vhost["name"] for vhost in kelpmq("list", "vhosts", "--json").json]
    assert kelpmq("list", "vhosts").out.splitlines()[0].split() == ["NAME", "LIMITS", "TAGS", "DESCRIPTION"]
    kelpmq("declare", "queue", "q", "--vhost", name)
    assert kelpmq("list", "queues", KELPMQ_VHOST=name).out.splitlines()[1].split()[0] == "q"
    assert kelpmq("vhost", "delete", name).out == f"vhost '{name}' deleted\n"
    assert kelpmq("vhost", "delete", name).out == f"vhost '{name}' was not there\n"


def test_status_counts_what_there_is(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "1", "2")
    status = kelpmq("status", "--json").json
    vhost, = [vhost for vhost in status["vhosts"] if vhost["name"] == "/"]
    assert vhost["queues"] >= 1 and vhost["messages_ready"] >= 2
    assert status["limits"]["max_message_bytes"] > 0
    text = kelpmq("status").out
    assert text.startswith(f"KelpMQ {status['version']} at {status['address']}\n")
    assert "VHOST" in text and "READY" in text


def test_healthcheck(kelpmq):
    assert kelpmq("healthcheck").out == "serving\n"
    assert kelpmq("healthcheck", "--service", "kelpmq.v1.MessagingService", "--json").json == {
        "service": "kelpmq.v1.MessagingService", "serving": True}
    assert "is not known" in kelpmq("healthcheck", "--service", "no.such.Service", code=1).err


def test_policy_put_list_and_delete(kelpmq, name):
    put = ("policy", "put", name, f"^{name}", "max-length=2", "overflow=drop-head", "--apply-to", "queues")
    assert kelpmq(*put).out == f"policy '{name}' made\n"
    assert kelpmq(*put, "--priority", "7").out == f"policy '{name}' updated\n"
    policy, = [p for p in kelpmq("list", "policies", "--json").json if p["name"] == name]
    assert policy == {"vhost": "/", "name": name, "pattern": f"^{name}", "apply_to": "queues", "priority": 7,
                      "definition": {"max-length": 2, "overflow": "drop-head"}}
    row = next(line for line in kelpmq("list", "policies").out.splitlines() if line.startswith(name))
    assert row.split()[1:] == [f"^{name}", "queues", "7", "max-length=2", "overflow=drop-head"]
    assert kelpmq("policy", "delete", name).out == f"policy '{name}' deleted\n"
    assert kelpmq("policy", "delete", name).out == f"policy '{name}' was not there\n"


def test_vhost_limits_are_listed(kelpmq, name):
    kelpmq("vhost", "put", name, "--max-queues", "1", "--max-connections", "5")
    vhost, = [v for v in kelpmq("list", "vhosts", "--json").json if v["name"] == name]
    assert (vhost["max_queues"], vhost["max_connections"]) == (1, 5)
    kelpmq("vhost", "delete", name)
