"""A broker with TLS and users, and what its clients need, for tests of installed packages."""
import contextlib
import dataclasses
import os
import pathlib
import subprocess
import urllib.parse
from collections.abc import Iterator

import certificates
import pytest
import users

import kelpmq
from kelpmq import _binary

#: A password as people have them: in a URL it looks different.
PASSWORD = "p@ss:w/rd ü"


@dataclasses.dataclass(frozen=True)
class Secured:
    """`address` is HOST:PORT; `folder` has ca.pem, other.pem, and the pairs client and stranger.

    The user root may do all. The user app may use what begins with "app", and the default exchange.
    """
    address: str
    folder: pathlib.Path

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def url(self, user: str = "app", password: str = PASSWORD) -> str:
        """With TLS, and a user unless there is none."""
        who = f"{user}:{urllib.parse.quote(password, safe='')}@" if user else ""
        return f"kelpmqs://{who}{self.address}"

    def administer(self, *arguments: str) -> None:
        """The command line, as root: administer("user", "delete", "app")."""
        subprocess.run(
            [_binary.binary(), *arguments, "--address", self.address, "--tls-ca", self.file("ca.pem"),
             "--user", "root"],
            env={**os.environ, "KELPMQ_PASSWORD": PASSWORD}, check=True, timeout=60)

    def forbid(self, user: str = "app") -> None:
        """Takes all permissions from a user, who remains."""
        self.administer("permission", "set", user, "--configure", "", "--write", "", "--read", "")


def users_file(folder: pathlib.Path, password: str = PASSWORD) -> str:
    """Writes users.json: root and app, with this password."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KELPMQ_BINARY", _binary.binary())
        hashed = users.hash_of(password)
    return users.write(
        folder / "users.json",
        users=[{"name": "root", "tags": ["administrator"], "password_hash": hashed},
               {"name": "app", "tags": [], "password_hash": hashed}],
        permissions=[users.permission("root", **users.ALL),
                     users.permission("app", configure="^app", write="^(app|amq.default$)", read="^app")])


def certificate_files(folder: pathlib.Path) -> list[str]:
    """Writes the certificates. Returns the arguments of `kelpmq serve` for the server's."""
    authority, other = certificates.Authority(), certificates.Authority("another authority")
    (folder / "ca.pem").write_bytes(authority.certificate)
    (folder / "other.pem").write_bytes(other.certificate)
    authority.issue("client").write(folder, "client")
    other.issue("client").write(folder, "stranger")
    certificate, key = authority.issue("127.0.0.1").write(folder, "server")
    return ["--tls-cert", certificate, "--tls-key", key]


@contextlib.contextmanager
def running(folder: pathlib.Path, *, mutual: bool = False, guarded: bool = True) -> Iterator[Secured]:
    """A broker with files in `folder`.

    mutual: it asks clients for certificates. guarded: it has users.
    """
    arguments = certificate_files(folder)
    if mutual:
        arguments += ["--tls-client-ca", str(folder / "ca.pem")]
    if guarded:
        arguments += ["--users-file", users_file(folder)]
    with kelpmq.PrivateBroker(*arguments, tcp=True) as broker:
        yield Secured(broker.address, folder)
        assert broker.alive()
        assert PASSWORD not in broker.stderr()


# For tests to import.


@pytest.fixture(scope="module")
def mutual(tmp_path_factory):
    """Asks clients for a certificate, and for nothing else."""
    folder = tmp_path_factory.mktemp("mutual")
    with running(folder, mutual=True, guarded=False) as broker:
        yield broker


@pytest.fixture
def changing(tmp_path):
    """With TLS and users, for one test, which may change users and permissions."""
    with running(tmp_path) as broker:
        yield broker
