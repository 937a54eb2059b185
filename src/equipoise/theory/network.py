"""The verbs on a circuit: its state, all its states, its balanced limit, and where homeostasis takes it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from equipoise import renewal
from equipoise.model.circuit import Circuit
from equipoise.model.homeostasis import CalciumHomeostasis, CalciumSetPoint, SetPoint
from equipoise.quantities import Array, finite
from equipoise.theory import balance, balanced, distributions, network_homeostasis
from equipoise.theory import network_state as states
from equipoise.theory.network_homeostasis import NetworkEquilibrium
from equipoise.theory.network_loop import NetworkLoop
from equipoise.theory.network_state import NetworkState
from equipoise.theory.wiring import Wiring

if TYPE_CHECKING:
    import xarray as xr


def wiring_of(circuit: Circuit) -> Wiring:
    """The circuit as arrays (post, pre); TypeError for what mean field cannot represent."""
    times = circuit.synaptic_times()
    inner = [np.unique(row[connected]) for row, connected in zip(times, circuit.connected(), strict=True)]
    for population, kinds in zip(circuit.populations, inner, strict=True):
        if kinds.size > 1:
            raise TypeError(
                f"mean_field: all synapses of one population must share a time constant, {population.name!r} has "
                f"{', '.join(f'{1e3 * t:g} ms' for t in kinds)}."
            )
    return Wiring(
        tuple(renewal.tabulated(p.neuron) for p in circuit.populations),
        tuple(p.name for p in circuit.populations),
        circuit.weights(),
        circuit.in_degrees(),
        circuit.in_degree_variances(),
        1.0 - circuit.finite_p(),
        np.array([s.rate for s in circuit.sources]),
        np.array([s.fano for s in circuit.sources]),
        np.zeros(len(circuit.populations)),
        np.array([kinds[0] if kinds.size else 0.0 for kinds in inner]),
    )


def mean_field(circuit: Circuit, *, start: ArrayLike | None = None, throw: bool = True) -> NetworkState:
    """The self-consistent state of a circuit (Sec. 4.5.3).

    `start` (n,) rates [Hz] choose among several states; by default it is the balanced state where there is one, and
    otherwise the one that the rates settle in from silence. The status and its message say what is wrong with a state
    (UNSTABLE, SILENT, SATURATED, no balance); raises NumericalFailure where none is found.
    """
    wiring = wiring_of(circuit)
    if start is not None:
        return states.solve(wiring, [_rates("mean_field", circuit, start)], throw=throw)
    return states.solve(wiring, _starts(wiring), throw=throw)


def fixed_points(circuit: Circuit, *, starts: Sequence[ArrayLike] = ()) -> list[NetworkState]:
    """All states found from many starts, each with its stability; `starts` adds rates of your own."""
    return states.fixed_points(wiring_of(circuit), starts=[_rates("fixed_points", circuit, s) for s in starts])


def balanced_limit(circuit: Circuit, *, throw: bool = True) -> balanced.BalancedLimit:
    """The limit of many inputs with weights J ~ K^-1/2 (Sec. 4.5.4); NumericalFailure where balance is impossible."""
    return balanced.limit(wiring_of(circuit), throw=throw)


def rate_distribution(
    circuit: Circuit, state: NetworkState, population: str, *, levels: ArrayLike | None = None
) -> "xr.Dataset":
    """Density and quantiles of the rates over the neurons of a population at a state of the circuit."""
    quantiles = None if levels is None else finite("rate_distribution", "levels", levels, low=0.0, open_low=True)
    return distributions.rate_distribution(wiring_of(circuit), state, population, levels=quantiles)


def neuron_sample(circuit: Circuit, state: NetworkState, population: str, n: int, *, seed: int) -> "xr.Dataset":
    """Inputs, rates and C_v of `n` neurons of a population: the joint law of rate and irregularity."""
    return distributions.neurons(wiring_of(circuit), state, population, n, seed=seed)


def network_set_points(circuit: Circuit, sensor) -> dict[str, CalciumSetPoint]:
    """Set point of each population: the mean calcium moments of the circuit's balanced limit (Eq. 34)."""
    wiring = wiring_of(circuit)
    found = network_homeostasis.set_points(wiring, balanced.limit(wiring), sensor)
    return dict(zip(wiring.names, found, strict=True))


