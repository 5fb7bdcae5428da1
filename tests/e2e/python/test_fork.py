"""A client belongs to its process; a forked child makes its own, and the parent goes on."""
import subprocess
import sys

import pytest
from conftest import PATIENCE

# What the parent does while it forks: a client with streams of both kinds.
PARENT = """
import kelpmq, os, sys, threading, traceback
address = sys.argv[1]
client = kelpmq.Client(address)
queue = client.declare_queue(exclusive=True).name
seen = []
consumer = client.consume(queue, lambda d: (seen.append(d.body), d.ack()))
held = client.declare_queue(exclusive=True).name
for _ in range(3):
    client.publish(b"held", held)
holder = client.consume(held)
delivery = holder.receive(20)
confirm = client.publisher().publish(b"")
publisher = client.publisher(routing_key=queue)

def child_uses_the_parents():
    for use in (lambda: client.publish(b"", queue), lambda: client.get(queue),
                lambda: publisher.publish(b""), lambda: client.consume(queue),
                lambda: client.declare_queue(), publisher.flush,
                lambda: next(holder), lambda: holder.receive(0), delivery.ack, client.server_info):
        try:
            use()
        except kelpmq.ForkedClient:
            pass
        else:
            raise AssertionError("a fork used it")
    consumer.close()
    holder.close()
    client.close()

def child_makes_its_own():
    with kelpmq.Client(address) as own:
        name = own.declare_queue(exclusive=True).name
        with own.publisher(routing_key=name) as other:
            for _ in range(100):
                other.publish(b"child")
        with own.consume(name) as mine:
            for _ in range(100):
                mine.receive(20).ack()
            mine.flush(20)
        assert own.get(name) is None

def fork(*works):
    child = os.fork()
    if child == 0:
        try:
            for work in works:
                work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return child

def finish(child):
    status = os.waitpid(child, 0)[1]
    assert status == 0, status

def end():
    client.publish(b"last", queue)
    assert [delivery.body, next(holder).body, holder.receive(20).body] == [b"held"] * 3
    delivery.ack()
    confirm.result(20)
    while seen[-1:] != [b"last"]:
        pass
    client.close()
    print("done")
"""


def run(address, program):
    done = subprocess.run(
        [sys.executable, "-c", PARENT + program, address], capture_output=True, text=True,
        timeout=2 * PATIENCE)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_child_is_told_not_to_use_the_parents_client(broker):
    run(broker.address, "finish(fork(child_uses_the_parents)); end()")


def test_a_child_makes_a_client_of_its_own(broker):
    run(broker.address, "finish(fork(child_uses_the_parents, child_makes_its_own)); end()")


def test_many_children_one_after_another_and_at_a_time(broker):
    """As a pool does that recycles its processes."""
    run(broker.address,
        "for _ in range(5): finish(fork(child_uses_the_parents, child_makes_its_own))\n"
        "children = [fork(child_makes_its_own) for _ in range(4)]\n"
        "for child in children: finish(child)\n"
        "end()")


def test_children_are_forked_while_threads_publish_and_consume(broker):
    run(broker.address, """
busy, stop = threading.Event(), threading.Event()
def work():
    while not stop.is_set():
        publisher.publish(b"parent").result(20)
        client.get_queue(queue)
        busy.set()
threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
for thread in threads: thread.start()
busy.wait(20)
for _ in range(5): finish(fork(child_uses_the_parents, child_makes_its_own))
children = [fork(child_makes_its_own) for _ in range(4)]
for child in children: finish(child)
stop.set()
for thread in threads: thread.join()
end()
""")


def test_grandchildren_too(broker):
    run(broker.address,
        "def grandchild(): finish(fork(child_uses_the_parents, child_makes_its_own))\n"
        "finish(fork(child_makes_its_own, grandchild, child_makes_its_own)); end()")


def test_a_child_that_exits_normally_leaves_the_parents_client_alone(broker):
    run(broker.address,
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "finish(child); end()")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(broker, tmp_path, method):
    program = tmp_path / "program.py"
    program.write_text(
        "import kelpmq, multiprocessing, sys\n"
        "def work(number):\n"
        "    with kelpmq.Client(sys.argv[1]) as client:\n"
        "        client.publish(b'%d' % number, sys.argv[2], mandatory=True)\n"
        "    return number\n"
        "if __name__ == '__main__':\n"
        "    with kelpmq.Client(sys.argv[1]) as client:\n"
        "        client.declare_queue(sys.argv[2])\n"
        f"        context = multiprocessing.get_context({method!r})\n"
        "        with context.Pool(2, maxtasksperchild=2) as pool:\n"
        "            assert pool.map(work, range(8), chunksize=1) == list(range(8))\n"
        "        bodies = {int(d.body) for d in client.get_many(sys.argv[2], 99)}\n"
        "        client.delete_queue(sys.argv[2])\n"
        "        assert bodies == set(range(8)), bodies\n")
    done = subprocess.run([sys.executable, str(program), broker.address, "fork-test"],
                          capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
