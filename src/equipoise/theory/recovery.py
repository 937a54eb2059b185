"""How far and how fast a network recovers in each epoch of a path (`network_evolve`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from equipoise.dynamics import duration_text
from equipoise.quantities import Array, suggest

if TYPE_CHECKING:
    import xarray as xr

RECOVERED = 0.1
"""A population has recovered for good when less than this part of its acute change is left."""
NOISE = 1e-6
"""Speeds below this part of the largest one of an epoch are those of the solver."""
NEGLIGIBLE = 1e-6
"""A relative change of less than this is none."""


@dataclass(frozen=True, repr=False)
class Recovery:
    """Recovery of one population in one epoch.

    `before` is the value just before the change, `acute` the one just after, `end` the last of the epoch. `time` [s]
    until less than a tenth of the acute change is left for good (infinite where that does not happen, NaN without a
    change); `completeness` = 1 - (end - before)/(acute - before); `overshoot` beyond `before`, in units of the acute
    change. `last_time` [s] is the exponential time of the last stretch, `slow_time` [s] that of the slowest mode at the
    end; they agree where the epoch is long.
    """

    epoch: int
    label: str
    population: str
    before: float
    acute: float
    end: float
    time: float
    completeness: float
    overshoot: float
    last_time: float
    slow_time: float

    def __repr__(self) -> str:
        head = f"{self.population} in epoch {self.epoch} ({self.label}): {self.before:.4g} -> {self.acute:.4g}"
        if np.isnan(self.time):
            return f"{head}, no acute change"
        when = f"in {duration_text(self.time)}" if np.isfinite(self.time) else "not within the epoch"
        return (
            f"{head} -> {self.end:.4g}, recovers {when}, by {100 * self.completeness:.1f} %, overshoot "
            f"{100 * self.overshoot:.0f} %; last stretch {duration_text(self.last_time)}, slowest mode "
            f"{duration_text(self.slow_time)}"
        )


def recovery(data: "xr.Dataset", *, of: str = "rate") -> tuple[Recovery, ...]:
    """Recovery of every population in every epoch of a path from `network_evolve`.

    `of` is "rate", "second_moment", "calcium_mean" or "calcium_second_moment". Raises ValueError for other names.
    """
    known = [n for n in ("rate", "second_moment", "calcium_mean", "calcium_second_moment") if n in data]
    if of not in known:
        raise ValueError(f"recovery: of must be a quantity of the populations, got {of!r}.{suggest(of, known)}")
    before, found = data["baseline_" + of].values, []
    for k in range(data.sizes["epoch"]):
        part = data.isel(time=data["epoch_of_time"].values == k)
        for a, name in enumerate(data["population"].values):
            facts = _of_one(part["time"].values, part[of].values[:, a], float(before[a]))
            times = {"last_time": _last_time(part), "slow_time": _slow_time(data["recovery_time"].values[k])}
            found.append(Recovery(k, str(data["label"].values[k]), str(name), **facts, **times))
        before = part[of].values[-1]
    return tuple(found)


def _of_one(t: Array, y: Array, before: float) -> dict[str, float]:
    change = y[0] - before
    facts = {"before": before, "acute": float(y[0]), "end": float(y[-1])}
    if abs(change) <= NEGLIGIBLE * abs(before):
        return facts | {"time": np.nan, "completeness": np.nan, "overshoot": np.nan}
    left = (y - before) / change
    away = np.flatnonzero(np.abs(left) >= RECOVERED)
    last = int(away[-1])
    facts |= {"completeness": float(1.0 - left[-1]), "overshoot": float(max(0.0, -left.min()))}
    return facts | {"time": np.inf if last == t.size - 1 else float(_crossing(t, np.abs(left), last) - t[0])}


def _crossing(t: Array, left: Array, k: int) -> float:
    """When `left` falls to a tenth between the reports k and k + 1."""
    part = (left[k] - RECOVERED) / (left[k] - left[k + 1])
    return t[k] + part * (t[k + 1] - t[k])


def _last_time(part: "xr.Dataset") -> float:
    """Exponential time of the last stretch [s], from the speeds along the slowest mode at two late reports."""
    t, speed = part["time"].values - part["time"].values[0], part["slow_speed"].values
    certain = np.flatnonzero(speed > NOISE * speed.max())
    if not certain.size:
        return float("nan")
    late = certain[t[certain] >= 0.7 * t[certain[-1]]]
    if late.size < 2 or not speed[late[-1]] < speed[late[0]]:
        return float("nan")
    return float((t[late[-1]] - t[late[0]]) / np.log(speed[late[0]] / speed[late[-1]]))


def _slow_time(times: Array) -> float:
    finite = times[np.isfinite(times)]
    return float(finite.max()) if finite.size and (finite > 0.0).all() else float("nan")
