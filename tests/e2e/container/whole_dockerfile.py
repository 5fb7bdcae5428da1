"""The whole Dockerfile, from a bare Debian on: minutes, so it is run by name alone (tests/run --only image)."""
import json
import pathlib
import shutil
import subprocess

import podman as podman_module
import pytest
import wire
from containers import HARDENED, ROOT, Container

IMAGE = "localhost/kelpmq:whole"
MINUTES = 60
# What apt has left behind is not part of an image.
LEFT_OUT = ("./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*")


def import_debian(podman: podman_module.Podman, folder: pathlib.Path) -> None:
    """debian:bookworm-slim of our own making: a registry may be out of reach."""
    root, archive = folder / "debian", folder / "debian.tar"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True,
                   capture_output=True, timeout=10 * MINUTES)
    subprocess.run(["tar", "-C", root, *(f"--exclude={path}" for path in LEFT_OUT), "-cf", archive,
                    "."], check=True, timeout=5 * MINUTES)
    shutil.rmtree(root)
    podman("import", "--change",
           "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
           str(archive), "localhost/debian:bookworm-slim", seconds=5 * MINUTES)
    archive.unlink()


@pytest.mark.slow
@pytest.mark.timeout(40 * MINUTES)
def test_the_whole_dockerfile_makes_an_image_that_serves(podman):
    if shutil.which("debootstrap") is None:
        pytest.skip("not installed: debootstrap (tests/run installs it)")
    import_debian(podman, podman.folder)
    podman.build(IMAGE, ROOT / "deploy/Dockerfile", ROOT, network=True, seconds=30 * MINUTES)
    assert podman.inspect(IMAGE, "image")["Size"] <= 20_000_000
    broker = Container(podman, "whole", *HARDENED, image=IMAGE)
    assert broker.run("healthcheck") == "serving"
    podman("cp", "whole:/usr/share/doc/kelpmq/sbom.spdx.json", str(podman.folder))
    document = json.loads((podman.folder / "sbom.spdx.json").read_text())
    assert "libgrpc-dev" in {package["name"] for package in document["packages"]}
    podman("stop", "-t", "10", broker.name, seconds=wire.PATIENCE)
    assert broker.exit_code() == 0
