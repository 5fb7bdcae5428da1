"""What Celery has to do so that a task's messages are as safe as its acknowledgement.

A publish is on its way, not written, when it returns. A pool's process may be gone as soon as its
task has ended, and the task acknowledged; so the task ends when the broker has all it has sent,
its result included.
"""
from __future__ import annotations

from typing import Any

from celery import signals

from .link import flush_all


def _task_ended(**kwargs: Any) -> None:
    flush_all()


signals.task_postrun.connect(_task_ended, weak=False)
