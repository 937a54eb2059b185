"""What principal cells make of volleys: how probably, when and how precisely they fire.

Trials follow each other in one run, far enough apart to be forgotten, and every principal cell takes part in each.
Times count from the arrival of a trial's volleys.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import spiking
from equipoise.model.populations import Volleys
from equipoise.motifs.circuits import VOLLEY_DISPERSION, Motif
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity
from equipoise.results import SpikeTrains
from equipoise.units import ms, second

if TYPE_CHECKING:
    import xarray as xr

LAGS = tuple(np.arange(0.0, 42.0, 2.0) * ms)
SIZES = tuple(np.linspace(0.25, 3.0, 12))
DISPERSIONS = tuple(np.array([0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0]) * ms)
WARMUP = 100 * ms
BEFORE = 20 * ms
"""A trial begins so long before its first volley, since early spikes of a dispersed volley belong to it."""

_APART = Quantity("time from trial to trial", unit="ms", low=30 * ms, high=10 * second)


@dataclass(frozen=True, kw_only=True)
class Volley:
    """A volley `lag` [s] after the beginning of its trial, of `size` times the motif's afferents.

    Spikes are normal in time, of SD `dispersion` [s], at most the 20 ms by which a trial begins before its volley.
    """

    lag: float = quantity("lag", default=0.0, unit="ms", low=0.0, high=1 * second)
    size: float = quantity("size relative to the afferents", default=1.0, low=0.0, open_low=True)
    dispersion: float = quantity("SD of spike times", default=VOLLEY_DISPERSION, unit="ms", low=0.0, high=BEFORE)

    def __post_init__(self):
        check_fields(self)


def responses(
    motif: Motif, trials: Iterable[Sequence[Volley]], *, seed: int, apart: float = 200 * ms, dt: float = 0.1 * ms
) -> "xr.Dataset":
    """The answer of principal cells to each trial of one or more volleys, `apart` [s] from each other.

    By trial: `probability` that a cell fires, spikes per cell `spikes`, mean `latency` [s] of its first spike and its
    SD `jitter` [s] (NaN with fewer than 10 such spikes), standard errors `_se`, and `interneuron_spikes` per cell.
    `lasting` [Hz]: rate of E in the last quarter of a trial. TypeError or ValueError for what is no trial.
    """
    import xarray as xr

    gap = check("responses.apart", apart, _APART)
    plan = _checked(motif, trials, gap)
    starts = WARMUP + BEFORE + gap * np.arange(len(plan), dtype=np.float64)
    volleys, sizes = _volleys(plan, starts)
    run = spiking.simulate(
        motif.circuit(volleys, sizes=sizes), duration=float(starts[-1]) + gap, seed=seed, dt=dt, warmup=0.0
    )
    zero = starts + motif.conduction
    principal, interneurons = run.spikes_of("E"), run.spikes_of("I")
    rows = [_trial(principal, t, gap) for t in zero]
    data = {k: ("trial", np.array([row[k] for row in rows]), {"units": UNITS[k]}) for k in UNITS}
    inhibition = [_window(interneurons, t, gap).times.size / motif.interneurons for t in zero]
    data["interneuron_spikes"] = ("trial", np.array(inhibition), {"units": "1"})
    return xr.Dataset(data, attrs={"status": run.status.name, "seed": seed, "motif": repr(motif)})


def window(
    motif: Motif, lags: ArrayLike = LAGS, *, seed: int, dispersion: float = VOLLEY_DISPERSION, **how: float
) -> "xr.Dataset":
    """The window of opportunity: two volleys at each of `lags` [s], and within which of them principal cells fire.

    `responses` by lag, and `window` [s], the range of lags, of either order, in which a cell fires with half
    probability or more: twice the lag at which the probability falls through 1/2, interpolated; 0 where even coinciding
    volleys fail, infinite where it is never left. `dispersion` [s] of each volley; other keywords as of `responses`.
    """
    at = np.unique(finite("window", "lags", lags, low=0.0))
    pairs = [[Volley(lag=float(x), dispersion=dispersion) for x in (0.0, lag)] for lag in at]
    data = responses(motif, pairs, seed=seed, **how)
    data = data.rename(trial="lag").assign_coords(lag=("lag", at, {"units": "s"}))
    if at[0] > 0.0 and data["probability"][0] < 0.5:
        raise ValueError(
            f"window: lags must begin inside of the window, got {at[0] / ms:g} ms, at which fewer than half of the "
            "cells fire. Begin with 0."
        )
    data["window"] = ((), 2.0 * _falls_through_half(at, data["probability"].values), {"units": "s"})
    return data


def jitter(
    motif: Motif, dispersions: ArrayLike = DISPERSIONS, *, size: float = 2.0, seed: int, **how: float
) -> "xr.Dataset":
    """Spike-timing jitter and probability against the dispersion [s] of a volley of one `size`; see `responses`."""
    at = np.unique(finite("jitter", "dispersions", dispersions, low=0.0))
    data = responses(motif, [(Volley(size=size, dispersion=float(s)),) for s in at], seed=seed, **how)
    return data.rename(trial="dispersion").assign_coords(dispersion=("dispersion", at, {"units": "s"}))


def gain(motif: Motif, sizes: ArrayLike = SIZES, *, seed: int, **how: float) -> "xr.Dataset":
    """Gain control: the answer against the size of a synchronous volley, in units of the afferents; see `responses`."""
    at = np.unique(finite("gain", "sizes", sizes, low=0.0, open_low=True))
    data = responses(motif, [(Volley(size=float(s)),) for s in at], seed=seed, **how)
    return data.rename(trial="size").assign_coords(size=("size", at, {"units": "1"}))


UNITS = {
    "probability": "1", "probability_se": "1", "spikes": "1", "latency": "s", "jitter": "s", "jitter_se": "s",
    "lasting": "Hz",
}  # fmt: skip
LEAST_SPIKES = 10


def _trial(spikes: SpikeTrains, zero: float, gap: float) -> dict[str, float]:
    here = _window(spikes, zero, gap)
    _, first = np.unique(here.units, return_index=True)  # spikes are in the order of time
    latency, n = here.times[first] - zero, spikes.n_units
    p, enough = latency.size / n, latency.size >= LEAST_SPIKES
    sd = float(latency.std(ddof=1)) if enough else np.nan
    quarter = gap / 4
    late = (here.times >= zero - BEFORE + 3 * quarter).sum() / (n * quarter)
    return {
        "probability": p, "probability_se": float(np.sqrt(p * (1 - p) / n)), "spikes": here.times.size / n,
        "latency": float(latency.mean()) if enough else np.nan, "jitter": sd,
        "jitter_se": sd / np.sqrt(2 * latency.size) if enough else np.nan, "lasting": float(late),
    }  # fmt: skip


def _window(spikes: SpikeTrains, zero: float, gap: float) -> SpikeTrains:
    begin, end = np.searchsorted(spikes.times, [zero - BEFORE, zero - BEFORE + gap])
    return SpikeTrains(
        spikes.times[begin:end], spikes.units[begin:end], spikes.n_units, zero - BEFORE, zero - BEFORE + gap
    )


def _checked(motif: Motif, trials: Iterable[Sequence[Volley]], gap: float) -> list[Sequence[Volley]]:
    if not isinstance(motif, Motif):
        raise TypeError(
            "motifs: motif must be an eq.motifs.FeedforwardInhibition() or eq.motifs.FeedbackInhibition(), got "
            f"{motif!r}."
        )
    plan = list(trials)
    if not plan:
        raise ValueError("responses: trials must hold at least one trial, such as [(eq.motifs.Volley(),)].")
    for k, trial in enumerate(plan):
        if not isinstance(trial, Sequence) or not all(isinstance(v, Volley) for v in trial):
            raise TypeError(f"responses: trials[{k}] must be a list of eq.motifs.Volley(...), got {trial!r}.")
        latest = max((v.lag for v in trial), default=0.0)
        if latest > gap - 2 * BEFORE:  # the next trial begins that much earlier than its volley, and answers take time
            raise ValueError(
                f"responses: trials[{k}] has a volley {latest / ms:g} ms after its beginning, and trials are "
                f"{gap / ms:g} ms apart; lags must be at most {(gap - 2 * BEFORE) / ms:g} ms. Take apart="
                f"{(latest + 10 * BEFORE) / ms:g} * ms."
            )
    return plan


def _volleys(plan: list[Sequence[Volley]], starts: Array) -> tuple[list[Volleys], list[float]]:
    """Sources and their sizes: one for each size and dispersion, and each place in a trial."""
    times: dict[tuple[float, float, int], list[float]] = {}
    for trial, start in zip(plan, starts, strict=True):
        for k, v in enumerate(trial):
            times.setdefault((v.size, v.dispersion, k), []).append(float(start) + v.lag)
    volleys = [Volleys(f"X{i}", times=tuple(at), jitter=s) for i, ((_, s, _), at) in enumerate(times.items())]
    return volleys, [size for size, _, _ in times]


def _falls_through_half(lag: Array, p: Array) -> float:
    below = np.flatnonzero(p < 0.5)
    if below.size == 0:
        return np.inf
    k = int(below[0])
    if k == 0:
        return 0.0
    return float(np.interp(-0.5, -p[k - 1 : k + 1], lag[k - 1 : k + 1]))
