"""Numbers with their intervals, as measures return them."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array, Quantity, check
from equipoise.results import Status

if TYPE_CHECKING:
    import xarray as xr

CONFIDENCE = Quantity("confidence level of the interval", low=0.5, high=0.9999)


def level(confidence: float) -> float:
    """How many standard errors the interval reaches to either side."""
    return NormalDist().inv_cdf(0.5 + 0.5 * check("measures.confidence", confidence, CONFIDENCE))


def estimate(name: str, meaning: str, found: tuple[float, float], n: int, z: float) -> "xr.DataArray":
    """A value and its standard error as an estimate with `low`, `high`, `n` and `status`; NaN is INSUFFICIENT_DATA."""
    import xarray as xr

    value, error = found
    status = Status.OK if np.isfinite(value) else Status.INSUFFICIENT_DATA
    coords = {"low": value - z * error, "high": value + z * error, "n": n, "status": status.name}
    return xr.DataArray(value, coords=coords, name=name, attrs={"long_name": meaning, "units": "1"})


def positive_interval(value: Array, error: Array, z: float) -> tuple[Array, Array, Array]:
    """Positive estimates and the ends of their intervals, symmetric in the logarithm."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        factor = np.where(value > 0, np.exp(z * error / value), 1.0)
        return value, value / factor, value * factor


def judged(known: NDArray[np.bool_]) -> NDArray[np.str_]:
    """The name of a status for each estimate: OK where it is known, else INSUFFICIENT_DATA."""
    return np.where(known, Status.OK.name, Status.INSUFFICIENT_DATA.name)
