"""`perf`: that it counts right; how fast it goes is no test's business."""
import json
import os
import pathlib
import signal

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
    assert names(kelpmq) == []


def test_what_a_queued_message_costs_is_known_on_a_fresh_broker(kelpmq, own_broker):
    fresh = type(kelpmq)(own_broker.address)
    result = fresh("perf", "--json", "--messages", "20000", "--consumers", "0",
                   "--server-pid", str(own_broker.pid)).json
    assert result["bytes_per_queued_message"] >= result["settings"]["size"]


def test_what_a_queued_message_costs_is_unknown_when_memory_was_free(kelpmq):
    # A process that needs no more memory for them: this one.
    flags = ["--messages", "2000", "--size", "10000", "--consumers", "0", "--server-pid", str(os.getpid())]
    assert kelpmq("perf", "--json", *flags).json["bytes_per_queued_message"] is None
    assert "per queued message: unknown (the broker had freed memory to use)" in kelpmq("perf", *flags).out


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


def test_text_tells_what_a_process_id_would_add(kelpmq, broker):
    assert kelpmq("perf", "--messages", "100").out.count("--server-pid PID adds") == 1
    out = kelpmq("perf", "--messages", "100", "--server-pid", str(broker.pid)).out
    assert "--server-pid" not in out
    assert "messages per CPU second)" in out


def published(kelpmq):
    """Whether a load has put messages into its queues."""
    return any(one["messages_ready"] for one in
               kelpmq("list", "queues", "--prefix", "kelpmq-perf-", "--json").json)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_measurement_in_order(kelpmq, signal_number):
    flags = ["--seconds", "600", "--warmup", "0", "--consumers", "0", "--rate", "1000", "--batch", "1"]
    with kelpmq.start("perf", "--json", *flags) as process:
        wire.until(lambda: published(kelpmq), "the load runs")
        process.send_signal(signal_number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    result = json.loads(out)
    assert result["interrupted"] is True
    assert 0 < result["seconds"] < 600
    assert 0 < result["published_total"] < 600_000
    assert names(kelpmq) == []


def test_a_signal_ends_the_warm_up_too(kelpmq):
    with kelpmq.start("perf", "--warmup", "600", "--consumers", "0", "--rate", "1000", "--batch", "1") as process:
        wire.until(lambda: published(kelpmq), "the load runs")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "interrupted before anything was measured" in out
    assert names(kelpmq) == []


def pending(pid, signal_number):
    """Whether the process has yet to take the signal."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("ShdPnd:"))
    return int(mask, 16) >> (signal_number - 1) & 1


def test_a_second_signal_ends_the_wait_for_what_is_queued(kelpmq, queue):
    with kelpmq.start("consume", queue, "--prefetch", "0") as thief:
        wire.until(lambda: kelpmq.queue_state(queue)["consumer_count"] == 1, "the thief consumes")
        with kelpmq.start("perf", "--json", "--use-queue", queue, "--messages", "1000", "--timeout", "600") as process:
            wire.until(lambda: kelpmq.queue_state(queue)["consumer_count"] == 2, "the load runs")

            process.send_signal(signal.SIGINT)
            wire.until(lambda: not pending(process.pid, signal.SIGINT), "the first one is taken")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        thief.terminate()
        thief.communicate()
    result = json.loads(out)
    assert process.returncode == 0
    assert result["interrupted"] is True
    assert result["lost"] == 0


def test_a_soak_that_is_interrupted_sums_up(kelpmq):
    with kelpmq.start("perf", "--soak", "1h", "--rate", "1000") as process:
        wire.until(lambda: names(kelpmq), "the load runs")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "1 round, " in out
    assert out.endswith("every one came once, whole and in order; interrupted\n")
    assert names(kelpmq) == []


@pytest.mark.parametrize(("flag", "value", "says"), [
    ("--backlog", "-1", "'-1' is no whole number from 0 to"),
    ("--messages", "-1", "'-1' is no whole number from 1 to"),
    ("--messages", "0", "'0' is no whole number from 1 to"),
    ("--server-pid", "kelpmq", "'kelpmq' is no whole number from 1 to"),
    ("--server-pid", "4194304", "there is no process 4194304"),
    ("--rate", "abc", "'abc' is no number of messages a second above 0"),
    ("--rate", "-5", "'-5' is no number of messages a second above 0"),
    ("--rate", "nan", "'nan' is no number of messages a second above 0"),
    ("--rate", "0", "'0' is no number of messages a second above 0"),
    ("--seconds", "0", "'0' is no length of time above 0"),
    ("--seconds", "inf", "'inf' is no length of time above 0"),
    ("--soak", "0", "'0' is no length of time above 0"),
    ("--warmup", "-1", "'-1' is no length of time"),
])
def test_a_value_out_of_range_is_refused(kelpmq, flag, value, says):
    err = kelpmq("perf", f"{flag}={value}", code=64).err
    assert says in err
    assert max(map(len, err.splitlines())) <= 100


@pytest.mark.parametrize("flags", [
    ["--use-queue", "q", "--queues", "2"],
    ["--use-queue", "q", "--bindings", "2"],
    ["--use-queue", "q", "--exchange-type", "fanout"],
    ["--use-queue", "q", "--soak", "1"],
    ["--unary", "--batch", "2"],
    ["--auto-ack", "--ack-batch", "2"],
    ["--soak", "1", "--seconds", "1"],
    ["--soak", "1", "--warmup", "1"],
    ["--soak", "1", "--messages", "1"],
], ids=" ".join)
def test_flags_that_would_do_nothing_are_refused(kelpmq, flags):
    assert " does not go with " in kelpmq("perf", *flags, code=64).err


def test_help_shows_no_checks(kelpmq):
    text = kelpmq("perf", "--help").out
    assert "NONNEGATIVE" not in text
    assert "TYPE:" not in text
    assert "kelpmq-perf-" in text


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


def test_the_batch_is_lowered_to_what_fits_into_a_request(kelpmq):
    flags = ["--json", "--messages", "100", "--size", "65536"]
    done = kelpmq("perf", *flags)
    correct(done.json, 100)
    assert done.json["settings"]["batch"] == 63
    assert "--batch is 63: no more messages of 65,536 bytes fit into a request" in done.err
    refused = kelpmq("perf", *flags, "--batch", "64", code=64)
    assert "give at most --batch 63" in refused.err
    correct(kelpmq("perf", *flags, "--batch", "63").json, 100)


def test_soak_goes_through_its_variations(kelpmq):
    rounds = kelpmq("perf", "--json", "--soak", "2").json_lines
    assert rounds
    assert all(one["lost"] == 0 for one in rounds)
