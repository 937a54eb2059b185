"""Excitation against inhibition from the slope of a field: a relative index between two conditions."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equipoise.measures.aperiodic import aperiodic
from equipoise.measures.estimates import level
from equipoise.results import Status
from equipoise.units import Hz

if TYPE_CHECKING:
    import xarray as xr

CROWDED = 0.2
"""Share of the range in peaks beyond which what is left is no fair part of it."""


def slope_shift(
    before: "xr.DataArray",
    after: "xr.DataArray",
    *,
    low: float = 30 * Hz,
    high: float = 50 * Hz,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """How much steeper the spectrum `after` is than that `before`: `shift` = exponent after - before, with interval.

    Gao, Peterson & Voytek 2017 (NeuroImage 158:70): inhibitory currents decay slowly, so that a larger g_I/g_E makes
    the spectrum from 30 to 50 (or 70) Hz steeper. A positive shift is *compatible with* relatively more inhibition.
    The two spectra have equal dims, as the channels of one recording in two conditions; their errors are taken as
    independent. Variables: `shift`, `shift_low`, `shift_high`, the exponents with their ends, `bend_before`,
    `bend_after` and `status`, which is NOT_COMPARABLE
    (and `shift` NaN) where a range bends by more than 0.5 beyond chance (a knee, a filter, a floor of noise), or peaks
    take more than a fifth of it, and OUT_OF_BAND where it reaches beyond a roll-off.

    Caveats. Other things move the slope as well: the time constants of synapses and membranes, a knee that moves,
    firing rates and rhythms, muscle (flatter, from 20 Hz on), reference and montage, amplifier and low-pass, the level
    of noise. In a recurrent network the slope need not follow g_I/g_E at all. It is an index of change within one
    electrode, never of g_I/g_E, and not across people or devices.
    """
    import xarray as xr

    if getattr(before, "dims", 0) != getattr(after, "dims", 1) or before.shape[:-1] != after.shape[:-1]:
        raise ValueError(
            "measures.slope_shift: before and after must have equal dims and channels, got "
            f"{getattr(before, 'sizes', type(before).__name__)} and {getattr(after, 'sizes', type(after).__name__)}."
        )
    z, lines, out = level(confidence), [], {}
    for name, spectrum in (("before", before), ("after", after)):
        line = aperiodic(spectrum, low=low, high=high, confidence=confidence)
        out |= {f"{key}_{name}": line[key] for key in ("exponent", "exponent_low", "exponent_high", "bend")}
        lines.append(line)
    status = _status(lines)
    known = status == Status.OK.name
    first, second = (line["exponent"].values for line in lines)
    error = np.hypot(*((line["exponent_high"] - line["exponent_low"]).values / (2.0 * z) for line in lines))
    shift, dims = np.where(known, second - first, np.nan), lines[0]["exponent"].dims
    out |= {"shift": (dims, shift), "status": (dims, status)}
    out |= {"shift_low": (dims, shift - z * error), "shift_high": (dims, shift + z * error)}
    return xr.Dataset(out, attrs=dict(lines[0].attrs) | {"long_name": "exponent after less before"})


def _status(lines: "list[xr.Dataset]") -> NDArray:
    """The first failure, or whether both have one slope beside few peaks."""
    first, second = (line["status"].values for line in lines)
    bad = [Status.APPROXIMATE.name, Status.OK.name]
    out = np.where(np.isin(first, bad), second, first).astype("U32")
    unfair = (first == bad[0]) | (second == bad[0])
    for line in lines:
        unfair = unfair | (line["left_out"] > CROWDED * (line["n"] + line["left_out"])).values
    return np.where(np.isin(out, bad) & unfair, Status.NOT_COMPARABLE.name, out)
