"""A private node of Debian's RabbitMQ."""
import contextlib
import os
import pathlib
import signal

from . import process


class Node:
    """One node with files, names and an epmd of its own, whoever runs it."""

    def __init__(self, folder: str):
        scripts = sorted(pathlib.Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        if not scripts:
            raise process.Unavailable("rabbitmq-server is not installed")
        self._sbin = scripts[-1].parent
        self.port, epmd_port = process.free_port(), process.free_port()
        files = pathlib.Path(folder)
        (files / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        (files / "plugins").write_text("[].\n")
        (files / "epmd").mkdir()
        self.environment = {
            "HOME": folder, "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"kelpmq{self.port}@localhost", "RABBITMQ_DIST_PORT": str(process.free_port()),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia", "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid", "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config"}
        # Else the node starts one that outlives it.
        self.epmd = process.Server(["epmd", "-port", str(epmd_port), "-address", "127.0.0.1"],
                                   str(files / "epmd"), **{"HOME": folder})
        try:
            self.server = process.Server([str(self._sbin / "rabbitmq-server")], folder, **self.environment)
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

    def evaluate(self, expression: str) -> None:
        """Has the node evaluate an Erlang expression."""
        process.run([str(self._sbin / "rabbitmqctl"), "eval", expression], env=os.environ | self.environment)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self.server.stop()
        self.epmd.stop()
