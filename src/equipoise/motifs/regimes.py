"""One call maps what a motif does over the strength and the delay of its inhibition."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise.motifs.circuits import FeedbackInhibition, FeedforwardInhibition, Motif
from equipoise.motifs.responses import gain, window
from equipoise.motifs.rhythm import rhythm
from equipoise.quantities import finite
from equipoise.units import Hz, kHz, ms, second

if TYPE_CHECKING:
    import xarray as xr

FEEDFORWARD = ("silent", "precise", "floodgate", "runaway")
FEEDBACK = ("silent", "irregular", "rhythm", "bursts", "runaway")
FEW_MS = 10 * ms
"""A window of opportunity that is wider is a floodgate."""
SEVERAL = 1.5
"""Spikes of a cell in answer to one volley, or in a period, that are more than one."""
FAST = 100 * Hz
"""Principal cells under sustained drive that fire faster run away."""
SLOW = 0.5 * Hz
COHERENT = 0.3
LAGS = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0]) * ms


def regimes(
    motif: Motif, *, strength: ArrayLike, delay: ArrayLike, seed: int, drive: float = 4 * kHz, largest: float = 3.0
) -> "xr.Dataset":
    """What a motif does at each `strength` [S or V] and `delay` [s] of its inhibition, as `regime` and its numbers.

    Feedforward: "silent" (two coinciding volleys fire fewer than half of the cells), "precise" (the `window` of
    opportunity is at most 10 ms), "floodgate" (wider), "runaway" (a volley of `largest` times the afferents makes cells
    excite each other to 1.5 `spikes` each or more; `lasting` [Hz] is what goes on). Feedback, under a sustained
    background `drive` [Hz]: "silent" (E below 0.5 Hz), "irregular", "rhythm" (the rate of E has a `coherence` of 0.3 or
    more at its `frequency`), "bursts" (the same with 1.5 spikes of a cell in a period or more), "runaway" (E above
    100 Hz). The borders are conventions.
    """
    import xarray as xr

    strengths, delays = (
        np.atleast_1d(finite("regimes", n, x, low=0.0)) for n, x in (("strength", strength), ("delay", delay))
    )
    for name, values in (("strength", strengths), ("delay", delays)):
        if values.size == 0 or values.ndim > 1:
            raise ValueError(f"regimes: {name} must be a list of at least one number, got {values.tolist()}.")
    one = _study(motif, seed, drive, largest)
    cells = [[one(replace(motif, strength=float(s), delay=float(d))) for d in delays] for s in strengths]
    names, labels = list(cells[0][0]), FEEDFORWARD if isinstance(motif, FeedforwardInhibition) else FEEDBACK
    data = {n: (("strength", "delay"), np.array([[c[n] for c in row] for row in cells])) for n in names}
    coords = {"strength": strengths, "delay": ("delay", delays, {"units": "s"})}
    return xr.Dataset(data, coords, {"regimes": ", ".join(labels), "seed": seed, "motif": repr(motif)})


def _study(motif: Motif, seed: int, drive: float, largest: float) -> Callable[[Motif], dict]:
    if isinstance(motif, FeedforwardInhibition):
        return lambda one: _feedforward(one, seed, largest)
    if isinstance(motif, FeedbackInhibition):
        return lambda one: _feedback(one, seed, drive)
    raise TypeError(
        f"regimes: motif must be an eq.motifs.FeedforwardInhibition() or eq.motifs.FeedbackInhibition(), got {motif!r}."
    )


def _feedforward(motif: Motif, seed: int, largest: float) -> dict[str, float | str]:
    big = gain(motif, [largest], seed=seed)
    spikes, lasting = float(big["spikes"][0]), float(big["lasting"][0])
    runs_away = spikes >= SEVERAL
    wide = np.nan if runs_away else float(window(motif, LAGS, seed=seed, apart=150 * ms)["window"])
    if runs_away:
        regime = "runaway"
    elif wide == 0.0:
        regime = "silent"
    else:
        regime = "precise" if wide <= FEW_MS else "floodgate"
    return {"regime": regime, "window": wide, "spikes": spikes, "lasting": lasting}


def _feedback(motif: Motif, seed: int, drive: float) -> dict[str, float | str]:
    assert isinstance(motif, FeedbackInhibition)
    data = rhythm(motif, drive=drive, seed=seed, duration=0.6 * second)
    rate, coherence, frequency = (float(data[name]) for name in ("rate", "coherence", "frequency"))
    if rate > FAST:
        regime = "runaway"
    elif rate < SLOW:
        regime = "silent"
    elif coherence < COHERENT:
        regime = "irregular"
    else:
        regime = "bursts" if rate / frequency >= SEVERAL else "rhythm"
    return {"regime": regime, "rate": rate, "coherence": coherence, "frequency": frequency}
