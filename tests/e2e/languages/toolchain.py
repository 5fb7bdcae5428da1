"""The languages, what each needs to be built, and how: tests/e2e/<name>/build, in a copy of that folder."""
import dataclasses
import hashlib
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"
FRAME_SUFFIX = ".in"  # A file with a place for the snippet of README.md.
README_ADDRESS = "'127.0.0.1:50672'"
SNIPPET_LINE = re.compile(r"^([ \t]*)README_SNIPPET\n", re.MULTILINE)
BUILD_SECONDS = 900  # Rust with one job, from nothing, on a busy machine.


class NotHere(Exception):
    """Why a language cannot be tried on this machine."""


@dataclasses.dataclass(frozen=True)
class Tool:
    """A program: the command that prints its version, and the oldest version that will do."""

    command: tuple[str, ...]
    oldest: str = "0"

    def require(self) -> None:
        """Raises NotHere if it is missing, broken or too old."""
        try:
            done = subprocess.run(self.command, check=False, capture_output=True, text=True,
                                  timeout=60)
        except FileNotFoundError:
            raise NotHere(f"{self.command[0]} is not installed") from None
        if done.returncode != 0:
            raise NotHere(f"`{' '.join(self.command)}` failed: {done.stderr.strip()[:200]}")
        version = re.search(r"\d+(\.\d+)+", done.stdout)
        if version is None:
            raise NotHere(f"`{' '.join(self.command)}` printed no version")
        if _numbers(version[0]) < _numbers(self.oldest):
            raise NotHere(f"{self.command[0]} {version[0]} is older than {self.oldest}")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@dataclasses.dataclass(frozen=True)
class Source:
    """A file to be built."""

    name: pathlib.PurePath
    text: str
    mode: int

    def write_below(self, folder: pathlib.Path) -> None:
        """Only if it differs, so that build tools see what is new."""
        target = folder / self.name
        if not target.exists() or target.read_text() != self.text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.text)
            target.chmod(self.mode)


@dataclasses.dataclass(frozen=True)
class Language:
    """One language; its build leaves `program` and, with a snippet, `readme` in `target`."""

    name: str
    tools: tuple[Tool, ...]
    fence: str | None  # What README.md calls it after the three backticks; None: not there.
    address: str = ""  # What to write for the address in README.md, if it is there.
    minutes: bool = False  # The first build takes minutes.

    @property
    def target(self) -> pathlib.Path:
        return ROOT / "build" / "languages" / self.name

    @property
    def _stamp(self) -> pathlib.Path:
        return self.target / "built"

    def build(self) -> None:
        """Makes `program` and `readme`, unless nothing has changed since it did. Raises NotHere, or
        AssertionError with the end of the log."""
        for tool in self.tools:
            tool.require()
        if self.minutes and not self._stamp.exists() and not os.environ.get("KELPMQ_COLD_BUILDS"):
            raise NotHere("its first build takes minutes: set KELPMQ_COLD_BUILDS=1, or tests/run --all")
        sources = self._sources()
        digest = self._digest(sources)
        if self._stamp.exists() and self._stamp.read_text() == digest:
            return
        for source in sources:
            source.write_below(self.target)
        done = subprocess.run(
            [str(self.target / "build")], check=False, cwd=self.target, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS,
            env={**os.environ, "PROTO": str(PROTO)})
        assert done.returncode == 0, f"{self.name} does not build:\n{done.stdout[-4000:]}"
        self._stamp.write_text(digest)

    def _sources(self) -> list["Source"]:
        """The files of tests/e2e/<name>; frames have got their snippet and lost their suffix."""
        folder = ROOT / "tests" / "e2e" / self.name
        found = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name, text = path.relative_to(folder), path.read_text()
            if name.suffix == FRAME_SUFFIX:
                name, text = name.with_suffix(""), self._framed(text)
            found.append(Source(name, text, path.stat().st_mode))
        return found

    def _digest(self, sources: list["Source"]) -> str:
        digest = hashlib.sha256(repr(sources).encode())
        for proto in sorted(PROTO.rglob("kelpmq/v1/*.proto")):
            digest.update(proto.read_bytes())
        return digest.hexdigest()

    def _framed(self, frame: str) -> str:
        snippet = self.snippet()

        def indented(place: re.Match[str]) -> str:
            return "".join(place[1] + line if line.strip() else line
                           for line in snippet.splitlines(keepends=True))

        framed, places = SNIPPET_LINE.subn(indented, frame)
        assert places == 1, f"the frame of {self.name} has {places} places for the snippet"
        return framed

    def snippet(self) -> str:
        """Its example in README.md."""
        block = re.compile(rf"^```{self.fence}\n(.*?)^```", re.DOTALL | re.MULTILINE)
        found: list[str] = block.findall((ROOT / "README.md").read_text())
        assert len(found) == 1, f"README.md has {len(found)} blocks marked {self.fence}"
        assert (README_ADDRESS in found[0]) == bool(self.address), "its address"
        return found[0].replace(README_ADDRESS, self.address)

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.target / program), *arguments]


# protoc and Debian's gRPC plug-ins are not named: the broker itself is built with them.
LANGUAGES = (
    Language("go", (Tool(("go", "version"), "1.19"),), "go"),
    Language("node", (Tool(("node", "--version"), "18"), Tool(("npm", "--version"))), "js",
             address="process.argv[2]"),
    Language("java", (Tool(("javac", "--version"), "17"), Tool(("mvn", "--version"), "3.8")), "java"),
    Language("ruby", (Tool(("ruby", "-rgrpc", "-e", "puts RUBY_VERSION"), "3.0"),), "ruby",
             address="ARGV.first"),
    Language("grpcurl", (Tool(("go", "version"), "1.19"), Tool(("jq", "--version"))), None),
    Language("rust", (Tool(("cargo", "--version"), "1.88"),), "rust", minutes=True),
)
