"""The fixtures for those who test Celery apps."""
import subprocess
import sys
import textwrap

CONFTEST = 'pytest_plugins = ("celery.contrib.pytest", "kelpmq_kombu.pytest_plugin")\n'
TEST = """
    import pytest

    @pytest.fixture(scope="session")
    def celery_includes():
        return []

    def test_a_task(celery_app, celery_worker):
        @celery_app.task
        def multiply(x, y):
            return x * y

        celery_worker.reload()
        assert multiply.delay(4, 4).get(timeout=10) == 16
        assert celery_app.conf.broker_url.startswith("kelpmq://127.0.0.1:")

    def test_the_worker_of_the_session(celery_session_app, celery_session_worker):
        assert celery_session_app.control.ping(timeout=1)
    """


def run(folder, conftest=CONFTEST, test=TEST):
    (folder / "conftest.py").write_text(textwrap.dedent(conftest))
    (folder / "test_app.py").write_text(textwrap.dedent(test))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder, stdout=subprocess.PIPE, text=True, timeout=60)


def test_celerys_fixtures_use_a_private_broker(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_configuration_of_ones_own_wins(tmp_path):
    done = run(tmp_path, CONFTEST + """
import pytest

@pytest.fixture(scope="session")
def celery_config(kelpmq_url):
    return {"broker_url": kelpmq_url, "result_backend": "cache+memory://"}
""", """
    def test_it(celery_app):
        assert celery_app.conf.result_backend == "cache+memory://"
        assert celery_app.conf.broker_url.startswith("kelpmq://")
    """)
    assert done.returncode == 0, done.stdout
