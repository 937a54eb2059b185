"""Power spectra of continuous signals, with intervals, at rest and over time.

A spectrum is a DataArray with a last dimension `frequency`. Its coordinates say how well it is known: `low` and `high`
(interval of each ordinate), `dof` (degrees of freedom of the chi-square law that a Gaussian signal's ordinates follow),
`bin_correlation` (how many neighbouring ordinates tell what one would alone) and `half_width` [Hz]. Measures of spectra
read them; spectra from elsewhere do without.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.measures.channels import channels
from equipoise.measures.estimates import level
from equipoise.measures.tapers import Multitaper, Segments, Welch, segments
from equipoise.quantities import Array, Quantity, check
from equipoise.results import Signals
from equipoise.units import second

if TYPE_CHECKING:
    import xarray as xr

BLOCK = 1 << 20
"""Samples under tapers at a time: what fits into the cache of a core."""

ROUNDING = 500.0
"""Standard deviation of a signal, in last digits of its largest value, below which it is taken to be constant."""

_LENGTH = Quantity("length of a window", unit="second", low=0.0, open_low=True)
_STEP = Quantity("time between windows", unit="second", low=0.0, open_low=True)


def power_spectrum(
    signal: Signals | ArrayLike,
    *,
    sampling_rate: float | None = None,
    method: Welch | Multitaper | None = None,
    confidence: float = 0.95,
) -> "xr.DataArray":
    """One-sided power spectral density [unit^2/Hz], whose integral over frequency is the variance.

    2/(N K fs) sum over N segments and K tapers of |FFT(taper (x - trend))|^2. `signal`: Signals, dims of the result
    (channel, frequency); or an array (time,) or (channels, time) with `sampling_rate` [Hz]; one of one dimension gives
    (frequency,). `method`: Welch(window=2 * second) by default, or Multitaper. `low` and `high` hold an ordinate with
    `confidence` each, by chi-square quantiles: for a Gaussian stationary signal without lines narrower than
    `half_width`.
    """
    given, plain = channels("measures.power_spectrum", signal, sampling_rate)
    method = method or Welch()
    plan = segments(method, given.values.shape[1] - method.differences, given.sampling_rate)
    power = _power(given.values, plan, given.sampling_rate, method)
    found = _labelled(power, ("channel",), given, (method, plan), confidence)
    return found.isel(channel=0, drop=True) if plain else found


def spectrogram(
    signal: Signals | ArrayLike,
    *,
    sampling_rate: float | None = None,
    length: float = 10 * second,
    step: float = 5 * second,
    method: Welch | Multitaper | None = None,
    confidence: float = 0.95,
) -> "xr.DataArray":
    """Power spectra of windows of `length` [s] that begin every `step` [s], dims (channel, time, frequency).

    `time` [s] is the middle of a window; windows with less than `length` of data are left out. The spectrum of a window
    is that of `power_spectrum`, so that `aperiodic` and `band_power` of a spectrogram are functions of time. Windows
    that overlap are not independent.
    """
    given, plain = channels("measures.spectrogram", signal, sampling_rate)
    method, fs = method or Welch(), given.sampling_rate
    size, hop = (round(check(f"measures.spectrogram.{name}", x, q) * fs) for name, x, q in
                 (("length", length, _LENGTH), ("step", step, _STEP)))  # fmt: skip
    samples = given.values.shape[1]
    if hop < 1 or size > samples:
        raise ValueError(
            f"measures.spectrogram: length must be no longer than the signal and step at least one sample, got "
            f"length={length:g} s and step={step:g} s for {samples} samples at {fs:g} Hz."
        )
    plan = segments(method, size - method.differences, fs)
    starts = np.arange(0, samples - size + 1, hop)
    power = np.stack([_power(given.values[:, s : s + size], plan, fs, method) for s in starts], axis=1)
    found = _labelled(power, ("channel", "time"), given, (method, plan), confidence)
    found = found.assign_coords(time=("time", given.t_start + (starts + size / 2) / fs, {"units": "s"}))
    return found.isel(channel=0, drop=True) if plain else found


def averaged(spectrum: "xr.DataArray", dim: str = "channel", *, confidence: float = 0.95) -> "xr.DataArray":
    """Mean spectrum over independent signals along `dim`, with the sum of their degrees of freedom.

    Where `dof` goes along `dim`, as of stretches of different length, each signal weighs as its degrees of freedom.
    Neighbouring electrodes are not independent: the interval of their mean is too narrow.
    """
    if dim not in getattr(spectrum, "dims", ()) or dim == "frequency" or "dof" not in spectrum.coords:
        raise TypeError(
            f"measures.averaged: spectrum must come from eq.measures.power_spectrum and have the dimension {dim!r} "
            f"beside frequency, got {getattr(spectrum, 'dims', type(spectrum).__name__)}."
        )
    values = np.moveaxis(spectrum.values, spectrum.dims.index(dim), -2)
    weights = np.broadcast_to(spectrum["dof"].transpose(..., "frequency").values, values.shape[-2:])
    dof = weights.sum(axis=0)
    below, above = _factors(dof, confidence)
    mean = spectrum.isel({dim: 0}, drop=True).copy(data=(values * weights).sum(axis=-2) / dof)
    coords: dict = {"low": (mean.dims, mean.values * below), "high": (mean.dims, mean.values * above)}
    coords |= {"dof": ("frequency", dof)}
    if "bin_correlation" in spectrum.coords:
        coords["bin_correlation"] = float(spectrum["bin_correlation"].mean())
    return mean.assign_coords(coords).assign_attrs(confidence=confidence)


def _power(values: Array, plan: Segments, fs: float, method: Welch | Multitaper) -> Array:
    """Densities (channels, frequencies), some channels and segments at a time."""
    if method.differences:
        values = np.diff(values, axis=1)
    views = np.lib.stride_tricks.sliding_window_view(values, plan.n, axis=1)[:, :: plan.step]
    trend = _trend(plan.n, method.detrend)
    total = np.zeros((len(values), plan.n // 2 + 1))
    some = max(1, BLOCK // plan.n)
    for row, view in zip(total, views, strict=True):
        for start in range(0, len(view), some):
            row += _summed(view[start : start + some], plan.tapers, trend)
    total *= 2.0 / (fs * len(plan.tapers) * plan.count)
    total[:, 0] /= 2.0
    if plan.n % 2 == 0:
        total[:, -1] /= 2.0
    # What is left of a constant channel is the rounding of its mean, and no power.
    rounding = ROUNDING * np.finfo(np.float64).eps * np.abs(values).max(axis=1)
    total[total.sum(axis=1) * fs / plan.n <= rounding**2] = 0.0
    if method.differences:
        total[:, 1:] /= 4.0 * np.sin(np.pi * np.arange(1, total.shape[1]) / plan.n) ** 2
    return total


def _summed(view: Array, tapers: Array, trend: Array) -> Array:
    """Sum over segments and tapers of |FFT(taper (x - trend))|^2."""
    from scipy.fft import rfft

    x = view - (view @ trend.T) @ trend
    total = 0.0
    for taper in tapers:
        z = np.asarray(rfft(x * taper, axis=1, overwrite_x=True))
        flat = z.view(np.float64).reshape(len(z), -1, 2)
        total = total + np.einsum("sfc,sfc->f", flat, flat)
    return np.asarray(total)


def _trend(n: int, kind: str) -> Array:
    """Orthonormal rows (0 to 2, n) whose part of a segment is taken out."""
    if kind == "none":
        return np.zeros((0, n))
    t = np.arange(n) - 0.5 * (n - 1)
    rows = [np.full(n, n**-0.5), t / np.sqrt((t * t).sum())]
    return np.array(rows[: 1 if kind == "mean" else 2])


def _labelled(
    power: Array, dims: tuple[str, ...], given: Signals, how: tuple[Welch | Multitaper, Segments], confidence: float
) -> "xr.DataArray":
    import xarray as xr

    method, plan = how
    f = np.arange(power.shape[-1]) * given.sampling_rate / plan.n
    dof = np.full(f.size, 2.0 / plan.variance)
    dof[0] /= 2.0
    if plan.n % 2 == 0:
        dof[-1] /= 2.0
    below, above = _factors(dof, confidence)
    everything = (*dims, "frequency")
    coords: dict = {"channel": list(given.names), "frequency": ("frequency", f, {"units": "Hz"})}
    coords |= {"low": (everything, power * below), "high": (everything, power * above), "dof": ("frequency", dof)}
    coords |= {"bin_correlation": plan.correlation, "half_width": method.half_width}
    attrs = {"long_name": "power spectral density", "units": f"{given.unit or 'unit'}^2/Hz", "segments": plan.count}
    attrs |= {"method": repr(method), "confidence": confidence}
    return xr.DataArray(power, dims=everything, coords=coords, name="power", attrs=attrs)


def _factors(dof: Array, confidence: float) -> tuple[Array, Array]:
    """Ends of the interval of an ordinate over its estimate: dof over quantiles of chi-square."""
    from scipy.special import gammaincinv, ndtr

    tail = ndtr(-level(confidence))
    return tuple(0.5 * dof / gammaincinv(0.5 * dof, p) for p in (1.0 - tail, tail))  # type: ignore[return-value]
