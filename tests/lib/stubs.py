"""Plain generated gRPC stubs for proto/, made on first use.

After `import stubs`, `from kelpmq.v1 import messaging_pb2, messaging_pb2_grpc` works.
The generated files are kept in build/python-stubs/, by a hash of the protos and of
the generator's version.
"""
import hashlib
import importlib.metadata
import importlib.resources
import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
CACHE = ROOT / "build" / "python-stubs"


def _generate(protos: list[pathlib.Path], target: pathlib.Path) -> None:
    from grpc_tools import protoc

    CACHE.mkdir(parents=True, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=CACHE)
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    code = protoc.main(
        ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={scratch}",
         f"--grpc_python_out={scratch}", *map(str, protos)]
    )
    if code != 0:
        shutil.rmtree(scratch)
        raise RuntimeError(f"protoc failed on {PROTO} (exit code {code})")
    try:
        os.rename(scratch, target)  # Atomic: another process may be first.
    except OSError:
        shutil.rmtree(scratch)


def path() -> pathlib.Path:
    """The folder with the stubs, generated if need be."""
    protos = sorted((PROTO / "kelpmq").rglob("*.proto"))
    digest = hashlib.sha256(importlib.metadata.version("grpcio-tools").encode())
    for proto in protos:
        digest.update(str(proto.relative_to(PROTO)).encode() + b"\0" + proto.read_bytes())
    target = CACHE / digest.hexdigest()[:16]
    if not target.exists():
        _generate(protos, target)
    return target


sys.path.insert(0, str(path()))
