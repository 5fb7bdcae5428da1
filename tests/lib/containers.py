"""Containers of the project's image, as tests run them."""
import broker as broker_process
import wire
from podman import Podman

ROOT = broker_process.ROOT
IMAGE = "localhost/kelpmq:test"
UID = 65532  # The image's user and group.
# How the README, compose.yaml and the manifests run it.
HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
SOCKET = "/run/kelpmq/kelpmq.sock"


def last_stage(dockerfile: str) -> str:
    """The Dockerfile's last stage as it stands, on files that are there instead of built ones."""
    _, found, stage = dockerfile.partition("\nFROM scratch\n")
    assert found, "deploy/Dockerfile has no last stage from scratch"
    return "FROM scratch AS build\nCOPY . /image\nFROM scratch\n" + stage


class Container:
    """A broker in a container: `serve`, with these options, running when this returns."""

    def __init__(self, podman: Podman, name: str, *options: str, serve: tuple[str, ...] = (),
                 image: str = IMAGE):
        self.name = name
        self._podman = podman
        podman("run", "--detach", "--name", name, *options, image, "serve", *serve)
        self.wait_until_ready()

    def wait_until_ready(self, times: int = 1) -> None:
        """Until it has been ready so many times: restarts count."""
        def ready() -> bool:
            logs = self.logs()
            assert self.pid() or times > 1, f"{self.name} has ended: {logs}"
            return logs.count(" ready on ") >= times
        wire.until(ready, f"{self.name} is ready")

    def logs(self) -> str:
        done = self._podman.try_run("logs", self.name)
        return done.stdout + done.stderr

    def run(self, *command: str) -> str:
        """What the image's own kelpmq prints, inside the container."""
        return self._podman("exec", self.name, "kelpmq", *command)

    def pid(self) -> int:
        """Of the broker, as this machine sees it; 0 if it does not run."""
        return self._podman.inspect(self.name)["State"]["Pid"]

    def signal(self, name: str) -> None:
        self._podman("kill", "--signal", name, self.name)

    def exit_code(self) -> int:
        """Waits for its end."""
        return int(self._podman("wait", self.name, seconds=wire.PATIENCE))

    def remove(self) -> None:
        self._podman("rm", "-f", "-t", "5", self.name)
