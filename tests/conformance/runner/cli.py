"""The command line: which cases run, how many at once, and what is printed."""
import argparse
import concurrent.futures
import fnmatch
import pathlib
import queue
import sys

from .adapter import Adapter
from .cases import Case, Skips, load
from .connection import Api
from .replay import Result, replay

HERE = pathlib.Path(__file__).resolve().parents[1]


def _arguments(argv):
    parser = argparse.ArgumentParser(
        prog="run_cases", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Replays recorded RabbitMQ behaviour against a running broker.",
        epilog="A line tells each failure; the last line counts. Exit code: 0 all well, "
               "1 failures, 2 bad arguments.\nCases run in vhosts named conf, conf-2, ..., "
               "which are deleted afterwards.")
    parser.add_argument("--cases", type=pathlib.Path, default=HERE / "cases.jsonl", metavar="FILE")
    parser.add_argument("--address", required=True, metavar="HOST:PORT", help="the broker")
    parser.add_argument("--skips", type=pathlib.Path, default=HERE / "skips.tsv", metavar="FILE",
                        help="rules not checked, each with a reason")
    parser.add_argument("--only", metavar="GLOB", help="cases with a matching id")
    parser.add_argument("--feature", metavar="NAME", help="cases of one feature")
    parser.add_argument("--scope", metavar="CHAPTERS",
                        help="cases with a rule of these chapters, as in QDECL,TOPIC")
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="cases at once (4)")
    parser.add_argument("--check-skips", action="store_true",
                        help="run the skipped cases; an entry is a failure if all of its pass")
    parser.add_argument("--restart-command", metavar="COMMAND",
                        help="restarts the broker and returns when it is ready")
    parser.add_argument("--verbose", action="store_true", help="a line for each case")
    return parser.parse_args(argv)


def _selected(cases: list[Case], options) -> list[Case]:
    chapters = set(options.scope.split(",")) if options.scope else None
    return [
        case for case in cases
        if (not options.only or fnmatch.fnmatchcase(case.id, options.only))
        and (not options.feature or case.feature == options.feature)
        and (not chapters or chapters & {rule.split("-")[0] for rule in case.rules})]


class Runner:
    """Runs cases, several at once: each worker has a gRPC channel and a vhost of its own."""

    def __init__(self, address: str, jobs: int, restart_command: str | None):
        self._restart_command = restart_command
        self._jobs = jobs
        self._workers: queue.SimpleQueue = queue.SimpleQueue()
        for number in range(1, jobs + 1):
            self._workers.put((Api(address), "conf" if number == 1 else f"conf-{number}"))

    def run(self, cases: list[Case]):
        """Yields a Result for each case, as they come."""
        with concurrent.futures.ThreadPoolExecutor(self._jobs) as pool:
            together = [pool.submit(self._run_one, case) for case in cases if not case.alone]
            for future in concurrent.futures.as_completed(together):
                yield future.result()
        for case in cases:
            if case.alone:
                yield self._run_one(case)

    def _run_one(self, case: Case) -> Result:
        api, vhost = self._workers.get()
        adapter = Adapter(api, vhost, self._restart_command)
        surroundings = Adapter(api, vhost)
        try:
            surroundings.run({"op": "vhost.delete", "vhost": vhost})
            made = surroundings.run({"op": "vhost.add", "vhost": vhost})
            return replay(case, adapter) if made.get("ok") else Result(case, f"no vhost: {made}")
        except Exception as error:
            return Result(case, f"set-up: {type(error).__name__}: {error}")
        finally:
            adapter.close()
            surroundings.run({"op": "vhost.delete", "vhost": vhost})
            self._workers.put((api, vhost))


def _run(cases: list[Case], skips: Skips, runner: Runner, verbose: bool) -> tuple[int, int, int]:
    def say(word: str, case: Case, text: str = "") -> None:
        print(f"{word} {case.id} ({' '.join(case.rules)}){': ' if text else ''}{text}", flush=True)

    passed = failed = 0
    to_run = []
    for case in cases:
        entry = skips.entry_for(case.rules)
        if entry is None:
            to_run.append(case)
        elif verbose:
            say("SKIP", case, skips.reasons[entry])
    skipped = len(cases) - len(to_run)
    for result in runner.run(to_run):
        entry = skips.entry_for([result.unmappable]) if result.unmappable else None
        if result.unmappable and entry is None:
            result.failure = f"skipped, but {result.unmappable} is not on the list of skips"
        if result.failure:
            failed += 1
            say("FAIL", result.case, result.failure)
        elif entry is not None:
            skipped += 1
            if verbose:
                say("SKIP", result.case, skips.reasons[entry])
        else:
            passed += 1
            if verbose:
                say("PASS", result.case)
    return passed, failed, skipped


def _check_skips(cases: list[Case], skips: Skips, runner: Runner) -> tuple[int, int, int]:
    """Entries whose cases all pass, or that have no case, do not belong on the list."""
    covered = {entry: [] for entry in skips.reasons}
    listed = [case for case in cases if skips.entry_for(case.rules)]
    for result in runner.run(listed):
        entry = skips.entry_for(result.case.rules)
        passes = not (result.failure or result.unmappable)
        covered[entry].append(passes)
        if passes:
            print(f"PASSES THOUGH LISTED {result.case.id} ({entry})", flush=True)
    stale = [entry for entry, passes in covered.items() if all(passes)]
    for entry in stale:
        print(f"FAIL {entry}: {'all its cases pass' if covered[entry] else 'no case needs it'}")
    return len(covered) - len(stale), len(stale), 0


def main(argv=None) -> int:
    options = _arguments(argv)
    try:
        cases = _selected(load(options.cases), options)
        skips = Skips.load(options.skips)
    except (OSError, ValueError, KeyError) as error:
        print(f"run_cases: {error}", file=sys.stderr)
        return 2
    if not cases:
        print("run_cases: no case matches", file=sys.stderr)
        return 2
    runner = Runner(options.address, max(1, options.jobs), options.restart_command)
    if options.check_skips:
        counts = _check_skips(cases, skips, runner)
    else:
        counts = _run(cases, skips, runner, options.verbose)
    print("{} passed, {} failed, {} skipped".format(*counts), flush=True)
    return 1 if counts[1] else 0
