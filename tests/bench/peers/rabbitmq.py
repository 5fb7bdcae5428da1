"""RabbitMQ of Debian, under PerfTest of Maven Central."""
import shutil

from . import process, rabbitmq_node

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


class RabbitMQ(rabbitmq_node.Node):
    """A node under load."""

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
