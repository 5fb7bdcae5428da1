"""Measures in rounds: everything once, then everything again, so that what drifts hits all alike."""
import dataclasses
import statistics
import sys
import tempfile
from collections.abc import Callable

from . import process

MAX_FOREIGN = 0.3  # cores; with more the machine was not ours
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class Measurement:
    name: str
    peer: Callable  # makes the server, in the folder it is given
    load: Callable  # (server, seconds) -> Sample


def _once(measurement: Measurement, seconds: float) -> process.Sample:
    """A measurement without too much foreign load, or the best of a few."""
    samples = []
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            server = measurement.peer(folder)
            try:
                samples.append(measurement.load(server, seconds))
            finally:
                server.stop()
        if (samples[-1].foreign or 0) <= MAX_FOREIGN:
            break
    return min(samples, key=lambda sample: sample.foreign or 0)


def rounds(measurements: list[Measurement], count: int, seconds: float) -> dict[str, list[process.Sample]]:
    """Samples by name; none for a peer that is not available."""
    results: dict[str, list[process.Sample]] = {}
    broken = set()
    for number in range(count):
        for measurement in measurements:
            if measurement.name in broken:
                continue
            try:
                sample = _once(measurement, seconds)
            except process.Unavailable as error:
                print(f"  {measurement.name}: {error}", file=sys.stderr)
                broken.add(measurement.name)
                continue
            results.setdefault(measurement.name, []).append(sample)
            print(f"  round {number + 1}: {measurement.name}: {sample.rate:,.0f}/s, foreign load "
                  f"{sample.foreign or 0:.2f} cores", file=sys.stderr)
    return results


@dataclasses.dataclass
class Median:
    """Of several samples; void if too few of them had the machine to themselves."""
    rate: float | None = None
    per_cpu: float | None = None
    cpu_us: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    foreign: float = 0
    void: bool = True


def median(samples: list[process.Sample] | None) -> Median:
    if not samples:
        return Median()
    quiet = [sample for sample in samples if (sample.foreign or 0) <= MAX_FOREIGN]
    used = quiet if 2 * len(quiet) > len(samples) else samples

    def of(values):
        values = [value for value in values if value is not None]
        return statistics.median(values) if values else None
    per_cpu = of(sample.per_cpu for sample in used)
    return Median(rate=of(sample.rate for sample in used), per_cpu=per_cpu,
                  cpu_us=1e6 / per_cpu if per_cpu else None,
                  p50_ms=of(sample.p50_ms for sample in used), p99_ms=of(sample.p99_ms for sample in used),
                  foreign=of(sample.foreign for sample in used) or 0, void=used is not quiet)