def network_equilibrium(
    circuit: Circuit, *, near: NetworkEquilibrium | None = None, throw: bool = True
) -> NetworkEquilibrium:
    """Where the rules attached to a circuit take its weights, with the spectrum of the slow dynamics.

    The circuit's own weights decide what is conserved, and start the search; so does `near`, the result for a similar
    circuit. Raises NumericalFailure where no fixed point is found.
    """
    loop = loop_of(circuit)
    return network_homeostasis.fixed_point(loop, start=next(_starts(loop.wiring)), near=near, throw=throw)


def regulated(circuit: Circuit, found: NetworkEquilibrium) -> Circuit:
    """The circuit with the weights of its homeostatic fixed point, which `network_equilibrium` gave."""
    return circuit.with_weights(loop_of(circuit).with_weights(found.weights).J)


def network_evolve(circuit: Circuit, *, duration: float, times: ArrayLike | None = None) -> "xr.Dataset":
    """The weights of a circuit over `duration` [s] under its rules, the rates at their fixed point all along."""
    span = float(finite("network_evolve", "duration", duration, low=0.0, open_low=True))
    grid = np.linspace(0.0, span, 100) if times is None else finite("network_evolve", "times", times, low=0.0)
    loop = loop_of(circuit)
    first = states.solve(loop.wiring, _starts(loop.wiring))
    return network_homeostasis.evolve(loop, start=first.x, times=grid)


def loop_of(circuit: Circuit) -> NetworkLoop:
    """The circuit's closed loop; TypeError for rules and scopes that this level does not treat."""
    if not circuit.rules:
        raise ValueError("network homeostasis: the circuit has no rules; attach some with Circuit(..., rules=[...]).")
    rules: list[CalciumHomeostasis | None] = []
    for population in circuit.populations:
        attached = circuit.rule_of(population.name)
        if attached is None:
            rules.append(None)
            continue
        if attached.scope != "population":
            raise TypeError(
                f"network homeostasis: scope {attached.scope!r} of population {population.name!r} is not treated "
                "yet; use scope='population'."
            )
        rules.append(_calcium_rule(attached.rule, population))
    return NetworkLoop(wiring_of(circuit), tuple(rules), tuple(s.name for s in circuit.sources))


def _calcium_rule(rule, population) -> CalciumHomeostasis:
    if type(rule) is not CalciumHomeostasis:
        raise TypeError(
            f"network homeostasis: population {population.name!r} has a {type(rule).__name__}; only CalciumHomeostasis "
            "is treated for networks."
        )
    if isinstance(rule.target, SetPoint):
        mean, second = renewal.moments_at(population.neuron, rule.sensor, rule.target)
        return replace(rule, target=CalciumSetPoint(mean=mean, second_moment=second))
    return rule


def _starts(wiring: Wiring) -> Iterator[Array]:
    """Network states (2 n,) to begin with: the balanced one, where relaxation from silence settles, 10 Hz."""
    rates = balance.rates(wiring)
    if rates is not None and (rates > 0.0).all():
        yield states.with_spread(wiring, rates)
    yield states.relaxed(wiring, np.full(wiring.n, 0.1)).x
    yield states.with_spread(wiring, np.full(wiring.n, 10.0))


def _rates(function: str, circuit: Circuit, start: ArrayLike) -> Array:
    rates = finite(function, "start", start, low=0.0, open_low=True)
    if rates.shape != (len(circuit.populations),):
        names = ", ".join(p.name for p in circuit.populations)
        raise ValueError(f"{function}: start must give one rate each for {names}, got shape {rates.shape}.")
    return rates
