"""Reading and checking the files in deploy/ with the tools that their readers use."""
import importlib
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
from broker import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = ("1.31", "1.37")  # Versions whose schemas are asked: an older one, and the newest known.
ADVICE = "pip install -r tests/requirements-container.txt (tests/run does)"


def tool(name: str, advice: str = ADVICE) -> str:
    """The path of a program beside this Python, or anywhere. Skips the test without one."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: {advice}")
    return found


def package(name: str) -> Any:
    """A Python package. Skips the test without it."""
    return pytest.importorskip(name, reason=ADVICE)


def check(*command: str | pathlib.Path) -> str:
    """What a command prints. Fails with that if the command does."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def documents(text: str) -> list[dict]:
    """The YAML documents of a text."""
    return [document for document in package("yaml").safe_load_all(text) if document]


def check_kubernetes(text: str, folder: pathlib.Path) -> list[dict]:
    """The documents, once Kubernetes' own schemas have found no fault with them."""
    validate = tool("kubernetes-validate")
    path = folder / "manifest.yaml"
    path.write_text(text)
    for version in KUBERNETES:
        check(validate, "--strict", "-k", version, path)
    return documents(text)


def check_compose(text: str, folder: pathlib.Path) -> dict:
    """The compose file, once the specification's schema has found no fault with it."""
    path = folder / "compose.yaml"
    path.write_text(text)
    check(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path)
    [document] = documents(text)
    return document


def helm() -> Any:
    """Helm, as a Python package."""
    package("helm_python")
    return importlib.import_module("helm_python")
