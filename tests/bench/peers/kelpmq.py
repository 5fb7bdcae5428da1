"""KelpMQ and the bare relay, both under `kelpmq perf`."""
import json
import subprocess
import time

from . import process

BROKER = process.BUILD / "service/kelpmq"
RELAY = process.BUILD / "tests/bench/relay/kelpmq_bare_relay"


def install() -> None:
    if not (BROKER.exists() and RELAY.exists()):
        raise process.Unavailable("build it first: cmake --build build/bench --target kelpmq kelpmq_bare_relay")


class KelpMQ:
    """A broker of its own for each measurement."""
    command = [str(BROKER), "serve", "--listen", "127.0.0.1:0"]
    flags: list[str] = []

    def __init__(self, folder: str):
        self.server = process.Server(self.command, folder)
        try:
            self.address = self.server.match(r"(127\.0\.0\.1:\d+)")
        except process.Unavailable:
            self.server.stop()
            raise
        self.start_ms = (time.monotonic() - self.server.started) * 1000

    def measure(self, *flags: str, seconds: float) -> process.Sample:
        done = subprocess.run(
            [str(BROKER), "perf", "--json", "--address", self.address, "--server-pid", str(self.server.pid),
             "--seconds", str(seconds), "--warmup", "0.5", *self.flags, *flags],
            capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise process.Unavailable(f"perf {' '.join(flags)}: {done.stderr[-400:]}")
        result = json.loads(done.stdout)
        unary, consumes = "--unary" in flags, "--consumers" not in flags or flags[flags.index("--consumers") + 1] != "0"
        latency = result["confirm_latency_us"] if unary or not consumes else result["latency_us"]
        rate = result["acked_per_second"] if consumes else result["confirmed_per_second"]
        as_ms = lambda us: us / 1000 if us is not None else None
        return process.Sample(
            rate=rate, server_cpu=result["server_cpu_seconds"], messages=rate * result["seconds"],
            foreign=result["foreign_cpu_cores"], p50_ms=as_ms(latency["p50"]), p99_ms=as_ms(latency["p99"]),
            extra=result)

    def stop(self) -> None:
        self.server.stop()


class Relay(KelpMQ):
    command = [str(RELAY)]
    flags = ["--use-queue", "q"]


class CappedRelay(Relay):
    """Holds publishers back, as the relay that performance.md measured."""
    command = [str(RELAY), "32768"]
