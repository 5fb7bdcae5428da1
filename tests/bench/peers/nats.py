"""NATS, core and JetStream, under its own `nats bench`."""
import os
import shutil
import time

from . import process

SERVER = "github.com/nats-io/nats-server/v2@v2.15.2"
CLIENT = "github.com/nats-io/natscli/nats@v0.5.1"
BIN = process.TOOLS / "nats"


def install() -> None:
    if (BIN / "nats").exists() and (BIN / "nats-server").exists():
        return
    if not shutil.which("go"):
        raise process.Unavailable("needs Go, to build nats-server")
    for module in (SERVER, CLIENT):
        process.run(["go", "install", module], env=os.environ | {"GOBIN": str(BIN)})


class Nats:
    def __init__(self, folder: str):
        self.server = process.Server(
            [str(BIN / "nats-server"), "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", folder],
            folder)
        self.address = self.server.match(r"client connections on (127\.0\.0\.1:\d+)")
        self.server.match(r"(Server is ready)")

    def _bench(self, *arguments: str) -> list[str]:
        return [str(BIN / "nats"), "--server", self.address, "--no-context", "bench", *arguments, "--no-progress"]

    def core(self, *, size: int, seconds: float) -> process.Sample:
        """Publish and subscribe, nothing acknowledged."""
        count = int(1_000_000 * seconds)
        load = process.Load(self.server.pid)
        load.start(self._bench("sub", "bench", "--msgs", str(count), "--size", str(size)))
        time.sleep(0.3)  # it subscribes
        load.start(self._bench("pub", "bench", "--msgs", str(count), "--size", str(size)))
        received, _ = load.wait(seconds * 20 + 30)
        return process.Sample(rate=process.number(r"stats: ([\d,]+) msgs/sec", received), messages=count,
                              server_cpu=load.server_cpu, foreign=load.foreign)

    def jetstream(self, *, size: int, seconds: float) -> process.Sample:
        """Published with 500 in flight and consumed with explicit acks, in memory."""
        count = int(60_000 * seconds)
        load = process.Load(self.server.pid)
        load.start(self._bench("js", "pub", "async", "bench", "--create", "--purge", "--storage", "memory",
                               "--stream", "bench", "--batch", "500", "--msgs", str(count), "--size", str(size)))
        time.sleep(0.1)  # it creates the stream
        load.start(self._bench("js", "consume", "--stream", "bench", "--acks", "explicit", "--msgs", str(count)))
        _, consumed = load.wait(seconds * 20 + 30)
        return process.Sample(rate=process.number(r"stats: ([\d,]+) msgs/sec", consumed), messages=count,
                              server_cpu=load.server_cpu, foreign=load.foreign)

    def stop(self) -> None:
        self.server.stop()
