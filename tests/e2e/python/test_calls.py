"""What the client sends, seen by a server that only listens."""
import concurrent.futures
import queue

import grpc
import kelpmq
import pytest
from conftest import PATIENCE
from kelpmq.v1 import messaging_pb2


@pytest.fixture
def listener():
    """(address, queue of (method, authorization)). It is stopping: it takes no Consume."""
    seen = queue.Queue()

    class Listener(grpc.GenericRpcHandler):
        def service(self, call):
            metadata = dict(call.invocation_metadata)
            seen.put((call.method.rpartition("/")[2], metadata.get("authorization")))
            if call.method.endswith("/GetServerInfo"):
                return grpc.unary_unary_rpc_method_handler(
                    lambda request, context: messaging_pb2.GetServerInfoResponse(
                    ).SerializeToString())
            if call.method.endswith("/Consume"):
                return grpc.stream_stream_rpc_method_handler(
                    lambda requests, context: context.abort(grpc.StatusCode.UNAVAILABLE, "no"))
            return None

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Listener(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", seen
    server.stop(0)


@pytest.mark.parametrize("url, arguments, authorization", [
    ("kelpmq://user:secret@{}", {}, "Basic dXNlcjpzZWNyZXQ="),
    ("{}", {"user": "user", "password": "secret"}, "Basic dXNlcjpzZWNyZXQ="),
    ("{}", {"token": "abc"}, "Bearer abc"),
    ("{}", {}, None),
])
def test_credentials_go_along_with_calls_and_streams(listener, url, arguments, authorization):
    address, seen = listener
    with kelpmq.Client(url.format(address), reconnect=False, **arguments) as client:
        with pytest.raises(kelpmq.Unimplemented):
            client.publish(b"", timeout=PATIENCE)
        with pytest.raises(kelpmq.Unimplemented):
            client.get_queue("q")
    assert [seen.get(timeout=PATIENCE) for _ in range(3)] == [
        ("GetServerInfo", authorization), ("PublishStream", authorization),
        ("GetQueue", authorization)]


def test_a_broker_that_takes_no_streams_is_not_asked_all_the_time(listener):
    address, seen = listener
    with kelpmq.Client(address, timeout=0.5) as client, pytest.raises(kelpmq.Unavailable):
        client.consume("q")
    asked = [seen.get_nowait()[0] for _ in range(seen.qsize())]
    assert 2 <= asked.count("Consume") <= 10  # the delays double
