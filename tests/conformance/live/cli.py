"""The command line: records random cases, replays them, and shows the first differences."""
import argparse
import concurrent.futures
import json
import logging
import pathlib
import queue
import signal
import sys
import tempfile

from peers import process, rabbitmq_node
from runner.cases import Case
from runner.cli import Runner

from .check import check
from .generator import Generator
from .shrink import shrink
from .workspace import Unstable, Workspace

HERE = pathlib.Path(__file__).resolve().parents[1]
_WORKERS = 4
_ATTEMPTS = 3  # Recordings that differ are made anew so often, before the case counts as skipped.
_SHRINK_AT_MOST = 3


def _arguments(argv):
    parser = argparse.ArgumentParser(
        prog="nightly", description="Random cases, played against a RabbitMQ of this machine (a node of its own) "
        "and against KelpMQ, must give the same observations.",
        epilog="A difference is printed with the smallest case that shows it, as JSON. The last line counts; cases "
               "on which RabbitMQ does not agree with itself are skipped. Exit code: 0 no differences, 1 some.")
    parser.add_argument("--check", action="store_true", help="compare fresh recordings of base cases with cases.jsonl "
                        "instead; takes no KelpMQ")
    parser.add_argument("--address", metavar="HOST:PORT", help="KelpMQ")
    parser.add_argument("--cases", type=int, default=300, metavar="N", help="how many (300)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first case (1)")
    options = parser.parse_args(argv)
    if not options.check and not options.address:
        parser.error("--address is missing")
    return options


def _workspaces(node) -> queue.SimpleQueue:
    workspaces: queue.SimpleQueue = queue.SimpleQueue()
    for number in range(_WORKERS):
        workspaces.put(Workspace(node, f"conf-{number}"))
    return workspaces


class Nightly:
    def __init__(self, node, address: str):
        self._runner = Runner(address, _WORKERS, None)
        self._workspaces = _workspaces(node)

    def record(self, case: dict, attempts: int = _ATTEMPTS) -> Case | None:
        """None if RabbitMQ does not do it the same way twice."""
        workspace = self._workspaces.get()
        try:
            for _ in range(attempts):
                try:
                    return workspace.record(case)
                except Unstable:
                    pass
            return None
        finally:
            self._workspaces.put(workspace)

    def record_all(self, cases: list[dict]) -> list[Case]:
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            return [case for case in pool.map(self.record, cases) if case]

    def failures(self, cases: list[Case]) -> list:
        return [result for result in self._runner.run(cases) if result.failure or result.unmappable]

    def smallest(self, case: Case) -> Case:
        """The smallest part of `case` that still differs; each is recorded anew."""
        smallest = case

        def differs(ops):
            nonlocal smallest
            recorded = self.record({**_as_json(case), "ops": ops}, attempts=1)
            if recorded and self.failures([recorded]):
                smallest = recorded
                return True
            return False

        shrink(case.ops, differs)
        return smallest


def _as_json(case: Case) -> dict:
    return {"id": case.id, "feature": case.feature, "rules": [], "kind": "random", "differs_4x": bool(case.note),
            "note": case.note, "ops": case.ops, "observed": case.observed}


def _run(options, node) -> int:
    nightly = Nightly(node, options.address)
    cases = [Generator(seed).case() for seed in range(options.seed, options.seed + options.cases)]
    recorded = nightly.record_all(cases)
    print(f"{len(recorded)} of {len(cases)} recorded, {sum(len(c.ops) for c in recorded)} ops", flush=True)
    failures = []
    for failure in nightly.failures(recorded):
        # A busy machine makes differences of its own: the second look is by fresh recording.
        again = nightly.record(_as_json(failure.case))
        if again and nightly.failures([again]):
            failures.append(failure)
    for failure in failures[:_SHRINK_AT_MOST]:
        smallest = nightly.smallest(failure.case)
        reason = (nightly.failures([smallest]) or [failure])[0].failure
        print(f"FAIL {failure.case.id}: {reason}\n{json.dumps(_as_json(smallest))}", flush=True)
    for failure in failures[_SHRINK_AT_MOST:]:
        print(f"FAIL {failure.case.id}: {failure.failure}", flush=True)
    print(f"{len(recorded) - len(failures)} passed, {len(failures)} failed, {len(cases) - len(recorded)} skipped")
    return 1 if failures else 0


def _check(node) -> int:
    passed, failed = check(HERE / "cases.jsonl", _workspaces(node))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def main(argv=None) -> int:
    options = _arguments(argv)
    # It warns of each delivery that crosses the closing of its channel.
    logging.getLogger("amqp").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # The node is to be stopped then, too.
    with tempfile.TemporaryDirectory(prefix="kelpmq-nightly-") as folder:
        try:
            node = rabbitmq_node.Node(folder)
        except process.Unavailable as error:
            print(f"nightly: {error}", file=sys.stderr)
            return 2
        try:
            return _check(node) if options.check else _run(options, node)
        finally:
            node.stop()
