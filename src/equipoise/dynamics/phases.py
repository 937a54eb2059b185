"""What a perturbation of given onset and end does to a path of rates: acute, chronic, after washout."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.protocols import Protocol
from equipoise.quantities import Array

if TYPE_CHECKING:
    import xarray as xr

NEGLIGIBLE = 1e-6
"""A relative change of less than this is none."""
SILENCE = 1e-3
"""Baseline rate [Hz] beside which nothing is measured."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Phases:
    """Rates [Hz] of populations (P,) in the phases of a perturbation.

    `baseline` just before it, `acute` just after its onset, `lowest` and `highest` while it lasts, `chronic` at its
    end, `washout` at the end of all. Moments that a path does not reach are NaN, and so is what is relative to a
    silent baseline.
    """

    populations: tuple[str, ...]
    baseline: Array
    acute: Array
    lowest: Array
    highest: Array
    chronic: Array
    washout: Array

    @property
    def _level(self) -> Array:
        """Baseline rates (P,), NaN where there was silence."""
        return np.where(self.baseline > SILENCE, self.baseline, np.nan)

    @property
    def completeness(self) -> Array:
        """1 - (chronic - baseline)/(acute - baseline), 1 where all is recovered (P,); NaN without an acute change."""
        change = self.acute - self.baseline
        some = np.abs(change) > NEGLIGIBLE * self._level  # never beside silence
        left = (self.chronic - self.baseline) / np.where(some, change, 1.0)
        return np.where(some, 1.0 - left, np.nan)

    @property
    def overshoot(self) -> Array:
        """How far rates go beyond baseline on the other side of the acute change, relative to baseline (P,)."""
        beyond = np.where(self.acute < self.baseline, self.highest - self.baseline, self.baseline - self.lowest)
        return np.maximum(beyond, 0.0) / self._level

    @property
    def remaining(self) -> Array:
        """(chronic - baseline)/baseline (P,)."""
        return self.chronic / self._level - 1.0

    def __repr__(self) -> str:
        head = f"{'':6}{'baseline':>10}{'acute':>10}{'chronic':>10}{'washout':>10}  recovered  overshoot"
        rows = [
            f"{name:6}" + "".join(f"{x[k]:10.4g}" for x in (self.baseline, self.acute, self.chronic, self.washout))
            + f"{100 * self.completeness[k]:10.1f} %{100 * self.overshoot[k]:9.1f} %"
            for k, name in enumerate(self.populations)
        ]  # fmt: skip
        return "\n".join([head, *rows])


def phases(data: "xr.Dataset", protocol: Protocol) -> Phases:
    """Phases of the `rate` [Hz] of a path over `time` [s] and `population` that was followed under a protocol.

    Takes what `rate.evolve` and `theory.network_evolve` return, and the `data` of `spiking.evolve`. Of an edge that is
    reported twice the first row is before it and the second after it; else, as in spikes, rows stand for the windows
    that end with them. ValueError without rates.
    """
    if "rate" not in data or set(data["rate"].dims) != {"time", "population"}:
        raise ValueError("phases: data must have `rate` over time and population, such as eq.rate.evolve returns it.")
    t, y = data["time"].values, data["rate"].transpose("time", "population").values
    begin, end = rows_of(t, protocol)
    nothing = np.full(y.shape[1], np.nan)
    during = y[begin:end] if begin < end else nothing[None]
    return Phases(
        populations=tuple(map(str, data["population"].values)),
        baseline=y[max(begin - 1, 0)] if t[-1] >= protocol.onset else nothing,
        acute=during[0],
        lowest=during.min(axis=0),
        highest=during.max(axis=0),
        chronic=during[-1] if t[-1] >= protocol.stop else nothing,
        washout=y[-1] if end < t.size else nothing,
    )


def rows_of(time: Array, protocol: Protocol) -> tuple[int, int]:
    """The first row at times (t,) [s] in which the perturbation acts, and the first one after it."""
    begin = _first_after(time, protocol.onset)
    lasting = np.sum(time == protocol.stop) < 2 and not (time > protocol.stop).any()
    return begin, time.size if lasting else _first_after(time, protocol.stop)


def _first_after(t: Array, edge: float) -> int:
    """The first row after an edge: the last of those at it where there are several."""
    at = np.flatnonzero(t == edge)
    return int(at[-1]) if at.size > 1 else int(np.searchsorted(t, edge, side="right"))
