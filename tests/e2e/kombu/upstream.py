"""The test suites of Kombu and Celery, taken from their source distributions when they are run.

Nothing of them is kept here.
"""
import contextlib
import importlib.metadata
import pathlib
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "upstream"
KINDS = ("passed", "failed", "error", "skipped", "xfailed", "xpassed", "rerun")


def sources(package: str) -> pathlib.Path:
    """The unpacked source distribution of the version of `package` that is installed."""
    version = importlib.metadata.version(package)
    target = FOLDER / f"{package}-{version}"
    if not target.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            subprocess.run(
                # What builds it comes as wheels: two of these at a time would share built ones.
                [sys.executable, "-m", "pip", "download", "-q", "--no-binary", package, "--no-deps",
                 "-d", scratch, f"{package}=={version}"], check=True)
            archive, = pathlib.Path(scratch).glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                if hasattr(tarfile, "data_filter"):  # Python 3.11.4, and older ones of distributions.
                    packed.extraction_filter = staticmethod(tarfile.data_filter)
                packed.extractall(scratch)
            with contextlib.suppress(OSError):  # Another process was first.
                (pathlib.Path(scratch) / target.name).rename(target)
    return target


class Counter:
    """A pytest plug-in that counts, and wants no reruns unless told: a flake must show.

    wanted: how many have to pass, so that those that are skipped or not found are missed.
    """

    def __init__(self, wanted: int = 1, reruns: int = 0):
        self._wanted = wanted
        self._reruns = reruns
        self.counts = dict.fromkeys(KINDS, 0)

    def pytest_configure(self, config):
        for mark in ("env(name)", "flaky(reruns)"):
            config.addinivalue_line("markers", mark)

    def pytest_collection_modifyitems(self, items):
        for item in items:
            for mark in item.iter_markers("flaky"):
                mark.kwargs["reruns"] = self._reruns

    def pytest_terminal_summary(self, terminalreporter):
        for kind in KINDS:
            self.counts[kind] = len(terminalreporter.stats.get(kind, []))

    def conclude(self) -> int:
        """Prints the counts as tests/run reads them; returns an exit code."""
        found = self.counts
        failed = found["failed"] + found["error"]
        print(f"{found['rerun']} reruns, {found['xfailed']} xfailed, {found['xpassed']} xpassed")
        print(f"{found['passed']} passed, {failed} failed, {found['skipped']} skipped", flush=True)
        if not failed and found["passed"] < self._wanted:
            print(f"wanted: {self._wanted} passed", file=sys.stderr)
        return 0 if found["passed"] >= self._wanted and not failed else 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def redis():
    """A Redis of one's own, for results; yields its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
            yield port
        finally:
            server.terminate()
            server.wait()
