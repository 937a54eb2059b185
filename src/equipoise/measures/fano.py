"""Variability of spike counts: Fano and Allan factors by counting window, over the whole record and in stretches of it.

    Fano   F = Var(N)/<N>
    Allan  A = <(N_i+1 - N_i)^2>/(2 <N>), of neighbouring windows

of counts N in windows of one width, side by side. Both are 1 for a Poisson train. For a stationary renewal process F
tends to C_v^2 in long windows and to 1 in short ones (Cox & Lewis 1966). A drift of the rate raises F without end as
windows grow; A compares neighbours and leaves it out, and so does F within short stretches, `local_fano`.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import _core
from equipoise.measures.estimates import judged, level, positive_interval
from equipoise.measures.trains import GroupedTrains, Trains, few_bins, group
from equipoise.quantities import Array, Quantity, check, finite
from equipoise.units import hour, ms

if TYPE_CHECKING:
    import xarray as xr

AT_ONCE = 8_000_000
"""Counts that are held at one time."""
MIN_SPIKES, MIN_WINDOWS = 10, 20
"""Spikes and windows that a factor needs."""
ROWS = {"mean": "mean count", "fano": "Fano factor of counts", "allan": "Allan factor of counts"}
_WINDOW = Quantity("counting window", unit="ms", low=0.0, high=24 * hour, open_low=True)
_STRETCH = Quantity("stretch of the record", unit="second", low=0.0, open_low=True)


def fano(trains: Trains, *, window: ArrayLike, confidence: float = 0.95) -> "xr.DataArray":
    """Fano factor Var(N)/<N> of each unit, dims (window, unit), or (unit,) for one `window` [s].

    The variance is the unbiased one. Coordinates: `low`, `high`, by the delta method on the logarithm with the long-run
    variance (as `cv`); `null_low`, `null_high`, where a Poisson unit would lie, (n - 1) F ~ chi^2 with n - 1 degrees of
    freedom (Fisher's index of dispersion); `mean_count`; `n`, windows; `status`. Fewer than 20 windows
    or 10 spikes in them are NaN and INSUFFICIENT_DATA.
    """
    return _factors("fano", trains, window, confidence)


def allan(trains: Trains, *, window: ArrayLike, confidence: float = 0.95) -> "xr.DataArray":
    """Allan factor <(N_i+1 - N_i)^2>/(2 <N>), as `fano` in all else (Lowen & Teich 1996, J. Acoust. Soc. Am. 99:3585).

    The range of a Poisson unit is the normal one of variance (3 n - 4)/(n - 1)^2.
    """
    return _factors("allan", trains, window, confidence)


def local_fano(trains: Trains, *, window: float, stretch: float, confidence: float = 0.95) -> "xr.DataArray":
    """Fano factor in each stretch of the record, dims (unit, time), as `fano` in all else.

    Counts in windows of `window` [s], variance and mean within each `stretch` [s]; a rest at the end is left out, and
    `time` [s] is the middle of a stretch. A stretch with fewer than 10 spikes is NaN and INSUFFICIENT_DATA.
    """
    grouped, z = group(trains), level(confidence)
    width = check("measures.local_fano.window", window, _WINDOW)
    long = check("measures.local_fano.stretch", stretch, _STRETCH)
    per = int(long / width * (1.0 + 1e-12))
    if per < MIN_WINDOWS or long > grouped.duration * (1.0 + 1e-12):
        raise ValueError(
            f"measures.local_fano: stretch must hold {MIN_WINDOWS} windows of {width / ms:g} ms and fit into "
            f"{grouped.duration:g} s, got {long:g} s."
        )
    values, variances = _statistics(grouped, width, per)
    middles = grouped.t_start + (np.arange(values.shape[-1]) + 0.5) * per * width
    found = _labelled("fano", values, variances, per, z)
    return _array("fano", found, {"unit": grouped.names, "time": middles}, ("unit", "time"))


def counted(grouped: GroupedTrains, width: float, units: slice = slice(None)) -> Array:
    """Spikes of each unit, or of a stretch of them, in windows of `width` [s] (unit, window); a rest is left out."""
    first, last, _ = units.indices(grouped.n_spikes.size)
    bins = few_bins("measures", grouped.duration, width, last - first)
    counts = np.empty((last - first) * bins)
    if bins:
        _core.bin_counts(grouped.times, grouped.offsets[first : last + 1], grouped.t_start, width, counts)
    return counts.reshape(last - first, bins)


def windows_in(grouped: GroupedTrains, width: float) -> int:
    """Whole windows of `width` [s] in the record."""
    return int(grouped.duration / width * (1.0 + 1e-12))


def _factors(name: str, trains: Trains, window: ArrayLike, confidence: float) -> "xr.DataArray":
    grouped, z = group(trains), level(confidence)
    widths = finite(f"measures.{name}", "window", window)
    if widths.ndim > 1 or widths.size == 0:
        raise ValueError(f"measures.{name}: window must be a number or a list of them, got shape {widths.shape}.")
    rows = [_of_width(name, grouped, check(f"measures.{name}.window", w, _WINDOW), z) for w in widths.ravel()]
    found = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    if widths.ndim == 0:
        return _array(name, {key: value[0] for key, value in found.items()}, {"unit": grouped.names}, ("unit",))
    return _array(name, found, {"window": widths, "unit": grouped.names}, ("window", "unit"))


def _of_width(name: str, grouped: GroupedTrains, width: float, z: float) -> dict[str, Array]:
    """A factor of each unit in windows of one width."""
    n = windows_in(grouped, width)
    if n >= 2:
        values, variances = (x[..., 0] for x in _statistics(grouped, width, n))
    else:
        values = variances = np.full((len(ROWS), grouped.n_spikes.size), np.nan)
    return _labelled(name, values, variances, n, z)


def _statistics(grouped: GroupedTrains, width: float, per: int) -> tuple[Array, Array]:
    """Values and variances (3, unit, stretch) in stretches of `per` windows, some units at a time."""
    units, n = grouped.n_spikes.size, windows_in(grouped, width)
    found = np.empty((2, len(ROWS), units, n // per))
    at_once = max(1, AT_ONCE // n)
    for first in range(0, units, at_once):
        counts = counted(grouped, width, slice(first, first + at_once))
        shape = (len(ROWS), len(counts), n // per)
        values, variances = np.empty(np.prod(shape)), np.empty(np.prod(shape))
        _core.count_statistics(counts.ravel(), n, per, values, variances)
        found[0, :, first : first + at_once] = values.reshape(shape)
        found[1, :, first : first + at_once] = variances.reshape(shape)
    return found[0], found[1]


def _labelled(name: str, values: Array, variances: Array, n: int, z: float) -> dict[str, Array]:
    """Value, interval, range of a Poisson unit, number of windows and status, all of one shape."""
    row = list(ROWS).index(name)
    value = values[row]
    known = np.isfinite(value) & (n >= MIN_WINDOWS) & (values[0] * n > MIN_SPIKES - 0.5)
    ends = positive_interval(value, np.sqrt(variances[row]), z)
    null = _chi2_range(n, z) if name == "fano" else _allan_range(n, z)
    columns = dict(zip(("value", "low", "high"), ends, strict=True))
    columns |= {"null_low": np.full(value.shape, null[0]), "null_high": np.full(value.shape, null[1])}
    found = {key: np.where(known, column, np.nan) for key, column in columns.items()}
    return found | {
        "mean_count": values[0],
        "n": np.full(value.shape, n),
        "status": judged(known),
    }


def _chi2_range(n: int, z: float) -> tuple[float, float]:
    """Central range of chi^2/(n - 1) with n - 1 degrees of freedom."""
    from scipy.special import gammaincinv, ndtr

    half = 0.5 * max(n - 1, 1)
    return float(gammaincinv(half, ndtr(-z)) / half), float(gammaincinv(half, ndtr(z)) / half)


def _allan_range(n: int, z: float) -> tuple[float, float]:
    """1 +- z sd: of n independent normal counts, 3 n - 4 over (n - 1)^2 is the variance of the mean squared step."""
    sd = np.sqrt(max(3.0 * n - 4.0, 0.0)) / max(n - 1, 1)
    return float(1.0 - z * sd), float(1.0 + z * sd)


def _array(name: str, found: dict[str, Array], axes: dict, dims: tuple[str, ...]) -> "xr.DataArray":
    import xarray as xr

    units = {"window": {"units": "s"}, "time": {"units": "s"}}
    coords = {dim: (dim, values, units.get(dim, {})) for dim, values in axes.items()}
    coords |= {key: (dims, value) for key, value in found.items() if key != "value"}
    attrs = {"long_name": ROWS[name], "units": "1"}
    return xr.DataArray(found["value"], dims=dims, coords=coords, name=name, attrs=attrs)
