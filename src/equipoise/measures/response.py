"""How a network answers to drive: dynamic range, and the fluctuations that go with sensitivity."""

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import finite


def dynamic_range(
    drive: ArrayLike, response: ArrayLike, *, rest: float | None = None, most: float | None = None
) -> float:
    """Dynamic range 10 log10(h_0.9/h_0.1) [dB], h_x the drive with response F_0 + x (F_max - F_0).

    `drive` (n,) rises and is above 0; `rest` is F_0 and `most` is F_max, by default the responses (n,) to the weakest
    and the strongest drive. Drives between two given ones are interpolated, linear in the response and in log h. NaN
    where the response does not rise. Source: Kinouchi & Copelli 2006, Nat. Phys. 2:348.
    """
    h = finite("measures.dynamic_range", "drive", drive, low=0.0, open_low=True)
    F = finite("measures.dynamic_range", "response", response)
    if h.ndim != 1 or h.shape != F.shape or h.size < 2 or (np.diff(h) <= 0.0).any():
        raise ValueError(
            "measures.dynamic_range: drive must be 1-D, rising, and as long as response, got shapes "
            f"{h.shape} and {F.shape}."
        )
    low, high = F[0] if rest is None else rest, F[-1] if most is None else most
    if not high > low:
        return np.nan
    ends = [_crossing(np.log10(h), F, low + x * (high - low)) for x in (0.1, 0.9)]
    return float(10.0 * (ends[1] - ends[0]))


def _crossing(x: np.ndarray, y: np.ndarray, value: float) -> float:
    """The first x at which y, interpolated, comes to a value; NaN where it begins above or never does."""
    above = y >= value
    if above[0] or not above.any():
        return np.nan
    i = int(np.argmax(above))
    return float(x[i - 1] + (value - y[i - 1]) / (y[i] - y[i - 1]) * (x[i] - x[i - 1]))


def susceptibility(counts: ArrayLike, size: float) -> float:
    """Var(A)/N of counts A (bins,) of N = `size` units: N times the variance of the active share.

    Independent units that are rarely active have their mean activity <A>/N here; near a critical point it grows.
    """
    given = finite("measures.susceptibility", "counts", counts)
    number = float(finite("measures.susceptibility", "size", size, low=0.0, open_low=True))
    return float(given.var() / number)
