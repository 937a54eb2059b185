"""Times that have an absolute bar: start-up of the package and command line, and calcium moments of ten million spikes.

    python benchmarks/absolute.py

Medians of seven. Start-up is that of a fresh interpreter less the start of `python -c "import numpy"`. The bars hold
for a quiet machine; the exit code is 0 either way.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import equipoise as eq
from equipoise.units import ms

REPEATS = 7
SPIKES = 10_000_000


def median_time(action: Callable[[], object]) -> float:
    def once() -> float:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start

    return statistics.median(once() for _ in range(REPEATS))


def start_of(*command: str) -> float:
    return median_time(lambda: subprocess.run(command, check=True, capture_output=True))


def calcium() -> float:
    sensor = eq.Calcium(tau=300 * ms)
    times = np.cumsum(np.random.default_rng(1).exponential(0.2, SPIKES))
    trains = eq.SpikeTrains.single(times, t_start=0.0, t_stop=float(times[-1]))
    moments = eq.renewal.calcium_moments_of(sensor, trains)
    exact = eq.renewal.calcium_moments(sensor, eq.ExponentialISI(rate=5.0))
    for found, wanted in zip(moments, exact, strict=True):
        assert abs(float(found[0]) / float(wanted) - 1) < 2e-3  # 1e7 spikes: standard error about 3e-4
    return median_time(lambda: eq.renewal.calcium_moments_of(sensor, trains))


def main() -> None:
    numpy_start = start_of(sys.executable, "-c", "import numpy")
    program = Path(sys.executable).with_name("equipoise")
    rows = [
        ("import equipoise", start_of(sys.executable, "-c", "import equipoise") - numpy_start, 0.4),
        ("equipoise --help", start_of(str(program), "--help") - numpy_start, 0.6),
        ("calcium moments of 1e7 spikes", calcium(), 0.3),
    ]
    table = Table("task", "seconds", "bar (quiet machine)")
    for task, seconds, bar in rows:
        table.add_row(task, f"{seconds:.3f}", f"{bar:g}")
    Console().print(table)


if __name__ == "__main__":
    main()
