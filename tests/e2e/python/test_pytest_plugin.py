"""The pytest plug-in: what its users write, run by pytest in pytest."""
import pytest
from conftest import PATIENCE


@pytest.fixture
def run(pytester):
    """Runs a test file; returns the result. What is expected of its outcomes comes by name."""
    def run(code, *arguments, **outcomes):
        pytester.makepyfile(code)
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
        result.assert_outcomes(**outcomes)
        return result

    return run


def test_each_test_has_an_empty_broker(run):
    run("""
        import kelpmq
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_it(kelpmq_broker, number):
            assert kelpmq_broker.queues() == []
            with kelpmq.Client(kelpmq_broker.url) as client:
                client.declare_queue("jobs")
                client.declare_exchange("e")
                client.publish(b"x", "jobs")
            assert [queue.name for queue in kelpmq_broker.queues()] == ["jobs"]
            pids.add(kelpmq_broker.process.pid)

        pids = set()

        def test_they_share_one_process():
            assert len(pids) == 1
        """, passed=4)


def test_the_state_of_queues(run):
    run("""
        import pytest

        def test_it(kelpmq_broker):
            queue = kelpmq_broker.queue("jobs")
            assert not queue.exists
            client = kelpmq_broker.client
            client.declare_queue("jobs")
            for n in range(3):
                client.publish(b"%d" % n, "jobs", headers={"n": n})
            assert (queue.messages_ready, queue.messages_unacked, queue.consumer_count) == (3, 0, 0)
            assert queue.bodies() == [b"0", b"1", b"2"]
            assert queue.bodies(limit=1) == [b"0"]
            assert [message.headers["n"] for message in queue.peek()] == [0, 1, 2]
            assert queue.messages_ready == 3
            with client.consume("jobs", prefetch=2) as consumer:
                queue.wait_until(messages_ready=1, messages_unacked=2, consumer_count=1)
                consumer.receive(5).ack()
            queue.wait_until(messages_ready=2, messages_unacked=0, consumer_count=0)
            assert queue.now().durable is False
        """, passed=1)


def test_exclusive_queues_of_others_have_a_state_too(run):
    run("""
        import kelpmq

        def test_it(kelpmq_broker):
            with kelpmq.Client(kelpmq_broker.url) as client:
                client.declare_queue("mine", exclusive=True)
                client.publish(b"x", "mine")
                assert kelpmq_broker.queue("mine").messages_ready == 1
        """, passed=1)


def test_failing_assertions_say_what_is_in_the_broker(run):
    result = run("""
        import pytest

        @pytest.fixture
        def jobs(kelpmq_broker):
            kelpmq_broker.client.declare_queue("jobs")
            kelpmq_broker.client.publish(b"x", "jobs")

        def test_count(kelpmq_broker, jobs):
            assert kelpmq_broker.queue("jobs").messages_ready == 2

        def test_name(kelpmq_broker, jobs):
            assert kelpmq_broker.queue("jbos").messages_ready == 2

        def test_nothing(kelpmq_broker):
            kelpmq_broker.queue("jobs").bodies()

        def test_wait(kelpmq_broker, jobs):
            kelpmq_broker.queue("jobs").wait_until(messages_ready=0, consumer_count=1, timeout=0.01)
        """, failed=4)
    text = result.stdout.str()
    assert "where 1 = <queue 'jobs': 1 ready, 0 unacked, 0 consumers>.messages_ready" in text
    assert "there is no queue 'jbos'; there are: 'jobs'; did you mean 'jobs'?" in text
    assert "there is no queue 'jobs'; there are no queues" in text
    assert ("waited 0.01 s in vain for messages_ready == 0 and consumer_count == 1: "
            "<queue 'jobs': 1 ready, 0 unacked, 0 consumers>") in text
    assert text.count("- kelpmq broker -") == 4


def test_time_can_be_moved(run):
    run("""
        import pytest

        @pytest.mark.kelpmq(manual_clock=True)
        def test_expiry(kelpmq_broker):
            client = kelpmq_broker.client
            client.declare_queue("jobs")
            client.publish(b"x", "jobs", expiration=60)
            kelpmq_broker.advance(59)
            assert kelpmq_broker.queue("jobs").messages_ready == 1
            kelpmq_broker.advance(1.5)
            assert kelpmq_broker.queue("jobs").messages_ready == 0

        def test_without_the_mark(kelpmq_broker):
            with pytest.raises(RuntimeError, match="manual_clock=True"):
                kelpmq_broker.advance(1)
        """, passed=2)


