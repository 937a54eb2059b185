"""Where a recording's own low-pass begins: above it a spectrum tells of the filter, not of the tissue."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from equipoise.measures.lines import degrees, known, rows_of
from equipoise.quantities import Array

if TYPE_CHECKING:
    import xarray as xr

STEEP = 6.0
"""Exponent beyond which nothing falls but filters: two time constants of synapses give at most 4."""
OCTAVE = 6
"""Bins of an octave."""
BEFORE = 8
"""Bins before the fall that are looked at: the least of its first four, two thirds of an octave to more than one below
it, is beside a peak that falls there."""
AVERAGE = 5.0
"""Exponent from that place on, over up to two octaves, of a fall that is no peak's edge."""
MARGIN = np.log(3.0)
"""How far all that follows lies below that place."""


def roll_off(spectrum: "xr.DataArray") -> "xr.DataArray":
    """Frequency [Hz] at which a steep low-pass sets in; infinite where there is none below the last frequency.

    In medians over a sixth of an octave, the first fall steeper than f^-6 (by four standard errors) that takes power
    within two octaves below f^-5 from before the last octave, and that nothing recovers from: edges of peaks and of
    notches do neither. Dims: those of `spectrum` without frequency. Caveats: filters of first and second order, as of
    many amplifiers, fall no faster than tissue and are not found, nor those just below the last frequency; know the
    band of the recording.
    """
    import xarray as xr

    f, power = rows_of("measures.roll_off", spectrum)
    lowest = max(2.0 * known(spectrum, "half_width", 0.0), f[f > 0.0][0])
    found = _found(f, power, 2.0 / degrees(spectrum), known(spectrum, "bin_correlation", 1.0), lowest)
    dims = spectrum.dims[:-1]
    coords = {name: c for name, c in spectrum.coords.items() if set(c.dims) <= set(dims) and c.dims}
    shape = spectrum.shape[:-1]
    return xr.DataArray(found.reshape(shape), dims=dims, coords=coords, name="roll_off", attrs={"units": "Hz"})


def _found(f: Array, power: Array, variance: Array, correlation: float, lowest: float) -> Array:
    """First roll-off of each spectrum."""
    out = np.full(len(power), np.inf)
    cuts = _bins(f, lowest)
    if len(cuts) < BEFORE + 2:
        return out
    with np.errstate(divide="ignore"):
        y = np.stack([np.median(np.log(power[:, a:b]), axis=1) for a, b in cuts], axis=1)
    x = np.array([np.log(f[a:b]).mean() for a, b in cuts])
    # Of a median, whose variance is pi/2 times that of a mean.
    error = np.sqrt([0.5 * np.pi * correlation * variance[a:b].mean() / (b - a) for a, b in cuts])
    limit = STEEP * np.diff(x) + 4.0 * np.hypot(error[1:], error[:-1])
    with np.errstate(invalid="ignore"):
        falls = y[:, :-1] - y[:, 1:] > limit
    for row in np.flatnonzero(falls[:, BEFORE:].any(axis=1) & np.isfinite(y).all(axis=1)):
        places = [int(j) for j in np.flatnonzero(falls[row]) if j >= BEFORE and _stays_below(x, y[row], int(j))]
        if places:
            out[row] = np.exp(x[places[0]])
    return out


def _stays_below(x: Array, y: Array, j: int) -> bool:
    """Whether power after bin j sinks below what tissue could make of that before, for good."""
    before = slice(j - BEFORE, j - BEFORE + 4)
    i = j - BEFORE + int(np.argmin(y[before]))
    sunk = np.flatnonzero(y[j + 1 : j + 1 + 2 * OCTAVE] < y[i] - AVERAGE * (x[j + 1 : j + 1 + 2 * OCTAVE] - x[i]))
    return bool(sunk.size and (y[j + 1 + sunk[0] :] < y[i] - MARGIN).all())


def _bins(f: Array, lowest: float) -> list[tuple[int, int]]:
    """First and last index of each part of an octave that holds a frequency, counted from the end down to `lowest`."""
    edges = f[-1] * (1.0 + 1e-9) * 2.0 ** (-np.arange(int(OCTAVE * np.log2(f[-1] / lowest)) + 1) / OCTAVE)
    places = np.searchsorted(f, edges[::-1])
    return [(int(a), int(b)) for a, b in pairwise(places) if b > a]
