"""Podman for tests: a store of its own, in namespaces of its own, gone at the end.

It works where a container engine is not at home (as root in a container or a small VM), because
everything that fails there is left out: cgroups, networks, other people's images. So there are no
limits of memory or CPU, and nothing is pulled.
"""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile

SECONDS = 120  # No command takes long; a busy machine might.

# Where a cgroup2 mount is beside cgroup v1, crun refuses to start; hidden, it does not see it.
# A network namespace of our own keeps what listens on loopback apart from the machine's.
_NAMESPACES = """
for mount in /sys/fs/cgroup/unified; do
  ! mountpoint -q "$mount" || umount "$mount"
done
ip link set lo up
echo ready
exec sleep infinity
"""

# Limits above the machine's own cannot be set; podman would try.
_CONFIGURATION = """
[containers]
default_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]
cgroups = "disabled"
netns = "host"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""


def why_not() -> str:
    """Why podman cannot be used here; empty if it can."""
    missing = [name for name in ("podman", "buildah", "crun", "ip", "unshare", "nsenter")
               if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (tests/run installs them)"
    if os.geteuid() != 0:
        return "needs root: namespaces and podman's store"
    mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    if all(mount.split()[4] != "/" for mount in mounts):
        return "the root is no mount, as in a chroot: containers cannot change theirs there"
    return ""


def _at_most(limit: int, wanted: int = 4096) -> int:
    hard = resource.getrlimit(limit)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


class Failed(AssertionError):
    """A command ended with another exit code than 0."""


class Podman:
    """Runs podman and buildah. Images, containers and pods end with it."""

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kelpmq-podman-"))
        self.folder.chmod(0o755)  # Containers' users look for mounted folders in it.
        configuration = self.folder / "containers.conf"
        configuration.write_text(_CONFIGURATION.format(
            nofile=_at_most(resource.RLIMIT_NOFILE), nproc=_at_most(resource.RLIMIT_NPROC)))
        self._environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
        self._store = ["--root", str(self.folder / "store"), "--runroot",
                       str(self.folder / "run"), "--storage-driver", "vfs"]
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-euc", _NAMESPACES],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            raise Failed(f"no namespaces: {self._holder.stderr.read()}")

    def _inside(self, *command: str, network: bool = False) -> list[str]:
        """The command in our namespaces; with `network`, but for the machine's network."""
        namespaces = ["--mount"] if network else ["--mount", "--net"]
        return ["nsenter", "--target", str(self._holder.pid), *namespaces, *command]

    def try_run(self, *arguments: str, seconds: float = SECONDS) -> subprocess.CompletedProcess:
        """`podman ARGUMENTS`, whatever its exit code."""
        return subprocess.run(
            self._inside("podman", *self._store, *arguments), env=self._environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)

    def __call__(self, *arguments: str, seconds: float = SECONDS) -> str:
        """What `podman ARGUMENTS` prints. Raises Failed if it fails."""
        done = self.try_run(*arguments, seconds=seconds)
        if done.returncode != 0:
            raise Failed(f"podman {' '.join(arguments)}: exit code {done.returncode}\n"
                         f"{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def build(self, tag: str, dockerfile: pathlib.Path, context: pathlib.Path, *options: str,
              network: bool = False, seconds: float = SECONDS) -> None:
        """An image from a Dockerfile, by buildah. With `network`, RUN sees the machine's."""
        command = ["buildah", *self._store, "bud", "--isolation=chroot", "--pull-never",
                   "--layers=false", "--format=docker", *options, "-t", tag, "-f",
                   str(dockerfile), str(context)]
        done = subprocess.run(
            self._inside(*command, network=network), env=self._environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise Failed(f"{tag}: {done.stdout[-3000:]}{done.stderr[-3000:]}")

    def inspect(self, name: str, kind: str = "container") -> dict:
        """What podman knows of one container or image."""
        [found] = json.loads(self("inspect", "--type", kind, name))
        return found

    def close(self) -> None:
        """Ends and removes everything."""
        for arguments in (("pod", "rm", "-fa", "-t", "0"), ("rm", "-fa", "-t", "0")):
            self.try_run(*arguments)
        self._holder.kill()
        self._holder.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)
