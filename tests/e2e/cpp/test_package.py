"""The installed C++ client and the Debian packages, as made from the build of the broker under test."""
import pathlib
import re
import shutil
import subprocess

import broker as broker_process
import pytest
import wire

ROOT = pathlib.Path(__file__).resolve().parents[3]
QUICKSTART = ROOT / "client/cpp/quickstart"
DEFAULT_ADDRESS = "127.0.0.1:50672"
README_EXAMPLE = re.compile(r"<!-- test: cpp -->\n```cpp\n(.*?)```", re.DOTALL)


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=100, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def build_folder() -> pathlib.Path:
    folder = broker_process.binary().resolve().parents[1]
    if not (folder / "client/cpp/libkelpmq_client.a").exists():
        pytest.fail(f"build everything first: cmake --build {folder}")
    return folder


@pytest.fixture(scope="module")
def prefix(build_folder, tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", build_folder, "--component", "client", "--prefix", folder)
    return folder


def sanitizer_flags(build_folder: pathlib.Path) -> str:
    [kind] = re.findall(r"^KELPMQ_SANITIZER:STRING=(.*)$",
                        (build_folder / "CMakeCache.txt").read_text(), re.MULTILINE)
    return f"-fsanitize={kind}" if kind else ""


def test_the_quickstart_builds_from_the_installed_package(broker, client, build_folder, prefix, tmp_path):
    source = tmp_path / "quickstart"
    shutil.copytree(QUICKSTART, source)
    text = (source / "main.cc").read_text()
    assert DEFAULT_ADDRESS in text
    (source / "main.cc").write_text(text.replace(DEFAULT_ADDRESS, broker.address))
    run("cmake", "-S", source, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_FLAGS={sanitizer_flags(build_folder)}")
    run("cmake", "--build", tmp_path / "build")
    assert run(tmp_path / "build/quickstart") == "OK\nhello\n"
    wire.until(lambda: client.queue("jobs").messages_unacked == 0, "it is acknowledged")


def test_the_readme_shows_the_quickstart():
    assert README_EXAMPLE.findall((ROOT / "README.md").read_text()) == [
        (QUICKSTART / "main.cc").read_text()]


def test_a_program_that_uses_the_client_sees_nothing_of_grpc(prefix):
    headers = list((prefix / "include").rglob("*.h"))
    assert len(headers) > 10
    assert [path for path in headers if "grpcpp/" in path.read_text()] == []


def test_another_major_version_is_refused(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(p LANGUAGES CXX)\nfind_package(kelpmq 7 REQUIRED)\n")
    done = subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}"],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "version" in done.stderr


def test_the_debian_packages_have_program_headers_and_library(build_folder, tmp_path):
    run("cpack", "-G", "DEB", "--config", build_folder / "CPackConfig.cmake", "-B", tmp_path)
    packages = {path.name.split("_")[0]: path for path in tmp_path.glob("*.deb")}
    assert packages.keys() == {"kelpmq", "libkelpmq-dev"}
    root = tmp_path / "root"
    for path in packages.values():
        run("dpkg-deb", "-x", path, root)
    assert re.search(r"\d+\.\d+", run(root / "usr/bin/kelpmq", "--version"))
    assert (root / "usr/include/kelpmq/client.h").exists()
    assert (root / "usr/include/kelpmq/v1/types.pb.h").exists()
    assert (root / "usr/share/kelpmq/proto/kelpmq/v1/types.proto").exists()
    [config] = root.rglob("kelpmqConfig.cmake")
    assert list(config.parents[2].glob("libkelpmq_client.a"))
    assert "libgrpc++-dev" in run("dpkg-deb", "--field", packages["libkelpmq-dev"], "Depends")
