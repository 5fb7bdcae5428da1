"""publish, get and consume."""
import base64
import datetime
import json
import signal
import subprocess
import time

import pytest
import wire


def test_the_first_minute(kelpmq):
    assert kelpmq("declare", "queue", "jobs").out == "queue 'jobs' declared in vhost '/'\n"
    published = kelpmq("publish", "--routing-key", "jobs", "hello")
    assert (published.out, published.err) == ("published 1 message\n", "")
    got = kelpmq("get", "jobs")
    assert (got.out, got.err) == ("hello\n", "")
    empty = kelpmq("get", "jobs", code=2)
    assert (empty.out, empty.err) == ("", "kelpmq: queue 'jobs' is empty\n")
    state = kelpmq.queue_state("jobs")
    assert (state["messages_ready"], state["messages_unacked"]) == (0, 0)


@pytest.mark.parametrize("body", ["[1,2]", "get", "-5", "", "{}", "a=b", "two words"])
def test_bodies_are_taken_as_they_are(kelpmq, queue, body):
    kelpmq("publish", "--routing-key", queue, body, "next")
    assert kelpmq("get", queue, "--count", "9").out == f"{body}\nnext\n"


def test_a_body_that_looks_like_an_option_goes_behind_dashes(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "--", "--mandatory")
    assert kelpmq("get", queue).out == "--mandatory\n"


def test_publish_reads_lines_from_stdin(kelpmq, queue):
    assert kelpmq("publish", "--routing-key", queue, stdin="one\n\ntwo").out == "published 3 messages\n"
    assert kelpmq("publish", "--routing-key", queue, "-", stdin="three\n").out == "published 1 message\n"
    assert kelpmq("publish", "--routing-key", queue, stdin="").out == "published 0 messages\n"
    assert kelpmq("get", queue, "--count", "9").out == "one\n\ntwo\nthree\n"


def test_lines_of_a_slow_writer_are_published_as_they_come(kelpmq, queue):
    process = kelpmq.start("publish", "--routing-key", queue, "-", stdin=subprocess.PIPE)
    process.stdin.write("early\n")
    process.stdin.flush()
    assert kelpmq("get", queue, "--wait", "30").out == "early\n"
    assert process.communicate(timeout=60)[0] == "published 1 message\n"


def test_many_lines_keep_their_order(kelpmq, queue):
    lines = "".join(f"{i}\n" for i in range(12000))
    assert kelpmq("publish", "--routing-key", queue, "-", stdin=lines).out == "published 12,000 messages\n"
    assert kelpmq("get", queue, "--count", "20000").out == lines


def test_properties_and_headers_come_back(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "--header", "n=5", "--header", "s=five", "--header", "t={\"a\":[null]}",
           "--persistent", "--priority", "7", "--content-type", "text/plain", "--correlation-id", "c", "--reply-to",
           "r", "--message-id", "m", "--expiration", "60000", "--type", "t", "--app-id", "a", "--timestamp", "1700000000",
           "body")
    got = kelpmq("get", queue, "--json").json
    assert got == {
        "exchange": "", "routing_key": queue, "body": "body", "headers": {"n": 5, "s": "five", "t": {"a": [None]}},
        "content_type": "text/plain", "correlation_id": "c", "reply_to": "r", "expiration": "60000", "message_id": "m",
        "type": "t", "app_id": "a", "delivery_mode": 2, "priority": 7, "timestamp": 1700000000, "redelivered": False,
        "delivery_tag": 1}


def test_jsonl_round_trip(kelpmq, queue, tmp_path):
    binary = base64.b64encode(b"\xff\x00\x01").decode()
    lines = [
        {"routing_key": queue, "body": "text", "headers": {"b": {"$bytes": binary}, "f": 1.5, "when": {"$timestamp": 5}}},
        {"exchange": "amq.direct", "routing_key": "nowhere", "body": "unrouted"},
        {"body_base64": binary, "priority": 3},
    ]
    source = tmp_path / "messages.jsonl"
    source.write_text("\n\n".join(map(json.dumps, lines)))
    published = kelpmq("publish", "--jsonl", str(source), "--routing-key", queue, "--app-id", "loader", "--json")
    assert published.json == {"published": 3, "unrouted": 1, "failed": 0, "unconfirmed": 0}
    first = kelpmq("get", queue, "--count", "9", "--requeue", "--json")
    text, raw = first.json_lines
    assert text["headers"] == lines[0]["headers"] and text["app_id"] == "loader"
    assert raw["body_base64"] == binary and raw["priority"] == 3
    # What was got can be published again.
    kelpmq("purge", queue)
    kelpmq("publish", "--jsonl", "-", stdin=first.out)
    assert kelpmq("get", queue, "--count", "9", "--json").out == first.out


