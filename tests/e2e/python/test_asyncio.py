import asyncio
from concurrent.futures import ThreadPoolExecutor

import kelpmq
import pytest
from conftest import PATIENCE, Restartable
from kelpmq.aio import _Taking


def run(broker, scenario):
    async def main():
        async with kelpmq.AsyncClient(broker.address, timeout=PATIENCE) as client:
            await scenario(client)

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_publish_consume_and_acknowledge(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        async with client.publisher(routing_key=queue) as publisher:
            for n in range(20_000):  # more than the window holds
                await publisher.publish(b"%d" % n, content_type="a/b")
        n = 0
        async with client.consume(queue) as consumer:
            async for delivery in consumer:
                assert (delivery.body, delivery.content_type) == (b"%d" % n, "a/b")
                delivery.ack()
                n += 1
                if n == 20_000:
                    break
            await consumer.flush()
            found = await client.get_queue(queue)
            assert (found.messages_ready, found.messages_unacked) == (0, 0)

    run(broker, scenario)


def test_many_tasks_publish_at_the_same_time(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        await asyncio.gather(*(client.publish(b"x", queue, mandatory=True) for _ in range(500)))
        assert (await client.get_queue(queue)).messages_ready == 500
        assert await client.purge_queue(queue) == 500

    run(broker, scenario)


def test_failures_are_raised_with_their_class(broker):
    async def scenario(client):
        with pytest.raises(kelpmq.NoRoute):
            await client.publish(b"", "nowhere", mandatory=True)
        with pytest.raises(kelpmq.NotFound):
            await client.get_queue("nowhere")
        with pytest.raises(kelpmq.NotFound):
            async for _ in client.consume("nowhere"):
                pass
        with pytest.raises(kelpmq.PublishFailed):
            async with client.publisher(mandatory=True) as publisher:
                confirm = await publisher.publish(b"", "nowhere")
                with pytest.raises(kelpmq.NoRoute):
                    await publisher.confirmed(confirm)

    run(broker, scenario)


def test_a_consumer_waits_without_holding_the_loop_up(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        async with client.consume(queue) as consumer:
            assert await consumer.receive(0.01) is None
            waiting = asyncio.create_task(consumer.receive())
            await client.publish(b"x", queue)
            delivery = await waiting
            delivery.nack()
            assert (await consumer.receive()).redelivered
            waiting = asyncio.create_task(consumer.receive())
            await asyncio.sleep(0)
            await client.delete_queue(queue)
            with pytest.raises(kelpmq.ConsumerCancelled):
                await waiting

    run(broker, scenario)


def test_closing_ends_iteration(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        consumer = client.consume(queue)
        waiting = asyncio.create_task(consumer.receive())
        await client.publish(b"", exchange="amq.fanout")
        while not consumer._arrivals:
            await asyncio.sleep(0)
        await consumer.close()
        assert await waiting is None

    run(broker, scenario)


def test_tasks_share_a_consumer(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        consumer = client.consume(queue, prefetch=1)

        async def take_one():
            delivery = await consumer.receive()
            await consumer.flush()  # so that the others have to wait
            delivery.ack()

        tasks = [asyncio.create_task(take_one()) for _ in range(3)]
        while len(consumer._arrivals) < 3:
            await asyncio.sleep(0)
        tasks[0].cancel()
        for _ in range(2):
            await client.publish(b"", queue)
        await asyncio.gather(*tasks[1:])
        assert (await client.get_queue(queue)).consumer_count == 1
        waiting = [asyncio.create_task(consumer.receive()) for _ in range(2)]
        while len(consumer._arrivals) < 2:
            await asyncio.sleep(0)
        await consumer.close()
        assert await asyncio.gather(*waiting) == [None, None]

    run(broker, scenario)


def test_a_get_that_is_cancelled_loses_nothing(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.get(queue, wait=PATIENCE), 0.05)
        await client.publish(b"x", queue)  # which the call that is still under way takes
        assert (await client.get(queue, wait=PATIENCE)).body == b"x"

    run(broker, scenario)


def test_gets_that_wait_keep_nothing_else_waiting(broker, monkeypatch):
    monkeypatch.setattr("kelpmq.aio._LONGEST_WAIT", PATIENCE / 2)

    async def scenario(client):
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        queue = (await client.declare_queue(exclusive=True)).name
        waiting = [asyncio.create_task(client.get(queue, wait=PATIENCE / 2, auto_ack=True))
                   for _ in range(10)]
        await asyncio.sleep(0)
        for _ in waiting:
            assert (await client.get_queue(queue)).name == queue
            await client.publish(b"x", queue)
        assert [found.body for found in await asyncio.gather(*waiting)] == [b"x"] * 10

    run(broker, scenario)


def test_a_get_that_is_cancelled_may_fail_later():
    """With the end of its client; asyncio logs failures that nobody has looked at."""
    def fail():
        raise kelpmq.Aborted("the session has ended")

    taking = _Taking(fail)
    with pytest.raises(kelpmq.Aborted):
        taking()
    taking.forget()
    assert taking() is None


def test_exchanges_bindings_subscriptions_and_get(broker):
    async def scenario(client):
        queue = (await client.declare_queue(exclusive=True)).name
        await client.declare_exchange("aio", "topic")
        await client.declare_exchange("aio2", "fanout")
        await client.bind_queue(queue, "aio", "a.#")
        await client.bind_exchange("aio", "aio2", "")
        async with client.subscribe("aio", "#") as subscription:
            await client.publish(b"1", "a.b", exchange="aio2", mandatory=True)
            (await subscription.receive()).ack()
        assert (await client.get(queue, auto_ack=True)).body == b"1"
        assert await client.get(queue) is None
        assert await client.unbind_exchange("aio", "aio2", "")
        assert await client.unbind_queue(queue, "aio", "a.#")
        assert await client.delete_exchange("aio") and await client.delete_exchange("aio2")
        assert (await client.server_info()).version == kelpmq.__version__

    run(broker, scenario)


def test_it_comes_back_after_a_restart(tmp_path):
    broker = Restartable(f"unix:{tmp_path}/s")

    async def scenario(client):
        await client.declare_queue("q")
        async with client.consume("q") as consumer:
            for n in range(3):
                await client.publish(b"%d" % n, "q", mandatory=True)
                delivery = await consumer.receive()
                assert delivery.body == b"%d" % n
                delivery.ack()
                await asyncio.get_running_loop().run_in_executor(None, broker.restart)
                await client.get_queue("q")

    try:
        run(broker, scenario)
    finally:
        broker.kill()
