"""RabbitMQ of Debian, under PerfTest of Maven Central."""
import contextlib
import os
import pathlib
import shutil
import signal

from . import process

PERF_TEST = "2.22.1"
JARS = process.TOOLS / f"perf-test-{PERF_TEST}"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>io.kelpmq</groupId><artifactId>perf-test</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>com.rabbitmq</groupId><artifactId>perf-test</artifactId>
<version>{PERF_TEST}</version></dependency></dependencies></project>
"""


def install() -> None:
    process.install_debian("rabbitmq-server", "erlang-base")
    if not shutil.which("java"):
        process.install_debian("openjdk-17-jre-headless")
    if not (JARS / "done").exists():
        if not shutil.which("mvn"):
            process.install_debian("maven")
        JARS.mkdir(parents=True, exist_ok=True)
        (JARS / "pom.xml").write_text(_POM)
        process.run(["mvn", "-q", "-B", "-f", str(JARS / "pom.xml"), "dependency:copy-dependencies",
                     f"-DoutputDirectory={JARS / 'jars'}"])
        (JARS / "done").touch()


class RabbitMQ:
    """One node with files, names and an epmd of its own, whoever runs it."""

    def __init__(self, folder: str):
        scripts = sorted(pathlib.Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        if not scripts:
            raise process.Unavailable("rabbitmq-server is not installed")
        self.port, epmd_port = process.free_port(), process.free_port()
        files = pathlib.Path(folder)
        (files / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        (files / "plugins").write_text("[].\n")
        (files / "epmd").mkdir()
        environment = {
            "HOME": folder, "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"bench{self.port}@localhost", "RABBITMQ_DIST_PORT": str(process.free_port()),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid", "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config"}
        # Else the node starts one that outlives it.
        self.epmd = process.Server(["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"],
                                   str(files / "epmd"), **{"HOME": folder})
        try:
            self.server = process.Server([str(scripts[-1])], folder, **environment)
            self.server.wait_for(lambda text: "completed with" in text or "Starting broker... completed" in text, 90)
            self.pid = self._beam()
        except process.Unavailable:
            self.epmd.stop()
            raise

    def _beam(self) -> int:
        """The Erlang machine, which the script starts."""
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue
            if name == "beam.smp" and int(rest.split()[3]) == self.server.pid:  # its session
                return int(stat.parent.name)
        return self.server.pid

    def measure(self, *, size: int, window: int = 500, producers: int = 1, consumers: int = 1,
                seconds: float) -> process.Sample:
        load = process.Load(self.pid)
        load.start(["java", "-cp", f"{JARS / 'jars'}/*", "com.rabbitmq.perf.PerfTest",
                    "--uri", f"amqp://guest:guest@127.0.0.1:{self.port}", "--producers", str(producers),
                    "--consumers", str(consumers), "--size", str(size), "--confirm", str(window),
                    "--qos", "500", "--multi-ack-every", "100", "--type", "topic", "--exchange", "bench",
                    "--queue", "bench", "--routing-key", "0.0", "--time", str(int(seconds + 3))])
        text, = load.wait(seconds + 60)
        rate = process.number(r"receiving rate avg: ([\d.,]+) msg/s", text)
        return process.Sample(rate=rate, server_cpu=load.server_cpu, messages=rate * (seconds + 3),
                              foreign=load.foreign)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.server.stop()
        self.epmd.stop()
