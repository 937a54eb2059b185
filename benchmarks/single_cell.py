"""One LIF neuron: this package beside NNMT 1.3 and plain SciPy, same points, one process, one core.

    python benchmarks/single_cell.py [--json FILE] [--make-references]

Rate on 1e5 points of (mu, sigma), C_v on 300 of them (NNMT needs milliseconds each), log P_L at s = 1/(300 ms). Times
are medians of repetitions that alternate between the programs; ours are warm (the tables of an s are filled by its
first use, whose cost is printed). Errors are against 30-digit references of 120 of the points
(single_cell_reference.csv, made by mpmath). Points where a program returns no finite number, or a rate of zero, are
its failures and enter no other column. Exit code 1 if a bar is missed or the programs do not agree.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from nnmt.lif import delta, exp  # pyright: ignore[reportMissingImports]  (the extra "bench" brings it)
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import integrate, special

import equipoise as eq
from equipoise import renewal
from equipoise.quantities import Array
from equipoise.units import ms

NEURON = eq.LIF(tau_m=10 * ms, tau_ref=2 * ms)
S = 1 / (300 * ms)
REFERENCE = Path(__file__).with_name("single_cell_reference.csv")
N_REFERENCE = 120


@dataclass(frozen=True)
class Points:
    """Inputs: mean and standard deviation of the membrane (mu tau_m, sigma sqrt(tau_m)) in threshold units."""

    mean: Array
    sd: Array

    def __getitem__(self, index) -> "Points":
        return Points(self.mean[index], self.sd[index])

    @property
    def inputs(self) -> dict[str, Array]:
        return {"mu": self.mean / NEURON.tau_m, "sigma": self.sd / np.sqrt(NEURON.tau_m)}


@dataclass(frozen=True)
class Row:
    """One program on one task; times in ns per evaluation."""

    task: str
    program: str
    ns: float
    ratio: float
    bar: float
    failures: float
    error: float


def draw(n: int) -> Points:
    """Points from silence to saturation, threshold at most 20 standard deviations away."""
    rng = np.random.default_rng(1)
    mean, sd = rng.uniform(-1, 3, 2 * n), 10 ** rng.uniform(-1.3, 0.5, 2 * n)
    near = (1 - mean) / sd < 20
    return Points(mean[near][:n], sd[near][:n])


def nnmt_rate(p: Points) -> Array:
    return np.asarray(delta._firing_rates_for_given_input(p.mean, p.sd, 0.0, 1.0, NEURON.tau_m, NEURON.tau_ref))


def nnmt_cv(p: Points) -> Array:
    return exp._cvs(our_rate(p), p.mean, p.sd, np.zeros_like(p.mean), np.ones_like(p.mean), NEURON.tau_m, 0.0)


def scipy_rate(p: Points) -> Array:
    low, high = -p.mean / p.sd, (1 - p.mean) / p.sd
    area = [integrate.quad(lambda u: special.erfcx(-u), a, b, epsrel=1e-12)[0] for a, b in zip(low, high, strict=True)]
    return 1 / (NEURON.tau_ref + NEURON.tau_m * np.sqrt(np.pi) * np.array(area))


def scipy_log_laplace(p: Points) -> Array:
    low, high = -np.sqrt(2) * p.mean / p.sd, np.sqrt(2) * (1 - p.mean) / p.sd
    a = S * NEURON.tau_m
    ratio = special.pbdv(-a, -low)[0] / special.pbdv(-a, -high)[0]
    return -S * NEURON.tau_ref + (low**2 - high**2) / 4 + np.log(ratio)


def our_rate(p: Points) -> Array:
    return renewal.rate(NEURON, **p.inputs)


def our_cv(p: Points) -> Array:
    return renewal.cv(NEURON, **p.inputs)


def our_log_laplace(p: Points) -> Array:
    return renewal.log_isi_laplace(NEURON, s=S, **p.inputs)


def median_times(programs: list[Callable], p: Points, repeats: int) -> list[float]:
    """Median time per evaluation [ns] of programs that take turns; short calls are repeated to 20 ms."""
    times: list[list[float]] = [[] for _ in programs]
    counts = []
    for program in programs:
        start = time.perf_counter()
        program(p)
        counts.append(max(1, int(0.02 / (time.perf_counter() - start))))
    for _ in range(repeats):
        for program, count, taken in zip(programs, counts, times, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                program(p)
            taken.append((time.perf_counter() - start) / (count * p.mean.size) * 1e9)
    return [float(np.median(t)) for t in times]


def works(values: Array) -> NDArray[np.bool_]:
    """Where a program returned a number."""
    return np.isfinite(values) & (values != 0)


def worst_error(values: Array, references: Array) -> float:
    """Largest relative error where there is a number."""
    fine = works(values)
    return float(np.max(np.abs(values[fine] / references[fine] - 1)))


def compare(task: str, bar: float, ours: Callable, theirs: dict[str, Callable], p: Points, repeats: int) -> list[Row]:
    """Rows of one task, ours first; the bar is the wanted ratio to the first of the others."""
    programs = {"equipoise": ours, **theirs}
    times = median_times(list(programs.values()), p, repeats)
    references, sample = read_references()[task], draw(100_000)[:N_REFERENCE]
    rows = []
    for i, (name, program) in enumerate(programs.items()):
        failures = float(np.mean(~works(program(p))))
        error = worst_error(program(sample), references)
        rows.append(Row(task, name, times[i], times[i] / times[0], bar if i == 1 else np.nan, failures, error))
    return rows


def read_references() -> dict[str, Array]:
    """Columns of the stored references."""
    table = np.genfromtxt(REFERENCE, delimiter=",", names=True)
    return {name: table[name] for name in ("rate", "cv", "log_laplace")}


def make_references() -> None:
    """Compute the references with the mpmath functions of the tests (a minute or two)."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "systems"))
    import lif_oracle as oracle  # pyright: ignore[reportMissingImports]
    import mpmath as mp

    mp.mp.dps = 34
    lines = ["mu,sigma,rate,cv,log_laplace"]
    inputs = draw(100_000)[:N_REFERENCE].inputs
    for mu, sigma in zip(inputs["mu"].tolist(), inputs["sigma"].tolist(), strict=True):
        values = (
            1 / oracle.interval(NEURON, mu, sigma),
            oracle.cv(NEURON, mu, sigma),
            oracle.log_isi_laplace(NEURON, S, mu, sigma),
        )
        lines.append(f"{mu!r},{sigma!r}," + ",".join(mp.nstr(v, 30) for v in values))
    REFERENCE.write_text("\n".join(lines) + "\n")


