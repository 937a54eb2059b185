"""Putative excitatory and inhibitory units from the width of their spikes.

In cortex and hippocampus of rodents extracellular spikes are narrow in fast-spiking interneurons and broad in pyramidal
cells and in some other interneurons (Bartho et al. 2004, J. Neurophysiol. 92:600). The type is therefore "putative":
broad does not prove excitatory. Elsewhere (striatum, cerebellum, primate motor cortex) the rule fails.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.quantities import Array, Quantity, check, finite
from equipoise.results import Recording, Status
from equipoise.units import ms

if TYPE_CHECKING:
    import xarray as xr

FEWEST = 20
"""Units with a width that a mixture of two needs."""
STEPS = 500
_CERTAINTY = Quantity("posterior that a type needs", low=0.5, high=0.999999)


def cell_types(
    recording: Recording, *, trough_to_peak: ArrayLike | None = None, certainty: float = 0.9
) -> "xr.Dataset":
    """Type of each unit, "E", "I" or "" for unclassified, dims (unit,), and how it is known.

    Types that the recording's labels give come first (`source` "label"). For the others `trough_to_peak` [s] (unit,),
    NaN where there is none, is described by a mixture of two normal laws, narrow and broad, of all units; `inhibitory`
    is the posterior of the narrow one, and the type is given where either is at least `certainty` (`source`
    "waveform"). attrs: mean and sd [s] of both and the share of the narrow one, and `delta_bic`, the BIC of one normal
    law less that of two.

    `status`: OK where a type is known; INSUFFICIENT_DATA where there is neither label nor width, or fewer than 20
    widths; INFEASIBLE where the widths are no two groups (delta_bic below 10, or narrow not below broad by a sd);
    APPROXIMATE where the posterior is between the two. `reason` says so in words.
    """
    import xarray as xr

    if not isinstance(recording, Recording):
        raise TypeError(f"measures.cell_types: recording must be a Recording, got {type(recording).__name__}.")
    certainty = check("measures.cell_types.certainty", certainty, _CERTAINTY)
    n = len(recording.unit_names)
    labels = np.array(recording.labels.get("type", ("",) * n), dtype=str)
    widths = _widths(trough_to_peak, n)
    inhibitory, attrs, verdict = _posterior(widths)
    labelled, measured = np.isin(labels, ("E", "I")), np.isfinite(inhibitory)
    guess = np.where(inhibitory >= certainty, "I", np.where(inhibitory <= 1.0 - certainty, "E", ""))
    types = np.where(labelled, labels, np.where(measured, guess, ""))
    source = np.where(labelled, "label", np.where(types != "", "waveform", ""))
    status = np.select([types != "", measured], [Status.OK.name, Status.APPROXIMATE.name], verdict[0].name)
    reason = np.select([types != "", measured], ["", "the width lies between the two groups"], verdict[1])
    unseen = ~labelled & np.isnan(widths)
    status = np.where(unseen, Status.INSUFFICIENT_DATA.name, status)
    reason = np.where(unseen, "no label and no width of the spike", reason)
    columns = {"type": types, "inhibitory": inhibitory, "source": source, "status": status, "reason": reason}
    columns |= {"trough_to_peak": widths}
    variables = {name: ("unit", column) for name, column in columns.items()}
    return xr.Dataset(variables, coords={"unit": list(recording.unit_names)}, attrs=attrs | {"certainty": certainty})


def _widths(given: ArrayLike | None, n: int) -> Array:
    """Widths [s] (n,), NaN where there is none."""
    if given is None:
        return np.full(n, np.nan)
    widths = np.asarray(given, np.float64)
    held = finite("measures.cell_types", "trough_to_peak", widths[~np.isnan(widths)], low=0.0, open_low=True)
    if widths.shape != (n,):
        raise ValueError(f"measures.cell_types: trough_to_peak must be one of each of {n} units, got {widths.shape}.")
    if held.size and np.median(held) > 5 * ms:
        raise ValueError(
            f"measures.cell_types: trough_to_peak must be in seconds, got a median of {np.median(held):g} s. Did you "
            "mean trough_to_peak * ms?"
        )
    return widths


def _posterior(widths: Array) -> tuple[Array, dict[str, float | Sequence[float]], tuple[Status, str]]:
    """P(narrow) of each unit, what was fitted, and why there is none: status and words."""
    posterior, held = np.full(widths.size, np.nan), np.isfinite(widths)
    x = widths[held]
    if x.size < FEWEST or np.ptp(x) == 0.0:
        return posterior, {}, (Status.INSUFFICIENT_DATA, f"fewer than {FEWEST} different widths")
    scale = x.std()
    mean, sd, share, two = _mixture(x / scale)
    one = _log_normal(x / scale, x.mean() / scale, 1.0).sum()
    delta = 2.0 * (two - one) - 3.0 * np.log(x.size)
    attrs = {"mean": (mean * scale).tolist(), "sd": (sd * scale).tolist(), "share": share, "delta_bic": float(delta)}
    if delta < 10.0 or mean[1] - mean[0] < sd.max():
        return posterior, attrs, (Status.INFEASIBLE, "the widths do not fall into two groups")
    # Beyond the narrow mean, or the broad one, a wider tail of the other must not take over again.
    at = np.clip(x / scale, mean[0], mean[1])
    posterior[held] = _responsibility(at, mean, sd, share)[0]
    return posterior, attrs, (Status.OK, "")


def _mixture(x: Array) -> tuple[Array, Array, float, float]:
    """Means and sds of two normal laws, lower first, share of the first, and log-likelihood, by EM.

    Sds are kept above a tenth of the sd of all, since a group of equal values would have infinite likelihood. It starts
    from three splits of the sorted values, and the best is kept.
    """
    found = [_climbed(x, split) for split in (0.15, 0.3, 0.5)]
    mean, sd, share, most = max(found, key=lambda one: one[3])
    order = np.argsort(mean)
    return mean[order], sd[order], float(share if order[0] == 0 else 1.0 - share), most


def _climbed(x: Array, split: float) -> tuple[Array, Array, float, float]:
    low = x <= np.quantile(x, split)
    weight = np.where(low, 0.95, 0.05)
    before, most = -np.inf, -np.inf
    mean, sd, share = np.zeros(2), np.ones(2), split
    for _ in range(STEPS):
        both = np.array([weight, 1.0 - weight])
        total = np.maximum(both.sum(axis=1), 1e-12)
        mean = (both @ x) / total
        spread = (both * (x - mean[:, None]) ** 2).sum(axis=1) / total
        sd, share = np.maximum(np.sqrt(spread), 0.1), float(total[0] / x.size)
        weight, most = _responsibility(x, mean, sd, share)
        if most - before < 1e-9 * abs(most):
            break
        before = most
    return mean, sd, share, most


def _responsibility(x: Array, mean: Array, sd: Array, share: float) -> tuple[NDArray[np.float64], float]:
    """P(first law) of each value, and the log-likelihood of all."""
    with np.errstate(divide="ignore"):
        logs = np.log([share, 1.0 - share])
    first, second = (logs[k] + _log_normal(x, mean[k], sd[k]) for k in (0, 1))
    both = np.logaddexp(first, second)
    return np.exp(first - both), float(both.sum())


def _log_normal(x: Array, mean: float, sd: float) -> Array:
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2.0 * np.pi)
