"""The model neuron over the plane of its input, as a background for the points of recorded units."""

from typing import TYPE_CHECKING

import numpy as np

from equipoise.model.neurons import EIF, LIF
from equipoise.quantities import Array
from equipoise.renewal import statistics

if TYPE_CHECKING:
    import xarray as xr


def operating_map(neuron: LIF | EIF, *, mean: Array, sd: Array) -> "xr.Dataset":
    """Rate [Hz], its logarithm and C_v over (sd, mean) [V] of the neuron's membrane without threshold."""
    import xarray as xr

    mu = (np.asarray(mean) - neuron.v_leak) / neuron.tau_m
    sigma = np.asarray(sd)[:, None] * np.sqrt(2.0 / neuron.tau_m)
    grid = {
        "rate": (("sd", "mean"), statistics.rate(neuron, mu=mu, sigma=sigma), {"units": "Hz"}),
        "log_rate": (("sd", "mean"), statistics.log_rate(neuron, mu=mu, sigma=sigma), {"units": "log Hz"}),
        "cv": (("sd", "mean"), statistics.cv(neuron, mu=mu, sigma=sigma), {"units": "1"}),
    }
    attrs = {"v_threshold": neuron.v_threshold, "v_reset": neuron.v_reset}
    return xr.Dataset(grid, coords={"mean": mean, "sd": sd}, attrs=attrs)