def first_use() -> float:
    """Time [ms] of 1e5 transforms at an s not used before."""
    p = draw(100_000)
    start = time.perf_counter()
    renewal.log_isi_laplace(NEURON, s=S * 1.01, **p.inputs)
    return 1e3 * (time.perf_counter() - start)


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table("task", "program", "ns each", "slower by", "bar", "no number", "worst error")
    for r in rows:
        bar = "" if np.isnan(r.bar) else f"{r.bar:g}"
        table.add_row(
            r.task, r.program, f"{r.ns:,.0f}", f"{r.ratio:,.1f}", bar, f"{100 * r.failures:.2g} %", f"{r.error:.1e}"
        )
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--make-references", action="store_true", help="recompute the 30-digit references and stop")
    options = parser.parse_args()
    if options.make_references:
        make_references()
        return 0
    warnings.simplefilter("ignore")  # overflow warnings of the others; their failures are counted
    p = draw(100_000)
    rows = [
        *compare("rate", 20, our_rate, {"NNMT 1.3": nnmt_rate}, p, 7),
        *compare("rate", np.nan, our_rate, {"SciPy quad": scipy_rate}, p[:300], 3)[1:],
        *compare("cv", 1000, our_cv, {"NNMT 1.3": nnmt_cv}, p[:300], 3),
        *compare("log_laplace", 15, our_log_laplace, {"SciPy pbdv x 2": scipy_log_laplace}, p, 7),
    ]
    show(rows)
    print(f"First 1e5 transforms at a new s: {first_use():.0f} ms.")
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in rows], indent=1))
    missed = [f"{r.task}: {r.ratio:.1f} < {r.bar:g}" for r in rows if r.ratio < r.bar]
    missed += [
        f"{r.task}: {r.program} differs by {r.error:.1e}" for r in rows if r.program == "equipoise" and r.error > 1e-10
    ]
    print("Missed: " + "; ".join(missed) if missed else "All bars met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
