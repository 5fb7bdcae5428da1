"""The README's "Run as a sidecar", as it stands."""
import os
import pathlib
import re
import subprocess

import broker as broker_process
import pytest
import wire
from containers import IMAGE, ROOT, Container
from manifests import check_compose, check_kubernetes, package

yaml = package("yaml")

EXAMPLE = r"<!-- test: {kind} -->\n```\w+\n(.*?)```"


def example(kind: str) -> str:
    [found] = re.findall(EXAMPLE.format(kind=kind), (ROOT / "README.md").read_text(), re.DOTALL)
    return found


def test_docker(podman, image, tmp_path):
    """By podman, whose command line is Docker's. The image is there, so building it is left out."""
    Container(podman, "app", "--network", "none", serve=("--listen", "127.0.0.1:0"))  # Any app.
    podman("tag", IMAGE, "localhost/kelpmq:latest")
    output = ""
    commands = [line.split() for line in example("docker").splitlines()]
    assert commands[0] == ["docker", "build", "-f", "deploy/Dockerfile", "-t", "kelpmq", "."]
    for docker, *arguments in commands[1:]:
        assert docker == "docker"
        if arguments[0] == "exec":
            wire.until(lambda: " ready on " in podman("logs", "broker"), "the broker is ready")
        output = podman(*arguments)
    assert "kelpmq" in output
    # The app finds it at the address that the README names.
    assert podman("exec", "app", "kelpmq", "healthcheck") == "serving"
    for name in ("broker", "app"):  # One depends on the other.
        podman("rm", "-f", "-t", "5", name)


def test_compose(tmp_path):
    services = check_compose(example("compose"), tmp_path)["services"]
    whole = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["broker"]
    for key, value in services["broker"].items():
        if key != "image":
            assert whole[key] == value, f"deploy/compose.yaml says otherwise: {key}"


def test_kubernetes(tmp_path):
    spec = yaml.safe_load(example("kubernetes"))
    spec["containers"] = [{"name": "app", "image": "app"}]
    check_kubernetes(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod",
                                     "metadata": {"name": "pod"}, "spec": spec}), tmp_path)
    [short] = spec["initContainers"]
    patch = yaml.safe_load((ROOT / "deploy/kubernetes/sidecar/sidecar.yaml").read_text())
    [whole] = patch["spec"]["template"]["spec"]["initContainers"]
    assert short["restartPolicy"] == whole["restartPolicy"]
    assert short["startupProbe"]["exec"] == whole["startupProbe"]["exec"]
    assert short["securityContext"].items() <= whole["securityContext"].items()


def test_systemd(tmp_path):
    """What is installed is there, and goes where the unit looks for it; systemctl is left out."""
    binary, unit, start = example("systemd").splitlines()
    assert start == "systemctl enable --now kelpmq"
    if broker_process.binary().resolve() != (ROOT / "build/release/service/kelpmq").resolve():
        pytest.skip("installs the release binary: set KELPMQ_BINARY to it")
    for line in (binary, unit):
        *command, target = line.split()
        path = tmp_path / target.lstrip("/")
        path.parent.mkdir(parents=True)
        subprocess.run([*command, path], cwd=ROOT, check=True, timeout=wire.PATIENCE)
        assert os.access(path, os.R_OK)
    [program] = re.findall(r"(?m)^ExecStart=(\S+)",
                           (tmp_path / "etc/systemd/system/kelpmq.service").read_text())
    assert os.access(pathlib.Path(f"{tmp_path}{program}"), os.X_OK)
