"""The aperiodic part of power spectra: exponent, offset and knee, each with its interval."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.measures.estimates import level
from equipoise.measures.rolloff import roll_off
from equipoise.measures.shapes import Bent, Line, Shape
from equipoise.measures.whittle import FEWEST, Band, band_of, bend_of, fitted, judged, r_squared, told
from equipoise.quantities import Array, finite
from equipoise.results import Status
from equipoise.units import Hz

if TYPE_CHECKING:
    import xarray as xr


def aperiodic(
    spectrum: "xr.DataArray",
    *,
    low: float = 30 * Hz,
    high: float = 50 * Hz,
    knee: bool = False,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Aperiodic exponent of power spectra from `low` to `high` [Hz], by Whittle's likelihood beside peaks.

    S = 10^offset/f^exponent, or 10^offset/(f_k^exponent + f^exponent) with a knee at f_k [Hz], `knee`, which is a time
    constant of 1/(2 pi f_k). `spectrum` has `frequency` as its last dimension; the result has the others: `exponent`,
    `offset` [log10 unit^2/Hz], their ends `exponent_low` and so on, `r2` (of log power over the ordinates used), `n`
    (ordinates used), `left_out` (ordinates in peaks), `roll_off` [Hz] and `status`; range and method are attrs.
    Intervals: information of the likelihood, with the correlation of neighbouring ordinates, widened by the scatter
    about the model where that is more than chance. Spectra without `dof` are taken with the scatter alone.
    Ordinates below twice `half_width` are left out. NaN with status INSUFFICIENT_DATA (fewer than 8 ordinates
    beside peaks, or no power), OUT_OF_BAND (the range reaches beyond `roll_off`), INFEASIBLE (no knee in the range: fit
    without) or NOT_CONVERGED. The default range is that of Gao, Peterson & Voytek 2017, NeuroImage 158:70.
    Without `knee` there is `bend` too, how much steeper the upper end is than the lower one; where it is above 0.5
    beyond chance (a knee, a filter, a floor of noise) the status is APPROXIMATE, as no one exponent is.
    Caveat: an interval is about the range; with another range the exponent is another.
    """
    band, limits = band_of("measures.aperiodic", spectrum, low, high), roll_off(spectrum)
    status = statuses(band, limits.values)
    columns = _columns(band, status, Bent() if knee else Line(), level(confidence))
    attrs = {"low": band.low, "high": band.high, "confidence": confidence}
    attrs |= {"method": "Whittle likelihood beside peaks" + (", with a knee" if knee else "")}
    return result(columns, status, limits, attrs)


def _columns(band: Band, status: NDArray, shape: Shape, z: float) -> dict[str, NDArray]:
    """Columns of the result; `status` of spectra that fail is set."""
    columns, rows = blank(shape.names, len(status)), np.flatnonzero(status == Status.OK.name)
    if isinstance(shape, Line):
        columns["bend"] = np.full(len(status), np.nan)
    if rows.size == 0:
        return columns
    here = replace(band, power=band.power[rows])
    found = fitted(shape, here)
    status[rows] = judged(found, here)
    good = status[rows] == Status.OK.name
    for name, column in (three(shape.names, *told(found, here), z) | {"r2": r_squared(found, here)}).items():
        columns[name][rows[good]] = column[good]
    if isinstance(shape, Line):
        bend, bent = bend_of(here)
        columns["bend"][rows[good]] = bend[good]
        status[rows[good & bent]] = Status.APPROXIMATE.name
    columns["n"][rows], columns["left_out"][rows] = found.kept.sum(axis=1), (~found.kept).sum(axis=1)
    return columns


def aperiodic_power(line: "xr.Dataset", frequency: ArrayLike) -> "xr.DataArray":
    """Power [unit^2/Hz] of the aperiodic part found by `aperiodic` at `frequency` [Hz], as the last dimension."""
    import xarray as xr

    f = finite("measures.aperiodic_power", "frequency", frequency, low=0.0, open_low=True).ravel()
    along = xr.DataArray(f, dims="frequency", coords={"frequency": ("frequency", f, {"units": "Hz"})})
    bend = line["knee"] ** line["exponent"] if "knee" in line else 0.0
    return (10.0 ** line["offset"] / (bend + along ** line["exponent"])).transpose(..., "frequency").rename("power")


# --- what fits of other makes share -----------------------------------------------------------------------------------
def statuses(band: Band, limits: Array) -> NDArray:
    """Status of each spectrum before a fit, given where each rolls off."""
    status = np.full(len(band.power), Status.OK.name, dtype=object)
    status[limits.ravel() < band.high] = Status.OUT_OF_BAND.name
    status[(band.power <= 0.0).any(axis=1) | (band.f.size < FEWEST)] = Status.INSUFFICIENT_DATA.name
    return status


def blank(names: tuple[str, ...], spectra: int) -> dict[str, NDArray]:
    """Columns of a result without values."""
    columns = {f"{name}{end}": np.full(spectra, np.nan) for name in names for end in ("", "_low", "_high")}
    return columns | {"r2": np.full(spectra, np.nan)} | {k: np.zeros(spectra, np.int64) for k in ("n", "left_out")}


def three(names: tuple[str, ...], values: Array, errors: Array, z: float) -> dict[str, Array]:
    """Values and ends of their intervals by name, from (..., names); knees come as log Hz."""
    out = {}
    for i, name in enumerate(names):
        for end, shift in (("", 0.0), ("_low", -z), ("_high", z)):
            at = values[..., i] + shift * errors[..., i]
            out[name + end] = np.exp(np.minimum(at, 50.0)) if name == "knee" else at
    return out


def result(columns: dict[str, NDArray], status: NDArray, limits: "xr.DataArray", attrs: dict) -> "xr.Dataset":
    """The columns as a Dataset over the dims of the spectra."""
    import xarray as xr

    variables: dict = {name: (limits.dims, np.reshape(column, limits.shape)) for name, column in columns.items()}
    variables |= {"roll_off": limits.variable, "status": (limits.dims, status.astype(str).reshape(limits.shape))}
    return xr.Dataset(variables, coords=limits.coords, attrs=attrs)
