"""Lets the test programs run with the project's own Python packages."""
import importlib.util
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def require(*modules: str) -> None:
    """Continues under .venv's Python if one of `modules` is missing here.

    Exits with advice when that does not help either. Call it first: the program
    starts anew.
    """
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if not missing:
        return
    python = ROOT / ".venv" / "bin" / "python"
    if python.exists() and pathlib.Path(sys.prefix) != ROOT / ".venv":
        os.execv(python, [str(python), *sys.argv])
    sys.exit(
        f"{sys.argv[0]}: Python packages missing: {', '.join(missing)}\n"
        "Run tests/run once, which makes .venv, or: pip install -r tests/requirements.txt"
    )
