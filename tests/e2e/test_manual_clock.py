"""AdvanceClock: time that only tests move."""
import concurrent.futures

import grpc
import pytest
import wire
from kelpmq.v1 import messaging_pb2, testing_pb2, topology_pb2

UNIMPLEMENTED, INVALID = grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT


def expiring(client, seconds):
    return client.declare(options=topology_pb2.QueueOptions(expires_ms=int(seconds * 1000)))


def test_real_time_cannot_be_moved(client):
    with wire.fails(UNIMPLEMENTED, "FEATURE_UNSUPPORTED"):
        client.advance(1)


def test_it_moves_by_as_much_as_asked(timed):
    start = timed.advance(0)
    assert timed.advance(2.5) - start == 2_500_000_000
    assert timed.advance(0) - start == 2_500_000_000


@pytest.mark.parametrize("by", [{"seconds": -1}, {"nanos": -1}, {"seconds": 1 << 40}])
def test_a_move_backwards_or_out_of_range_is_invalid(timed, by):
    with wire.fails(INVALID, "INVALID_VALUE"):
        timed.testing.AdvanceClock(testing_pb2.AdvanceClockRequest(by=by))


def test_all_that_falls_due_has_happened_when_it_answers(timed):
    queues = [expiring(timed, seconds) for seconds in range(1, 51)]
    timed.advance(25)
    assert [timed.exists(q) for q in queues] == [False] * 25 + [True] * 25
    timed.advance(3600)
    assert not any(timed.exists(q) for q in queues)


def test_moves_at_once_add_up(timed):
    start = timed.advance(0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        times = list(pool.map(timed.advance, [1] * 16))
    assert sorted((t - start) / 1e9 for t in times) == list(range(1, 17))


def test_the_server_info_tells(client, timed):
    ask = messaging_pb2.GetServerInfoRequest()
    assert "manual-clock" in timed.messaging.GetServerInfo(ask).features
    assert "manual-clock" not in client.messaging.GetServerInfo(ask).features


def test_the_service_is_announced_only_where_it_works(client, timed):
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    request = health_pb2.HealthCheckRequest(service="kelpmq.v1.TestingService")
    assert health_pb2_grpc.HealthStub(timed.channel).Check(request).status == 1
    with pytest.raises(grpc.RpcError) as info:
        health_pb2_grpc.HealthStub(client.channel).Check(request)
    assert info.value.code() == grpc.StatusCode.NOT_FOUND
