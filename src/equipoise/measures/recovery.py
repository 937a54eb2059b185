"""How rates come back after a lasting perturbation: when, how far past their baseline, and how completely.

With d(t) = r(t) - baseline after the change and s its first sign:

    displacement   the largest d of sign s before rates first cross the baseline
    recovery time  from the change until |d| first is within `tolerance` of |displacement|
    overshoot      the largest -s d after that crossing, over the baseline
    completeness   1 - d(end)/displacement: 0 not at all, 1 back at the baseline, more beyond it
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array, finite

if TYPE_CHECKING:
    import xarray as xr

NAMES = {
    "baseline": ("rate before the change", "Hz"),
    "displacement": ("largest change before rates return", "Hz"),
    "recovery_time": ("time to return", "s"),
    "overshoot": ("largest excursion past the baseline, over it", "1"),
    "completeness": ("part of the displacement that is made up at the end", "1"),
}
LEAST = 1e-6
"""Displacement, beside the baseline, below which nothing was displaced."""


def recovery(time: ArrayLike, rates: ArrayLike, *, change: float, tolerance: float = 0.1) -> "xr.Dataset":
    """Recovery of rates (time, unit) [Hz], or of one rate (time,), after a change at the time `change` [s].

    `time` [s] may hold the time of the change twice, before and after it, as paths of `rate.evolve` do. The baseline is
    the mean of all before. Returns a Dataset over units with `baseline` and `displacement` [Hz], `recovery_time` [s],
    `overshoot` and `completeness`, as defined above. Where nothing was displaced the last three are NaN, as is the time
    of a rate that does not return; the overshoot of a silent baseline is infinite.
    """
    import xarray as xr

    t, r = finite("measures.recovery", "time", time), finite("measures.recovery", "rates", rates)
    if t.ndim != 1 or r.ndim not in (1, 2) or r.shape[0] != t.size:
        raise ValueError(f"measures.recovery: rates must be (time, unit) or (time,), got {r.shape} at {t.size} times.")
    if t.size and (np.diff(t) < 0.0).any():
        raise ValueError("measures.recovery: time must not go back.")
    first = int(np.searchsorted(t, change, side="left"))
    first += first < t.size and t[first] == change  # the report at the change still counts as before
    if not 1 <= first < t.size:
        raise ValueError(f"measures.recovery: change must lie within time, got {change:g} s.")
    within = float(finite("measures.recovery", "tolerance", tolerance, low=0.0, open_low=True))
    columns = [_one(t[first:] - change, x[first:], float(x[:first].mean()), within) for x in np.atleast_2d(r.T)]
    dims = ("unit",) if r.ndim == 2 else ()
    values = np.array(columns).T if dims else columns[0]
    return xr.Dataset(
        {name: (dims, v, {"long_name": NAMES[name][0], "units": NAMES[name][1]})
         for name, v in zip(NAMES, values, strict=True)},
        attrs={"change": change, "tolerance": within},
    )  # fmt: skip


def _one(t: Array, r: Array, baseline: float, tolerance: float) -> tuple[float, float, float, float, float]:
    """All of one rate at times t after the change."""
    d = r - baseline
    off = np.flatnonzero(np.abs(d) > LEAST * max(abs(baseline), 1e-3))
    if off.size == 0:
        return baseline, 0.0, np.nan, np.nan, np.nan
    s = np.sign(d[off[0]])
    crossed = np.flatnonzero(s * d[off[0] :] <= 0.0)
    turn = off[0] + crossed[0] if crossed.size else d.size
    peak = int(np.argmax(s * d[:turn]))
    past = float(np.max(-s * d[turn:], initial=0.0))
    over = past / baseline if baseline > 0.0 else np.inf if past > 0.0 else 0.0
    return baseline, float(d[peak]), _return(t[peak:], s * d[peak:], tolerance), over, float(1.0 - d[-1] / d[peak])


def _return(t: Array, d: Array, tolerance: float) -> float:
    """When d, from its peak, first is at `tolerance` of it, between reports; NaN where it never is."""
    level = tolerance * d[0]
    back = np.flatnonzero(d <= level)
    if back.size == 0:
        return float("nan")
    k = int(back[0])
    return float(np.interp(level, [d[k], d[k - 1]], [t[k], t[k - 1]]))
