"""An app's container and the broker's in one pod, as Kubernetes would run them."""
import contextlib
import pathlib
import stat

import pytest
import wire
from containers import HARDENED, SOCKET, UID, Container

APP_UID = 10001


@contextlib.contextmanager
def a_pod(podman, name: str):
    """Containers in it share one network, with no way out."""
    podman("pod", "create", "--name", name, "--share", "net,ipc", "--network", "none")
    try:
        yield name
    finally:
        podman("pod", "rm", "-f", "-t", "5", name)


def app(podman, image: str, *arguments: str, options: tuple[str, ...] = (), user: str = ""):
    """Runs an app to its end: the image's own client, as another user than the broker's."""
    return podman.try_run("run", "--rm", *HARDENED, "--user", user or f"{APP_UID}:{APP_UID}",
                          *options, image, *arguments)


def test_an_app_talks_to_its_sidecar_over_localhost(podman, image):
    with a_pod(podman, "local") as pod:
        in_pod = ("--pod", pod)
        Container(podman, "local-broker", *in_pod, *HARDENED)
        for command in (("declare", "queue", "jobs"),
                        ("publish", "--routing-key", "jobs", "from the app")):
            done = app(podman, image, *command, options=in_pod)
            assert done.returncode == 0, done.stderr
        assert "from the app" in app(podman, image, "get", "jobs", options=in_pod).stdout
        # Outside of the pod nobody answers at that address.
        assert app(podman, image, "healthcheck").returncode == 69


def test_an_app_puts_load_on_its_sidecar_and_loses_nothing(podman, image):
    with a_pod(podman, "load") as pod:
        Container(podman, "load-broker", "--pod", pod, *HARDENED)
        done = app(podman, image, "perf", "--messages", "20000", "--warmup", "0",
                   options=("--pod", pod))
        assert done.returncode == 0, done.stdout + done.stderr  # 1: lost, duplicated, reordered


def serve_on_a_socket(podman, folder: pathlib.Path, name: str, *options: str) -> Container:
    return Container(podman, name, *HARDENED, "--network", "none", "-v", f"{folder}:/run/kelpmq",
                     *options, serve=("--listen", f"unix:{SOCKET}", "--socket-mode", "0660"))


def test_an_app_of_the_group_talks_to_its_sidecar_over_a_socket(podman, image, shared_folder):
    broker = serve_on_a_socket(podman, shared_folder, "socket-broker")
    path = shared_folder / "kelpmq.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660 and path.stat().st_gid == UID
    mounted = ("--network", "none", "-v", f"{shared_folder}:/run/kelpmq:ro",
               "--env", f"KELPMQ_ADDRESS=unix:{SOCKET}")
    of_the_group = (*mounted, "--group-add", str(UID))
    assert app(podman, image, "healthcheck", options=of_the_group).stdout.strip() == "serving"
    # Who is not of the group cannot even see it.
    assert app(podman, image, "healthcheck", options=mounted).returncode == 69
    broker.remove()


@pytest.mark.parametrize("in_group, exit_code", [(True, 0), (False, 69)])
def test_the_socket_itself_asks_for_the_group(podman, image, shared_folder, in_group, exit_code):
    """In a folder that anybody may enter, the socket's own mode decides."""
    shared_folder.chmod(0o2777)
    name = wire.new_name("open-folder")
    broker = serve_on_a_socket(podman, shared_folder, name)
    done = app(podman, image, "healthcheck", user=f"{APP_UID}:{UID if in_group else APP_UID}",
               options=("--network", "none", "-v", f"{shared_folder}:/run/kelpmq",
                        "--env", f"KELPMQ_ADDRESS=unix:{SOCKET}"))
    assert done.returncode == exit_code, done.stderr
    broker.remove()
