"""Spectra with peaks as specparam (Donoghue et al. 2020, Nat. Neurosci. 23:1655) takes them apart."""

from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.measures.aperiodic import blank, result, statuses, three
from equipoise.measures.estimates import level
from equipoise.measures.lines import known
from equipoise.measures.rolloff import roll_off
from equipoise.measures.shapes import LN10, Bent, Line, information_of
from equipoise.measures.whittle import Band, band_of
from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.units import Hz

if TYPE_CHECKING:
    import xarray as xr


def aperiodic_specparam(
    spectrum: "xr.DataArray",
    *,
    low: float = 2 * Hz,
    high: float = 40 * Hz,
    knee: bool = False,
    confidence: float = 0.95,
    **settings: Any,
) -> "xr.Dataset":
    """Aperiodic exponent by specparam 2, which fits peaks with Gaussians; variables as of `aperiodic`.

    For spectra whose peaks fill so much of the range that little is left beside them. `settings` go to
    `specparam.SpectralModel` (peak_width_limits, max_n_peaks, min_peak_height, peak_threshold); here max_n_peaks is 6
    and peaks are at least `half_width` wide, where specparam's own defaults take the noise of a long range for peaks.
    `r2` is of the whole
    model, peaks included; `n` counts all ordinates. specparam has no errors: the interval is that of least squares on
    log power with the peaks held, by the residuals and the correlation of neighbours, and is too narrow where peaks
    and line trade places. Raises ImportError without the extra `equipoise[spectral]`.
    """
    try:
        import specparam
    except ImportError:
        raise ImportError(
            'measures.aperiodic_specparam needs specparam 2: pip install "equipoise[spectral]". '
            "eq.measures.aperiodic does without."
        ) from None
    band = band_of("measures.aperiodic_specparam", spectrum, low, high)
    limits = roll_off(spectrum)
    status = statuses(band, limits.values)
    columns = blank((Bent if knee else Line).names, len(status))
    widest = max(12.0, 4.0 * known(spectrum, "half_width", 0.5))
    settings = {"max_n_peaks": 6, "peak_width_limits": (known(spectrum, "half_width", 0.5), widest)} | settings
    for row in np.flatnonzero(status == Status.OK.name):
        model = specparam.SpectralModel(aperiodic_mode="knee" if knee else "fixed", verbose=False, **settings)
        model.fit(band.f, band.power[row])
        one = _row(model, band, band.power[row], level(confidence))
        status[row] = (Status.OK if one else Status.NOT_CONVERGED).name
        for name, value in one.items():
            columns[name][row] = value
    attrs = {"low": band.low, "high": band.high, "confidence": confidence}
    attrs |= {"method": f"specparam {specparam.__version__}" + (", with a knee" if knee else "")}
    return result(columns, status, limits, attrs)


def _row(model: Any, band: Band, power: Array, z: float) -> dict[str, Any]:
    """Columns of one spectrum; none where the fit failed."""
    found = np.asarray(model.get_params("aperiodic"), np.float64)
    if not np.isfinite(found).all() or (found.size == 3 and found[1] <= 0.0):
        return {}
    x, y, peaks = np.log(band.f), np.log(power), np.atleast_2d(model.get_params("periodic"))
    if found.size == 3:
        offset, bend, b = found
        shape, parameters = Bent(), np.array([[(offset - np.log10(bend)) * LN10, b, np.log(bend) / b]])
    else:
        shape, parameters = Line(), np.array([[-found[1], found[0] * LN10]])
    full = shape.log(x, parameters)[0][0] + LN10 * _gaussians(band.f, peaks)
    rest = y - full
    rest -= rest.mean()
    information = information_of(shape, x, np.ones((1, x.size), bool), parameters)[0]
    free = max(1, x.size - parameters.size)
    covariance = np.linalg.pinv(information) * band.correlation * (rest @ rest) / free
    values, gradients = (part[0] for part in shape.told(parameters))
    out = {"r2": 1.0 - float(rest @ rest) / float(((y - y.mean()) ** 2).sum()), "n": x.size}
    errors = np.sqrt(np.einsum("ip,pq,iq->i", gradients, covariance, gradients))
    return out | three(shape.names, values, errors, z)


def _gaussians(f: Array, peaks: Array) -> Array:
    """Sum of peaks (number, 3) of centre, height [log10] and bandwidth, which specparam gives as twice sigma."""
    peaks = peaks[np.isfinite(peaks).all(axis=1)]
    centre, height, width = (peaks[:, i, None] for i in range(3))
    return (height * np.exp(-((f - centre) ** 2) / (2.0 * (0.5 * width) ** 2))).sum(axis=0)
