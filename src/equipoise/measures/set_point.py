"""Recovery of a set point in spikes: how rates of recorded units come back after a lasting perturbation.

Spikes are counted in bins of `width`. With d(t) the mean rate of all units less that before the change,

    d(t) = late + (early - late) e^(-t/tau)        fitted by least squares, over the time after the change
    displacement   early, at the change            completeness   1 - d(end)/early, with d(end) of the fit
    overshoot      the largest -s d(t) of a bin, s the sign of early, over the rate before

`recovery` says the same of a trace without noise, such as a simulated one. A bin's noise adds to the overshoot of a few
units: choose bins as wide as the time course allows. First responders are the units that overshoot their baseline by
more than `RESPONDS` beyond the error of their counts.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.bootstrap import FEWEST, Estimate, Rows, from_samples, over_units, resampled, unknown
from equipoise.measures.trains import GroupedTrains, group
from equipoise.quantities import Array, Quantity, check, finite, seed_sequence, whole
from equipoise.results import Recording, SpikeTrains

if TYPE_CHECKING:
    import xarray as xr

RESPONDS = 0.5
"""Overshoot of a first responder, of its baseline."""
GRID = 80
"""Time constants that are tried, from half a bin to three times the time after the change."""
LEAST_BINS = 6
_WIDTH = Quantity("width of a bin", unit="second", low=0.0, open_low=True)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SetPointRecovery:
    """What rates do after a change; estimates have `value`, `low`, `high`, `n` units and `status`.

    Of the population: `baseline` [Hz], `displacement` [Hz], `time_constant` [s], `completeness`, `overshoot`, and
    `responders`, the part of units that are first responders. Of units (units,): `unit_baseline` [Hz],
    `unit_displacement` [Hz] of the first bin, `unit_overshoot`, and whether each `responds`. `time` (bins,) [s] from
    the change, middle of bins, and `trace` (bins,) [Hz] of the mean rate.
    """

    names: NDArray
    baseline: Estimate
    displacement: Estimate
    time_constant: Estimate
    completeness: Estimate
    overshoot: Estimate
    responders: Estimate
    unit_baseline: Array
    unit_displacement: Array
    unit_overshoot: Array
    responds: NDArray[np.bool_]
    time: Array
    trace: Array

    def dataset(self) -> "xr.Dataset":
        """What units do, and the mean rate in time."""
        import xarray as xr

        units = {
            "baseline": ("unit", self.unit_baseline, {"units": "Hz"}),
            "displacement": ("unit", self.unit_displacement, {"units": "Hz"}),
            "overshoot": ("unit", self.unit_overshoot, {"units": "1"}),
            "responds": ("unit", self.responds),
            "rate": ("time", self.trace, {"units": "Hz"}),
        }
        return xr.Dataset(units, {"unit": self.names, "time": ("time", self.time, {"units": "s"})})

    def __repr__(self) -> str:
        rows = [f"SetPointRecovery({self.names.size} units, {self.responds.sum()} first responders)"]
        for name in ("baseline", "displacement", "time_constant", "completeness", "overshoot", "responders"):
            rows.append(f"  {name:14s}{getattr(self, name)}")
        return "\n".join(rows)


def set_point_recovery(
    trains: SpikeTrains | Recording,
    *,
    change: float,
    width: float,
    samples: int = 500,
    confidence: float = 0.95,
    seed: int | np.random.SeedSequence = 0,
) -> SetPointRecovery:
    """Recovery of recorded rates after a change at the time `change` [s], in bins of `width` [s].

    All of the window before the change is baseline, at least one bin, and all after it is followed, at least six.
    Intervals are by bootstrap over units. Time constant and completeness are unknown (NaN, INSUFFICIENT_DATA) where the
    displacement does not differ from none, the time constant also where it lies at an end of those that are tried.
    """
    grouped, spikes = group(trains), trains.spikes if isinstance(trains, Recording) else trains
    if grouped.names.size == 0:
        raise ValueError("measures.set_point_recovery: trains must have at least one unit, got none.")
    w = check("measures.set_point_recovery: width", width, _WIDTH)
    change = float(finite("measures.set_point_recovery", "change", change))
    before, after = (int((b - a) / w + 1e-9) for a, b in ((spikes.t_start, change), (change, spikes.t_stop)))
    if before < 1 or after < LEAST_BINS:
        raise ValueError(
            f"measures.set_point_recovery: change must leave at least one bin before it and {LEAST_BINS} after it, got "
            f"{before} and {after} bins of {w:g} s in {spikes.t_start:g} to {spikes.t_stop:g} s. Take a smaller width."
        )
    edges = np.asarray(change + w * np.arange(-before, after + 1), dtype=np.float64)
    rates = _counts(grouped, edges) / w
    rng = np.random.default_rng(seed_sequence(seed))
    rows = resampled(rates.shape[0], whole("measures.set_point_recovery: samples", samples, low=100), rng)
    return _measured(grouped.names, rates, (before, w), rows, confidence)


def _counts(grouped: GroupedTrains, edges: Array) -> Array:
    """Spikes of each unit in each bin (units, bins)."""
    counts = [np.histogram(grouped.unit(u), edges)[0] for u in range(grouped.n_spikes.size)]
    return np.array(counts, dtype=np.float64).reshape(len(counts), edges.size - 1)


def _measured(names: NDArray, rates: Array, bins: tuple[int, float], rows: Rows, confidence: float) -> SetPointRecovery:
    first, w = bins
    after, base = rates[:, first:], rates[:, :first].mean(axis=1)
    time = w * (np.arange(after.shape[1]) + 0.5)
    mean, level = after[rows].mean(axis=1), base[rows].mean(axis=1)
    tau, early, late = _fitted(time, mean - level[:, None], w)
    n = rates.shape[0]
    displacement = from_samples(float(early[0]), early[1:], n, confidence) if n >= FEWEST else unknown(n)
    moved = bool(displacement.low * displacement.high > 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        complete = 1.0 - late / early
        over = np.maximum((-np.sign(early[:1, None]) * (mean - level[:, None])).max(axis=1), 0.0) / level
    overs, responds = _of_units(rates, first, w, confidence)
    return SetPointRecovery(
        names=names, baseline=over_units(lambda i: base[i].mean(axis=1), rows, confidence), displacement=displacement,
        time_constant=from_samples(float(tau[0]), tau[1:], n, confidence) if moved else unknown(n),
        completeness=from_samples(float(complete[0]), complete[1:], n, confidence) if moved else unknown(n),
        overshoot=from_samples(float(over[0]), over[1:], n, confidence) if moved else unknown(n),
        responders=over_units(lambda i: responds[i].mean(axis=1), rows, confidence), unit_baseline=base,
        unit_displacement=after[:, 0] - base, unit_overshoot=overs, responds=responds, time=time, trace=mean[0],
    )  # fmt: skip


def _fitted(time: Array, d: Array, w: float) -> tuple[Array, Array, Array]:
    """tau, d at the change and d at the end of each row of d (m, bins); tau is NaN at an end of those tried."""
    span = time[-1] + 0.5 * w
    taus = np.geomspace(0.5 * w, 3.0 * span, GRID)
    best = np.full(len(d), np.inf)
    out = np.zeros((3, len(d)))
    for k, tau in enumerate(taus):
        x = np.exp(-time / tau) * np.sinh(0.5 * w / tau) / (0.5 * w / tau)  # the mean of the exponential over a bin
        off = x - x.mean()
        slope = (d @ off) / (off @ off)
        level = d.mean(axis=1) - slope * x.mean()
        rest = ((d - level[:, None] - slope[:, None] * x) ** 2).sum(axis=1)
        edge = np.nan if k in (0, GRID - 1) else tau
        found = np.stack([np.full(len(d), edge), level + slope, level + slope * np.exp(-span / tau)])
        out, best = np.where(rest < best, found, out), np.minimum(rest, best)
    return out[0], out[1], out[2]


def _of_units(rates: Array, first: int, w: float, confidence: float) -> tuple[Array, NDArray[np.bool_]]:
    """Overshoot of each unit, infinite above silence, and whether it is that of a first responder.

    The error of a bin is that of its count at the baseline rate, with the unit's own Fano factor if that is larger than
    a Poisson count's; the level is corrected for the number of bins (Bonferroni).
    """
    base, after = rates[:, :first].mean(axis=1), rates[:, first:]
    sign = np.sign(after[:, 0] - base)[:, None]
    past = np.maximum((-sign * (after - base[:, None])).max(axis=1), 0.0)
    fano = rates[:, :first].var(axis=1, ddof=1) * w / np.maximum(base, 1.0 / w) if first > 2 else np.ones(base.size)
    level = np.maximum(base, 1.0 / (first * w))  # a silent baseline may have been as high as one spike
    error = np.sqrt(np.maximum(fano, 1.0) * level * (1.0 / w + 1.0 / (first * w)))
    z = NormalDist().inv_cdf(1.0 - (1.0 - confidence) / after.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.where(past > 0.0, past / base, 0.0)
    return over, (over > RESPONDS) & (past - RESPONDS * base > z * error)
