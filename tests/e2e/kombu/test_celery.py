"""Real Celery: workers of processes, started by its command, on a broker of the test's."""
import contextlib
import datetime
import json
import os
import pathlib
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid

import pytest
import upstream
from celery import chain, chord, group, signature
from conftest import wait_until

import kelpmq
from kelpmq._binary import binary

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def redis_url():
    with upstream.redis() as port:
        yield f"redis://127.0.0.1:{port}/0"


class Site:
    """An app with its workers, in this and other processes."""

    def __init__(self, broker, folder, backend="rpc://", queues="", **settings):
        self.notes_file = folder / "notes"
        self.folder = folder
        self.environment = {
            **os.environ, "BROKER": broker, "BACKEND": backend, "NOTES": str(self.notes_file),
            "SETTINGS": json.dumps(settings), "QUEUES": queues, "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1"}
        self._workers = []
        self.app = self._load()

    def _load(self):
        """The app in this process, new for each site."""
        with pytest.MonkeyPatch.context() as patch:
            for key in ("BROKER", "BACKEND", "NOTES", "SETTINGS", "QUEUES"):
                patch.setenv(key, self.environment[key])
            found = runpy.run_path(str(HERE / "celery_tasks.py"),
                                   run_name=f"tasks_{uuid.uuid4().hex}")["app"]
        found.set_current()
        return found

    def send(self, name, *arguments, **options):
        """Sends a task by its name in the workers."""
        return self.app.send_task(f"celery_tasks.{name}", arguments, **options)

    def notes(self):
        return self.notes_file.read_text().splitlines() if self.notes_file.exists() else []

    def celery(self, *arguments, **more):
        """Another process that runs the command `celery`."""
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_tasks", *arguments],
            env=self.environment, cwd=self.folder, start_new_session=True, **more)

    def worker(self, *arguments, concurrency=2, wait=True):
        name = f"w{uuid.uuid4().hex[:6]}@here"
        log = open(self.folder / f"{name}.log", "w")
        process = self.celery(
            "worker", "-n", name, "--loglevel", "INFO", "--concurrency", str(concurrency),
            *arguments, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        log.close()
        process.worker_name = name
        process.log = self.folder / f"{name}.log"
        self._workers.append(process)
        if wait:
            wait_until(lambda: " ready." in process.log.read_text(), PATIENCE)
        return process

    def kill(self, worker):
        """The worker with all its processes, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self, worker):
        """A warm shutdown."""
        worker.send_signal(signal.SIGTERM)
        return worker.wait(PATIENCE)

    def close(self):
        for worker in self._workers:
            if worker.poll() is None:
                self.kill(worker)
        self.app.close()


@pytest.fixture
def site(tmp_path):
    """Makes a Site on a broker of its own."""
    with contextlib.ExitStack() as stack:
        def make(**settings):
            broker = stack.enter_context(kelpmq.PrivateBroker(tcp=True))
            found = Site(f"kelpmq://{broker.address}", tmp_path, **settings)
            stack.callback(found.close)
            found.broker = broker
            return found

        yield make


def test_results_by_rpc(site):
    here = site()
    here.worker()
    results = [here.send("add", i, i) for i in range(50)]
    assert [result.get(timeout=PATIENCE) for result in results] == [2 * i for i in range(50)]

    def s(name, *arguments, **more):
        return signature(f"celery_tasks.{name}", arguments, app=here.app, **more)

    assert chain(s("add", 1, 2), s("add", 3))().get(timeout=PATIENCE) == 6
    assert group(s("add", i, 1) for i in range(10))().get(timeout=PATIENCE) == list(range(1, 11))


def test_chords_with_results_in_redis(site, redis_url):
    here = site(backend=redis_url)
    here.worker()
    header = [signature("celery_tasks.add", (i, i), app=here.app) for i in range(20)]
    body = signature("celery_tasks.total", app=here.app)
    assert chord(header, body)().get(timeout=PATIENCE) == 380


def test_remote_control(site):
    here = site()
    worker = here.worker()
    control = here.app.control
    assert control.ping(timeout=1) == [{worker.worker_name: {"ok": "pong"}}]  # Asked of everyone.
    asked = {"destination": [worker.worker_name], "timeout": PATIENCE}
    told = {**asked, "reply": True}
    inspect = control.inspect(**asked)
    [queues] = inspect.active_queues().values()
    assert [queue["name"] for queue in queues] == ["celery"]
    [stats] = inspect.stats().values()
    assert stats["broker"]["transport"] == "kelpmq"
    assert len(stats["pool"]["processes"]) == 2
    assert "celery_tasks.add" in inspect.registered()[worker.worker_name]
    control.add_consumer("another", **told)
    assert here.send("add", 1, 1, queue="another").get(timeout=PATIENCE) == 2
    control.cancel_consumer("another", **told)
    control.rate_limit("celery_tasks.add", "100/s", **told)
    control.pool_grow(1, **told)
    wait_until(lambda: len(inspect.stats()[worker.worker_name]["pool"]["processes"]) == 3, PATIENCE)
    running = here.send("slow", "a", 600)
    wait_until(lambda: "try a" in here.notes(), PATIENCE)
    [active] = inspect.active().values()
    assert [task["id"] for task in active] == [running.id]
    control.revoke(running.id, terminate=True, signal="SIGKILL")
    wait_until(lambda: not any(inspect.active().values()), PATIENCE)
    waiting = here.send("say", "never", countdown=600)
    wait_until(lambda: any(inspect.scheduled().values()), PATIENCE)
    control.revoke(waiting.id, **told)
    control.shutdown()
    assert worker.wait(PATIENCE) == 0
    assert "done a" not in here.notes()


def test_celery_lists_bindings(site):
    here = site()
    here.send("add", 1, 1)
    listing = here.celery("list", "bindings", stdout=subprocess.PIPE, text=True)
    printed, _ = listing.communicate(timeout=PATIENCE)
    assert listing.returncode == 0
    assert re.search(r"^celery +celery +celery", printed, re.MULTILINE)


def test_events_and_their_snapshot(site):
    here = site()
    here.worker()
    camera = here.celery("events", "--camera", "celery_tasks.Camera", "--frequency", "0.3",
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    here._workers.append(camera)
    wait_until(lambda: "workers 1" in here.notes(), PATIENCE)
    for _ in range(3):
        here.send("add", 1, 1).get(timeout=PATIENCE)
    wait_until(lambda: here.notes().count("celery_tasks.add SUCCESS") == 3, PATIENCE)


def test_tasks_that_wait_for_their_time_let_others_pass(site):
    """The prefetch of the running consumer is raised for each of them."""
    here = site(worker_prefetch_multiplier=1)
    here.worker(concurrency=1)
    for i in range(10):
        here.send("say", f"later {i}", countdown=600)
    eta = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    timed = here.send("add", 1, 1, eta=eta)
    assert here.send("add", 2, 2).get(timeout=20) == 4
    assert timed.get(timeout=PATIENCE) == 2
    assert datetime.datetime.now(datetime.timezone.utc) >= eta
    assert here.notes() == []


def test_expired_tasks_are_not_run(site):
    here = site()
    here.send("say", "too late", expires=0.05)
    # It expires in the broker, at the head of its queue.
    with here.app.connection_for_read() as connection:
        wait_until(lambda: connection.default_channel.queue_declare(
            "celery", passive=True).message_count == 0, PATIENCE)


def test_priorities(site):
    here = site(queues="priorities")
    for priority in (1, 5, 9, 3):
        here.send("say", str(priority), priority=priority)
    here.worker(concurrency=1)
    wait_until(lambda: len(here.notes()) == 4, PATIENCE)
    # All were there when the worker came; it may prefetch, but starts them in this order.
    assert here.notes() == ["9", "5", "3", "1"]


def test_a_task_whose_process_was_killed_runs_again(site):
    here = site(task_acks_late=True)
    here.worker(concurrency=1)
    here.send("die_at_first", "a")
    wait_until(lambda: "done a" in here.notes(), PATIENCE)
    assert here.notes() == ["try a", "try a", "done a"]


def test_late_acknowledged_tasks_of_a_killed_worker_run_elsewhere(site):
    here = site()
    first = here.worker(concurrency=2)
    for mark in "ab":
        here.send("slow", mark, 1)
    wait_until(lambda: len(here.notes()) == 2, PATIENCE)
    here.kill(first)
    here.worker(concurrency=2)
    wait_until(lambda: {"done a", "done b"} <= set(here.notes()), PATIENCE)
    assert sorted(here.notes()) == ["done a", "done b", "try a", "try a", "try b", "try b"]


def test_native_delayed_delivery(site):
    """With quorum queues, tasks wait in the broker: 28 levels of queues and exchanges."""
    here = site(task_default_queue_type="quorum",
                broker_native_delayed_delivery_queue_type="quorum",
                worker_detect_quorum_queues=True, task_default_exchange_type="topic")
    worker = here.worker()
    with here.app.connection_for_read() as connection:
        for level in range(28):
            connection.default_channel.queue_declare(f"celery_delayed_{level}", passive=True)
    start = time.monotonic()
    here.send("say", "delayed", countdown=3)
    # It does not wait in the worker.
    assert not any(here.app.control.inspect(timeout=1).scheduled().values())
    wait_until(lambda: here.notes() == ["delayed"], PATIENCE)
    assert time.monotonic() - start >= 2
    assert worker.poll() is None


def test_a_new_process_for_each_task_under_load(site):
    here = site()
    here.worker("--max-tasks-per-child", "1", concurrency=2)
    results = [here.send("pid") for _ in range(20)]
    found = {result.get(timeout=PATIENCE) for result in results}
    assert len(found) == 20


def test_what_a_task_sends_arrives_though_its_process_ends(site):
    """Its process is replaced as soon as the task has ended; the pool takes its time for that."""
    here = site()
    here.worker("--max-tasks-per-child", "1", concurrency=2)
    for _ in range(2):
        here.send("spawn", 3)
    wait_until(lambda: len(here.notes()) == 6, PATIENCE)


def test_workers_restart_amid_ten_thousand_tasks_and_none_is_lost(site):
    number = 10_000
    here = site(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=100,
                worker_send_task_events=False, task_send_sent_event=False)
    for i in range(number):
        here.send("say", str(i))
    ran = 0
    for how in (here.stop, here.kill, here.stop):
        worker = here.worker(concurrency=2)
        wait_until(lambda ran=ran: len(here.notes()) > ran + 500, PATIENCE)
        how(worker)
        ran = len(here.notes())
    assert ran < number
    here.worker(concurrency=2)
    wait_until(lambda: len(set(here.notes())) == number, 2 * PATIENCE)


def test_a_broker_that_restarts_is_found_again(site):
    here = site()
    worker = here.worker()
    assert here.send("add", 1, 1).get(timeout=PATIENCE) == 2
    port = here.broker.address.rpartition(":")[2]
    here.broker.kill()
    wait_until(lambda: "Trying to re-establish the connection" in worker.log.read_text()
               or "Connection to broker lost" in worker.log.read_text(), PATIENCE)
    again = subprocess.Popen([binary(), "serve", "--listen", f"127.0.0.1:{port}"],
                             stdout=subprocess.DEVNULL)
    try:
        result = here.send("add", 2, 2)
        assert result.get(timeout=PATIENCE) == 4
    finally:
        here.close()
        again.kill()
        again.wait()


def test_a_private_broker_is_shared_by_a_programs_processes(tmp_path):
    """kelpmq:// with a worker of processes and a client in it; the broker goes with them."""
    program = tmp_path / "program.py"
    program.write_text(f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import threading, os
from celery_tasks import add, app
from celery.contrib.testing.worker import start_worker
if __name__ == "__main__":
    with start_worker(app, pool="prefork", concurrency=2, perform_ping_check=False):
        print([add.delay(i, i).get(timeout=30) for i in range(5)], flush=True)
        from kelpmq_kombu import private
        print(private.address(), flush=True)
    os.kill(os.getpid(), 9)
""")
    environment = {key: value for key, value in os.environ.items() if key != "KELPMQ_KOMBU_ROOT"}
    done = subprocess.run([sys.executable, str(program)], env={**environment, "BROKER": "kelpmq://"},
                          cwd=tmp_path, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL
    results, address = done.stdout.splitlines()[-2:]
    assert results == "[0, 2, 4, 6, 8]"

    def is_gone():
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(address[len("unix:"):]) != 0

    wait_until(is_gone, 10)


# Apps that others have written for RabbitMQ.


@contextlib.contextmanager
def example(name, target, broker):
    """A copy of one of Celery's examples, with nothing changed but the broker's URL."""
    source = upstream.sources("celery") / "examples" / name
    shutil.copytree(source, target)
    changed = 0
    for path in target.rglob("*.py"):
        text, count = re.subn(r"""(["'])amqp://[^"']*\1""", repr(broker), path.read_text())
        path.write_text(text)
        changed += count
    assert changed
    yield {**os.environ, "PYTHONPATH": str(target)}


@pytest.fixture
def run_example(tmp_path):
    """Starts a worker for an example; a script in its folder is its user."""
    with contextlib.ExitStack() as stack:
        def run(name, app, script, *arguments):
            broker = stack.enter_context(kelpmq.PrivateBroker(tcp=True))
            target = tmp_path / "example"
            environment = stack.enter_context(
                example(name, target, f"kelpmq://{broker.address}//"))
            with open(tmp_path / "log", "w") as log:
                worker = subprocess.Popen(
                    [sys.executable, "-m", "celery", "-A", app, "worker", "-l", "INFO",
                     "--concurrency", "2", *arguments],
                    cwd=target, env=environment, stdout=log, stderr=subprocess.STDOUT,
                    start_new_session=True)
            stack.callback(worker.wait)
            stack.callback(lambda: os.killpg(worker.pid, signal.SIGKILL))
            wait_until(lambda: " ready." in (tmp_path / "log").read_text(), PATIENCE)
            done = subprocess.run([sys.executable, "-c", script], cwd=target, env=environment,
                                  stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True)
            return done.stdout, tmp_path / "log"

        yield run


def test_celerys_example_next_steps(run_example):
    printed, _ = run_example("next-steps", "proj", """
from proj.tasks import add, mul, xsum
print(add.delay(4, 4).get(timeout=30), (add.s(2, 2) | mul.s(8))().get(timeout=30))
""")
    assert printed == "8 32\n"


def test_celerys_example_quorum_queues(run_example):
    """With confirmed publishes, a quorum queue, and a task that waits in the broker."""
    _, log = run_example("quorum-queues", "myapp", """
from myapp import add, identity
for i in range(3):
    add.delay(i, i)
identity.si("later").apply_async(countdown=2)
""")
    wait_until(lambda: len(re.findall("succeeded in", log.read_text())) == 4, PATIENCE)


def test_celerys_example_periodic_tasks(run_example):
    _, log = run_example("periodic-tasks", "myapp", """
from myapp import say
say.delay("from outside")
""", "--beat")
    wait_until(lambda: "from outside" in log.read_text()
               and re.search(r"WARNING.* hello", log.read_text()), PATIENCE)
