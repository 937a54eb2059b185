"""Measures of criticality: multistep regression beside mrestimator, and avalanches straight from spikes.

    python benchmarks/measures_criticality.py [--quick]

Multistep regression: 1e6 bins of a driven branching process seen in part (1 %), slopes at lags 1 .. 5000 and the fit of
b m^k. mrestimator's slopes are of the same definition (stationary mean) and must be equal to 1e-9. Its time includes
its fit, by curve_fit from several starts; ours the 20 fits of the interval, for which mrestimator needs trials.
Avalanches: 1e7 spikes of 1000 units, bins of the mean interval. Times are medians of repetitions that alternate between
the programs. Exit code 1 if a bar is missed or the programs do not agree.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from equipoise import branching, measures
from equipoise.results import SpikeTrains

SLOPES, FASTER, AVALANCHES = 1e-9, 20.0, 0.5


def timed(function: Callable):
    """Seconds, and what the function returns."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def activity_seen(bins: int) -> np.ndarray:
    process = branching.DrivenBranching(offspring=branching.GeometricOffspring(0.98), drive=20.0)
    return branching.subsampled(branching.simulate(process, bins, seed=1, warmup=1000).counts, 0.01, seed=2)


def regressions(bins: int, kmax: int, repeats: int) -> tuple[float, float, float]:
    """Median seconds of ours and of mrestimator, and the largest difference of slopes."""
    import mrestimator as mre  # pyright: ignore[reportMissingImports]  (the bench extra)

    counts = activity_seen(bins)
    data = counts[None].astype(np.float64)

    def theirs():
        found = mre.coefficients(data, method="stationarymean", steps=(1, kmax), numboot=0)
        mre.fit(found, fitfunc="exponential", numboot=0)
        return found.coefficients

    mre.coefficients(data[:, :5000], method="stationarymean", steps=(1, 50), numboot=0)  # its compilation is not timed
    ours, others, difference = [], [], 0.0
    for _ in range(repeats):
        seconds, found = timed(lambda: measures.branching_ratio(counts, kmax=kmax))
        ours.append(seconds)
        seconds, slopes = timed(theirs)
        others.append(seconds)
        difference = max(difference, float(np.abs(slopes - found.slopes).max()))
    return float(np.median(ours)), float(np.median(others)), difference


def avalanche_seconds(spikes: int, repeats: int) -> tuple[float, int]:
    rng = np.random.default_rng(3)
    trains = SpikeTrains(np.sort(rng.uniform(0.0, 1000.0, spikes)), rng.integers(1000, size=spikes), 1000, 0.0, 1000.0)
    runs = [timed(lambda: measures.avalanches(trains, size="units")) for _ in range(repeats)]
    return float(np.median([seconds for seconds, _ in runs])), len(runs[0][1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, no bars")
    quick = parser.parse_args().quick
    scale, repeats = (10, 1) if quick else (1, 3)
    ours, theirs, difference = regressions(1_000_000 // scale, 5000 // scale, repeats)
    seconds, found = avalanche_seconds(10_000_000 // scale, repeats)
    table = Table("task", "equipoise", "mrestimator", "ratio", "largest difference")
    table.add_row(
        "multistep regression", f"{ours:.3f} s", f"{theirs:.2f} s", f"{theirs / ours:.0f}", f"{difference:.1e}"
    )
    table.add_row(f"{found:,} avalanches", f"{seconds:.3f} s", "", "", "")
    Console(width=120).print(table)
    reached = difference < SLOPES and theirs / ours >= FASTER and seconds < AVALANCHES
    return 0 if quick or reached else 1


if __name__ == "__main__":
    sys.exit(main())
