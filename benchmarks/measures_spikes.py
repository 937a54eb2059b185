"""Interval statistics, Fano factors and correlograms of many spikes, beside Elephant on the same data.

    python benchmarks/measures_spikes.py

C_v, CV2 and LV with their intervals of 1000 units and 1e7 spikes sorted by time, grouping and statistics apart; the bar
holds for a quiet machine with two processors. Times are the least of seven, wall and processor. Elephant is timed on
units of the same data, spike trains already apart, and must agree to 1e-9. The exit code is 0 either way.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from equipoise import measures
from equipoise.results import SpikeTrains
from equipoise.units import ms

UNITS, SPIKES, REPEATS = 1000, 10_000_000, 7
SAMPLE = 50
"""Units that Elephant is timed on."""


def least(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Least wall time and least processor time [s] of several runs, and the last result."""
    walls, cores, result = [], [], None
    for _ in range(REPEATS):
        wall, core = time.perf_counter(), time.process_time()
        result = work()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return min(walls), min(cores), result


def elephant_of(grouped: measures.GroupedTrains) -> tuple[float, dict[str, list[float]]]:
    """Processor seconds for SAMPLE units, and C_v, CV2 and LV of each."""
    from elephant import statistics

    functions = {"cv": statistics.cv, "cv2": statistics.cv2, "lv": statistics.lv}
    found: dict[str, list[float]] = {name: [] for name in functions}
    start = time.process_time()
    for u in range(SAMPLE):
        intervals = np.diff(grouped.unit(u))
        for name, function in functions.items():
            found[name].append(float(function(intervals)))
    return time.process_time() - start, found


def three(grouped: measures.GroupedTrains) -> dict[str, Any]:
    return {"cv": measures.cv(grouped), "cv2": measures.cv2(grouped), "lv": measures.lv(grouped)}


def main() -> None:
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(1)
    times, units = np.sort(rng.uniform(0.0, 1000.0, SPIKES)), rng.integers(0, UNITS, SPIKES)
    trains = SpikeTrains(times, units, UNITS, 0.0, 1000.0)
    both = least(lambda: three(measures.group(trains)))
    apart = least(lambda: measures.group(trains))
    grouped = apart[2]
    rest = least(lambda: three(grouped))
    seconds, theirs = elephant_of(grouped)
    for name, values in theirs.items():
        np.testing.assert_allclose(rest[2][name].values[:SAMPLE], values, rtol=1e-9)
    table = Table("task, 1000 units and 1e7 spikes", "wall s", "processor s", "bar (wall, quiet machine)")
    rows = {
        "C_v + CV2 + LV with intervals, from trains sorted by time": (*both[:2], "0.15"),
        "  of this, grouping by unit": (*apart[:2], ""),
        "  of this, the statistics": (*rest[:2], ""),
        f"Elephant, values only, scaled from {SAMPLE} units apart": (seconds * UNITS / SAMPLE,) * 2 + ("",),
        "Fano factors in windows of 0.1, 1 and 10 s": (
            *least(lambda: measures.fano(grouped, window=[0.1, 1, 10]))[:2],
            "",
        ),
    }
    few = SpikeTrains(times[units < 100], units[units < 100], 100, 0.0, 1000.0)
    lags = least(lambda: measures.cross_correlogram(few, bin=1 * ms, max_lag=50 * ms))
    rows["4950 correlograms of 100 units, 1e6 spikes, 101 lags"] = (*lags[:2], "")
    for name, (wall, core, bar) in rows.items():
        table.add_row(name, f"{wall:.3f}", f"{core:.3f}", bar)
    Console().print(table)


if __name__ == "__main__":
    main()
