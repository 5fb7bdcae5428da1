"""Redis, with lists and with streams, under redis_load.c."""
import pathlib

from . import process

LOAD = process.TOOLS / "redis_load"
_SOURCE = pathlib.Path(__file__).with_name("redis_load.c")


def install() -> None:
    process.install_debian("redis-server", "libhiredis-dev")
    if not LOAD.exists() or LOAD.stat().st_mtime < _SOURCE.stat().st_mtime:
        LOAD.parent.mkdir(parents=True, exist_ok=True)
        process.run(["cc", "-O2", "-Wall", "-o", str(LOAD), str(_SOURCE), "-lhiredis", "-lpthread"])


class Redis:
    def __init__(self, folder: str):
        self.port = process.free_port()
        self.server = process.Server(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", folder], folder)
        self.server.match(r"(Ready to accept connections)")

    def measure(self, kind: str, *, size: int, pipeline: int, seconds: float) -> process.Sample:
        """kind: `stream` (XADD, XREADGROUP, XACK) or `list` (RPUSH, LPOP of many)."""
        load = process.Load(self.server.pid)
        load.start([str(LOAD), str(self.port), kind, str(size), str(pipeline), str(seconds)])
        text, = load.wait(seconds + 60)
        consumed, elapsed = process.number(r"consumed (\d+)", text), process.number(r"seconds ([\d.]+)", text)
        return process.Sample(rate=consumed / elapsed, messages=consumed, server_cpu=load.server_cpu,
                              foreign=load.foreign)

    def stop(self) -> None:
        self.server.stop()
