"""What a measure of single units says of all of them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.measures.bootstrap import FEWEST, beyond
from equipoise.measures.estimates import CONFIDENCE, judged
from equipoise.quantities import check, seed_sequence, suggest, whole

if TYPE_CHECKING:
    import xarray as xr

STATISTICS = {"median": np.median, "mean": np.mean}


def pooled(
    found: "xr.DataArray",
    *,
    seed: int | np.random.SeedSequence,
    statistic: str = "median",
    samples: int = 1000,
    confidence: float = 0.95,
) -> "xr.DataArray":
    """The median over units (or the mean) of a measure, with the interval of a bootstrap over units.

    `found` has a dim `unit`, its other dims stay. Units without a value do not enter; `n` says how many do. With fewer
    than five the result is NaN and INSUFFICIENT_DATA. The interval is about units like these; errors within a unit are
    in it only as far as they spread the values. For one type select first: found[types == "E"].
    """
    import xarray as xr

    if not isinstance(found, xr.DataArray) or "unit" not in found.dims or found.dtype.kind not in "biuf":
        got = f"{found.dtype} over {found.dims}" if isinstance(found, xr.DataArray) else type(found).__name__
        raise TypeError(f"measures.pooled: found must be a DataArray of numbers over unit, got {got}.")
    if statistic not in STATISTICS:
        raise ValueError(
            f"measures.pooled: statistic must be known, got {statistic!r}.{suggest(statistic, STATISTICS)}"
        )
    samples = whole("measures.pooled: samples", samples, low=100)
    confidence = check("measures.confidence", confidence, CONFIDENCE)
    rng = np.random.default_rng(seed_sequence(seed))
    columns = found.transpose("unit", ...)
    flat = columns.values.reshape(columns.sizes["unit"], -1)
    known = [column[np.isfinite(column)] for column in flat.T]
    rows = np.array([_one(values, STATISTICS[statistic], samples, confidence, rng) for values in known])
    rows = rows.reshape(*columns.shape[1:], 4)
    dims = columns.dims[1:]
    status = judged(np.isfinite(rows[..., 0]))
    coords: dict[Any, Any] = {dim: found[dim] for dim in dims if dim in found.coords}
    coords |= {"low": (dims, rows[..., 1]), "high": (dims, rows[..., 2]), "n": (dims, rows[..., 3].astype(np.int64))}
    attrs = found.attrs | {"statistic": statistic}
    return xr.DataArray(
        rows[..., 0], dims=dims, coords=coords | {"status": (dims, status)}, name=found.name, attrs=attrs
    )


def _one(
    values: np.ndarray, statistic: Any, samples: int, confidence: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Value, low and high end, and number of units."""
    if values.size < FEWEST:
        return np.nan, np.nan, np.nan, values.size
    draws = statistic(values[rng.integers(0, values.size, (samples, values.size))], axis=1)
    tail = beyond(values.size, confidence)
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return float(statistic(values)), float(low), float(high), values.size
