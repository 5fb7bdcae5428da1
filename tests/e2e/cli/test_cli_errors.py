"""Errors, hints, exit codes, help, colours."""
import os
import pty
import re
import socket
import subprocess

import pytest


@pytest.mark.parametrize("command, line, hint", [
    (["get", "nope"], "no queue 'nope' in vhost '/' (QUEUE_NOT_FOUND, 404)", "declare it: kelpmq declare queue nope"),
    (["purge", "it's"], "no queue 'it's' in vhost '/' (QUEUE_NOT_FOUND, 404)", "kelpmq declare queue 'it'\\''s'"),
    (["consume", "nope"], "no queue 'nope' in vhost '/' (QUEUE_NOT_FOUND, 404)", "kelpmq declare queue nope"),
    (["consume", "--bind", "nope:k"], "no exchange 'nope' in vhost '/' (EXCHANGE_NOT_FOUND, 404)",
     "kelpmq declare exchange nope"),
    (["bind", "queue", "q", "--exchange", "nope"], "(EXCHANGE_NOT_FOUND, 404)", "kelpmq declare exchange nope"),
    (["declare", "exchange", "e", "--type", "tropic"], "(EXCHANGE_TYPE_UNKNOWN, 406)", "direct, fanout, topic, headers, x-consistent-hash"),
    (["declare", "queue", "q", "--queue-type", "quorum"], "invalid property 'non-durable'", "--durable"),
    (["policy", "put", "p", "", "x-message-ttl=5"], "'x-message-ttl' is not recognised",
     "policy settings have no x-: message-ttl"),
    (["advance-clock", "1"], "cannot be moved", "kelpmq serve --manual-clock"),
    (["declare", "queue", "amq.mine"], "(RESERVED_NAME, 403)", "'amq.'"),
    (["delete", "exchange", "amq.topic"], "(DEFAULT_EXCHANGE, 403)", "cannot be changed"),
    (["list", "queues", "--vhost", "nope"], "(VHOST_NOT_FOUND, 530)", "kelpmq vhost put nope"),
    (["publish", "--vhost", "nope", "--routing-key", "q", "x"], "(VHOST_NOT_FOUND, 530)", "kelpmq vhost put nope"),
])
def test_a_refusal_names_the_reason_and_the_next_step(kelpmq, command, line, hint):
    failed = kelpmq(*command, code=1)
    first, second = failed.err.splitlines()
    assert first.startswith("kelpmq: ") and line in first
    assert second.startswith("  ") and hint in second
    assert failed.out == ""


def test_unequal_redeclare(kelpmq, queue):
    failed = kelpmq("declare", "queue", queue, "--durable", code=1)
    assert "(INEQUIVALENT_ARGUMENT, 406)" in failed.err
    assert "kelpmq list queues" in failed.err


def unused_address() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % unused.getsockname()[1]


@pytest.mark.parametrize("command", [["status"], ["get", "q"], ["consume", "q"], ["publish", "-r", "q", "x"],
                                     ["healthcheck"], ["list", "queues"]])
def test_no_broker_is_exit_code_69(kelpmq, command):
    address = unused_address()
    failed = kelpmq(*command, "--address", address, code=69)
    assert failed.err == (f"kelpmq: cannot reach the broker at {address}: Connection refused\n"
                          f"  is the broker running? start it: kelpmq serve --listen {address}\n")


def test_a_server_that_never_answers_times_out(kelpmq):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = "127.0.0.1:%d" % mute.getsockname()[1]
        for command in (["status"], ["consume", "q"]):
            failed = kelpmq(*command, "--address", address, "--timeout", "300ms", code=69)
            assert f"cannot reach the broker at {address}" in failed.err


