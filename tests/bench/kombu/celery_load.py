"""celery_load.py URL NUMBER: sends tasks that do nothing and runs them; prints rates as JSON."""
import json
import os
import sys
import threading
import time

import celery

import kelpmq_kombu  # noqa: F401

app = celery.Celery("load", broker=sys.argv[1])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False,
                broker_connection_retry_on_startup=True, worker_prefetch_multiplier=64)
number = int(sys.argv[2])
done = 0
first = last = 0.0


@app.task
def nothing():
    global done, first, last
    done += 1
    if done == 1:
        first = time.perf_counter()
    elif done == number:
        last = time.perf_counter()


def main():
    start = time.perf_counter()
    for _ in range(number):
        nothing.delay()
    with app.connection_for_write() as connection:  # All are there.
        while connection.default_channel.queue_declare("celery", passive=True).message_count < number:
            time.sleep(0.001)
    sent = time.perf_counter() - start

    def report():
        while not last:
            time.sleep(0.01)
        print(json.dumps({"Celery: send": number / sent,
                          "Celery: tasks": (number - 1) / (last - first)}),
              file=sys.__stdout__, flush=True)  # Celery takes sys.stdout.
        os._exit(0)

    threading.Thread(target=report, daemon=True).start()
    app.worker_main(["worker", "--pool", "solo", "--loglevel", "ERROR", "--without-mingle",
                     "--without-gossip"])


if __name__ == "__main__":
    main()