@pytest.mark.parametrize("line, complaint", [
    ("nonsense", "not JSON"),
    ("[1]", "not a JSON object"),
    ('{"bodi": "x"}', "'bodi' is no field of a message"),
    ('{"body": 5}', "'body' must be a string"),
    ('{"priority": 300}', "'priority' must be a whole number from 0 to 255"),
    ('{"headers": {"h": 9223372036854775808}}', "header 'h': an integer has more than 64 bits"),
    ('{"body": "a", "body_base64": "YQ=="}', "exclude each other"),
])
def test_a_bad_jsonl_line_is_named_and_what_came_before_is_published(kelpmq, queue, line, complaint):
    source = json.dumps({"routing_key": queue, "body": "good"}) + "\n" + line + "\n" + '{"body": "never sent"}'
    failed = kelpmq("publish", "--jsonl", "-", stdin=source, code=1)
    assert "standard input line 2: " in failed.err
    assert complaint in failed.err
    assert failed.out == "published 1 message\n"
    assert kelpmq("get", queue, "--count", "9").out == "good\n"


def test_unrouted_messages_are_a_warning(kelpmq):
    result = kelpmq("publish", "--exchange", "amq.topic", "--routing-key", "no.one", "a", "b")
    assert result.out == "published 2 messages\n"
    assert "2 messages were routed to no queue: is there a binding?" in result.err
    assert "kelpmq bind queue QUEUE --exchange amq.topic --routing-key no.one" in result.err
    assert "kelpmq declare queue typo" in kelpmq("publish", "--routing-key", "typo", "x").err


def test_the_hint_on_unrouted_messages_names_their_vhost(kelpmq, name):
    kelpmq("vhost", "put", name)
    result = kelpmq("publish", "--vhost", name, "--routing-key", "typo", "x")
    assert f"kelpmq declare queue typo --vhost {name}\n" in result.err
    kelpmq("vhost", "delete", name)


def test_a_failed_message_that_was_alone_is_one_error(kelpmq):
    command = ("publish", "--mandatory", "--routing-key", "no-such-queue", "x")
    failed = kelpmq(*command, code=1)
    assert failed.out == ""
    line, hint = failed.err.splitlines()
    assert line == ("kelpmq: no queue takes routing key 'no-such-queue' from exchange '' in vhost '/' (NO_ROUTE, 312)")
    assert "kelpmq list queues" in hint
    counted = kelpmq(*command, "--json", code=1)
    assert counted.json == {"published": 0, "unrouted": 0, "failed": 1, "unconfirmed": 0}


def test_failed_messages_are_named(kelpmq, queue):
    failed = kelpmq("publish", "--mandatory", "--routing-key", "no-such-queue", "x", "y", code=1)
    assert failed.out == "published 0 of 2 messages\n"
    assert "message 1: " in failed.err and "(NO_ROUTE, 312)" in failed.err
    lines = "".join(json.dumps({"exchange": exchange, "routing_key": queue, "body": "x"}) + "\n"
                    for exchange in ("", "missing", "", "missing"))
    failed = kelpmq("publish", "--jsonl", "-", stdin=lines, code=1)
    assert failed.out == "published 2 of 4 messages\n"
    assert "line 2: no exchange 'missing' in vhost '/' (EXCHANGE_NOT_FOUND, 404)" in failed.err
    assert "line 4: " in failed.err
    assert failed.err.count("kelpmq declare exchange missing") == 1
    assert failed.err.endswith("kelpmq: 2 of 4 messages failed\n")


def test_get_requeue_leaves_messages_in_place(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "1", "2", "3")
    assert kelpmq("get", queue, "--count", "2", "--requeue").out == "1\n2\n"
    assert kelpmq("get", queue, "--count", "2", "--requeue", "--verbose").out.count("redelivered=true") == 2
    assert kelpmq.queue_state(queue)["messages_ready"] == 3
    assert kelpmq("get", queue, "--discard").out == "1\n"
    assert kelpmq("get", queue, "--auto-ack").out == "2\n"
    assert kelpmq("get", queue, "--count", "9").out == "3\n"


def test_get_waits_for_a_message(kelpmq, queue):
    process = kelpmq.start("get", queue, "--count", "2", "--wait", "60")
    kelpmq("publish", "--routing-key", queue, "first")
    kelpmq("publish", "--routing-key", queue, "second")
    assert process.communicate(timeout=60)[0] == "first\nsecond\n"
    assert process.returncode == 0
    start = time.monotonic()
    kelpmq("get", queue, "--wait", "100ms", code=2)
    assert time.monotonic() - start >= 0.1


def test_binary_bodies(kelpmq, queue):
    body = base64.b64encode(b"\x1b[2J\x00\xff").decode()
    kelpmq("publish", "--jsonl", "-", stdin=json.dumps({"routing_key": queue, "body_base64": body}))
    assert kelpmq("get", queue, "--requeue").out == f"base64:{body}\n"
    assert kelpmq("get", queue, "--requeue", "--json").json["body_base64"] == body
    raw = kelpmq.start("get", queue, "--raw", errors="surrogateescape")
    assert raw.communicate(timeout=60)[0].encode(errors="surrogateescape") == b"\x1b[2J\x00\xff"


