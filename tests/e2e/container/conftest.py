"""The image, built once; skips, with the reason, where there is no podman."""
import os
import pathlib
import subprocess

import broker as broker_process
import podman as podman_module
import pytest
import wire
from containers import IMAGE, ROOT, UID, last_stage


@pytest.fixture(scope="session")
def podman():
    if reason := podman_module.why_not():
        pytest.skip(f"podman: {reason}")
    engine = podman_module.Podman()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def staged(tmp_path_factory) -> pathlib.Path:
    """What the image is to hold, laid out from the release build."""
    if broker_process.binary().resolve() != (ROOT / "build/release/service/kelpmq").resolve():
        pytest.skip("the image holds the release binary: set KELPMQ_BINARY to it")
    folder = tmp_path_factory.mktemp("staged")
    folder.chmod(0o755)  # It becomes the root of a file system.
    subprocess.run([ROOT / "deploy/lib/stage", folder], check=True, timeout=wire.PATIENCE)
    return folder


@pytest.fixture(scope="session")
def image(podman, staged, tmp_path_factory) -> str:
    """The image, of the release binary that is there: a second instead of minutes."""
    dockerfile = tmp_path_factory.mktemp("dockerfile") / "Dockerfile"
    dockerfile.write_text(last_stage((ROOT / "deploy/Dockerfile").read_text()))
    podman.build(IMAGE, dockerfile, staged, "--build-arg", "REVISION=0123abc")
    return IMAGE


@pytest.fixture
def shared_folder(podman) -> pathlib.Path:
    """As Kubernetes gives a volume with an fsGroup: the group may write, and owns what is new."""
    folder = podman.folder / wire.new_name("shared")
    folder.mkdir()
    os.chown(folder, 0, UID)
    folder.chmod(0o2770)
    return folder
