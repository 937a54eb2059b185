"""Power spectra, their aperiodic slope, and the rhythms above it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array, Quantity, check, finite
from equipoise.results import Status
from equipoise.units import Hz, second

if TYPE_CHECKING:
    import xarray as xr

POINTS = 60
"""Places on the logarithmic axis of frequency at which the line is fitted."""
FEWEST = 10

_DT = Quantity("time between samples", unit="ms", low=0.0, high=1 * second, open_low=True)
_WINDOW = Quantity("length of a segment", unit="second", low=0.0, open_low=True)
_FREQUENCY = Quantity("end of the range", unit="Hz", low=0.0, open_low=True)
_FACTOR = Quantity("power over the aperiodic line", low=1.0, open_low=True)


@dataclass(frozen=True)
class Aperiodic:
    """The line log10 power = offset - exponent log10(f/Hz) over `low` to `high` [Hz].

    `exponent_low` and `exponent_high`: its 95 % interval, which takes the residuals as independent. `r2` is of the
    `points` at which it was fitted. All NaN with status INSUFFICIENT_DATA.
    """

    exponent: float
    exponent_low: float
    exponent_high: float
    offset: float
    r2: float
    low: float
    high: float
    points: int
    method: str
    status: Status

    def at(self, frequency: ArrayLike) -> Array:
        """Power of the line at `frequency` [Hz]."""
        f = finite("Aperiodic.at", "frequency", frequency, low=0.0, open_low=True)
        return 10.0**self.offset * f**-self.exponent

    def __str__(self) -> str:
        return (
            f"f^-{self.exponent:.3f} [{self.exponent_low:.3f}, {self.exponent_high:.3f}] over {self.low:g} to "
            f"{self.high:g} Hz, R2 {self.r2:.3f} ({self.method}, {self.points} points; {self.status.name})"
        )


@dataclass(frozen=True)
class Rhythm:
    """A peak above the aperiodic line: its `frequency` [Hz], and its power over that of the line, `factor`."""

    frequency: float
    factor: float


def power_spectrum(signal: ArrayLike, *, dt: float, window: float = 1 * second) -> "xr.DataArray":
    """One-sided power spectral density [unit^2/Hz] of a signal (time,) by Welch's method, dims (frequency,).

    Hann segments of `window` [s] that overlap by half, without their mean; their number is in attrs. The resolution is
    1.5/window.
    """
    import xarray as xr
    from scipy.signal import welch

    y = finite("measures.power_spectrum", "signal", signal)
    dt = check("measures.power_spectrum.dt", dt, _DT)
    n = round(check("measures.power_spectrum.window", window, _WINDOW) / dt)
    if y.ndim != 1 or not 8 <= n <= y.size:
        raise ValueError(
            f"measures.power_spectrum: signal must be 1-D and at least as long as window={window:g} s of 8 samples or "
            f"more, got shape {y.shape} every {dt:g} s."
        )
    f, power = welch(y, fs=1.0 / dt, nperseg=n)
    coords = {"frequency": ("frequency", f, {"units": "Hz"})}
    attrs = {"segments": 1 + 2 * (y.size - n) // n, "window": n * dt}
    return xr.DataArray(power, dims="frequency", coords=coords, name="power", attrs=attrs)


def aperiodic(spectrum: "xr.DataArray", *, low: float = 30 * Hz, high: float = 50 * Hz) -> Aperiodic:
    """The aperiodic slope of a power spectrum (frequency,) from `low` to `high` [Hz], by a robust line.

    The median of the slopes of all pairs of points (Theil 1950, Sen 1968) of log power over log frequency, taken at
    evenly spaced log f, so that the many high frequencies do not decide; up to 29 % of the points may belong to peaks.
    The default range is that of Gao, Peterson & Voytek 2017, NeuroImage 158:70. Caveat: a spectrum with a knee in the
    range has no one exponent; compare ranges, and read `r2`.
    """
    low, high = (check(f"measures.aperiodic.{n}", x, _FREQUENCY) for n, x in (("low", low), ("high", high)))
    if not low < high:
        raise ValueError(f"measures.aperiodic: high must be above low={low:g} Hz, got {high:g} Hz.")
    x, y = _evened(*_inside(spectrum, low, high))
    slope, intercept, lowest, highest, r2 = _line(x, y) if x.size >= FEWEST else (np.nan,) * 5
    return Aperiodic(
        exponent=-slope, exponent_low=-highest, exponent_high=-lowest, offset=intercept, r2=r2, low=low, high=high,
        points=x.size, method="Theil-Sen", status=Status.OK if x.size >= FEWEST else Status.INSUFFICIENT_DATA,
    )  # fmt: skip


def _line(x: Array, y: Array) -> tuple[float, ...]:
    """Slope, intercept, ends of the interval of the slope, and R^2."""
    from scipy.stats import theilslopes

    slope, intercept, low, high = np.asarray(theilslopes(y, x), np.float64).tolist()
    spread = float(((y - y.mean()) ** 2).sum())
    rest = float(((y - intercept - slope * x) ** 2).sum())
    return slope, intercept, low, high, 1.0 - rest / spread if spread > 0.0 else 0.0


def rhythms(spectrum: "xr.DataArray", line: Aperiodic, *, factor: float = 2.0) -> tuple[Rhythm, ...]:
    """Peaks of a power spectrum more than `factor` times above the aperiodic line, within its range, highest first.

    Caveat: a Welch estimate of n segments scatters by 1/sqrt(n), so that few segments have peaks by chance.
    """
    from scipy.signal import find_peaks

    least = check("measures.rhythms.factor", factor, _FACTOR)
    if line.status is not Status.OK:
        return ()
    f, power = _inside(spectrum, line.low, line.high)
    ratio = power / line.at(f)
    places, _ = find_peaks(ratio, height=least)
    found = [Rhythm(float(f[i]), float(ratio[i])) for i in places]
    return tuple(sorted(found, key=lambda one: -one.factor))


def _inside(spectrum: "xr.DataArray", low: float, high: float) -> tuple[Array, Array]:
    """Frequency and power of the range, without what has no logarithm."""
    if tuple(getattr(spectrum, "dims", ())) != ("frequency",):
        raise TypeError(
            f"measures: spectrum must be a DataArray over frequency, as eq.measures.power_spectrum returns, got "
            f"{type(spectrum).__name__}."
        )
    f, power = spectrum["frequency"].values, spectrum.values
    here = (f >= low) & (f <= high) & (power > 0.0)
    return f[here], power[here]


def _evened(f: Array, power: Array) -> tuple[Array, Array]:
    """Means of log10 f and log10 power in bins of equal width in log f."""
    if f.size == 0:
        return f, power
    x, y = np.log10(f), np.log10(power)
    edges = np.linspace(x[0], x[-1], POINTS + 1)
    which = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, POINTS - 1)
    n = np.bincount(which, minlength=POINTS)
    full = n > 0
    return tuple(np.bincount(which, z, POINTS)[full] / n[full] for z in (x, y))  # type: ignore[return-value]
