"""Rhythms: what rises above the aperiodic part of a spectrum."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.aperiodic import aperiodic_power
from equipoise.measures.estimates import level
from equipoise.measures.peaks import LEAST, peaked, scatter
from equipoise.measures.whittle import Band, band_of
from equipoise.quantities import Array
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

PROMINENT = 4.0
"""Standard errors by which a maximum stands out from its valleys to count as a rhythm of its own."""


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """A peak: `frequency` and full `width` at half its height [Hz], both over the aperiodic line.

    `factor`: greatest power over that of the line, with its interval; `power` [unit^2]: variance of the rhythm, the
    integral of what lies above the line. A line narrower than the window's resolution has the width of the window.
    """

    frequency: float
    width: float
    factor: float
    factor_low: float
    factor_high: float
    power: float

    def __str__(self) -> str:
        return (
            f"{self.frequency:.2f} Hz, {self.width:.2g} Hz wide, {self.factor:.3g} "
            f"[{self.factor_low:.3g}, {self.factor_high:.3g}] times the line"
        )


def rhythms(spectrum: "xr.DataArray", line: "xr.Dataset", *, confidence: float = 0.95) -> tuple[Rhythm, ...]:
    """Peaks of one spectrum (frequency,) above its aperiodic `line`, within its range, the highest factor first.

    A peak rises, alone or with its neighbours, above what a spectrum without peaks reaches once in twenty; for spectra
    without `dof`, above the scatter of its lower half. None where `line` has no value. Intervals of `factor` are those
    of the ordinate; that of the line is not in them. Caveat: harmonics of a rhythm that is no sine are peaks as well.
    """
    z = level(confidence)
    if getattr(spectrum, "dims", ()) != ("frequency",):
        raise TypeError(
            "measures.rhythms: spectrum must be one spectrum (frequency,), got "
            f"{getattr(spectrum, 'dims', type(spectrum).__name__)}. Choose one, such as spectrum.isel(channel=0)."
        )
    band = band_of("measures.rhythms", spectrum, line.attrs["low"], line.attrs["high"])
    if not Status[line["status"].item()].usable:
        return ()
    base = aperiodic_power(line, band.f).values
    ratio = band.power / base
    inside = peaked(ratio, band.variance, band.correlation, scatter(ratio, band.variance))[0]
    found = [_described(part, band, base, z) for part in _places(ratio[0], inside, band.variance)]
    return tuple(sorted(found, key=lambda one: -one.factor))


def _places(ratio: Array, inside: NDArray[np.bool_], variance: float) -> list[slice]:
    """The ordinates about each maximum, from valley to valley or to the end of the peak."""
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import find_peaks

    smooth = uniform_filter1d(np.where(inside, np.log(ratio), 0.0), 3, mode="constant")
    prominence = max(np.log(LEAST) / 2.0, PROMINENT * np.sqrt(variance / 3.0))
    tops, _ = find_peaks(np.concatenate(([0.0], smooth, [0.0])), prominence=prominence)
    tops = [int(t) - 1 for t in tops if inside[t - 1]]
    valleys = [a + int(np.argmin(smooth[a:b])) for a, b in pairwise(tops)]
    ends = [0, *valleys, ratio.size - 1]
    return [_around(top, inside, ends[i], ends[i + 1]) for i, top in enumerate(tops)]


def _around(top: int, inside: NDArray[np.bool_], first: int, last: int) -> slice:
    """The run of `inside` about `top` between two places."""
    outside = np.flatnonzero(~inside)
    before, after = outside[outside < top], outside[outside > top]
    start = max(first, int(before[-1]) + 1 if before.size else 0)
    return slice(start, min(last, int(after[0]) - 1 if after.size else last) + 1)


def _described(part: slice, band: Band, base: Array, z: float) -> Rhythm:
    from scipy.special import gammaincinv, ndtr

    f, excess = band.f[part], (band.power[0] - base)[part]
    ratio = (band.power[0] / base)[part]
    above = np.maximum(ratio - 1.0, 0.0)
    high = above >= 0.5 * above.max()
    factor, shape = float(ratio.max()), 1.0 / max(band.variance, 1e-12)
    ends = [factor * shape / float(gammaincinv(shape, p)) for p in (ndtr(z), ndtr(-z))]
    return Rhythm(
        frequency=float((f * above)[high].sum() / above[high].sum()), width=_width(f, above), factor=factor,
        factor_low=ends[0], factor_high=ends[1], power=float(excess.sum() * (band.f[1] - band.f[0])),
    )  # fmt: skip


def _width(f: Array, above: Array) -> float:
    """Full width at half height, with straight lines between ordinates."""
    half, top = 0.5 * above.max(), int(np.argmax(above))
    left, right = np.flatnonzero(above[:top] < half), np.flatnonzero(above[top:] < half)
    start, stop = f[0], f[-1]
    if left.size:
        i = left[-1]
        start = np.interp(half, above[i : i + 2], f[i : i + 2])
    if right.size:
        i = top + right[0]
        stop = np.interp(half, above[i - 1 : i + 1][::-1], f[i - 1 : i + 1][::-1])
    return float(stop - start)


def band_power(
    spectrum: "xr.DataArray", *, low: float, high: float, above: "xr.Dataset | None" = None, confidence: float = 0.95
) -> "xr.DataArray":
    """Power [unit^2] from `low` to `high` [Hz]: the integral of the spectrum, or of its part `above` an aperiodic line.

    Dims: those of `spectrum` without frequency, so that of a spectrogram it is power over time. Coordinates `low` and
    `high` (interval), `n` (ordinates) and `status`. The interval is that of the integral for a Gaussian signal; the
    error of the line is not in it. NaN with the status of the line where that has no value.
    """
    import xarray as xr

    band = band_of("measures.band_power", spectrum, low, high)
    z, dims, shape = level(confidence), spectrum.dims[:-1], spectrum.shape[:-1]
    status = np.full(shape, Status.OK.name if band.f.size > 1 else Status.INSUFFICIENT_DATA.name)
    width = spectrum["frequency"].values[1] - spectrum["frequency"].values[0]
    value = band.power.sum(axis=1).reshape(shape) * width
    if above is not None:
        value = value - aperiodic_power(above, band.f).sum("frequency", skipna=False).values * width
        status = np.where(status == Status.OK.name, above["status"].values, status)
    error = np.sqrt(band.correlation * band.variance * (band.power**2).sum(axis=1)).reshape(shape) * width
    known = np.isfinite(value) & (status != Status.INSUFFICIENT_DATA.name)
    value, error = np.where(known, value, np.nan), np.where(known, error, np.nan)
    kept = {name: c for name, c in spectrum.coords.items() if c.dims and set(c.dims) <= set(dims)}
    coords = kept | {"low": (dims, value - z * error), "high": (dims, value + z * error), "status": (dims, status)}
    attrs = {"long_name": "power of the band", "units": str(spectrum.attrs.get("units", "")).removesuffix("/Hz")}
    attrs |= {"from": float(low), "to": float(high)}
    return xr.DataArray(value, dims=dims, coords=coords | {"n": band.f.size}, name="band_power", attrs=attrs)
