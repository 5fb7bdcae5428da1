"""Fixtures that let the tests of a Celery app run on a broker of their own.

In conftest.py:

    pytest_plugins = ("celery.contrib.pytest", "kelpmq_kombu.pytest_plugin")

Then Celery's fixtures `celery_app`, `celery_worker`, `celery_session_app` and
`celery_session_worker` use it. No broker has to be installed or running.
"""
from __future__ import annotations

from typing import Any

import pytest

from kelpmq_pytest.pool import Brokers


@pytest.fixture(scope="session")
def kelpmq_url(kelpmq_brokers: Brokers) -> str:
    """The URL of a broker for the whole run, as Kombu and Celery take it."""
    return f"kelpmq://{kelpmq_brokers.process(tcp=True).address}//"


@pytest.fixture(scope="session")
def celery_config(kelpmq_url: str) -> dict[str, Any]:
    """What Celery's fixtures configure their apps with; results come over the broker, too.

    A conftest.py that has a fixture of this name wins; it can ask for `kelpmq_url`.
    """
    return {"broker_url": kelpmq_url, "result_backend": "rpc://"}
