"""A single number with its interval, as a measure returns it."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from equipoise.quantities import Quantity, check
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
