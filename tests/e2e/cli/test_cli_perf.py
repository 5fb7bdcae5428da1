"""`perf`: that it counts right; how fast it goes is no test's business."""
import json

import pytest
import wire

REQUIRED = {"published_per_second", "confirmed_per_second", "acked_per_second", "messages", "server_cpu_seconds",
            "client_cpu_seconds", "foreign_cpu_cores", "latency_us", "lost", "duplicated", "reordered",
            "server_rss_bytes"}


def names(kelpmq):
    """All exchanges and queues of a load."""
    return [thing["name"] for kind in ("exchanges", "queues") for thing in kelpmq("list", kind, "--json").json
            if thing["name"].startswith("kelpmq-perf-") or len(thing["name"]) == 4]


def correct(result, messages, copies=1):
    assert result["published_total"] == messages
    assert result["consumed_total"] == messages * copies
    assert {key: result[key] for key in ("lost", "duplicated", "reordered", "corrupt", "failed", "unrouted")} == \
        dict.fromkeys(("lost", "duplicated", "reordered", "corrupt", "failed", "unrouted"), 0)


@pytest.mark.parametrize("flags", [
    ["--batch", "1"],
    ["--batch", "7", "--producers", "3", "--consumers", "2", "--auto-ack"],
    ["--queues", "300", "--bindings", "700", "--exchange-type", "direct", "--prefetch", "1"],
    ["--queues", "5", "--exchange-type", "headers", "--consumers", "2"],
    ["--size", "100000", "--batch", "3", "--durable"],
    ["--unary", "--confirm-window", "16", "--size", "12"],
], ids=" ".join)
def test_every_message_comes_once(kelpmq, flags):
    correct(kelpmq("perf", "--json", "--messages", "1000", *flags).json, 1000)
    assert names(kelpmq) == []


def test_fan_out_brings_each_message_to_every_queue(kelpmq):
    correct(kelpmq("perf", "--json", "--messages", "500", "--queues", "3", "--exchange-type", "fanout").json, 500, 3)


def test_a_backlog_comes_before_the_rest(kelpmq):
    correct(kelpmq("perf", "--json", "--messages", "500", "--backlog", "2000").json, 2500)


def test_json_has_what_programs_read(kelpmq, broker):
    result = kelpmq("perf", "--json", "--seconds", "0.2", "--warmup", "0", "--rate", "2000", "--batch", "2",
                    "--server-pid", str(broker.pid)).json
    assert REQUIRED <= result.keys()
    assert set(result["latency_us"]) >= {"p50", "p99", "p999", "max"}
    assert result["latency_us"]["p50"] > 0
    assert result["server_rss_bytes"] > 1_000_000
    assert result["messages"] > 0


def test_messages_without_consumers_stay_until_the_end(kelpmq, broker):
    result = kelpmq("perf", "--json", "--messages", "20000", "--consumers", "0",
                    "--server-pid", str(broker.pid)).json
    assert result["consumed_total"] == 0
    assert result["bytes_per_queued_message"] is not None
    assert names(kelpmq) == []


def test_messages_that_someone_else_takes_are_missed(kelpmq, queue):
    with kelpmq.start("consume", queue) as thief:
        wire.until(lambda: any(one["queue"] == queue for one in kelpmq("list", "consumers", "--json").json),
                   "the thief consumes")
        waited = kelpmq("perf", "--json", "--use-queue", queue, "--messages", "1000", "--timeout", "2", code=1)
        thief.terminate()
        thief.communicate()
    assert json.loads(waited.out)["lost"] > 0
    assert "messages were lost" in waited.err


def test_text_for_people(kelpmq):
    out = kelpmq("perf", "--messages", "100").out
    assert "ACKED/S" in out
    assert "100 messages published, 100 consumed: 0 lost, 0 duplicated, 0 reordered" in out


def test_messages_of_others_are_strangers(kelpmq, queue):
    kelpmq("publish", "--routing-key", queue, "one", "two")
    kelpmq("perf", "--json", "--use-queue", queue, "--consumers", "0", "--messages", "10")  # an earlier run
    result = kelpmq("perf", "--json", "--use-queue", queue, "--messages", "1000").json
    correct(result, 1000)
    assert result["strangers"] == 12
    kelpmq("publish", "--routing-key", queue, "one", "two")
    assert ", 2 strangers" in kelpmq("perf", "--use-queue", queue, "--messages", "100").out


def test_what_a_full_queue_refuses_is_counted(kelpmq, name):
    kelpmq("declare", "queue", name, "--max-length", "100", "--overflow", "reject-publish")
    for flags in ([], ["--unary"]):
        result = kelpmq("perf", "--json", "--use-queue", name, "--messages", "1000", "--consumers", "0", *flags).json
        assert result["failed"] == (900 if not flags else 1000)
        assert result["published_total"] == 1000


def test_soak_goes_through_its_variations(kelpmq):
    rounds = kelpmq("perf", "--json", "--soak", "2").json_lines
    assert rounds
    assert all(one["lost"] == 0 for one in rounds)