@pytest.mark.parametrize("flags", [[], ["--auto-ack"], ["--prefetch", "1"]])
def test_consume_count_takes_no_more_than_it_prints(kelpmq, queue, flags):
    kelpmq("publish", "--routing-key", queue, *"12345")
    assert kelpmq("consume", queue, "--count", "3", *flags).out == "1\n2\n3\n"
    state = kelpmq.queue_state(queue)
    assert (state["messages_ready"], state["messages_unacked"], state["consumer_count"]) == (2, 0, 0)
    rest = kelpmq("consume", queue, "--count", "2", "--json", *flags).json_lines
    assert [message["body"] for message in rest] == ["4", "5"]
    assert not any(message["redelivered"] for message in rest)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_consume_ends_cleanly_on_a_signal(kelpmq, queue, signal_number):
    process = kelpmq.start("consume", queue)
    kelpmq("publish", "--routing-key", queue, "one", "two")
    assert [process.stdout.readline(), process.stdout.readline()] == ["one\n", "two\n"]
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    state = kelpmq.queue_state(queue)
    assert (state["messages_ready"], state["messages_unacked"], state["consumer_count"]) == (0, 0, 0)


def test_consume_ends_when_its_reader_does(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "one")
    process = kelpmq.start("consume", queue)
    assert process.stdout.readline() == "one\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert kelpmq.queue_state(queue)["consumer_count"] == 0


def test_consume_with_temporary_queue(kelpmq):
    before = len(kelpmq("list", "queues", "--json").json)
    process = kelpmq.start("consume", "--bind", "amq.topic:tmp.*", "--bind", "amq.direct:tmp", "--count", "2", "--tag",
                           "watcher")
    wire.until(lambda: kelpmq("list", "consumers", "--json").json, "a consumer")
    assert "watcher" in kelpmq("list", "consumers").out
    kelpmq("publish", "--exchange", "amq.topic", "--routing-key", "tmp.a", "by topic")
    kelpmq("publish", "--exchange", "amq.direct", "--routing-key", "tmp", "by key")
    assert process.communicate(timeout=60)[0] == "by topic\nby key\n"
    assert process.returncode == 0
    assert len(kelpmq("list", "queues", "--json").json) == before


def test_consume_of_a_deleted_queue_fails(kelpmq, queue):
    process = kelpmq.start("consume", queue)
    wire.until(lambda: kelpmq.queue_state(queue)["consumer_count"], "a consumer")
    kelpmq("delete", "queue", queue)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "deleted" in err


def test_messages_that_could_not_be_printed_are_not_acknowledged(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "keep me")
    for command in (["get", queue], ["consume", queue, "--count", "1"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([kelpmq.binary, *command], stdout=full, stderr=subprocess.PIPE,
                                  env=kelpmq.environment, timeout=60, check=False)
        assert done.returncode == 1
        assert b"cannot write to standard output" in done.stderr
    state = kelpmq.queue_state(queue)
    assert (state["messages_ready"], state["messages_unacked"]) == (1, 0)


def test_messages_are_delivered_later(still_broker, kelpmq, name):
    timed = type(kelpmq)(still_broker.address)
    timed("declare", "queue", name)
    # Far from each other: the broker's clock stands, and the command takes the real one.
    timed("publish", "-r", name, "--deliver-in", "1h", "in an hour")
    lines = ({"routing_key": name, "body": "at a time", "deliver_time": "2000-01-01T00:00:00Z"},
             {"routing_key": name, "body": "in two hours, as the option says"})
    timed("publish", "--jsonl", "-", "--deliver-in", "2h", stdin="\n".join(map(json.dumps, lines)))
    bodies = [message["body"] for message in timed("get", name, "--count", "9", "--ack", "--json").json_lines]
    assert bodies == ["at a time"]
    timed("get", name, "--ack", code=2)
    assert timed("advance-clock", "90m").out.startswith("the broker's clock shows 20")
    assert timed("get", name, "--ack").out == "in an hour\n"
    timed("get", name, "--ack", code=2)
    timed("advance-clock", "90m")
    assert timed("get", name, "--ack").out == "in two hours, as the option says\n"


def test_advance_clock_tells_the_time(still_broker, kelpmq):
    def time_after(move: str) -> datetime.datetime:
        shown = type(kelpmq)(still_broker.address)("advance-clock", move, "--json").json["current_time"]
        return datetime.datetime.fromisoformat(shown[:19])

    start = time_after("0")
    assert time_after("1h") - start == datetime.timedelta(hours=1)


def test_a_wrong_deliver_time_is_explained(kelpmq):
    line = json.dumps({"routing_key": "q", "deliver_time": "tomorrow"})
    assert "'deliver_time' must be a time such as" in kelpmq("publish", "--jsonl", "-", stdin=line, code=1).err