@pytest.mark.parametrize("command, complaint, hint", [
    (["frobnicate"], "'kelpmq' has no command 'frobnicate'", "see: kelpmq --help"),
    (["decalre"], "no command 'decalre'", "did you mean declare?"),
    (["list", "queue"], "'kelpmq list' has no command 'queue'", "did you mean queues?"),
    (["publish", "--routing-kye", "x"], "'kelpmq publish' has no option '--routing-kye'", "did you mean --routing-key?"),
    (["declare", "queue"], "NAME is required", "see: kelpmq declare queue --help"),
    (["declare"], "'kelpmq declare' needs one of: exchange, queue", "see: kelpmq declare --help"),
    (["list"], "needs one of: exchanges, queues, bindings, consumers, policies, vhosts", "see: kelpmq list --help"),
    (["list_queues"], "'kelpmq' has no command 'list_queues'", "did you mean kelpmq list queues?"),
    (["queue", "declare", "q"], "'kelpmq' has no command 'queue'", "did you mean kelpmq declare queue?"),
    (["sub", "q"], "'kelpmq' has no command 'sub'", "did you mean consume?"),
    (["declare", "queue", "q", "durable=true"], "'durable=true' is one too many for 'kelpmq declare queue'",
     "did you mean --durable?"),
    (["--vhost", "v", "list", "queues"], "'--vhost' stands before the command",
     "options follow it: kelpmq list queues --vhost ..."),
    (["declare", "queue", "q", "--max-length", "x"], "--max-length: 'x' is no number", "see: kelpmq declare queue --help"),
    (["serve", "--max-sessions", "0"], "--max-sessions: '0' is no whole number from 1 to", "see: kelpmq serve --help"),
    (["help", "frobnicate"], "there is no command 'frobnicate'", "see: kelpmq --help"),
    (["get", "q", "--count", "0"], "'0' is no whole number from 1", "see: kelpmq get --help"),
    (["get", "q", "--ack", "--requeue"], "excludes", "see: kelpmq get --help"),
    (["get", "q", "--timeout", "soon"], "'soon' is no length of time", "see: kelpmq get --help"),
    (["publish", "--jsonl", "f", "body"], "not from both", None),
    (["publish", "-r", "q", "--header", "broken", "x"], "'broken' is not KEY=VALUE", "as in --header"),
    (["policy", "put", "p", "^s", "max-length", "5"], "'max-length' is not KEY=VALUE", "  as in max-length=1000"),
    (["policy", "put", "p", "", "a=1", "--apply-to", "bogus"], "--apply-to: 'bogus' is not known; one of: all, queues",
     "see: kelpmq policy put --help"),
    (["serve", "--strict-rabbitmq", "4.2"], "--strict-rabbitmq: '4.2' is not known; there is only 4.3",
     "see: kelpmq serve --help"),
    (["serve", "--log-level", "loud"], "'loud' is not known; one of: debug, info, warning, error, none", None),
    (["status", "--color", "red"], "'red' is not known; one of: auto, always, never", None),
    (["perf", "--multi-ack-every", "5"], "no option '--multi-ack-every'", "did you mean --ack-batch?"),
    (["status", "--address", "amqp://h"], "'amqp://h': KelpMQ speaks gRPC: write kelpmq://", None),
    (["status", "--address", "127.0.0.1:65537"], "from 1 to 65535", None),
    (["publish", "-r", "q", "--mandatory", "--deliver-in", "5", "x"], "exclude each other", None),
    (["advance-clock", "soon"], "'soon' is no length of time", "see: kelpmq advance-clock --help"),
    (["advance-clock"], "TIME is required", "see: kelpmq advance-clock --help"),
    (["consume"], "give either a queue or --bind", "as in: kelpmq consume jobs"),
])
def test_a_wrong_command_line_is_exit_code_64(kelpmq, command, complaint, hint):
    failed = kelpmq(*command, code=64)
    assert complaint in failed.err
    assert hint is None or hint in failed.err


def test_a_wrong_variable_is_named(kelpmq):
    failed = kelpmq("serve", code=64, KELPMQ_IO_THREADS="many")
    assert failed.err == ("kelpmq: --io-threads: 'many' is no whole number from 1 to 1024\n"
                          "  KELPMQ_IO_THREADS is 'many'; see: kelpmq serve --help\n")


def test_no_command_at_all_shows_them(kelpmq):
    shown = kelpmq(code=64)
    assert (shown.out, shown.err) == ("", kelpmq("--help").out)


def test_a_missing_file_is_named(kelpmq):
    assert "cannot open '/no/such/file': No such file or directory" in kelpmq(
        "publish", "--jsonl", "/no/such/file", code=1).err


def commands_of(kelpmq, *path):
    """The paths of all commands that --help shows below `path`, and `path` itself."""
    text = kelpmq(*path, "--help").out
    yield path
    if "Subcommands:" in text:
        for line in text.split("Subcommands:\n")[1].split("\n\n")[0].splitlines():
            if not line.startswith("   "):  # a description goes on
                yield from commands_of(kelpmq, *path, line.split()[0])


def test_every_command_has_help_with_examples(kelpmq):
    seen = 0
    for path in commands_of(kelpmq):
        text = kelpmq(*path, "--help").out
        assert "Usage: " in text
        is_client_command = len(path) > 0 and path[0] != "serve" and "Subcommands:" not in text
        if is_client_command:
            seen += 1
            assert "Examples:\n  " in text, path
    assert seen >= 20
    assert "Exit codes:" in kelpmq("--help").out


def test_help_fits_a_terminal(kelpmq):
    for path in commands_of(kelpmq):
        # Examples are to be pasted, so they are not wrapped.
        explained = kelpmq(*path, "--help").out.split("Examples:")[0]
        assert [line for line in explained.splitlines() if len(line) > 80] == [], path


def test_help_is_a_command_too(kelpmq):
    assert kelpmq("help").out == kelpmq("--help").out
    assert kelpmq("help", "declare", "queue").out == kelpmq("declare", "queue", "--help").out


def test_help_of_serve_names_the_variable_default_and_range_of_each_option(kelpmq):
    text = " ".join(kelpmq("serve", "--help").out.split())
    assert "Open sessions; 1 to 4294967295 (default 10000) [KELPMQ_MAX_SESSIONS]" in text
    options = re.findall(r" (--[a-z-]+) (?=[A-Z])", text.split("Limits:")[0].split("--help")[1] + text.split("Limits:")[1])
    assert len(options) >= 14
    for option in options:
        assert "[KELPMQ_" + option[2:].upper().replace("-", "_") + "]" in text


def stderr_on_terminal(kelpmq, *command, **environment) -> str:
    ours, theirs = pty.openpty()
    try:
        subprocess.run([kelpmq.binary, *command], stderr=theirs, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                       env=kelpmq.environment | environment, timeout=60, check=False)
        return os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_colour_only_on_a_terminal(kelpmq):
    command = ("get", "no-such-queue")
    assert "\x1b[" not in kelpmq(*command, code=1).err
    assert "\x1b[1;31mkelpmq:" in kelpmq(*command, "--color", "always", code=1).err
    assert "\x1b[1;31mkelpmq:" in stderr_on_terminal(kelpmq, *command)
    assert "\x1b[1;31m" not in stderr_on_terminal(kelpmq, *command, NO_COLOR="1")
    assert "\x1b[1;31m" not in stderr_on_terminal(kelpmq, *command, "--color", "never")
    assert "\x1b[1mNAME" in kelpmq("list", "exchanges", "--color", "always").out
