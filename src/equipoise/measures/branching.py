"""The branching ratio m of activity, from how it regresses on its past.

In a branching process under drive the slopes of A(t + k) on A(t) are m^k. Where only part of the units is seen they are
b m^k with b < 1, so that the slope at one step is too small, and what tells m is how slopes decay (Wilting & Priesemann
2018, Nat. Commun. 9:2325).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import dynamics
from equipoise.measures.estimates import estimate, level
from equipoise.quantities import Array, finite, whole

if TYPE_CHECKING:
    import xarray as xr

BLOCKS = 20
"""Parts of the record that are left out in turn to know the error."""
LARGEST = 1.2
_MEANING = "branching ratio"


def branching_ratio(counts: ArrayLike, *, lags: int = 1, confidence: float = 0.95) -> "xr.DataArray":
    """Branching ratio m per bin of counts (bins,) of stationary activity, with its interval.

    With `lags` = 1 the slope of A(t + 1) on A(t), right where all units are seen. With more the m of b m^k fitted to
    the slopes at lags 1 .. `lags`, right where a part of them is seen too, and kept in [0, 1.2]. The interval is that
    of a jackknife over 20 blocks; slopes of a record of n bins are too small by (1 + 3 m)/n. Fewer than 20 bins a lag,
    or counts that never change, give NaN and INSUFFICIENT_DATA.
    """
    given, z = finite("measures.branching_ratio", "counts", counts, low=0.0), level(confidence)
    if given.ndim != 1:
        raise ValueError(f"measures.branching_ratio: counts must be 1-D, got shape {given.shape}.")
    lags = whole("measures.branching_ratio: lags", lags, low=1)
    if given.size < BLOCKS * (lags + 1) or np.ptp(given) == 0.0:
        return estimate("branching_ratio", _MEANING, (np.nan, np.nan), given.size, z)
    products = _products(given - given.mean(), lags)
    total = products.sum(axis=1)
    left_out = np.array([_ratio(part) for part in (total[:, None] - products).T])
    error = np.sqrt((BLOCKS - 1) * left_out.var())
    return estimate("branching_ratio", _MEANING, (_ratio(total), float(error)), given.size, z)


def _products(y: Array, lags: int) -> Array:
    """Sums of y(t) y(t + k) over each block (lags + 1, BLOCKS)."""
    n = (y.size - lags) // BLOCKS * BLOCKS
    return np.array([(y[:n] * y[k : k + n]).reshape(BLOCKS, -1).sum(axis=1) for k in range(lags + 1)])


def _ratio(products: Array) -> float:
    """m of the slopes products[k]/products[0]."""
    slopes = products[1:] / products[0]
    return float(slopes[0]) if slopes.size == 1 else _decay(slopes)


def _decay(slopes: Array) -> float:
    """The m of the b m^k that is closest to the slopes; b is linear and drops out."""
    k = np.arange(slopes.size)

    def explained(m: float) -> float:
        power = m**k
        return -float(slopes @ power) * abs(float(slopes @ power)) / float(power @ power)

    coarse = np.linspace(0.0, LARGEST, 121)
    best = coarse[np.argmin([explained(m) for m in coarse])]
    return dynamics.lowest_point(explained, max(best - 0.01, 0.0), min(best + 0.01, LARGEST))[0]