@pytest.mark.parametrize("tcp", [False, True])
def test_a_broker_of_ones_own_can_be_killed_and_comes_back(run, tcp):
    run(f"""
        import kelpmq
        import pytest

        @pytest.mark.kelpmq(own=True, tcp={tcp})
        def test_reconnection(kelpmq_broker):
            with kelpmq.Client(kelpmq_broker.url, timeout={PATIENCE}) as client:
                client.declare_queue("jobs")
                kelpmq_broker.restart()
                client.publish(b"x", "jobs")
                kelpmq_broker.queue("jobs").wait_until(messages_ready=1)

        @pytest.mark.kelpmq(own=True, tcp={tcp})
        def test_death(kelpmq_broker):
            kelpmq_broker.kill()
            with pytest.raises(kelpmq.Unavailable):
                kelpmq.Client(kelpmq_broker.url, connect_timeout=0.1)
        """, passed=2)


def test_a_shared_broker_cannot_be_killed(run):
    run("""
        import pytest

        def test_it(kelpmq_broker):
            with pytest.raises(RuntimeError, match="own=True"):
                kelpmq_broker.restart()
        """, passed=1)


def test_a_broker_that_ends_is_an_error_of_its_test_alone(run):
    result = run("""
        def test_one(kelpmq_broker):
            kelpmq_broker.process.kill()

        def test_another(kelpmq_broker):
            assert kelpmq_broker.queues() == []
        """, passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the broker ended during the test*"])


def test_marks_add_up_and_arguments_reach_the_broker(run):
    run("""
        import pytest

        pytestmark = pytest.mark.kelpmq(arguments=["--max-message-bytes", "1000"])

        @pytest.mark.kelpmq(tcp=True)
        def test_it(kelpmq_broker):
            assert kelpmq_broker.address.startswith("127.0.0.1:")
            assert kelpmq_broker.client.server_info().max_message_bytes == 1000
        """, passed=1)


def test_a_mark_that_makes_no_sense_is_an_error(run):
    run("""
        import pytest

        @pytest.mark.kelpmq(manual_clok=True)
        def test_a_typo(kelpmq_broker):
            pass

        @pytest.mark.kelpmq(True)
        def test_no_name(kelpmq_broker):
            pass
        """, errors=2)


def test_fixtures_for_longer_than_a_test(run):
    run("""
        import kelpmq
        import pytest

        @pytest.fixture(scope="module")
        def address(kelpmq_brokers):
            return kelpmq_brokers.process().address

        def test_it(address, kelpmq_broker):
            assert address == kelpmq_broker.address
            assert kelpmq.Client(address).server_info().version
        """, passed=1)


def test_the_emulator_uses_it_by_the_environment(run):
    run("""
        def test_it(kelpmq_broker, monkeypatch):
            from kombu_emulator import Queue
            monkeypatch.setenv("KELPMQ_ADDRESS", kelpmq_broker.url)
            Queue("jobs").put({"a": 1})
            assert kelpmq_broker.queue("jobs").bodies() == [b'{"a": 1}']
        """, passed=1)


@pytest.mark.parametrize("absent", [False, True])
def test_a_run_that_does_not_use_it_imports_nothing(pytester, absent):
    """Neither gRPC nor kelpmq; also where gRPC is missing."""
    pytester.makepyfile("""
        import sys

        def test_it():
            assert "kelpmq_pytest" in sys.modules
            assert not {"grpc", "google.protobuf", "kelpmq"} & sys.modules.keys()
        """)
    if absent:
        pytester.mkpydir("grpc").joinpath("__init__.py").write_text("raise ImportError('absent')")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers")
    result.assert_outcomes(passed=1)


def test_markers_and_fixtures_are_documented(pytester):
    assert "@pytest.mark.kelpmq(own=False" in pytester.runpytest_inprocess("--markers").stdout.str()
    listed = pytester.runpytest_inprocess("--fixtures").stdout.str()
    assert "kelpmq_broker" in listed and "A broker without anything in it" in listed
