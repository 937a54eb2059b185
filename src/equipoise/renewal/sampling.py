"""Interspike intervals drawn from the neuron itself, without a time grid: an oracle for every closed form.

The membrane takes long steps, each with its exact transition density; the threshold is tested with the law of the
Brownian bridge between the two ends and the time of crossing is drawn from it, so that no spike is missed or late. The
PIF's reflection uses the law of the bridge minimum (Skorokhod). What error is left is set by `StepControl`.
"""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from equipoise import _core
from equipoise.model.neurons import LIF, PIF
from equipoise.quantities import Array, Quantity, check, check_fields, finite, quantity, seed_sequence
from equipoise.results import NumericalFailure, Status
from equipoise.units import hour, ms

Words = NDArray[np.uint64]

BUDGET = 4_000_000  # steps of one call into the core, about 0.1 s, so that Ctrl-C is answered


@dataclass(frozen=True, kw_only=True)
class StepControl:
    """How finely a membrane is stepped, and when to give up.

    `reach`: a PIF's step is so short that threshold and bound lie this many standard deviations apart (a path visits
    both with probability 1e-6 at 5); the LIF's steps shrink within this distance of threshold. `fine`: the LIF's
    shortest step in units of tau_m; its error falls with the square.
    `flush` [s]: the longest time between updates of the input by the weights, which follow calcium within an interval;
    the error falls with its square while it stays below the interspike interval and the calcium decay. `max_steps` ends
    a simulation that gets nowhere.
    """

    reach: float = quantity("standard deviations to an ignored boundary", default=5.0, low=1.0, high=20.0)
    fine: float = quantity("shortest LIF step in tau_m", default=0.02, low=1e-5, high=1.0)
    flush: float = quantity(
        "longest time between weight updates", default=50 * ms, unit="ms", low=0.1 * ms, high=1 * hour
    )
    max_steps: float = quantity("steps after which to give up", default=1e10, low=1.0)

    def __post_init__(self):
        check_fields(self)


def sample_isi(
    neuron: PIF | LIF, n: int, *, mu: float, sigma: float, seed: int, steps: StepControl | None = None
) -> Array:
    """Draw n interspike intervals (n,) [s] of a PIF or LIF under mu + sigma xi(t) (Eq. 1), refractory period included.

    `mu` [V/s], `sigma` [V/sqrt(s)]; `seed` is an integer or a numpy SeedSequence. Raises NumericalFailure where the
    cell hardly fires. Sources: Karatzas & Shreve 1991, Sec. 2.8 (bridge), Lepingle 1995 (reflection).
    """
    steps = steps or StepControl()
    count = whole_number("sample_isi", "n", n)
    mu = float(finite("sample_isi", "mu", mu))
    sigma = float(finite("sample_isi", "sigma", sigma, low=0.0))
    state = np.array([neuron.v_reset, neuron.tau_ref, 0.0])
    words, intervals = random_words(seed), np.empty(count)
    spent = 0
    while state[2] < count:
        if spent >= steps.max_steps:
            raise NumericalFailure(
                Status.INSUFFICIENT_DATA,
                f"sample_isi: {int(state[2])} of {count} intervals after {spent:g} steps at mu={mu:g}, sigma={sigma:g};"
                " the cell hardly fires. Raise mu or sigma, or StepControl.max_steps.",
            )
        spent += _core.isi_sample(membrane(neuron, steps), mu, sigma, state, words, intervals, BUDGET)
    return intervals


@singledispatch
def membrane(neuron: object, steps: StepControl) -> Array:  # noqa: ARG001
    """The numbers by which the compiled core knows a neuron."""
    raise TypeError(
        f"The event loop steps PIF and LIF exactly, got {type(neuron).__name__}. "
        "Use equipoise.renewal.rate, cv or equipoise.theory.evolve for other neurons."
    )


@membrane.register
def _(neuron: PIF, steps: StepControl) -> Array:
    return np.array([0.0, neuron.v_threshold, neuron.v_reset, neuron.tau_ref, neuron.v_bound, steps.reach])


@membrane.register
def _(neuron: LIF, steps: StepControl) -> Array:
    start = [1.0, neuron.v_threshold, neuron.v_reset, neuron.tau_ref, neuron.v_leak]
    return np.array([*start, steps.reach, neuron.tau_m, steps.fine])


def random_words(seed: int | np.random.SeedSequence) -> Words:
    """The four words of the xoshiro256++ stream that belongs to a seed."""
    return seed_sequence(seed).generate_state(4, np.uint64).astype(np.uint64)


def whole_number(function: str, name: str, value: int) -> int:
    """Return a count, at least 0; raises ValueError or TypeError that names the argument."""
    number = check(f"{function}.{name}", value, Quantity("how many", low=0.0))
    if number != int(number):
        raise ValueError(f"{function}: {name} must be a whole number, got {value!r}.")
    return int(number)
