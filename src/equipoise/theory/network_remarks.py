"""What a network's state means, in words: unstable, silent, saturated, far from balance; or why there is none."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from equipoise.quantities import Array
from equipoise.results import Status
from equipoise.theory import balance
from equipoise.theory.wiring import Wiring

Mask = NDArray[np.bool_]

SILENCE = 1e-3
"""Mean rate [Hz] below which a population counts as silent: less than four spikes an hour."""
CEILING = 0.9
"""Share of the largest rate 1/tau_ref above which a population counts as saturated."""
ENDLESS = 1e6
"""Rates [Hz] beyond which a search has run away."""


def judge(wiring: Wiring, rates: Array, stable: bool) -> tuple[Status, list[str]]:
    """Status of a fixed point with these rates (n,), and the remarks that belong to it."""
    silent = rates < SILENCE
    high = np.array([r * neuron.tau_ref for r, neuron in zip(rates, wiring.neurons, strict=True)])
    saturated = high > CEILING
    remarks = [] if stable else ["the rates leave this state: the fast rate dynamics is unstable there."]
    remarks += [*_silence(wiring, rates, silent), *_saturation(wiring, high, saturated)]
    remarks += _imbalance(wiring, bool(silent.any() or saturated.any()))
    if not stable:
        return Status.UNSTABLE, remarks
    return Status.SATURATED if saturated.any() else Status.SILENT if silent.any() else Status.OK, remarks


def nothing_found(starts: int, highest: float) -> str:
    """Why no state is returned after `starts` searches that began at rates up to `highest` [Hz]."""
    if highest > ENDLESS:
        return (
            "no self-consistent state: the rates grow without end. Weaken recurrent excitation, strengthen inhibition, "
            "or give the neurons a refractory time."
        )
    where = "this start" if starts == 1 else f"{starts} starts (the balanced rates, relaxation from silence, 10 Hz)"
    return (
        f"no fixed point found: Newton's method did not converge from {where}. Give start=[...] rates nearer to the "
        "state, or look for all states with fixed_points."
    )


def _silence(wiring: Wiring, rates: Array, silent: Mask) -> Iterator[str]:
    names = [name for name, quiet in zip(wiring.names, silent, strict=True) if quiet]
    if not names:
        return
    who = "the network is" if silent.all() else f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
    drive = wiring.moments(rates, rates**2).mu[silent]
    yield (
        f"{who} silent (below {SILENCE:g} Hz, mean input {', '.join(f'{m:.3g}' for m in drive)} V/s): raise the source "
        "rates or excitatory weights, or lower inhibition."
    )


def _saturation(wiring: Wiring, high: Array, saturated: Mask) -> Iterator[str]:
    cells = [
        f"{name} at {100 * share:.0f} % of 1/tau_ref"
        for name, share, full in zip(wiring.names, high, saturated, strict=True)
        if full
    ]
    if cells:
        yield f"saturated: {', '.join(cells)}. Weaken excitation of these, or strengthen their inhibition."


def _imbalance(wiring: Wiring, extreme: bool) -> Iterator[str]:
    """A broken inequality of an E-I network; for other networks, a balance without positive rates where it shows."""
    texts, rates = balance.inequalities(wiring), balance.rates(wiring)
    broken = any("does not hold" in text for text in texts)
    impossible = rates is not None and bool((rates <= 0.0).any())
    if broken and not impossible and rates is not None:
        yield f"the balanced rates are unstable: {' '.join(texts)} This state is not near balance."
    elif broken or (extreme and impossible):
        yield f"{balance.impossible(wiring, rates, texts)} This state is not near balance: at large K it moves away."
