"""The Celery app of the tests, set up by variables of the environment; workers run it."""
import json
import os
import signal
import time

from celery import Celery
from celery.events.snapshot import Polaroid
from kombu import Exchange, Queue

app = Celery("tests", broker=os.environ.get("BROKER", "kelpmq://"),
             backend=os.environ.get("BACKEND", "rpc://"))
app.conf.update(
    result_expires=600, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False,
    worker_send_task_events=True, task_send_sent_event=True, broker_connection_timeout=10)
app.conf.update(json.loads(os.environ.get("SETTINGS", "{}")))
if "priorities" in os.environ.get("QUEUES", ""):
    app.conf.task_queues = [
        Queue("celery", Exchange("celery"), "celery", queue_arguments={"x-max-priority": 10})]


def note(line):
    """Appends a line to the test's file, in one piece."""
    with open(os.environ["NOTES"], "a") as file:
        file.write(f"{line}\n")


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def say(what):
    note(what)


@app.task
def pid():
    return os.getpid()


@app.task
def spawn(number):
    """Sends tasks from within a task."""
    for i in range(number):
        say.delay(f"spawned {i}")


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def die_at_first(self, mark):
    """Kills its process, unless it was tried before."""
    note(f"try {mark}")
    if not self.request.delivery_info["redelivered"]:
        os.kill(os.getpid(), signal.SIGKILL)
    note(f"done {mark}")


@app.task(acks_late=True)
def slow(mark, seconds):
    note(f"try {mark}")
    time.sleep(seconds)
    note(f"done {mark}")


class Camera(Polaroid):
    """What `celery events --camera` takes."""

    clear_after = True

    def on_shutter(self, state):
        for _, task in list(state.tasks_by_time()):
            note(f"{task.name} {task.state}")
        note(f"workers {len(state.workers)}")
