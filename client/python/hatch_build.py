"""Makes what a wheel of kelpmq holds besides its sources: gRPC stubs, and the broker.

Stubs are generated from proto/ into src/kelpmq/v1 and src/kelpmq/internal with the oldest
generator that will do, because generated code demands a protobuf runtime at least as new as its
generator: protoc 3.21 (Debian 12) if it is on the PATH, else an old grpcio-tools.

The broker is $KELPMQ_BINARY, or the release build. With KELPMQ_BINARY= (empty) the wheel is pure
Python and holds none. An editable install gets a link to it.
"""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = HERE / "src" / "kelpmq"
RELEASE_BINARY = ROOT / "build" / "release" / "service" / "kelpmq"

# The first grpcio-tools with a wheel for each Python.
GENERATORS = [
    "grpcio-tools==1.49.1; python_version < '3.12'",
    "grpcio-tools==1.59.5; python_version == '3.12'",
    "grpcio-tools==1.66.2; python_version == '3.13'",
    "grpcio-tools>=1.75.1; python_version > '3.13'",
    "setuptools<80",  # grpcio-tools imports pkg_resources.
]


def proto_folder() -> pathlib.Path:
    """proto/ of the repository, or its copy in a source distribution."""
    inside = HERE / "proto"
    return inside if inside.is_dir() else ROOT / "proto"


def has_old_protoc() -> bool:
    if not shutil.which("protoc") or not shutil.which("grpc_python_plugin"):
        return False
    version = subprocess.run(["protoc", "--version"], capture_output=True, text=True).stdout
    return re.match(r"libprotoc 3\.(20|21)\.", version) is not None


def generator() -> list[str]:
    if has_old_protoc():
        return ["protoc", f"--plugin=protoc-gen-grpc_python={shutil.which('grpc_python_plugin')}"]
    well_known = pathlib.Path(__import__("grpc_tools").__file__).parent / "_proto"
    return [sys.executable, "-m", "grpc_tools.protoc", f"-I{well_known}"]


def generate_stubs() -> None:
    protos = proto_folder()
    names = [str(path.relative_to(protos)) for path in sorted((protos / "kelpmq").rglob("*.proto"))]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [*generator(), f"-I{protos}", f"--python_out={scratch}", f"--pyi_out={scratch}",
             f"--grpc_python_out={scratch}", *names], check=True)
        for part in ("v1", "internal"):
            shutil.rmtree(PACKAGE / part, ignore_errors=True)
            shutil.copytree(pathlib.Path(scratch) / "kelpmq" / part, PACKAGE / part)
    for folder in ("v1", "internal", "internal/v1"):
        (PACKAGE / folder / "__init__.py").touch()


def broker_binary() -> pathlib.Path | None:
    wanted = os.environ.get("KELPMQ_BINARY")
    if wanted is not None:
        if wanted and not os.access(wanted, os.X_OK):
            raise RuntimeError(f"KELPMQ_BINARY={wanted} is no program")
        return pathlib.Path(wanted).resolve() if wanted else None
    return RELEASE_BINARY if RELEASE_BINARY.exists() else None


def platform_tag(binary: pathlib.Path) -> str:
    """A static binary runs on every Linux of its machine; another only where it was built."""
    machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    headers = subprocess.run(["readelf", "-l", str(binary)], capture_output=True, text=True)
    if headers.returncode == 0 and "INTERP" not in headers.stdout:
        return machine.replace("linux", "manylinux2014", 1)
    return machine


class KelpmqBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling for each wheel, editable ones too."""

    def dependencies(self) -> list[str]:
        return [] if self.target_name != "wheel" or has_old_protoc() else GENERATORS

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        generate_stubs()
        binary = broker_binary()
        if version == "editable":
            link = PACKAGE / "bin" / "kelpmq"
            link.unlink(missing_ok=True)
            if binary:
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(binary)
        elif binary:
            build_data["force_include"][str(binary)] = "kelpmq/bin/kelpmq"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform_tag(binary)}"
