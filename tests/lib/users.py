"""Users files for brokers under test."""
import json
import pathlib
import subprocess

import broker as broker_process

ALL = {"configure": ".*", "write": ".*", "read": ".*"}
NONE = {"configure": "", "write": "", "read": ""}


def hash_of(password: str) -> str:
    """What `kelpmq hash-password` makes of a password."""
    return subprocess.run([broker_process.binary(), "hash-password"], input=password, text=True,
                          capture_output=True, check=True, timeout=60).stdout.strip()


def user(name: str, *tags: str) -> dict[str, object]:
    """A user whose password is its name with `-secret` behind."""
    return {"name": name, "tags": list(tags), "password_hash": hash_of(password_of(name))}


def password_of(name: str) -> str:
    return f"{name}-secret"


def permission(name: str, vhost: str = "/", **patterns: str) -> dict[str, object]:
    return {"user": name, "vhost": vhost, **NONE, **patterns}


def write(path: pathlib.Path, **sections: list[dict[str, object]]) -> str:
    """Writes the sections as a users file; its path."""
    path.write_text(json.dumps(sections))
    return str(path)
