"""Who compensates: the share of intrinsic and of synaptic change in a change of rate.

With f the f-I curve (gain g, threshold theta) and h the input of a cell before (0) and after (1),

    intrinsic = ((f1(h0) - f0(h0)) + (f1(h1) - f0(h1)))/2,    synaptic = ((f0(h1) - f0(h0)) + (f1(h1) - f1(h0)))/2

the Shapley values of the two changes: each in the average of both orders, so that they add up to f1(h1) - f0(h0), and
neither order is preferred. How much the order matters is `interaction` = f1(h1) - f1(h0) - f0(h1) + f0(h0).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.measures.bootstrap import FEWEST, Estimate, from_samples, unknown
from equipoise.model.rate_neurons import RateNeuron, ThresholdLinear
from equipoise.quantities import Array, finite, seed_sequence, together, whole


@dataclass(frozen=True, eq=False)
class Excitability:
    """Cells as measured: `gain` [Hz per unit of input], `threshold` and synaptic `input` [its unit], each (cells,).

    A number stands for all cells.
    """

    gain: ArrayLike
    threshold: ArrayLike
    input: ArrayLike

    @property
    def table(self) -> Array:
        """Gain, threshold and input (3, cells)."""
        parts = {name: np.atleast_1d(finite("Excitability", name, getattr(self, name))) for name in FIELDS}
        if (parts["gain"] <= 0.0).any():
            raise ValueError(f"Excitability.gain must be above 0, got {parts['gain'].min():g}.")
        return np.stack(together("Excitability", **parts))


FIELDS = ("gain", "threshold", "input")


@dataclass(frozen=True, kw_only=True, repr=False)
class Shares:
    """Parts of the `change` of a mean rate [Hz]: `intrinsic`, `synaptic` and their `interaction` [Hz].

    `share` is the intrinsic part over the change.
    """

    change: Estimate
    intrinsic: Estimate
    synaptic: Estimate
    interaction: Estimate
    share: Estimate

    def __repr__(self) -> str:
        names = ("change", "intrinsic", "synaptic", "interaction", "share")
        return "\n".join(["Shares", *(f"  {name:12s}{getattr(self, name)}" for name in names)])


def compensation_shares(
    before: Excitability,
    after: Excitability,
    *,
    neuron: RateNeuron | None = None,
    paired: bool = False,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int | np.random.SeedSequence = 0,
) -> Shares:
    """Intrinsic and synaptic parts of a change of rate, with intervals by bootstrap over cells.

    `neuron` gives the shape of the f-I curve (default threshold-linear). Cells are other ones before and after, unless
    `paired`: then they are the same, in the same order. Unpaired, every cell before meets the mean cell: f-I curves and
    inputs are averaged over cells first. The share is unknown where the change does not differ from none; so is all of
    fewer than five cells.
    """
    one, two = before.table, after.table
    if paired and one.shape != two.shape:
        raise ValueError(
            f"measures.compensation_shares: paired cells must be as many before and after, got {one.shape[1]} and "
            f"{two.shape[1]}."
        )
    if min(one.shape[1], two.shape[1]) < FEWEST:
        nothing = unknown(min(one.shape[1], two.shape[1]))
        return Shares(change=nothing, intrinsic=nothing, synaptic=nothing, interaction=nothing, share=nothing)
    curve = ThresholdLinear() if neuron is None else neuron
    n = whole("measures.compensation_shares: samples", samples, low=100)
    rng = np.random.default_rng(seed_sequence(seed))
    draws = np.array([_parts(curve, *_cells(one, two, paired, rng if k else None)) for k in range(n + 1)]).T
    return _shares(draws, min(one.shape[1], two.shape[1]), confidence)


def _cells(one: Array, two: Array, paired: bool, rng: np.random.Generator | None) -> tuple[Array, Array]:
    """Cells before and after, drawn again if asked; means of those that are not paired."""
    rows = [np.arange(t.shape[1]) if rng is None else rng.integers(0, t.shape[1], t.shape[1]) for t in (one, two)]
    if paired:
        return one[:, rows[0]], two[:, rows[0]]
    return one[:, rows[0]].mean(axis=1, keepdims=True), two[:, rows[1]].mean(axis=1, keepdims=True)


def _parts(curve: RateNeuron, one: Array, two: Array) -> tuple[float, float, float, float]:
    """Change, intrinsic and synaptic part, and interaction of the mean rate."""

    def f(cell: Array, h: Array) -> float:
        return float(curve.transfer(h, gain=cell[0], threshold=cell[1]).mean())

    f00, f01, f10, f11 = f(one, one[2]), f(one, two[2]), f(two, one[2]), f(two, two[2])
    return f11 - f00, 0.5 * (f10 - f00 + f11 - f01), 0.5 * (f01 - f00 + f11 - f10), f11 - f10 - f01 + f00


def _shares(draws: Array, n: int, confidence: float) -> Shares:
    names = ("change", "intrinsic", "synaptic", "interaction")
    found = {k: from_samples(float(d[0]), d[1:], n, confidence) for k, d in zip(names, draws, strict=True)}
    differs = found["change"].low * found["change"].high > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = draws[1] / draws[0]
    share = from_samples(float(ratio[0]), ratio[1:], n, confidence) if differs else unknown(n)
    return Shares(**found, share=share)
