"""How well inhibition cancels excitation: on average, from moment to moment, and from channel to channel.

With E and I the excitatory and inhibitory currents of one neuron, I negative:

    index     (<E> + <I>)/<E>, the part of the mean excitation that is not cancelled: 0 is global balance
    tracking  the correlation of E and -I over time: 1 is tight balance
    cotuning  the correlation of E and -I over channels of input: 1 is detailed balance (Vogels et al. 2011)
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.quantities import Array, finite

if TYPE_CHECKING:
    import xarray as xr

NAMES = {
    "excitation": "mean excitatory current",
    "inhibition": "mean inhibitory current",
    "index": "part of the mean excitation that is not cancelled",
    "tracking": "correlation of excitation and inhibition over time",
}


def balance(excitation: ArrayLike, inhibition: ArrayLike) -> "xr.Dataset":
    """Means, `index` and `tracking` of each cell from its currents (time, cell), or (time,) of one, in any one unit.

    Tonic input counts where the caller adds it. NaN where there is no excitation, or nothing varies. Currents of
    `Run.membrane` are those that flow at the potential of the moment, not those under a clamp.
    """
    import xarray as xr

    e, i = _pair("measures.balance", excitation, inhibition, "time")
    means = e.mean(axis=0), i.mean(axis=0)
    excited = means[0] != 0.0
    index = np.where(excited, (means[0] + means[1]) / np.where(excited, means[0], 1.0), np.nan)
    values = (*means, index, _correlation(e, -i))
    dims = ("cell",)[: e.ndim - 1]
    return xr.Dataset({n: (dims, v, {"long_name": NAMES[n]}) for n, v in zip(NAMES, values, strict=True)})


def cotuning(excitation: ArrayLike, inhibition: ArrayLike) -> Array:
    """Correlation over channels of the sizes of excitation and inhibition (channel, cell) or (channel,), of each cell.

    Sizes are positive, of weights, conductances or currents. NaN where all channels are equal.
    """
    return _correlation(*_pair("measures.cotuning", excitation, inhibition, "channel"))


def _pair(function: str, excitation: ArrayLike, inhibition: ArrayLike, axis: str) -> tuple[Array, Array]:
    e, i = finite(function, "excitation", excitation), finite(function, "inhibition", inhibition)
    if e.shape != i.shape or e.ndim not in (1, 2) or e.shape[0] < 2:
        raise ValueError(
            f"{function}: excitation and inhibition must both be ({axis}, cell) or ({axis},) with at least two rows, "
            f"got {e.shape} and {i.shape}."
        )
    return e, i


def _correlation(x: Array, y: Array) -> Array:
    """Pearson's, along the first axis."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    power = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    varies = power > 0.0
    return np.where(varies, (x * y).sum(axis=0) / np.where(varies, power, 1.0), np.nan)
