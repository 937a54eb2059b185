"""Time of 1000 power spectra and their exponents: 60 s of 1000 channels at 500 Hz.

    python benchmarks/measures_fields.py

Median of five on one thread, beside SciPy's Welch and specparam on a sample of channels. The bar holds for a quiet
machine; the exit code is 0 either way.
"""

import statistics
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import equipoise as eq
from equipoise.units import Hz, minute

REPEATS, CHANNELS, SAMPLE = 5, 1000, 20
FS = 500 * Hz
BAR = 1.0


def signals() -> eq.Signals:
    steps = np.random.default_rng(1).standard_normal((CHANNELS, round(1 * minute * FS)))
    return eq.Signals(values=steps.cumsum(axis=1), sampling_rate=FS)


def timed(function, repeats: int = REPEATS) -> tuple[float, Any]:
    """Median time [s] and the last result."""
    times, out = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        out = function()
        times.append(time.perf_counter() - start)
    return statistics.median(times), out


def others(given: eq.Signals, spectra) -> list[tuple[str, float]]:
    """SciPy's Welch on all channels, specparam on a sample, scaled up."""
    from scipy.signal import welch

    rows = [
        (
            "scipy.signal.welch, linear detrend",
            timed(lambda: welch(given.values, FS, nperseg=1000, detrend="linear"), 1)[0],
        )
    ]
    try:
        one = timed(lambda: eq.measures.aperiodic_specparam(spectra[:SAMPLE], low=2 * Hz, high=100 * Hz), 1)[0]
    except ImportError:
        return rows
    return [*rows, (f"specparam ({SAMPLE} channels, scaled)", one * CHANNELS / SAMPLE)]


def main() -> None:
    given, measures = signals(), eq.measures
    small = measures.power_spectrum(given.values[:2], sampling_rate=FS)
    measures.aperiodic(small, low=2 * Hz, high=100 * Hz)
    spectrum, spectra = timed(lambda: measures.power_spectrum(given))
    fit, lines = timed(lambda: measures.aperiodic(spectra, low=2 * Hz, high=100 * Hz))
    table = Table("1000 channels, 60 s at 500 Hz", "s")
    for name, seconds in [("power_spectrum", spectrum), ("aperiodic, 2 to 100 Hz", fit), *others(given, spectra)]:
        table.add_row(name, f"{seconds:.2f}")
    console = Console()
    console.print(table)
    console.print(f"exponents {float(lines.exponent.mean()):.3f} +- {float(lines.exponent.std()):.3f} of random walks")
    for name, seconds in (("spectra", spectrum), ("spectra and exponents", spectrum + fit)):
        console.print(f"{name} {seconds:.2f} s: bar of {BAR:g} s {'met' if seconds < BAR else 'missed'}")


if __name__ == "__main__":
    main()
