"""What is in the image, and what it says about itself."""
import json
import pathlib
import subprocess
import tarfile

import pytest
from containers import HARDENED, ROOT, UID, Container

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def files(podman, image, tmp_path_factory) -> dict[str, tarfile.TarInfo]:
    """All files of a container of the image, by path."""
    archive = tmp_path_factory.mktemp("export") / "root.tar"
    podman("create", "--name", "export", image)
    podman("export", "--output", str(archive), "export")
    podman("rm", "export")
    with tarfile.open(archive) as tar:
        return {"/" + member.name.strip("/"): member for member in tar if member.isfile()}


def test_the_image_has_at_most_20_megabytes(podman, image):
    assert podman.inspect(image, "image")["Size"] <= 20 * MEGABYTE


def test_the_image_holds_one_program_and_no_shell(files):
    programs = {path for path, member in files.items() if member.mode & 0o111}
    # What podman mounts over, and itself adds to every container, holds nothing.
    assert programs == {"/usr/bin/kelpmq"}
    foreign = {path for path, member in files.items() if member.size
               and not path.startswith("/usr/share/doc/kelpmq/")} - programs
    assert foreign == set()


def test_nothing_in_the_image_can_be_changed_by_its_user(files):
    assert {path for path, member in files.items()
            if member.size and (member.uid == UID or member.mode & 0o022)} == set()


def test_the_image_says_what_it_is(podman, image):
    config = podman.inspect(image, "image")["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "KelpMQ"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.revision"] == "0123abc"
    version = podman("run", "--rm", image, "--version").split()[-1]
    assert labels["org.opencontainers.image.version"] == version
    assert config["User"] == f"{UID}:{UID}"
    assert config["StopSignal"] == "SIGTERM"


def test_the_licences_of_what_is_linked_in_are_inside(files, staged):
    document = json.loads((staged / "usr/share/doc/kelpmq/sbom.spdx.json").read_text())
    linked = {p["name"] for p in document["packages"]} - {"kelpmq"}
    assert {"libgrpc-dev", "libprotobuf-dev", "libc6-dev", "libcli11-dev"} <= linked
    notices = {pathlib.PurePath(path).name for path in files if "/kelpmq/copyright/" in path}
    assert notices == linked
    assert {"/usr/share/doc/kelpmq/LICENSE", "/usr/share/doc/kelpmq/LICENSES.md",
            "/usr/share/doc/kelpmq/sbom.spdx.json"} <= files.keys()


def test_the_sbom_is_valid_spdx(staged):
    pytest.importorskip("spdx_tools", reason="pip install -r tests/requirements-container.txt")
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = parse_file(str(staged / "usr/share/doc/kelpmq/sbom.spdx.json"))
    assert validate_full_spdx_document(document) == []


def test_grpcs_xds_is_not_linked_in():
    """It is a third of what would be linked: service/without_xds.cc says how it is kept out."""
    assert "xds_resolver.cc.o" not in (ROOT / "build/release/service/kelpmq.map").read_text()


def test_stage_refuses_a_library_without_a_licence(tmp_path):
    """Runs on a copy whose LICENSES.md has lost a row."""
    project = tmp_path / "project"
    for path in ("deploy/lib/stage", "deploy/lib/setup.sh"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes((ROOT / path).read_bytes())
    (project / "LICENSE").touch()
    rows = (ROOT / "deploy/LICENSES.md").read_text().splitlines(keepends=True)
    (project / "deploy/LICENSES.md").write_text("".join(r for r in rows if "zlib1g-dev" not in r))
    (project / "build").mkdir()
    (project / "build/release").symlink_to(ROOT / "build/release")
    done = subprocess.run(["bash", project / "deploy/lib/stage", tmp_path / "image"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "zlib1g-dev is linked in and has no row" in done.stderr


def test_it_runs_without_root_rights_or_a_writable_file(podman, image):
    broker = Container(podman, "hardened", *HARDENED)
    pid = broker.pid()
    status = dict(line.split(":\t", 1) for line in
                  pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == status["Gid"].split() == [str(UID)] * 4
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert status["NoNewPrivs"] == "1"
    root = [line.split() for line in pathlib.Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
            if line.split()[4] == "/"]
    assert all("ro" in fields[5].split(",") for fields in root) and root
    assert broker.run("healthcheck") == "serving"
    broker.remove()


def test_its_health_check_tells_serving_from_not(podman, image):
    check = podman.inspect(image, "image")["Healthcheck"]["Test"]
    assert check[0] == "CMD", "a shell would be needed"
    broker = Container(podman, "checked", *HARDENED)
    assert podman.try_run("exec", "checked", *check[1:]).returncode == 0
    # The check's address is nobody's: it says so by its exit code.
    silent = podman.try_run("exec", "--env", "KELPMQ_ADDRESS=127.0.0.1:1", "checked", *check[1:])
    assert silent.returncode == 69
    broker.remove()
